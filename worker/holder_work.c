/* SPDX-License-Identifier: Apache-2.0 */
/* What the holder says, and when. */
#include "worker/holder.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/check.h"
#include "worker/holder_state.h"

uint64_t holder_timer_ms(const struct holder *h)
{
    uint64_t sent_ms = h->sent_ms[h->seq % HOLDER_SENT_MAX];

    if (h->seq == 0) {
        return h->options.now_ms;
    }
    return h->is_urgent ? sent_ms
           : h->is_new  ? sent_ms + h->options.gap_ms
                        : sent_ms + h->options.beat_ms;
}

static void holder_work_wants(struct holder *h, struct work *out)
{
    for (uint32_t i = 0; i < h->options.rank_count; i++) {
        h->ranks[i].is_asking = holder_rank_wants(h, i);
        if (h->ranks[i].is_asking) {
            out->wants[out->want_count++] = (struct work_want){.rank = i};
        }
    }
}

static void holder_work_leases(struct holder *h, struct work *out)
{
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct holder_lease *l = h->leases[i];

        if (!l->is_over) {
            CHECK(out->lease_count < WORK_LEASES_MAX);
            out->leases[out->lease_count++] =
                (struct work_lease){l->number, l->begun, l->end};
            l->told_seq = l->told_seq > 0 ? l->told_seq : h->seq;
        }
    }
}

/* Move what is fresh in @l to what is told, as far as there is room. */
static void holder_tell(struct holder *h, const struct holder_lease *l)
{
    struct range r;

    while (h->told_count < WORK_DONE_MAX && ranges_next(l->fresh, 0, &r)) {
        h->told[h->told_count++] = (struct holder_told){
            .lease = l->number,
            .epoch = l->epoch,
            .rank = l->rank,
            .range = r,
            .seq = h->seq,
        };
        CHECK(ranges_remove(l->fresh, r) == r.end - r.first);
    }
}

static int holder_compare_done(const void *a, const void *b)
{
    const struct work_done *x = a;
    const struct work_done *y = b;

    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return x->first < y->first ? -1 : x->first > y->first;
}

static void holder_work_done(struct holder *h, struct work *out)
{
    for (uint32_t i = 0; i < h->lease_count; i++) {
        holder_tell(h, h->leases[i]);
    }
    for (uint32_t i = 0; i < h->told_count; i++) {
        const struct holder_told *t = &h->told[i];

        out->done[i] =
            (struct work_done){t->lease, t->range.first, t->range.end};
    }
    out->done_count = h->told_count;
    qsort(out->done, out->done_count, sizeof(out->done[0]),
          holder_compare_done);
}

static int holder_compare_skips(const void *a, const void *b)
{
    const struct work_skip *x = a;
    const struct work_skip *y = b;

    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return x->position < y->position ? -1 : x->position > y->position;
}

static void holder_work_skips(struct holder *h, struct work *out)
{
    while (out->skip_count < WORK_SKIPS_MAX &&
           out->skip_count < h->skip_count) {
        struct holder_skipped *k = &h->skips[out->skip_count];

        k->seq = k->seq > 0 ? k->seq : h->seq;
        out->skips[out->skip_count++] =
            (struct work_skip){k->lease, k->position, bytes_of(k->reason)};
    }
    qsort(out->skips, out->skip_count, sizeof(out->skips[0]),
          holder_compare_skips);
}

bool holder_work(struct holder *h, uint64_t now_ms, struct work *out)
{
    if (now_ms < holder_timer_ms(h)) {
        return false;
    }
    *out = (struct work){
        .channel = h->options.channel,
        .epoch = h->epoch,
        .seq = ++h->seq,
        .ends_epoch = h->ends_epoch,
    };
    h->sent_ms[h->seq % HOLDER_SENT_MAX] = now_ms;
    h->is_new = false;
    h->is_urgent = false;
    holder_work_wants(h, out);
    holder_work_leases(h, out);
    holder_work_done(h, out);
    holder_work_skips(h, out);
    holder_sweep(h);
    return true;
}

void holder_new_term(struct holder *h)
{
    h->is_urgent = true;
}
