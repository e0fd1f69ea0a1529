/* SPDX-License-Identifier: Apache-2.0 */
/* Holders against the coordinator's ledger: what both promise together. */

#include "coordinator/ledger.h"
#include "tests/holder_kit_run.h"

struct side {
    struct ledger *ledger;
    uint64_t epoch; /* That of the entries. */
    uint64_t acked[KIT_HOSTS];
};

static struct side side;

/* Tell the kit what the ledger has decided. */
static void side_take_entries(void)
{
    size_t count;
    const struct ledger_entry *e = ledger_take_entries(side.ledger, &count);

    for (size_t i = 0; i < count; i++) {
        for (uint64_t p = e[i].range.first;
             (e[i].type == LEDGER_COMMIT || e[i].type == LEDGER_SKIP) &&
             p < e[i].range.end;
             p++) {
            kit_commit(side.epoch, p, e[i].lease);
        }
        if (e[i].type == LEDGER_DROP) {
            EXPECT(e[i].lease < KIT_LEASES);
            kit.is_lost[e[i].lease] = true;
        }
        kit.cuts += e[i].type == LEDGER_CUT;
        side.epoch += e[i].type == LEDGER_EPOCH;
    }
    ledger_check(side.ledger);
}

static void side_judge(enum status s, uint64_t lease, struct grant *g)
{
    EXPECT(s == STATUS_OK || s == STATUS_LOST);
    side_take_entries();
    if (s == STATUS_LOST) {
        kit_refuse(g, lease);
    }
}

static void side_take_done(uint32_t host, const struct work *w, struct grant *g)
{
    struct ledger_word word = {.host = host, .now_ms = kit.now_ms};

    for (uint32_t i = 0; i < w->done_count; i++) {
        word.lease = w->done[i].number;
        word.range = (struct range){w->done[i].first, w->done[i].end};
        side_judge(ledger_commit(side.ledger, &word), word.lease, g);
    }
    for (uint32_t i = 0; i < w->skip_count; i++) {
        uint64_t at = w->skips[i].position;

        word.lease = w->skips[i].number;
        word.range = (struct range){at, at + 1};
        side_judge(ledger_skip(side.ledger, &word), word.lease, g);
    }
}

static void side_take_leases(uint32_t host, const struct work *w,
                             struct grant *g)
{
    for (uint32_t i = 0; i < w->lease_count; i++) {
        const struct work_lease *from = &w->leases[i];
        struct ledger_word word = {
            .host = host, .lease = from->number, .now_ms = kit.now_ms};
        struct ledger_lease held;

        if (kit.is_lost[from->number]) {
            kit_refuse(g, from->number);
        } else if (ledger_find_lease(side.ledger, from->number, &held) &&
                   from->end < held.range.end) {
            word.range = (struct range){from->end, held.range.end};
            side_judge(ledger_give_back(side.ledger, &word), from->number, g);
        }
    }
}

static void side_deal(uint32_t host, const struct work *w, struct grant *g)
{
    for (uint32_t i = 0; i < w->want_count; i++) {
        struct ledger_lease lease;
        struct ledger_want want = {.rank = host * kit.ranks + w->wants[i].rank,
                                   .now_ms = kit.now_ms};
        enum status s = w->epoch == ledger_epoch(side.ledger)
                            ? ledger_want(side.ledger, &want, &lease)
                            : STATUS_EMPTY;

        side_take_entries();
        if (s == STATUS_STOPPED) {
            g->idle_ranks |= UINT64_C(1) << w->wants[i].rank;
        }
    }
}

static void side_list(uint32_t host, struct grant *g)
{
    struct ledger_lease l = {0};

    while (ledger_next_lease(side.ledger, host, l.number, &l)) {
        g->leases[g->lease_count++] =
            (struct grant_lease){l.number,      l.rank - host * kit.ranks,
                                 l.range.first, l.range.end,
                                 l.want_end,    l.is_late};
    }
}

static void side_take(void *self, uint32_t host, const struct work *w,
                      bool is_push, struct grant *g)
{
    uint64_t epoch;

    (void)self;
    *g = (struct grant){.channel = 1, .seq = w->seq};
    if (!is_push) {
        ledger_hear(side.ledger, host, kit.now_ms);
        side_take_entries();
    }
    side_take_done(host, w, g);
    side_take_leases(host, w, g);
    epoch = ledger_epoch(side.ledger);
    if (!is_push && !ledger_is_over(side.ledger)) {
        side_deal(host, w, g);
    }
    EXPECT_EQ(epoch, ledger_epoch(side.ledger));
    side_list(host, g);
    g->epoch = epoch;
    g->gate = ledger_gate(side.ledger);
    g->is_complete = ledger_is_complete(side.ledger);
    g->is_over = ledger_is_over(side.ledger);
    if (kit.is_calm || kit_chance(2)) {
        side.acked[host] = w->seq;
    }
    g->acked_seq = side.acked[host];
}

static void side_enter(void *self, uint32_t host)
{
    (void)self;
    side.acked[host] = 0;
    ledger_enter(side.ledger, host, kit.now_ms);
    side_take_entries();
}

static void side_tick(void *self)
{
    (void)self;
    ledger_tick(side.ledger, kit.now_ms);
    side_take_entries();
}

static bool side_holds(void *self, uint32_t host, const struct holder_unit *u)
{
    struct ledger_lease l;

    (void)self;
    return u->epoch == ledger_epoch(side.ledger) &&
           ledger_find_lease(side.ledger, u->lease, &l) && l.host == host &&
           u->position >= l.range.first && u->position < l.range.end &&
           u->position < ledger_gate(side.ledger) &&
           !ranges_has(ledger_committed(side.ledger), u->position);
}

enum side_way { SIDE_DYNAMIC, SIDE_STEPPED, SIDE_STATIC, SIDE_WAYS };

static struct ledger *side_new(enum side_way way)
{
    uint32_t host_ranks[KIT_HOSTS];
    uint32_t weights[KIT_HOSTS];
    uint64_t shares[KIT_HOSTS * KIT_RANKS + 1] = {0};
    uint32_t ranks = kit.hosts * kit.ranks;

    for (uint32_t i = 0; i < kit.hosts; i++) {
        host_ranks[i] = kit.ranks;
        weights[i] = 1 + (uint32_t)prng_below(&kit.prng, 200);
    }
    for (uint32_t i = 1; i <= ranks; i++) {
        shares[i] = kit.units * i / ranks;
    }
    return ledger_new(&(struct ledger_options){
        .positions = kit.units,
        .epochs = kit.epochs,
        .step_units =
            way == SIDE_STEPPED ? 1 + prng_below(&kit.prng, kit.units) : 0,
        .host_count = kit.hosts,
        .host_ranks = host_ranks,
        .host_weights = weights,
        .shares = way == SIDE_STATIC ? shares : NULL,
        .lease_ms = KIT_LEASE_MS,
        .run_ms = 1000,
        .run_units = prng_below(&kit.prng, 20),
        .skips = 10,
    });
}

static void run(enum side_way way, uint64_t seeds)
{
    const char *only = getenv("KIT_SEED");
    uint64_t handed = 0;

    for (uint64_t i = 1; i <= seeds; i++) {
        uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : i;

        memset(&side, 0, sizeof(side));
        kit_init(seed);
        side.ledger = side_new(way);
        kit.c = (struct kit_coordinator){NULL,      side_take,  side_enter,
                                         side_tick, side_holds, false};
        kit_run();
        ledger_destroy(&side.ledger);
        handed += kit.handed;
        if (only != NULL) {
            break;
        }
    }
    EXPECT(handed > 20 * seeds || only != NULL);
}

TEST(dynamic)
{
    run(SIDE_DYNAMIC, 150);
}

TEST(stepped)
{
    run(SIDE_STEPPED, 150);
}

TEST(of_shares)
{
    run(SIDE_STATIC, 150);
}
