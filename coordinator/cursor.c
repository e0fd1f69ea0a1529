/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/cursor.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/json.h"
#include "coordinator/ledger.h"

static const char *cursor_deal_word(const struct cursor_how *how)
{
    if (how->is_dynamic) {
        return "dynamic";
    }
    switch (how->kind) {
    case DEAL_SAGEMAKER:
        return "sagemaker";
    case DEAL_BALANCED:
        return "balanced";
    case DEAL_REPLICATED:
        return "replicated";
    }
    UNREACHABLE("no such deal");
}

static const char *cursor_even_word(enum deal_even even)
{
    switch (even) {
    case DEAL_EVEN_NONE:
        return "none";
    case DEAL_EVEN_PAD:
        return "pad";
    case DEAL_EVEN_DROP:
        return "drop";
    }
    UNREACHABLE("no such even");
}

void cursor_how_write(const struct cursor_how *how, struct buf *out)
{
    buf_print(out, "{\"deal\":\"%s\",\"even\":\"%s\",\"split\":%s,\"seed\":",
              cursor_deal_word(how), cursor_even_word(how->even),
              how->may_split ? "true" : "false");
    if (how->has_seed) {
        buf_print(out, "%" PRIu64 "}", how->seed);
    } else {
        buf_add_text(out, "null}");
    }
}

static void cursor_write_range(struct range r, const char **comma,
                               struct buf *out)
{
    buf_print(out, "%s[%" PRIu64 ",%" PRIu64 "]", *comma, r.first, r.end);
    *comma = ",";
}

/* The ranges of @set without those of @but. */
static void cursor_write_ranges(const struct ranges *set,
                                const struct ranges *but, struct buf *out)
{
    const char *comma = "";
    struct range in = {0};
    struct range gap;

    buf_add_char(out, '[');
    while (ranges_next(set, in.end, &in)) {
        for (struct range rest = in; ranges_next_gap(but, rest, &gap);
             rest.first = gap.end) {
            cursor_write_range(gap, &comma, out);
        }
    }
    buf_add_char(out, ']');
}

static void cursor_write_hosts(const struct dealt *d, uint32_t number,
                               struct buf *out)
{
    const char *comma = "";

    buf_add_text(out, ",\"hosts\":[");
    for (uint32_t i = 0; i < d->host_count; i++) {
        if (dealt_has_part(d, number, i)) {
            buf_print(out, "%s{\"number\":%u,\"ranks\":%u,\"weight\":%u}",
                      comma, i, dealt_ranks(d, number, i), d->weights[i]);
            comma = ",";
        }
    }
    buf_add_char(out, ']');
}

/* What was committed before the run counts in its first epoch only. */
static struct ranges *cursor_base_of(const struct dealt_channel *c,
                                     uint64_t epoch)
{
    struct ranges *base = ranges_new();
    struct bytes text = c->base;
    struct fault why;

    CHECK(epoch >= c->first_epoch);
    if (epoch == c->first_epoch && text.size > 0) {
        CHECK(ranges_read(base, UINT64_MAX / 2, LEDGER_HOLES_MAX, &text,
                          &why) == STATUS_OK);
    }
    return base;
}

static void cursor_write_channel(const struct dealt *d, uint32_t number,
                                 const struct cursor_progress *progress,
                                 struct buf *out)
{
    const struct dealt_channel *c = &d->channels[number];
    struct ranges *base = cursor_base_of(c, progress->epoch);
    struct ranges *none = ranges_new();

    buf_add_text(out, "{\"name\":");
    json_write_string(c->name, out);
    buf_add_text(out, ",\"catalog\":");
    json_write_string(c->catalog, out);
    buf_add_text(out, ",\"how\":");
    buf_add_bytes(out, c->how);
    buf_print(out, ",\"epoch\":%" PRIu64 ",\"positions\":%" PRIu64,
              progress->epoch, c->positions);
    buf_add_text(out, ",\"base\":");
    cursor_write_ranges(base, none, out);
    buf_add_text(out, ",\"committed\":");
    cursor_write_ranges(progress->committed, c->is_dynamic ? base : none, out);
    buf_add_text(out, ",\"skipped\":");
    cursor_write_ranges(progress->skipped, none, out);
    if (!c->is_dynamic) {
        cursor_write_hosts(d, number, out);
    }
    buf_add_char(out, '}');
    ranges_destroy(&none);
    ranges_destroy(&base);
}

void cursor_write(const char *job, const struct dealt *dealt,
                  const struct cursor_progress *progress, struct buf *out)
{
    buf_print(out, "{\"cursor\":%d,\"job\":", CURSOR_VERSION);
    json_write_string(bytes_of(job), out);
    buf_add_text(out, ",\"channels\":[");
    for (uint32_t i = 0; i < dealt->channel_count; i++) {
        buf_add_text(out, i > 0 ? ",\n" : "\n");
        cursor_write_channel(dealt, i, &progress[i], out);
    }
    buf_add_text(out, "]}\n");
}

void cursor_order(const struct cursor_how *how, struct bytes channel,
                  uint64_t epoch, uint64_t count, struct order *out)
{
    if (how->has_seed) {
        order_init_shuffled(out, count, how->seed, epoch, channel);
    } else {
        order_init_plain(out, count);
    }
}
