/* SPDX-License-Identifier: Apache-2.0 */
/* The hosts of reign_kit.h. Each delivers some units of every lease in each
 * turn, and is strict about what it is told: nothing that is not durable, and
 * no lease of its own that somebody has forgotten. */

#ifndef TESTS_UNIT_REIGN_GUEST_H
#define TESTS_UNIT_REIGN_GUEST_H

#include "proto/work.h"
#include "tests/unit/reign_kit.h"

enum { RIG_UNITS_A_TURN = 3, RIG_RANK_LEASES = 2 };

/* ---- What it is told ---------------------------------------------------- */

static inline struct rig_lease *rig_find_lease(struct rig_guest *h,
                                               uint64_t number)
{
    for (uint32_t i = 0; i < h->lease_count; i++) {
        if (h->leases[i].number == number) {
            return &h->leases[i];
        }
    }
    return NULL;
}

/* Forget what is durable; @g has looked what that is. */
static inline void rig_settle_done(const struct rig *g, struct rig_guest *h,
                                   const struct grant *grant)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < h->done_count; i++) {
        struct rig_done *d = &h->done[i];

        if (d->seq == 0 || d->seq > grant->acked_seq - grant->unkept) {
            h->done[kept++] = *d;
            continue;
        }
        for (uint64_t p = d->first; p < d->end; p++) {
            EXPECT((g->kept[d->lease] >> p & 1) == 1);
        }
    }
    h->done_count = kept;
}

static inline void rig_take_leases(struct rig *g, struct rig_guest *h,
                                   const struct grant *grant)
{
    struct rig_lease next[WORK_LEASES_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < grant->lease_count; i++) {
        const struct grant_lease *from = &grant->leases[i];
        struct rig_lease *old = rig_find_lease(h, from->number);

        EXPECT(g->is_granted[from->number]);
        if (old != NULL) {
            next[count] = *old;
            next[count++].want_end = from->want_end;
        } else if (from->number > h->top) {
            next[count++] =
                (struct rig_lease){from->number, from->first, from->end,
                                   from->want_end, from->rank};
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct rig_lease *old = rig_find_lease(h, next[i].number);

        h->top = next[i].number > h->top ? next[i].number : h->top;
        if (old != NULL) {
            old->number = 0;
        }
    }
    for (uint32_t i = 0; i < h->lease_count; i++) {
        h->lost +=
            h->leases[i].number != 0 && h->leases[i].begun < h->leases[i].end;
    }
    memcpy(h->leases, next, sizeof(h->leases));
    h->lease_count = count;
}

static inline void rig_take_grant(struct rig *g, struct rig_guest *h,
                                  const struct wire_grant *m)
{
    struct grant *grant = &h->grant;
    struct fault why;

    EXPECT_EQ(grant_read(m->body, &why, grant), STATUS_OK);
    EXPECT_EQ(m->channel, DEALT_KIT_TRAIN);
    EXPECT(grant->seq <= h->seq && grant->acked_seq <= h->seq);
    EXPECT(g->acks_early || grant->unkept == 0);
    rig_look(g);
    rig_settle_done(g, h, grant);
    rig_take_leases(g, h, grant);
    h->grants++;
    h->refused += grant->refused_count;
    EXPECT(grant->epoch >= h->epoch);
    h->epoch = grant->epoch;
    h->idle_ranks = grant->idle_ranks;
    h->is_over = grant->is_over;
}

static inline void rig_copy_text(char to[256], struct bytes text)
{
    EXPECT(text.size < 256);
    memcpy(to, text.at, text.size);
    to[text.size] = '\0';
}

static inline void rig_take(struct rig *g, struct rig_guest *h,
                            const struct wire_message *m)
{
    if (m->type == WIRE_WELCOME) {
        h->term = m->term;
        for (uint32_t i = 0; i < h->done_count; i++) {
            h->done[i].seq = 0; /* Told to another coordinator. */
        }
    } else if (m->type == WIRE_REFUSE) {
        h->refuse = (enum status)m->refuse.status;
    } else if (m->term != h->term) {
        return;
    } else if (m->type == WIRE_SHARE) {
        h->has_share = true;
    } else if (m->type == WIRE_START) {
        h->has_start = true;
    } else if (m->type == WIRE_PULSE) {
        h->pulses++;
    } else if (m->type == WIRE_GRANT) {
        rig_take_grant(g, h, &m->grant);
    } else if (m->type == WIRE_END) {
        rig_look(g);
        EXPECT(g->is_over_kept);
        h->has_end = true;
        h->end = m->end;
        rig_copy_text(h->end_text[0], m->end.host);
        rig_copy_text(h->end_text[1], m->end.reason);
    }
}

static inline void rig_deliver(struct rig *g, struct rig_reign *l,
                               const struct session_send *send)
{
    EXPECT_EQ(send->message.term, l->term);
    if (send->peer == RIG_VISITOR) {
        EXPECT_EQ(send->message.type, WIRE_REPORT);
        buf_clear(&g->report);
        buf_add_bytes(&g->report, send->message.report.json);
        g->reports++;
    }
    for (uint32_t i = 0; i < DEALT_KIT_HOSTS; i++) {
        if (g->guests[i].peer == send->peer && !g->guests[i].is_away) {
            rig_take(g, &g->guests[i], &send->message);
        }
    }
}

/* ---- What it does ------------------------------------------------------- */

/* A lease that it is done with stays in its list while it is granted: the
 * coordinator is to learn where it ends. */
static inline void rig_deliver_units(struct rig *g, struct rig_guest *h)
{
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct rig_lease *l = &h->leases[i];
        uint64_t first = l->begun;

        l->end = l->want_end < l->end ? l->want_end : l->end;
        l->end = l->end < l->begun ? l->begun : l->end;
        while (l->begun < l->end && l->begun < first + RIG_UNITS_A_TURN) {
            g->delivered[h->epoch][l->begun++]++;
        }
        if (l->begun > first) {
            EXPECT(h->done_count < RIG_DONE_MAX);
            h->done[h->done_count++] =
                (struct rig_done){l->number, first, l->begun, 0};
        }
    }
}

#endif /* TESTS_UNIT_REIGN_GUEST_H */
