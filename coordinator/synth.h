/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic catalogs, so that anyone can try a deal on a data set that does
 * not exist: `smshard plan --synthetic 10000000`. Deterministic in the seed;
 * no I/O. */

#ifndef COORDINATOR_SYNTH_H
#define COORDINATOR_SYNTH_H

#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"

enum synth_sizes {
    SYNTH_EQUAL,     /* All of the mean size. */
    SYNTH_UNIFORM,   /* 1 to twice the mean. */
    SYNTH_LOGNORMAL, /* sigma 1.5 */
    SYNTH_ZIPF,      /* Exponent 1.1 over the index: few hold most. */
};

enum synth_keys {
    SYNTH_NUMBERED, /* part-00000017.tar: all in one folder. */
    SYNTH_DATED,    /* 2026/01/31/12/part-0017.tar: many folders. */
    SYNTH_HASHED,   /* ab/cd/abcd….jpg: nothing shared but a few letters. */
};

struct synth_options {
    uint64_t count;
    uint64_t mean_bytes;
    uint64_t seed;
    enum synth_sizes sizes;
    enum synth_keys keys;
};

/* Read a distribution's or key shape's name. INVALID: no such one. */
MUST_USE enum status synth_parse_sizes(const char *name, enum synth_sizes *out);
MUST_USE enum status synth_parse_keys(const char *name, enum synth_keys *out);

/* Make the catalog. FULL: no memory, or too many objects. */
MUST_USE enum status synth_make(const struct synth_options *options,
                                struct fault *why, struct catalog **out);

#endif /* COORDINATOR_SYNTH_H */
