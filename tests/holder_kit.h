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

/* ---- The net. ------------------------------------------------------------ */

static inline void kit_fly(bool is_work, uint32_t host, const struct buf *body)
{
    uint64_t delay = prng_below(&kit.prng, kit.is_calm ? 30 : 300);

    if (!kit.is_calm && kit_chance(20)) {
        delay += prng_below(&kit.prng, 2ULL * KIT_LEASE_MS);
    }
    for (size_t i = 0; i < KIT_FLIGHT; i++) {
        struct kit_message *m = &kit.flight[i];

        if (!m->is_used) {
            *m = (struct kit_message){
                true, is_work, host, kit.now_ms + delay, {0}};
            buf_add_bytes(&m->body, buf_bytes(body));
            return;
        }
    }
    /* More than the net can hold: lost. */
}

static inline void kit_send(bool is_work, uint32_t host, const struct buf *body)
{
    while (!kit.is_calm && kit_chance(6)) {
        kit_fly(is_work, host, body);
    }
    if (kit.is_calm || !kit_chance(5)) {
        kit_fly(is_work, host, body);
    }
}

static inline void kit_answer(uint32_t host, bool is_push)
{
    static struct grant grant;
    struct buf body = {0};

    kit.c.take(kit.c.self, host, &kit.host[host].heard, is_push, &grant);
    grant_write(&grant, &body);
    kit_send(false, host, &body);
    buf_fini(&body);
}

static inline void kit_arrive_work(uint32_t host, struct bytes body)
{
    static struct work work;
    struct kit_host *h = &kit.host[host];
    struct fault why;

    EXPECT_EQ(work_read(body, &why, &work), STATUS_OK);
    if (work.seq <= h->heard_seq) {
        return;
    }
    h->heard_seq = work.seq;
    h->heard = work;
    for (uint32_t i = 0; i < work.skip_count; i++) {
        h->heard.skips[i].reason = BYTES("");
    }
    kit_answer(host, false);
}

static inline void kit_arrive_grant(uint32_t host, struct bytes body)
{
    static struct grant grant;
    struct fault why;

    EXPECT_EQ(grant_read(body, &why, &grant), STATUS_OK);
    holder_take(kit.host[host].holder, &grant);
    holder_check(kit.host[host].holder);
}

static inline void kit_deliver(void)
{
    size_t from = prng_below(&kit.prng, KIT_FLIGHT);

    for (size_t i = 0; i < KIT_FLIGHT; i++) {
        struct kit_message *m = &kit.flight[(from + i) % KIT_FLIGHT];
        struct kit_message taken = *m;

        if (!m->is_used || m->due_ms > kit.now_ms ||
            (!m->is_work && kit.host[m->host].awake_ms > kit.now_ms)) {
            continue;
        }
        m->is_used = false;
        if (taken.is_work) {
            kit_arrive_work(taken.host, buf_bytes(&taken.body));
        } else {
            kit_arrive_grant(taken.host, buf_bytes(&taken.body));
        }
        buf_fini(&taken.body);
    }
}

static inline void kit_forget_flight(uint32_t host)
{
    for (size_t i = 0; i < KIT_FLIGHT; i++) {
        if (kit.flight[i].is_used && kit.flight[i].host == host) {
            kit.flight[i].is_used = false;
            buf_fini(&kit.flight[i].body);
        }
    }
}

/* ---- The hosts. ---------------------------------------------------------- */

static inline unsigned char *kit_state_of(const struct holder_unit *u)
{
    EXPECT(u->lease < KIT_LEASES && u->position < kit.units);
    return &kit.state[u->lease][u->position];
}

static inline void kit_launch(uint32_t host)
{
    struct kit_host *h = &kit.host[host];

    holder_destroy(&h->holder);
    kit_forget_flight(host);
    *h = (struct kit_host){.percent = 90 + prng_below(&kit.prng, 21)};
    h->holder = holder_new(&(struct holder_options){
        .channel = 1,
        .rank_count = kit.ranks,
        .ahead_units = 1 + prng_below(&kit.prng, 6),
        .lease_ms = KIT_LEASE_MS,
        .beat_ms = 400,
        .gap_ms = 20,
        .now_ms = kit_clock(h),
    });
}

static inline void kit_next(struct kit_host *h, uint32_t host, uint32_t rank)
{
    struct holder_unit u;
    enum status s;

    if (h->open_count[rank] == KIT_OPEN || h->is_over[rank]) {
        return;
    }
    s = holder_next(h->holder, rank, kit_clock(h), &u);
    if (s == STATUS_OK) {
        EXPECT_EQ(u.epoch, holder_epoch(h->holder, rank));
        EXPECT(kit.c.holds(kit.c.self, host, &u));
        EXPECT_EQ(*kit_state_of(&u), KIT_NONE);
        *kit_state_of(&u) = KIT_HANDED;
        h->open[rank][h->open_count[rank]++] = u;
        kit.handed++;
    } else if (s == STATUS_STOPPED) {
        s = holder_begin(h->holder, rank);
        h->is_over[rank] = s == STATUS_STOPPED;
    } else {
        EXPECT_EQ(s, STATUS_EMPTY);
    }
}

/* Do something with one of the rank's open units. */
static inline void kit_end(struct kit_host *h, uint32_t rank)
{
    uint32_t count = h->open_count[rank];
    uint32_t i = count > 0 ? (uint32_t)prng_below(&kit.prng, count) : 0;
    struct holder_unit u = h->open[rank][i];
    enum kit_state next = KIT_TOLD;
    enum status s;

    if (count == 0) {
        return;
    }
    if (kit.skips > 0 && kit_chance(40)) {
        s = holder_skip(h->holder, rank, &u, "torn");
        kit.skips -= s == STATUS_OK;
    } else if (kit_chance(20)) {
        s = holder_return(h->holder, rank, &u);
        next = KIT_NONE;
    } else {
        s = holder_done(h->holder, rank, &u);
    }
    EXPECT(s == STATUS_OK || s == STATUS_LOST);
    EXPECT_EQ(*kit_state_of(&u), KIT_HANDED);
    if (s == STATUS_OK) {
        *kit_state_of(&u) = (unsigned char)next;
    }
    h->open[rank][i] = h->open[rank][--h->open_count[rank]];
}

static inline void kit_restart(struct kit_host *h, uint32_t rank)
{
    holder_restart(h->holder, rank);
    for (uint32_t i = 0; i < h->open_count[rank]; i++) {
        *kit_state_of(&h->open[rank][i]) = KIT_NONE;
    }
    h->open_count[rank] = 0;
}

static inline void kit_take_outcomes(struct kit_host *h)
{
    struct holder_outcome o;

    while (holder_take_outcome(h->holder, &o)) {
        EXPECT(o.first < o.end);
        for (uint64_t p = o.first; p < o.end; p++) {
            struct holder_unit u = {o.epoch, p, o.lease, false};
            bool counts = kit.committed[o.epoch][p] == o.lease;

            EXPECT_EQ(*kit_state_of(&u), KIT_TOLD);
            EXPECT(counts || o.is_refused);
            EXPECT(!counts || !o.is_refused || kit.is_lost[o.lease] ||
                   kit.c.is_forgetful);
            *kit_state_of(&u) = o.is_refused ? KIT_REFUSED : KIT_ACKED;
            kit.refused += o.is_refused;
        }
    }
}

static inline void kit_say(struct kit_host *h, uint32_t host)
{
    static struct work work;
    struct buf body = {0};

    if (holder_work(h->holder, kit_clock(h), &work)) {
        work_write(&work, &body);
        kit_send(true, host, &body);
        buf_fini(&body);
    }
}

static inline void kit_step_host(uint32_t host)
{
    struct kit_host *h = &kit.host[host];

    if (!kit.is_calm && kit_chance(400)) {
        h->awake_ms = kit.now_ms + prng_below(&kit.prng, 3ULL * KIT_LEASE_MS);
    }
    if (!kit.is_calm && kit_chance(1500)) {
        kit_launch(host);
        kit.c.enter(kit.c.self, host);
    }
    if (!kit.is_calm && h->awake_ms > kit.now_ms) {
        return;
    }
    for (uint32_t r = 0; r < kit.ranks; r++) {
        if (kit_chance(3)) {
            kit_next(h, host, r);
        }
        /* The first rank of all is slow. */
        if (kit_chance(host + r == 0 && !kit.is_calm ? 60 : 4)) {
            kit_end(h, r);
        }
        if (!kit.is_calm && kit_chance(200)) {
            kit_restart(h, r);
        }
    }
    if (!kit.is_calm && kit_chance(800)) {
        holder_new_term(h->holder);
    }
    kit_say(h, host);
    kit_take_outcomes(h);
    holder_check(h->holder);
}

static inline void kit_step(void)
{
    kit.now_ms += KIT_STEP_MS;
    kit.c.tick(kit.c.self);
    kit_deliver();
    for (uint32_t i = 0; i < kit.hosts; i++) {
        kit_step_host(i);
        if (kit.host[i].heard_seq > 0 && kit_chance(20)) {
            kit_answer(i, true);
        }
    }
}

static inline bool kit_is_over(void)
{
    bool is_over = true;

    for (uint32_t i = 0; i < kit.hosts; i++) {
        for (uint32_t r = 0; r < kit.ranks; r++) {
            is_over = is_over && kit.host[i].is_over[r];
        }
    }
    return is_over;
}

static inline void kit_init(uint64_t seed)
{
    memset(&kit, 0, sizeof(kit));
    prng_init(&kit.prng, seed);
    kit.now_ms = 100000;
    kit.hosts = 1 + (uint32_t)prng_below(&kit.prng, KIT_HOSTS);
    kit.ranks = 1 + (uint32_t)prng_below(&kit.prng, KIT_RANKS);
    kit.units = 1 + prng_below(&kit.prng, KIT_UNITS);
    kit.epochs = 1 + prng_below(&kit.prng, KIT_EPOCHS);
    kit.skips = prng_below(&kit.prng, 3);
}

/* Storm, then calm until all is over; each unit was committed. */
static inline void kit_run(void)
{
    uint32_t steps = 0;

    for (uint32_t i = 0; i < kit.hosts; i++) {
        kit_launch(i);
    }
    for (uint32_t i = 0; i < KIT_STORM; i++) {
        kit_step();
    }
    kit.is_calm = true;
    while (!kit_is_over() && steps++ < KIT_CALM) {
        kit_step();
    }
    EXPECT(kit_is_over());
    for (uint64_t e = 0; e < kit.epochs; e++) {
        for (uint64_t p = 0; p < kit.units; p++) {
            EXPECT(kit.committed[e][p] > 0);
        }
    }
    for (uint32_t i = 0; i < kit.hosts; i++) {
        holder_destroy(&kit.host[i].holder);
        kit_forget_flight(i);
    }
}

#endif /* TESTS_HOLDER_KIT_H */
