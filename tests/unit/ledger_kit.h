/* SPDX-License-Identifier: Apache-2.0 */
/* Short words for tests of the ledger. */

#ifndef TESTS_UNIT_LEDGER_KIT_H
#define TESTS_UNIT_LEDGER_KIT_H

#include "coordinator/ledger.h"
#include "tests/harness.h"

enum { KIT_HOSTS_MAX = 64, KIT_LEASE_MS = 1000 };

/* @hosts hosts of @ranks ranks each, all live at 0. */
struct kit {
    uint64_t positions;
    uint64_t step_units;
    uint32_t hosts;
    uint32_t ranks;
    uint64_t epochs;
    uint64_t run_units;
    uint64_t skips;
    const uint64_t *shares;
    const uint32_t *weights;
};

static inline struct ledger *kit_idle(const struct kit *k)
{
    uint32_t ranks[KIT_HOSTS_MAX];
    uint32_t weights[KIT_HOSTS_MAX];
    struct ledger_options o = {.positions = k->positions,
                               .epochs = k->epochs > 0 ? k->epochs : 1,
                               .step_units = k->step_units,
                               .host_count = k->hosts,
                               .host_ranks = ranks,
                               .host_weights = weights,
                               .shares = k->shares,
                               .lease_ms = KIT_LEASE_MS,
                               .run_ms = 100,
                               .run_units = k->run_units,
                               .skips = k->skips};

    EXPECT(k->hosts <= KIT_HOSTS_MAX);
    for (uint32_t i = 0; i < k->hosts; i++) {
        ranks[i] = k->ranks;
        weights[i] = k->weights != NULL ? k->weights[i] : 100;
    }
    return ledger_new(&o);
}

static inline struct ledger *kit_new(const struct kit *k)
{
    struct ledger *l = kit_idle(k);

    for (uint32_t i = 0; i < k->hosts; i++) {
        ledger_enter(l, i, 0);
    }
    return l;
}

static inline void kit_end(struct ledger **l)
{
    ledger_check(*l);
    ledger_destroy(l);
}

/* A lease for @rank of @units at most; it must get one. */
static inline struct ledger_lease kit_grant(struct ledger *l, uint32_t rank,
                                            uint64_t units, uint64_t now_ms)
{
    struct ledger_lease lease = {0};

    EXPECT_EQ(
        ledger_want(l, &(struct ledger_want){rank, units, now_ms}, &lease),
        STATUS_OK);
    ledger_check(l);
    return lease;
}

static inline enum status kit_want(struct ledger *l, uint32_t rank,
                                   uint64_t now_ms)
{
    struct ledger_lease lease;

    return ledger_want(l, &(struct ledger_want){rank, 0, now_ms}, &lease);
}

static inline struct ledger_word kit_word(const struct ledger_lease *lease,
                                          uint64_t first, uint64_t end,
                                          uint64_t now_ms)
{
    return (struct ledger_word){
        lease->host, lease->number, {first, end}, now_ms};
}

static inline enum status kit_commit(struct ledger *l,
                                     const struct ledger_lease *lease,
                                     uint64_t first, uint64_t end,
                                     uint64_t now_ms)
{
    struct ledger_word word = kit_word(lease, first, end, now_ms);
    enum status s = ledger_commit(l, &word);

    ledger_check(l);
    return s;
}

/* All of @lease is committed. */
static inline void kit_finish(struct ledger *l,
                              const struct ledger_lease *lease, uint64_t now_ms)
{
    EXPECT_EQ(
        kit_commit(l, lease, lease->range.first, lease->range.end, now_ms),
        STATUS_OK);
}

#define EXPECT_RANGE(range_, first_, end_)                                     \
    do {                                                                       \
        struct range got_range_ = (range_);                                    \
        EXPECT_EQ(got_range_.first, first_);                                   \
        EXPECT_EQ(got_range_.end, end_);                                       \
    } while (0)

#endif /* TESTS_UNIT_LEDGER_KIT_H */
