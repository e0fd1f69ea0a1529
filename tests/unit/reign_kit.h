/* SPDX-License-Identifier: Apache-2.0 */
/* Reigns over one job, one after the other, on a store in memory: their
 * requests are served one by one, and one of them may be the last. */

#ifndef TESTS_UNIT_REIGN_KIT_H
#define TESTS_UNIT_REIGN_KIT_H

#include "coordinator/record.h"
#include "coordinator/reign.h"
#include "tests/unit/dealt_kit.h"
#include "tests/unit/journal_store.h"

enum {
    RIG_REIGNS_MAX = 4,
    RIG_LEASES_MAX = 1024,
    RIG_DONE_MAX = 256,
    RIG_TURN_MS = 250,
    RIG_HEARTBEAT_MS = 1000,
    RIG_TIMEOUT_MS = 10000,
    RIG_WALL_MS = 5000000,
    RIG_VISITOR = 7, /* A peer that is no host. */
};

struct rig_reign {
    struct reign *r; /* NULL: dead. */
    uint64_t term;
    bool is_held; /* Its requests get no answer for now. */
    struct kit_call calls[JOURNAL_ASKS_MAX];
    size_t call_count;
    enum reign_prepare do_prepare;
    struct dealt_copy *dealt;
    uint64_t timer_ms;
    bool is_over;
    uint64_t sends; /* So far. */
};

struct rig_lease {
    uint64_t number;
    uint64_t begun;
    uint64_t end;
    uint64_t want_end;
    uint32_t rank;
};

struct rig_done {
    uint64_t lease;
    uint64_t first;
    uint64_t end;
    uint64_t seq; /* Of the WORK that told it; 0: none yet. */
};

/* One host's end of it (reign_guest.h). */
struct rig_guest {
    uint64_t peer;
    const char *incarnation;
    bool is_away;
    uint64_t term; /* Of the coordinator that let it in; 0: none. */
    enum wire_phase phase;
    uint64_t exit_code; /* What its command will end with. */
    bool has_share;
    bool has_start;
    uint64_t beat;
    uint64_t seq;
    uint64_t epoch;
    uint64_t idle_ranks;
    bool is_over; /* No work is left for anybody. */
    uint64_t top; /* The highest lease it has seen. */
    struct rig_lease leases[WORK_LEASES_MAX];
    uint32_t lease_count;
    struct rig_done done[RIG_DONE_MAX];
    uint32_t done_count;
    uint64_t grants;
    uint64_t pulses;
    uint64_t lost; /* Leases that ended before it was done with them. */
    uint64_t refused;
    struct grant grant; /* The last. */
    enum status refuse; /* What it was refused with; OK: it was not. */
    bool has_end;
    struct wire_end end;
    char end_text[2][256]; /* Whose failure, and why. */
};

struct rig {
    struct kit *store;
    struct buf dealt; /* The object; empty: there is none. */
    uint64_t now_ms;
    uint64_t snapshot_bytes;
    uint64_t until_ms; /* Of the lease; 0: for ever. */
    bool acks_early;
    bool keeps_on_failure;
    uint64_t skips;
    uint64_t requests; /* Served so far. */
    uint64_t die_at;   /* With this one the coordinator dies, */
    bool dies_before;  /* and it has no effect. */

    struct rig_reign reigns[RIG_REIGNS_MAX];
    uint32_t reign_count;
    struct rig_reign *lead; /* The last. */
    struct rig_guest guests[DEALT_KIT_HOSTS];
    uint32_t delivered[DEALT_KIT_EPOCHS][DEALT_KIT_UNITS];
    struct buf report; /* The visitor's last, */
    uint64_t reports;  /* of so many. */

    /* What is durable, as of this etag. */
    uint64_t seen_etag;
    bool is_granted[RIG_LEASES_MAX];
    uint64_t kept[RIG_LEASES_MAX]; /* Positions, as bits. */
    bool is_over_kept;
};

static inline void rig_deliver(struct rig *g, struct rig_reign *l,
                               const struct session_send *send);

/* ---- What is durable ---------------------------------------------------- */

static inline void rig_note_record(struct rig *g, struct bytes text)
{
    struct record record;
    struct fault why;

    EXPECT_EQ(record_read(text, &why, &record), STATUS_OK);
    g->is_over_kept = g->is_over_kept || record.type == RECORD_OVER;
    if (record.type == RECORD_LEDGER &&
        record.ledger.channel == DEALT_KIT_TRAIN) {
        const struct ledger_entry *e = &record.ledger.entry;

        EXPECT(e->lease < RIG_LEASES_MAX);
        if (e->type == LEDGER_GRANT) {
            g->is_granted[e->lease] = true;
        } else if (e->type == LEDGER_COMMIT || e->type == LEDGER_SKIP) {
            for (uint64_t p = e->range.first; p < e->range.end; p++) {
                g->kept[e->lease] |= UINT64_C(1) << p;
            }
        }
    }
}

static inline void rig_note_object(struct rig *g, const struct kit_object *o)
{
    struct journal_object object;
    struct journal_walk walk;
    struct journal_log log;
    struct bytes record;
    struct fault why;

    if (o->etag <= g->seen_etag ||
        journal_object_read(buf_bytes(&o->body), &why, &object) != STATUS_OK ||
        object.kind == JOURNAL_KIND_SNAPSHOT) {
        return;
    }
    journal_walk_init(&walk, &object);
    while (journal_next_log(&walk, &log)) {
        while (journal_next_record(&log.records, &record)) {
            rig_note_record(g, record);
        }
    }
}

static inline void rig_look(struct rig *g)
{
    for (size_t i = 0; i < g->store->object_count; i++) {
        rig_note_object(g, &g->store->objects[i]);
    }
    g->seen_etag = g->store->etags;
}

/* ---- Reigns ------------------------------------------------------------- */

static inline void rig_step(struct rig *g, struct rig_reign *l,
                            struct reign_event event)
{
    struct reign_effects fx = {0};

    event.now_ms = g->now_ms;
    event.wall_ms = RIG_WALL_MS + g->now_ms;
    event.until_ms = g->until_ms;
    reign_step(l->r, &event, &fx);
    reign_check(l->r);
    l->timer_ms = fx.timer_ms;
    l->is_over = fx.is_over;
    l->sends += fx.send_count;
    if (fx.do_prepare != REIGN_PREPARE_NOTHING) {
        l->do_prepare = fx.do_prepare;
    }
    EXPECT(l->call_count + fx.request_count <= JOURNAL_ASKS_MAX);
    for (uint32_t i = 0; i < fx.request_count; i++) {
        struct kit_call *c = &l->calls[l->call_count++];

        *c = (struct kit_call){.request = fx.requests[i]};
        if (c->request.ask == JOURNAL_REPLACE) {
            memcpy(c->etag, c->request.etag, strlen(c->request.etag) + 1);
        }
    }
    for (uint32_t i = 0; i < fx.send_count; i++) {
        rig_deliver(g, l, &fx.sends[i]);
    }
}

#endif /* TESTS_UNIT_REIGN_KIT_H */
