/* SPDX-License-Identifier: Apache-2.0 */
/* The job that net_reign.h leads: its hosts and what they are dealt. */

#ifndef TESTS_BENCH_NET_DEAL_H
#define TESTS_BENCH_NET_DEAL_H

#include <stdint.h>

#include "coordinator/reign.h"
#include "tests/bench/coordinator_store.h"

#define COURT_RUN "0123456789abcdef0123456789abcdef"

enum {
    COURT_HOSTS_MAX = 64,
    COURT_STEP_MS = 10,
    COURT_BEAT_MS = 2000,
    COURT_OBJECTS = 100, /* Of each host and channel. */
};

struct court {
    uint32_t host_count;
    char names[COURT_HOSTS_MAX][16];
    const char *name_of[COURT_HOSTS_MAX];
    uint32_t ones[COURT_HOSTS_MAX];
    uint64_t bounds[COURT_HOSTS_MAX + 1];
    struct wire_share_all shares[COURT_HOSTS_MAX];
    enum wire_phase phases[COURT_HOSTS_MAX];
    struct dealt dealt;
    struct store store;
    struct reign *reign;
    struct reign_effects fx; /* Of the last step. */
    uint64_t ahead_ms;
};

static inline void court_deal(struct court *c)
{
    static const char *const names[] = {"train", "validation"};

    for (uint32_t i = 0; i < c->host_count; i++) {
        c->ones[i] = 1;
        c->bounds[i + 1] = c->bounds[i] + COURT_OBJECTS;
        c->shares[i].output = BYTES("s3://bucket/output");
        c->shares[i].checkpoint = BYTES("s3://bucket/checkpoints");
        c->shares[i].first_rank = i;
        c->shares[i].rank_count = c->host_count;
        c->shares[i].share_count = 2;
        for (uint32_t k = 0; k < 2; k++) {
            c->shares[i].shares[k] = (struct wire_share){
                .channel = bytes_of(names[k]),
                .share = BYTES("runs/" COURT_RUN "/shares/train/00000000"),
                .catalog = BYTES("catalogs/" COURT_RUN COURT_RUN),
                .root_uri = BYTES("s3://bucket/"),
                .prefix = BYTES("data/"),
                .named_by = BYTES(""),
                .number = k,
            };
        }
    }
    c->dealt = (struct dealt){.host_count = c->host_count,
                              .ranks = c->ones,
                              .weights = c->ones,
                              .shares = c->shares,
                              .channel_count = 2};
    for (uint32_t k = 0; k < 2; k++) {
        c->dealt.channels[k] = (struct dealt_channel){
            .name = bytes_of(names[k]),
            .catalog = BYTES(COURT_RUN COURT_RUN),
            .positions = c->bounds[c->host_count],
            .epochs = 1,
            .bounds = c->bounds,
            .how = BYTES("{}"),
        };
    }
}

#endif /* TESTS_BENCH_NET_DEAL_H */
