/* SPDX-License-Identifier: Apache-2.0 */
/* How far a bring is, how fast it is now, and when it will have ended, as a
 * line for a person. Pure.
 *
 * The rate is that of the last seconds, so that it follows a network that gets
 * slower; what was there already is no part of it. */

#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PROGRESS_SAMPLES = 16,
    PROGRESS_STEP_MS = 1000, /* Between two of them, at least. */
    PROGRESS_LINE_MAX = 80,  /* With its NUL: one row of a terminal. */
};

/* What there is, of all channels. */
struct progress_sum {
    uint64_t units;
    uint64_t units_done;
    uint64_t bytes;
    uint64_t bytes_done;
    uint64_t bytes_found; /* Of those done: they were there already. */
};

/* Zeroed at first. */
struct progress {
    struct {
        uint64_t at_ms;
        uint64_t bytes; /* Brought until then. */
    } samples[PROGRESS_SAMPLES];
    uint32_t count; /* So many were taken, ever. */
};

/* Take what there is at @now_ms. */
void progress_add(struct progress *p, const struct progress_sum *sum,
                  uint64_t now_ms);

/* Bytes a second, lately; 0: not known, or nothing comes. */
double progress_rate(const struct progress *p);

/* Seconds until all is there; -1: not known. */
double progress_left(const struct progress *p, const struct progress_sum *sum);

/* "1.2 GB of 40 GB (3 %), 12 of 4000 objects, 1.1 GB/s, 35 s left". Returns
 * @out. */
const char *progress_line(const struct progress *p,
                          const struct progress_sum *sum,
                          char out[PROGRESS_LINE_MAX]);

/* How long after the @count-th line of a log the next one comes: at longer and
 * longer intervals, up to a minute. */
uint64_t progress_log_ms(uint32_t count);

#endif /* CLI_PROGRESS_H */
