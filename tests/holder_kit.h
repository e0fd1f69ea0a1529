/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of holder: several of them against a coordinator, over a net
 * that loses, delays, repeats and reorders, with hosts that sleep, crash and
 * have clocks of their own. After each step all that must hold is checked. */

#ifndef TESTS_HOLDER_KIT_H
#define TESTS_HOLDER_KIT_H

#include "base/mem.h"
#include "base/prng.h"
#include "tests/harness.h"
#include "worker/holder.h"

enum {
    KIT_HOSTS = 4,
    KIT_RANKS = 3,
    KIT_UNITS = 96,
    KIT_EPOCHS = 3,
    KIT_LEASES = 4096,
    KIT_FLIGHT = 512,
    KIT_OPEN = 16,
    KIT_LEASE_MS = 4000,
    KIT_STEP_MS = 20,
    KIT_STORM = 1200, /* Steps with faults. */
    KIT_CALM = 12000, /* Steps within which it must end without. */
};

/* A coordinator behind functions. @take answers @work, the newest that was
 * heard of @host; again with is_push when that was answered before. */
struct kit_coordinator {
    void *self;
    void (*take)(void *self, uint32_t host, const struct work *work,
                 bool is_push, struct grant *out);
    void (*enter)(void *self, uint32_t host);
    void (*tick)(void *self);
    bool (*holds)(void *self, uint32_t host, const struct holder_unit *unit);
    bool is_forgetful; /* It may refuse what it has committed long ago. */
};

/* What the holder's side knows of one unit under one lease. */
enum kit_state { KIT_NONE, KIT_HANDED, KIT_TOLD, KIT_ACKED, KIT_REFUSED };

struct kit_message {
    bool is_used;
    bool is_work;
    uint32_t host;
    uint64_t due_ms;
    struct buf body;
};

struct kit_host {
    struct holder *holder;
    uint64_t percent; /* Of the true time does its clock run; */
    uint64_t awake_ms;
    uint64_t heard_seq; /* Of the newest WORK that came; */
    struct work heard;  /* and it. */
    struct holder_unit open[KIT_RANKS][KIT_OPEN];
    uint32_t open_count[KIT_RANKS];
    uint64_t stops[KIT_RANKS]; /* Epochs whose end it was told. */
    bool is_over[KIT_RANKS];
};

struct kit {
    struct prng prng;
    struct kit_coordinator c;
    uint64_t now_ms;
    uint64_t units;
    uint64_t epochs;
    uint32_t hosts;
    uint32_t ranks;
    bool is_calm;
    uint64_t skips;
    struct kit_host host[KIT_HOSTS];
    struct kit_message flight[KIT_FLIGHT];
    uint64_t committed[KIT_EPOCHS][KIT_UNITS]; /* By which lease. */
    bool is_lost[KIT_LEASES]; /* It ended with something left. */
    unsigned char state[KIT_LEASES][KIT_UNITS];
    uint64_t handed;
    uint64_t refused;
    uint64_t cuts;
};

static struct kit kit;

static inline bool kit_chance(uint64_t in)
{
    return prng_below(&kit.prng, in) == 0;
}

/* What the host's clock shows. */
static inline uint64_t kit_clock(const struct kit_host *h)
{
    return kit.now_ms * h->percent / 100;
}

/* ---- The coordinator tells what it has committed. ------------------------ */

static inline void kit_commit(uint64_t epoch, uint64_t position, uint64_t lease)
{
    EXPECT(epoch < kit.epochs && position < kit.units);
    EXPECT_EQ(kit.committed[epoch][position], 0);
    kit.committed[epoch][position] = lease;
}

/* Put @number among what is refused, once. */
static inline void kit_refuse(struct grant *g, uint64_t number)
{
    uint32_t i = g->refused_count;

    for (uint32_t k = 0; k < g->refused_count; k++) {
        if (g->refused[k] == number) {
            return;
        }
    }
    while (i > 0 && g->refused[i - 1] > number) {
        g->refused[i] = g->refused[i - 1];
        i--;
    }
    g->refused[i] = number;
    g->refused_count++;
}

#endif /* TESTS_HOLDER_KIT_H */
