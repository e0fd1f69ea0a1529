/* SPDX-License-Identifier: Apache-2.0 */
/* What was dealt to two hosts, of two ranks and of one: "train" is dynamic,
 * "eval" static. */

#ifndef TESTS_UNIT_DEALT_KIT_H
#define TESTS_UNIT_DEALT_KIT_H

#include "coordinator/dealt.h"

#define DEALT_KIT_RUN "0123456789abcdef0123456789abcdef"

enum {
    DEALT_KIT_HOSTS = 2,
    DEALT_KIT_RANKS = 3,
    DEALT_KIT_TRAIN = 0,
    DEALT_KIT_EVAL = 1,
    DEALT_KIT_CHANNELS = 2,
    DEALT_KIT_UNITS = 60, /* Of an epoch of train. */
    DEALT_KIT_EPOCHS = 2,
    DEALT_KIT_EVAL_UNITS = 12,
    DEALT_KIT_SKIPS = 1,
};

struct dealt_kit {
    uint32_t ranks[DEALT_KIT_HOSTS];
    uint32_t weights[DEALT_KIT_HOSTS];
    uint64_t bounds[DEALT_KIT_RANKS + 1];
    struct wire_share_all shares[DEALT_KIT_HOSTS];
    struct dealt dealt;
};

static inline void dealt_kit_share(struct dealt_kit *k, uint32_t host)
{
    static const char *const names[] = {"train", "eval"};
    struct wire_share_all *all = &k->shares[host];

    all->first_rank = host == 0 ? 0 : k->ranks[0];
    all->rank_count = DEALT_KIT_RANKS;
    all->share_count = DEALT_KIT_CHANNELS;
    for (uint32_t i = 0; i < DEALT_KIT_CHANNELS; i++) {
        all->shares[i] = (struct wire_share){
            .channel = bytes_of(names[i]),
            .share = bytes_of("runs/share"),
            .catalog = bytes_of("catalogs/c"),
            .root_uri = bytes_of("s3://b"),
            .prefix = bytes_of("p/"),
            .units = 1,
            .number = i,
            .is_dynamic = i == DEALT_KIT_TRAIN,
            .positions = i == DEALT_KIT_TRAIN ? DEALT_KIT_UNITS : 0,
        };
    }
}

static inline void dealt_kit_make(struct dealt_kit *k)
{
    *k = (struct dealt_kit){
        .ranks = {2, 1}, .weights = {100, 100}, .bounds = {0, 5, 5, 12}};
    k->dealt = (struct dealt){
        .host_count = DEALT_KIT_HOSTS,
        .ranks = k->ranks,
        .weights = k->weights,
        .shares = k->shares,
        .channel_count = DEALT_KIT_CHANNELS,
    };
    k->dealt.channels[DEALT_KIT_TRAIN] = (struct dealt_channel){
        .name = bytes_of("train"),
        .catalog = bytes_of("c1"),
        .is_dynamic = true,
        .positions = DEALT_KIT_UNITS,
        .epochs = DEALT_KIT_EPOCHS,
        .skips = DEALT_KIT_SKIPS,
        .how = bytes_of("{}"),
    };
    k->dealt.channels[DEALT_KIT_EVAL] = (struct dealt_channel){
        .name = bytes_of("eval"),
        .catalog = bytes_of("c2"),
        .positions = DEALT_KIT_EVAL_UNITS,
        .epochs = 1,
        .bounds = k->bounds,
        .how = bytes_of("{}"),
    };
    dealt_kit_share(k, 0);
    dealt_kit_share(k, 1);
}

#endif /* TESTS_UNIT_DEALT_KIT_H */
