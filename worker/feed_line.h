/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of the feed's socket: what the command's processes ask. What they
 * send is not trusted: a line is understood whole or refused with a text that
 * says why. Pure. */

#ifndef WORKER_FEED_LINE_H
#define WORKER_FEED_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { FEED_LINE_MAX = 4096 }; /* Without its newline. */

enum feed_verb {
    FEED_RANK,   /* number */
    FEED_KEEP,   /* Units outlive the connection. */
    FEED_AGAIN,  /* What the rank has and has not done is handed out anew. */
    FEED_NEXT,   /* channel, is_now */
    FEED_DONE,   /* channel, number */
    FEED_COMMIT, /* channel, number */
    FEED_SKIP,   /* channel, number, text */
    FEED_STOP,   /* channel */
    FEED_VERBS,
};

struct feed_line {
    enum feed_verb verb;
    struct bytes channel;
    uint64_t number; /* A rank or a position. */
    struct bytes text;
    bool is_now; /* Do not wait. */
};

/* Read @line, without its newline (and a carriage return before it).
 * MALFORMED. Texts are views into it. */
MUST_USE enum status feed_line_read(struct bytes line, struct fault *why,
                                    struct feed_line *out);

/* Append @path so that it is one word: bytes up to the space, DEL and '%'
 * become %XX. */
void feed_line_write_path(const char *path, struct buf *out);

/* Undo that in place; what is no %XX stays as it is. */
void feed_line_read_path(char *path);

/* What the feed answers. */
enum feed_word {
    FEED_OK,
    FEED_REFUSED,
    FEED_EMPTY,
    FEED_OVER,
    FEED_END,     /* epoch */
    FEED_ERROR,   /* text */
    FEED_IS_UNIT, /* epoch, position, lease, size, text: the path, one word */
};
struct feed_answer {
    enum feed_word word;
    uint64_t epoch;
    uint64_t position;
    uint64_t lease;
    uint64_t size;
    struct bytes text;
};

/* Read an answer, without its newline. MALFORMED. */
MUST_USE enum status feed_answer_read(struct bytes line, struct fault *why,
                                      struct feed_answer *out);

#endif /* WORKER_FEED_LINE_H */
