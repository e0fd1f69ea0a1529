/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of course: hosts with a holder, a counter and a course each,
 * a coordinator with a ledger, and a net that may lose. Readers are in
 * course_reader.h. */

#ifndef TESTS_UNIT_COURSE_KIT_H
#define TESTS_UNIT_COURSE_KIT_H

#include "base/mem.h"
#include "base/prng.h"
#include "coordinator/ledger.h"
#include "tests/harness.h"
#include "worker/course.h"

enum {
    KIT_HOSTS = 3,
    KIT_RANKS = 2,
    KIT_UNITS = 48,
    KIT_EPOCHS = 5,
    KIT_QUEUE = 16,
    KIT_LEASE_MS = 2000,
    KIT_STEP_MS = 10,
};

/* What delivers a rank's units. */
struct kit_reader {
    struct supply_unit queue[KIT_QUEUE]; /* Taken, and not told of. */
    uint32_t count;
    uint64_t next;   /* The position that comes next, where that is known. */
    uint64_t epoch;  /* Of the last unit or end; */
    uint64_t ends;   /* so many were seen. */
    uint64_t done;   /* Units, of this epoch; */
    uint64_t pad;    /* and repeats. */
    bool is_early;   /* It wants no more of the epoch. */
    bool is_at_end;  /* The end was taken. */
    bool is_over;    /* It was the last. */
    bool is_resting; /* It takes nothing. */
};

struct kit_host {
    struct holder *holder;
    struct supply *supply;
    struct course *course;
    uint64_t seq;
    uint64_t mute_ms; /* Until then nothing goes to and fro. */
    struct kit_reader readers[KIT_RANKS];
};

struct kit {
    struct prng prng;
    struct ledger *ledger;
    struct kit_host host[KIT_HOSTS];
    struct course_rank dealt[KIT_HOSTS * KIT_RANKS];
    bool is_static;
    uint32_t hosts;
    uint32_t ranks;
    uint64_t units;
    uint64_t epochs;
    uint64_t padding;
    uint64_t skips;
    uint32_t loses; /* One message in so many; 0: none. */
    uint64_t now_ms;
    uint64_t epoch; /* That of the entries. */
    uint64_t committed[KIT_EPOCHS][KIT_UNITS];
    uint64_t consumed[KIT_EPOCHS][KIT_UNITS];
    bool was_cut[KIT_EPOCHS];
    struct fault why;
    enum status status; /* Of the last course_step() that was not OK. */
};

static struct kit kit;

static inline bool kit_chance(uint64_t in)
{
    return prng_below(&kit.prng, in) == 0;
}

/* ---- The coordinator. ----------------------------------------------------
 */

static inline void kit_take_entries(void)
{
    size_t count;
    const struct ledger_entry *e = ledger_take_entries(kit.ledger, &count);

    for (size_t i = 0; i < count; i++) {
        bool is_done = e[i].type == LEDGER_COMMIT || e[i].type == LEDGER_SKIP;

        for (uint64_t p = e[i].range.first; is_done && p < e[i].range.end;
             p++) {
            EXPECT_EQ(kit.committed[kit.epoch][p]++, 0);
            EXPECT(kit.consumed[kit.epoch][p] > 0);
        }
        kit.epoch += e[i].type == LEDGER_EPOCH;
    }
    ledger_check(kit.ledger);
}

static inline void kit_judge(enum status s, uint64_t lease, struct grant *g)
{
    uint32_t at = g->refused_count;

    kit_take_entries();
    if (s == STATUS_OK) {
        return;
    }
    EXPECT_EQ(s, STATUS_LOST);
    for (uint32_t i = 0; i < g->refused_count; i++) {
        if (g->refused[i] == lease) {
            return;
        }
    }
    while (at > 0 && g->refused[at - 1] > lease) {
        g->refused[at] = g->refused[at - 1];
        at--;
    }
    g->refused[at] = lease;
    g->refused_count++;
}

static inline void kit_take_words(uint32_t host, const struct work *w,
                                  struct grant *g)
{
    struct ledger_word word = {.host = host, .now_ms = kit.now_ms};

    for (uint32_t i = 0; i < w->lease_count; i++) {
        word.lease = w->leases[i].number;
        word.range = (struct range){w->leases[i].end, UINT64_MAX};
        kit_judge(ledger_give_back(kit.ledger, &word), word.lease, g);
    }
    for (uint32_t i = 0; i < w->done_count; i++) {
        word.lease = w->done[i].number;
        word.range = (struct range){w->done[i].first, w->done[i].end};
        kit_judge(ledger_commit(kit.ledger, &word), word.lease, g);
    }
    for (uint32_t i = 0; i < w->skip_count; i++) {
        uint64_t at = w->skips[i].position;

        word.lease = w->skips[i].number;
        word.range = (struct range){at, at + 1};
        kit_judge(ledger_skip(kit.ledger, &word), word.lease, g);
    }
}

static inline void kit_answer(uint32_t host, const struct work *w,
                              struct grant *g)
{
    struct ledger_lease l = {0};

    *g = (struct grant){.channel = 1, .seq = w->seq, .acked_seq = w->seq};
    ledger_hear(kit.ledger, host, kit.now_ms);
    kit_take_words(host, w, g);
    if (w->ends_epoch && w->epoch == ledger_epoch(kit.ledger)) {
        ledger_stop(kit.ledger);
    }
    ledger_tick(kit.ledger, kit.now_ms);
    for (uint32_t i = 0; i < w->want_count; i++) {
        struct ledger_want want = {.rank = host * kit.ranks + w->wants[i].rank,
                                   .now_ms = kit.now_ms};

        if (w->epoch == ledger_epoch(kit.ledger) &&
            ledger_want(kit.ledger, &want, &l) == STATUS_STOPPED) {
            g->idle_ranks |= UINT64_C(1) << w->wants[i].rank;
        }
    }
    kit_take_entries();
    l.number = 0;
    while (ledger_next_lease(kit.ledger, host, l.number, &l)) {
        g->leases[g->lease_count++] =
            (struct grant_lease){l.number,      l.rank - host * kit.ranks,
                                 l.range.first, l.range.end,
                                 l.want_end,    l.is_late};
    }
    g->epoch = ledger_epoch(kit.ledger);
    g->gate = ledger_gate(kit.ledger);
    g->is_complete = ledger_is_complete(kit.ledger);
    g->is_over = ledger_is_over(kit.ledger);
}

/* What the host has to say goes out, and the answer comes back, or not. */
static inline void kit_talk(uint32_t host)
{
    static struct work work;
    static struct grant grant;
    struct kit_host *h = &kit.host[host];

    if (!holder_work(h->holder, kit.now_ms, &work) || h->mute_ms > kit.now_ms ||
        (kit.loses > 0 && kit_chance(kit.loses))) {
        return;
    }
    kit_answer(host, &work, &grant);
    if (kit.loses == 0 || !kit_chance(kit.loses)) {
        holder_take(h->holder, &grant);
        holder_check(h->holder);
    }
}

#endif /* TESTS_UNIT_COURSE_KIT_H */
