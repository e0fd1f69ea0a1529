/* SPDX-License-Identifier: Apache-2.0 */
/* Where to cut a range of keys of which only the beginning was seen, so that
 * both parts hold some; and how many requests at once a store bears. Pure.
 *
 * The bytes that keys have are learned from pages. A cut is made in the part
 * of the key that the last page counted through (digits, or letters): what
 * is between the last key and the end of the range there, or the end of the
 * alphabet where the range ends beyond it. */

#ifndef STORE_SCAN_CUT_H
#define STORE_SCAN_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "store/store.h"

struct scan_alphabet {
    uint8_t bytes[256]; /* Those seen, in order. */
    uint32_t count;
    uint8_t kinds[STORE_KEY_MAX]; /* At each place of a key: a bit for digits,
                                     lower case and so on. */
};

/* Note the bytes of @key from @from on. Those of a kind are taken to be
 * everywhere where one of the kind was seen. */
void scan_learn(struct scan_alphabet *a, struct bytes key, size_t from);

/* How many bytes @a and @b have in common at their start. */
size_t scan_common(struct bytes a, struct bytes b);

/* Keys in (@lo, @hi] are still to be listed. */
struct scan_span {
    struct bytes prefix; /* All keys start with it. */
    struct bytes first;  /* Of the page that ended with @lo. */
    struct bytes lo;     /* A key that was listed. */
    struct bytes hi;     /* Empty: to the end of the prefix. */
    uint32_t level;      /* Cut so many parts further left in the key. */
};

struct scan_cut {
    char at[STORE_KEY_MAX];
    size_t size;
    bool is_guess; /* The end of the range was beyond the part. */
};

/* Find a text greater than @lo and less than @hi, UTF-8 where @lo is, without
 * NUL. False: there is none that is worth it. */
bool scan_cut_find(const struct scan_alphabet *a, const struct scan_span *span,
                   struct scan_cut *out);

/* About how many pages like the last one are left; SCAN_MANY: unknown. */
#define SCAN_MANY 1e9
double scan_pages_left(const struct scan_alphabet *a,
                       const struct scan_span *span);

/* Requests at once: halved when the store says to slow down, once for all
 * that were under way, else growing to @most. */
struct scan_lanes {
    uint32_t now;
    uint32_t most;
    uint32_t pages; /* Answered since it last grew. */
    uint32_t old;   /* Answers still to come to requests before a cut. */
    bool was_cut;
};
void scan_lanes_init(struct scan_lanes *l, uint32_t most);
void scan_lanes_answered(struct scan_lanes *l, uint32_t inflight,
                         bool is_throttled);

#endif /* STORE_SCAN_CUT_H */
