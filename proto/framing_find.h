/* SPDX-License-Identifier: Apache-2.0 */
/* Where records start, near any byte of an object: so that one large object
 * can be read in ranges by many who know nothing of each other.
 *
 * Cut an object at any bytes 0 = c0 < c1 < … < size, let each boundary be what
 * is found from its cut, and read each range up to the next boundary: all
 * records of the object come, each once. What is found from a cut is the same
 * for everybody; from 0 it is 0.
 *
 * Boundaries are proven by what the formats have: a line's end; recordio's
 * magic, which no data holds at a multiple of 4; tfrecord's CRC of a length,
 * twice; the checksums of tar's headers up to the next sample. Data made like
 * that (a tar within a tar) can deceive the last two. Then the range before
 * does not end with a record, and reading it fails as torn: nothing comes
 * twice or is lost unseen. Only a tar without its end that is the last block
 * of a member can make two samples of one.
 *
 * It does not read: it says which bytes it wants to see. Pure; one thread. */

#ifndef PROTO_FRAMING_FIND_H
#define PROTO_FRAMING_FIND_H

#include "proto/framing.h"

enum {
    FRAMING_FIND_LOOK = 64 << 10, /* It asks for so much, where it searches. */
};

struct framing_find {
    enum framing format;
    uint64_t size;

    /* Private. */
    uint64_t from;  /* No boundary lies before it. */
    uint64_t at;    /* What is looked at next. */
    uint64_t first; /* Where the trail that @at belongs to began. */
    size_t want;
    uint8_t trail; /* How far it has led. */
    bool is_found;
    size_t key_size;
    char key[FRAMING_NAME_MAX];
};

/* Find the first boundary at @cut (at most @size) or behind it, in an object
 * of @size bytes. */
void framing_find_start(struct framing_find *f, enum framing format,
                        uint64_t size, uint64_t cut);

/* Which bytes it wants to see; they are within the object. false: it has
 * found the boundary. */
bool framing_find_wants(const struct framing_find *f, uint64_t *offset,
                        size_t *size);

/* Show them: all that are wanted, or more. */
void framing_find_look(struct framing_find *f, struct bytes bytes);

/* The boundary: where a record starts, or the object's size. */
uint64_t framing_find_found(const struct framing_find *f);

#endif /* PROTO_FRAMING_FIND_H */
