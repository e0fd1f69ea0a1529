/* SPDX-License-Identifier: Apache-2.0 */
/* Which objects go into which shard: a function of the listing alone, so that
 * the same source makes the same shards. Objects stay in the order of their
 * keys; a tar's samples are not torn apart. Pure. */

#ifndef CLI_PACK_PLAN_H
#define CLI_PACK_PLAN_H

#include "coordinator/catalog.h"
#include "proto/framing.h"

enum {
    PACK_SHARDS_MAX = 1000000,
    PACK_NAME_MAX = 256,
    PACK_RECORDIO_MAX = 64 << 20, /* Records of recordio are made whole. */
};

struct pack_shard {
    uint64_t first; /* Of the catalog's objects, */
    uint64_t count; /* so many; at least one. */
    uint64_t size;  /* Planned, and then made. */
    uint64_t crc;   /* Its CRC64NVME, once it is made. */
};

struct pack_plan {
    struct pack_shard *shards;
    uint32_t count;
    uint64_t unnamed; /* Of a tar: names that readers of samples leave out. */
};

struct pack_plan_options {
    enum framing format;
    uint64_t size;       /* A shard should not be larger. */
    struct bytes prefix; /* Of the source, in keys. */
};

/* INVALID: an object can't be packed, @why names it; FULL: more shards than
 * PACK_SHARDS_MAX. */
MUST_USE enum status pack_plan_make(const struct catalog *objects,
                                    const struct pack_plan_options *options,
                                    struct fault *why, struct pack_plan *out);
void pack_plan_fini(struct pack_plan *p);

/* What the shards' names end with: "tar". */
const char *pack_ending(enum framing format);

/* "<prefix>-000007.tar". */
void pack_shard_name(const char *prefix, uint32_t number, enum framing format,
                     char out[PACK_NAME_MAX]);

/* Whether @name is one that a pack of this prefix makes, whatever its format
 * and number. */
bool pack_is_shard_name(struct bytes name, const char *prefix);

#endif /* CLI_PACK_PLAN_H */
