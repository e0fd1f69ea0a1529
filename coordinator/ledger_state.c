/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot: what the entries say, and nothing else, so that two ledgers
 * that have seen the same entries write the same bytes. */

#include "coordinator/ledger_state.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/varint.h"

enum { LEDGER_FORMAT = 1 };

/* What must be the same in both ledgers. */
enum { LEDGER_SHAPE = 6 };

static void ledger_shape(const struct ledger *l, uint64_t out[LEDGER_SHAPE])
{
    out[0] = LEDGER_FORMAT;
    out[1] = l->positions;
    out[2] = l->step_units;
    out[3] = l->host_count;
    out[4] = l->rank_count;
    out[5] = l->shares != NULL;
}

static void ledger_write_host(const struct ledger *l, uint32_t host,
                              struct buf *out)
{
    const struct ledger_host *h = &l->hosts[host];
    const struct ledger_held *held;
    uint64_t count = 0;

    for (uint32_t i = 0; i < h->rank_count; i++) {
        varint_write(l->ranks[h->first_rank + i].watermark, out);
        if (l->step_units > 0) {
            varint_write(l->ranks[h->first_rank + i].had_step, out);
        }
        count += l->ranks[h->first_rank + i].lease_count;
    }
    varint_write(count, out);
    for (uint32_t slot = h->first_lease; slot != LEDGER_NONE;
         slot = held->next) {
        held = &l->slots[slot];
        varint_write(held->number, out);
        varint_write(held->rank - h->first_rank, out);
        varint_write(held->range.first, out);
        varint_write(2 * ledger_length(held->range) + held->is_late, out);
    }
}

void ledger_write(const struct ledger *l, struct buf *out)
{
    uint64_t shape[LEDGER_SHAPE];

    ledger_shape(l, shape);
    for (int i = 0; i < LEDGER_SHAPE; i++) {
        varint_write(shape[i], out);
    }
    varint_write(l->epoch, out);
    varint_write(l->is_stopping, out);
    varint_write(l->next_lease, out);
    varint_write(l->epoch_lease, out);
    varint_write(l->skips_used, out);
    varint_write(l->counts.grants, out);
    varint_write(l->counts.commits, out);
    varint_write(l->counts.drops, out);
    varint_write(l->counts.cuts, out);
    varint_write(l->counts.late, out);
    ranges_write(l->committed, out);
    ranges_write(l->skipped, out);
    ranges_write(l->dropped, out);
    for (uint32_t i = 0; i < l->host_count; i++) {
        ledger_write_host(l, i, out);
    }
}

/* ---- Reading ------------------------------------------------------------- */

static bool ledger_read_head(struct ledger *l, struct bytes *in)
{
    uint64_t shape[LEDGER_SHAPE];
    uint64_t number;
    uint64_t is_stopping;

    ledger_shape(l, shape);
    for (int i = 0; i < LEDGER_SHAPE; i++) {
        if (!varint_read(in, &number) || number != shape[i]) {
            return false;
        }
    }
    if (!varint_read(in, &l->epoch) || !varint_read(in, &is_stopping) ||
        !varint_read(in, &l->next_lease) || !varint_read(in, &l->epoch_lease) ||
        !varint_read(in, &l->skips_used)) {
        return false;
    }
    l->is_stopping = is_stopping == 1;
    return is_stopping <= 1 && l->epoch >= l->first_epoch &&
           l->epoch < l->epochs && l->epoch_lease > 0 &&
           l->epoch_lease <= l->next_lease && l->next_lease < UINT64_MAX / 2 &&
           l->skips_used <= LEDGER_SKIPS_MAX;
}

static bool ledger_read_counts(struct ledger *l, struct bytes *in)
{
    struct ledger_counts *c = &l->counts;

    return varint_read(in, &c->grants) && varint_read(in, &c->commits) &&
           varint_read(in, &c->drops) && varint_read(in, &c->cuts) &&
           varint_read(in, &c->late) && c->grants == l->next_lease - 1 &&
           c->late <= c->grants;
}

static enum status ledger_read_sets(struct ledger *l, struct bytes *in,
                                    struct fault *why)
{
    struct ranges *sets[] = {l->committed, l->skipped};
    struct range range;
    enum status s;

    for (int i = 0; i < 2; i++) {
        s = ranges_read(sets[i], l->positions, LEDGER_HOLES_MAX, in, why);
        if (s != STATUS_OK) {
            return s;
        }
        for (uint64_t at = 0; ranges_next(sets[i], at, &range);
             at = range.end) {
            if (ranges_add(l->taken, range) != ledger_length(range)) {
                return fault_set(why, STATUS_MALFORMED,
                                 "a position is committed and skipped");
            }
        }
    }
    if (ranges_size(l->skipped) > l->skips_used) {
        return fault_set(why, STATUS_MALFORMED, "the skips are miscounted");
    }
    return ranges_read(l->dropped, l->next_lease, LEDGER_HOLES_MAX, in, why);
}

struct ledger_lease_form {
    uint64_t number;
    uint64_t rank; /* Of the host. */
    uint64_t first;
    uint64_t length;
    bool is_late;
};

static bool ledger_read_form(struct bytes *in, struct ledger_lease_form *out)
{
    uint64_t length;

    if (!varint_read(in, &out->number) || !varint_read(in, &out->rank) ||
        !varint_read(in, &out->first) || !varint_read(in, &length)) {
        return false;
    }
    out->length = length / 2;
    out->is_late = length % 2 == 1;
    return true;
}

static bool ledger_allows_form(const struct ledger *l, uint32_t host,
                               const struct ledger_lease_form *f)
{
    const struct ledger_host *h = &l->hosts[host];
    uint32_t rank;

    if (f->rank >= h->rank_count || f->number < l->epoch_lease ||
        f->number >= l->next_lease || ranges_has(l->dropped, f->number) ||
        ledger_held(l, f->number) != NULL || f->length == 0 ||
        f->first > l->positions || f->length > l->positions - f->first) {
        return false;
    }
    rank = h->first_rank + (uint32_t)f->rank;
    return l->ranks[rank].lease_count < LEDGER_RANK_LEASES_MAX &&
           f->first + f->length <= l->ranks[rank].watermark &&
           (h->last_lease == LEDGER_NONE ||
            l->slots[h->last_lease].number < f->number) &&
           ledger_allows_run(l, rank,
                             (struct range){f->first, f->first + f->length});
}

/* The end of the last range of @set in @in, or its beginning. */
static uint64_t ledger_last_in(const struct ranges *set, struct range in)
{
    uint64_t last = in.first;
    struct range range;

    for (uint64_t at = in.first;
         ranges_next(set, at, &range) && range.first < in.end; at = range.end) {
        last = ledger_min(range.end, in.end);
    }
    return last;
}

/* @held_all: all that leases read so far span. Two may not share even what is
 * committed. */
static bool ledger_read_lease(struct ledger *l, uint32_t host,
                              struct ranges *held_all, struct bytes *in)
{
    struct ledger_lease_form f;
    struct ledger_held *held;
    struct range range;

    if (!ledger_read_form(in, &f) || !ledger_allows_form(l, host, &f)) {
        return false;
    }
    range = (struct range){f.first, f.first + f.length};
    if (ranges_add(held_all, range) != f.length) {
        return false;
    }
    held =
        ledger_hold(l, f.number, l->hosts[host].first_rank + (uint32_t)f.rank);
    held->range = range;
    held->want_end = range.end;
    held->is_late = f.is_late;
    held->top = ledger_max(ledger_last_in(l->committed, range),
                           ledger_last_in(l->skipped, range));
    held->left = ranges_add(l->taken, range);
    l->leased += held->left;
    return held->left > 0;
}

static bool ledger_read_host(struct ledger *l, uint32_t host,
                             struct ranges *held_all, struct bytes *in)
{
    const struct ledger_host *h = &l->hosts[host];
    uint64_t count;

    for (uint32_t i = 0; i < h->rank_count; i++) {
        struct ledger_rank *r = &l->ranks[h->first_rank + i];

        if (!varint_read(in, &r->watermark) || r->watermark > l->positions) {
            return false;
        }
        if (l->step_units > 0 && (!varint_read(in, &r->had_step) ||
                                  r->had_step > l->gate_step + LEDGER_STEPS)) {
            return false;
        }
    }
    if (!varint_read(in, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!ledger_read_lease(l, host, held_all, in)) {
            return false;
        }
    }
    return true;
}

static enum status ledger_read_hosts(struct ledger *l, struct bytes *in,
                                     struct fault *why)
{
    struct ranges *held_all = ranges_new();
    enum status s = STATUS_OK;

    for (uint32_t i = 0; i < l->host_count && s == STATUS_OK; i++) {
        if (!ledger_read_host(l, i, held_all, in)) {
            s = fault_set(why, STATUS_MALFORMED,
                          "what host %" PRIu32 " holds is not possible", i);
        }
    }
    ranges_destroy(&held_all);
    return s;
}

enum status ledger_read(struct ledger *l, struct bytes *in, struct fault *why)
{
    enum status s;

    CHECK(l->next_lease == 1 && l->live_ranks == 0);
    if (!ledger_read_head(l, in) || !ledger_read_counts(l, in)) {
        return fault_set(why, STATUS_MALFORMED,
                         "the snapshot is cut or of another ledger");
    }
    s = ledger_read_sets(l, in, why);
    if (s != STATUS_OK) {
        return s;
    }
    ledger_step_reset(l);
    s = ledger_read_hosts(l, in, why);
    ledger_step_reset(l);
    return s;
}
