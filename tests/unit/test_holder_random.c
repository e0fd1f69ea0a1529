/* SPDX-License-Identifier: Apache-2.0 */
/* Holders against the smallest coordinator that keeps the promises: one array
 * of owners, one of leases. */

#include "tests/holder_kit_run.h"

struct model_lease {
    uint32_t host;
    uint32_t rank;
    uint64_t epoch;
    uint64_t first;
    uint64_t end;
    uint64_t want_end;
    uint64_t left;
    bool is_lost;
};

struct model {
    uint64_t epoch;
    bool is_over;
    uint64_t owner[KIT_UNITS]; /* Lease over it, or 0. */
    bool is_committed[KIT_UNITS];
    uint64_t top;
    struct model_lease leases[KIT_LEASES]; /* By number. */
    uint64_t heard_ms[KIT_HOSTS];
    uint64_t acked[KIT_HOSTS];
};

static struct model model;

static bool model_is_live(uint64_t number)
{
    const struct model_lease *l = &model.leases[number];

    return number <= model.top && !l->is_lost && l->left > 0;
}

static void model_drop(uint32_t host)
{
    for (uint64_t n = 1; n <= model.top; n++) {
        struct model_lease *l = &model.leases[n];

        if (l->host != host || !model_is_live(n)) {
            continue;
        }
        l->is_lost = true;
        kit.is_lost[n] = true;
        for (uint64_t p = l->first; p < l->end; p++) {
            model.owner[p] = model.owner[p] == n ? 0 : model.owner[p];
        }
    }
}

static void model_commit(uint64_t number, uint64_t position)
{
    if (!model.is_committed[position]) {
        EXPECT_EQ(model.owner[position], number);
        kit_commit(model.epoch, position, number);
        model.is_committed[position] = true;
        model.leases[number].left--;
    }
}

/* Whether @number may say anything about what it was over. */
static bool model_knows(uint32_t host, uint64_t number)
{
    const struct model_lease *l = &model.leases[number];

    EXPECT(number > 0 && number <= model.top);
    return l->host == host && !l->is_lost;
}

static void model_take_done(uint32_t host, const struct work *w,
                            struct grant *g)
{
    for (uint32_t i = 0; i < w->done_count; i++) {
        const struct work_done *d = &w->done[i];

        if (!model_knows(host, d->number)) {
            kit_refuse(g, d->number);
            continue;
        }
        for (uint64_t p = d->first; p < d->end; p++) {
            if (model_is_live(d->number)) {
                model_commit(d->number, p);
            }
            EXPECT_EQ(kit.committed[model.leases[d->number].epoch][p],
                      d->number);
        }
    }
    for (uint32_t i = 0; i < w->skip_count; i++) {
        if (!model_knows(host, w->skips[i].number)) {
            kit_refuse(g, w->skips[i].number);
        } else if (model_is_live(w->skips[i].number)) {
            model_commit(w->skips[i].number, w->skips[i].position);
        }
    }
}

static void model_take_leases(uint32_t host, const struct work *w,
                              struct grant *g)
{
    for (uint32_t i = 0; i < w->lease_count; i++) {
        const struct work_lease *from = &w->leases[i];
        struct model_lease *l = &model.leases[from->number];

        if (!model_knows(host, from->number)) {
            kit_refuse(g, from->number);
        }
        while (model_is_live(from->number) && from->end < l->end) {
            EXPECT(!model.is_committed[l->end - 1]);
            model.owner[--l->end] = 0;
            l->left--;
            kit.cuts++;
        }
    }
}

/* Ask the fullest lease for a part of it. */
static void model_ask_straggler(void)
{
    for (uint64_t n = 1; n <= model.top; n++) {
        struct model_lease *l = &model.leases[n];

        if (model_is_live(n) && l->want_end == l->end && l->left > 1) {
            l->want_end =
                l->first + prng_below(&kit.prng, l->end - l->first + 1);
            return;
        }
    }
}

static void model_deal(uint32_t host, uint32_t rank)
{
    uint64_t most = 1 + prng_below(&kit.prng, 12);
    uint64_t first = 0;
    struct model_lease *l;

    while (first < kit.units &&
           (model.owner[first] > 0 || model.is_committed[first])) {
        first++;
    }
    if (first == kit.units) {
        model_ask_straggler();
        return;
    }
    EXPECT(model.top + 1 < KIT_LEASES);
    l = &model.leases[++model.top];
    *l = (struct model_lease){host,  rank, model.epoch, first,
                              first, 0,    0,           false};
    while (l->end < kit.units && l->left < most && model.owner[l->end] == 0 &&
           !model.is_committed[l->end]) {
        model.owner[l->end++] = model.top;
        l->left++;
    }
    l->want_end = l->end;
}

static void model_end_epoch(void)
{
    for (uint64_t p = 0; p < kit.units; p++) {
        if (!model.is_committed[p]) {
            return;
        }
    }
    if (model.epoch + 1 == kit.epochs) {
        model.is_over = true;
        return;
    }
    model.epoch++;
    memset(model.owner, 0, sizeof(model.owner));
    memset(model.is_committed, 0, sizeof(model.is_committed));
}

static void model_list(uint32_t host, struct grant *g)
{
    for (uint64_t n = 1; n <= model.top; n++) {
        const struct model_lease *l = &model.leases[n];

        if (l->host == host && model_is_live(n)) {
            g->leases[g->lease_count++] = (struct grant_lease){
                n,
                l->rank,
                l->first,
                l->end,
                l->want_end < l->end ? l->want_end : l->end,
                false};
        }
    }
}

static void model_take(void *self, uint32_t host, const struct work *w,
                       bool is_push, struct grant *g)
{
    (void)self;
    *g = (struct grant){.channel = 1, .seq = w->seq, .gate = UINT64_MAX};
    if (!is_push) {
        model.heard_ms[host] = kit.now_ms;
    }
    model_take_done(host, w, g);
    model_take_leases(host, w, g);
    for (uint32_t i = 0; !is_push && i < w->want_count; i++) {
        model_deal(host, w->wants[i].rank);
    }
    model_end_epoch();
    model_list(host, g);
    g->epoch = model.epoch;
    g->is_over = model.is_over;
    g->is_complete = model.is_over;
    /* As if it became durable a while later. */
    if (kit.is_calm || kit_chance(2)) {
        model.acked[host] = w->seq;
    }
    g->acked_seq = model.acked[host];
}

static void model_enter(void *self, uint32_t host)
{
    (void)self;
    model_drop(host);
    model.acked[host] = 0;
    model.heard_ms[host] = kit.now_ms;
}

static void model_tick(void *self)
{
    (void)self;
    for (uint32_t i = 0; i < kit.hosts; i++) {
        if (kit.now_ms >= model.heard_ms[i] + KIT_LEASE_MS) {
            model_drop(i);
        }
    }
}

static bool model_holds(void *self, uint32_t host, const struct holder_unit *u)
{
    (void)self;
    return u->epoch == model.epoch && model.owner[u->position] == u->lease &&
           model.leases[u->lease].host == host;
}

TEST(holders_keep_their_promises_whatever_the_net_does)
{
    const char *only = getenv("KIT_SEED");
    uint64_t handed = 0;
    uint64_t refused = 0;
    uint64_t cuts = 0;

    for (uint64_t seed = 1; seed <= 800; seed++) {
        seed = only != NULL ? strtoull(only, NULL, 10) : seed;
        memset(&model, 0, sizeof(model));
        kit_init(seed);
        kit.c = (struct kit_coordinator){NULL,       model_take,  model_enter,
                                         model_tick, model_holds, false};
        kit_run();
        handed += kit.handed;
        refused += kit.refused;
        cuts += kit.cuts;
        if (only != NULL) {
            return;
        }
    }
    /* It was a storm. */
    EXPECT(handed > 20000 && refused > 400 && cuts > 400);
}
