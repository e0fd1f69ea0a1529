/* SPDX-License-Identifier: Apache-2.0 */
/* What the coordinator's word changes.
 *
 * Every GRANT lists all that the host holds. So a lease that is not listed is
 * over: if the WORK that is answered had named it, all of it is committed;
 * else the coordinator took it away before it heard of us. Two GRANTs may
 * answer the same WORK and change places on the way: of such, one may end only
 * what that WORK had named.
 *
 * Numbers of leases grow, and a GRANT with a lease has all the older ones that
 * were ever given here or knows them to be over. So what is not above the
 * highest number seen is not new, and no position is taken up twice. */
#include "worker/holder.h"

#include "base/check.h"
#include "base/mem.h"
#include "worker/holder_state.h"

static bool holder_is_refused(const struct grant *g, uint64_t number)
{
    uint32_t low = 0;
    uint32_t high = g->refused_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (g->refused[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < g->refused_count && g->refused[low] == number;
}

/* ---- What was told: it is refused, or else acknowledged, and then told on
 * until it is durable. ---- */

static void holder_settle_told(struct holder *h, const struct grant *g)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < h->told_count; i++) {
        struct holder_told t = h->told[i];
        bool is_refused = holder_is_refused(g, t.lease);
        bool is_settled = is_refused || t.seq <= g->acked_seq;

        if (is_settled && !t.is_acked) {
            holder_add_outcome(
                h, &(struct holder_outcome){.rank = t.rank,
                                            .epoch = t.epoch,
                                            .lease = t.lease,
                                            .first = t.range.first,
                                            .end = t.range.end,
                                            .is_refused = is_refused});
        }
        if (!is_refused && t.seq > g->acked_seq - g->unkept) {
            t.is_acked = t.is_acked || is_settled;
            h->told[kept++] = t;
        }
    }
    h->told_count = kept;
}

static void holder_settle_skips(struct holder *h, const struct grant *g)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < h->skip_count; i++) {
        const struct holder_skipped *k = &h->skips[i];
        bool is_refused = holder_is_refused(g, k->lease);

        if (!is_refused && (k->seq == 0 || k->seq > g->acked_seq)) {
            if (kept != i) {
                h->skips[kept] = *k;
            }
            kept++;
            continue;
        }
        holder_add_outcome(h,
                           &(struct holder_outcome){.rank = k->rank,
                                                    .epoch = k->epoch,
                                                    .lease = k->lease,
                                                    .first = k->position,
                                                    .end = k->position + 1,
                                                    .is_skip = true,
                                                    .is_refused = is_refused});
    }
    h->skip_count = kept;
}

/* What was done under @l, and not told, will never count. */
static void holder_refuse_fresh(struct holder *h, struct holder_lease *l)
{
    struct range r;

    while (ranges_next(l->fresh, 0, &r)) {
        holder_add_outcome(h, &(struct holder_outcome){.rank = l->rank,
                                                       .epoch = l->epoch,
                                                       .lease = l->number,
                                                       .first = r.first,
                                                       .end = r.end,
                                                       .is_refused = true});
        ranges_remove(l->fresh, r);
    }
}

/* ---- Leases. ------------------------------------------------------------- */

static const struct grant_lease *holder_listed(const struct grant *g,
                                               uint64_t number)
{
    uint32_t low = 0;
    uint32_t high = g->lease_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (g->leases[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < g->lease_count && g->leases[low].number == number
               ? &g->leases[low]
               : NULL;
}

/* Give back the tail from @end on, as far as nobody was handed any of it. */
static void holder_shrink(struct holder *h, struct holder_lease *l,
                          uint64_t end)
{
    uint64_t kept = end > l->begun ? end : l->begun;

    if (kept < l->end) {
        l->end = kept;
        h->is_urgent = true;
    }
}

static void holder_look_again(struct holder *h, const struct grant *g,
                              bool is_newer)
{
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct holder_lease *l = h->leases[i];
        const struct grant_lease *listed = holder_listed(g, l->number);
        bool was_named = l->told_seq > 0 && l->told_seq <= g->seq;

        if (holder_is_refused(g, l->number)) {
            holder_refuse_fresh(h, l);
            l->is_over = true;
        } else if (l->epoch < g->epoch) {
            l->is_over = true;
        } else if (listed == NULL) {
            l->is_over = l->is_over || was_named || is_newer;
        } else if (!l->is_over) {
            holder_shrink(h, l, listed->want_end);
        }
    }
    holder_sweep(h);
}

static uint32_t holder_live(const struct holder *h)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < h->lease_count; i++) {
        count += !h->leases[i]->is_over;
    }
    return count;
}

/* Take up what is new. What there is no room for stays unknown, and is new
 * still in the next GRANT. */
static void holder_take_new(struct holder *h, const struct grant *g)
{
    uint32_t live = holder_live(h);

    for (uint32_t i = 0; i < g->lease_count; i++) {
        const struct grant_lease *from = &g->leases[i];
        struct holder_lease *l;

        if (from->number <= h->top || holder_is_refused(g, from->number)) {
            continue;
        }
        if (live == WORK_LEASES_MAX || h->lease_count == HOLDER_LEASES_MAX) {
            return;
        }
        h->top = from->number;
        if (from->rank >= h->options.rank_count) {
            continue;
        }
        l = mem_new(1, sizeof(*l));
        *l = (struct holder_lease){
            .number = from->number,
            .epoch = g->epoch,
            .rank = from->rank,
            .is_late = from->is_late,
            .first = from->first,
            .begun = from->first,
            .end = from->end,
            .again = ranges_new(),
            .done = ranges_new(),
            .fresh = ranges_new(),
        };
        holder_shrink(h, l, from->want_end);
        h->leases[h->lease_count++] = l;
        live++;
    }
}

/* ---- The whole. ---------------------------------------------------------- */

static void holder_take_epoch(struct holder *h, const struct grant *g)
{
    for (uint32_t i = 0; i < h->options.rank_count && !h->has_grant; i++) {
        h->ranks[i].epoch = g->epoch;
    }
    if (h->has_grant && g->epoch == h->epoch) {
        /* None of these goes back within an epoch. */
        h->gate = g->gate > h->gate ? g->gate : h->gate;
        h->is_complete = h->is_complete || g->is_complete;
        h->idle_ranks |= g->idle_ranks;
    } else {
        h->gate = g->gate;
        h->is_complete = g->is_complete;
        h->idle_ranks = g->idle_ranks;
        h->ends_epoch = h->ends_epoch && !h->has_grant;
    }
    h->epoch = g->epoch;
    h->is_over = h->is_over || g->is_over;
    h->has_grant = true;
}

static void holder_renew(struct holder *h, const struct grant *g)
{
    if (h->seq - g->seq < HOLDER_SENT_MAX) {
        uint64_t sent_ms = h->sent_ms[g->seq % HOLDER_SENT_MAX];

        h->renewed_ms = sent_ms > h->renewed_ms ? sent_ms : h->renewed_ms;
    }
    h->taken_seq = g->seq;
}

/* Whether there was no room in the last WORK for all. */
static bool holder_has_more_to_tell(const struct holder *h)
{
    for (uint32_t i = 0; i < h->skip_count && i < WORK_SKIPS_MAX; i++) {
        if (h->skips[i].seq == 0) {
            return true;
        }
    }
    for (uint32_t i = 0; i < h->lease_count; i++) {
        if (ranges_size(h->leases[i]->fresh) > 0) {
            return true;
        }
    }
    return false;
}

void holder_take(struct holder *h, const struct grant *g)
{
    bool is_newer = g->seq > h->taken_seq;

    if (g->channel != h->options.channel || g->seq == 0 || g->seq > h->seq ||
        g->seq < h->taken_seq || (h->has_grant && g->epoch < h->epoch)) {
        return;
    }
    holder_renew(h, g);
    holder_settle_told(h, g);
    holder_settle_skips(h, g);
    holder_look_again(h, g, is_newer);
    holder_take_epoch(h, g);
    holder_take_new(h, g);
    for (uint32_t i = 0; i < h->options.rank_count; i++) {
        h->ranks[i].is_asking = h->ranks[i].is_asking && !is_newer;
    }
    h->is_new = h->is_new || holder_has_more_to_tell(h);
}
