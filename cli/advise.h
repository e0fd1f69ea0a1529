/* SPDX-License-Identifier: Apache-2.0 */
/* Which input mode suits a data set, and why: a stated, simple model of what a
 * listing shows.
 *
 *   requests  a host has `connections` at once, each answered in `latency`;
 *             all hosts together get no more than `requests_max` a second
 *   bytes     a host reads `bandwidth`
 *   listing   `list_rate` keys a second
 *   File      starts when the listing and the host's share are there
 *   others    start with the listing and the first slot
 *   an epoch  is no shorter than its requests and its bytes take
 *
 * Pure. */

#ifndef CLI_ADVISE_H
#define CLI_ADVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"

enum {
    ADVISE_SMALL = 1 << 20,
    ADVISE_SLOT = 8 << 20,
    ADVISE_SLOTS = 4, /* What a ring wants at least. */
    ADVISE_WHY_MAX = 256,
};

/* What was listed. */
struct advise_seen {
    uint64_t objects;
    uint64_t bytes;
    uint64_t largest;
    uint64_t small;   /* Of at most ADVISE_SMALL. */
    uint64_t records; /* Whose names end like files of records. */
};

void advise_add(struct advise_seen *seen, struct bytes key, uint64_t size);

struct advise_setting {
    uint32_t hosts;
    uint32_t ranks; /* Of a host. */
    bool is_replicated;
    uint64_t memory; /* Of a host; 0: nobody said. */
    uint64_t disk;   /* The same. */
    double bandwidth;
    double latency; /* Seconds. */
    double connections;
    double requests_max;
    double list_rate;
};

/* One host of one rank, at a store like S3. */
struct advise_setting advise_usual(void);

enum advise_mode {
    ADVISE_FILE,
    ADVISE_FASTFILE,
    ADVISE_PIPE,
    ADVISE_RING,
    ADVISE_MODES,
};

struct advise_row {
    bool fits;
    double start; /* Seconds. */
    char why[ADVISE_WHY_MAX];
};

struct advise {
    double requests; /* A second, of one host. */
    double mean;
    double list;
    double epoch; /* At least, of one host's share. */
    double epoch_bytes;
    struct advise_row rows[ADVISE_MODES];
    enum advise_mode mode;
    bool packs; /* First, and then that mode. */
    double pack;
    double packed_epoch;
    char why[ADVISE_WHY_MAX];
    char hint[ADVISE_WHY_MAX]; /* "": none. */
};

/* @seen holds an object at least. */
void advise_make(const struct advise_seen *seen,
                 const struct advise_setting *setting, struct advise *out);

/* "File", "FastFile", … */
const char *advise_mode_name(enum advise_mode mode);

#endif /* CLI_ADVISE_H */
