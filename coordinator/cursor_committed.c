/* SPDX-License-Identifier: Apache-2.0 */
/* From what a ledger counted to positions in the epoch's order. */

#include <stdlib.h>

#include "base/check.h"
#include "coordinator/cursor.h"

/* Of one object: how many units were dealt of it and are not committed yet.
 * Both are below 2³¹: a rank has at most one unit of an object. */
struct cursor_count {
    uint32_t open;
    bool is_dealt;
};

/* A static channel, dealt again. */
struct cursor_remade {
    const struct cursor_channel *channel;
    const struct catalog *catalog;
    struct order order;   /* Of the whole catalog. */
    struct catalog *left; /* What was dealt, when that was not all. */
    struct deal *deal;    /* NULL: nothing was left. */
    struct cursor_count *counts;
    bool *is_done; /* By object of the whole catalog. */
};

static enum status cursor_full(struct fault *why)
{
    return fault_set(why, STATUS_FULL, "no memory to resume from the cursor");
}

enum status cursor_left(const struct catalog *catalog,
                        const struct order *order, const struct ranges *done,
                        struct fault *why, struct catalog **out)
{
    struct catalog_builder *builder = NULL;
    struct catalog_cursor at;
    struct catalog_object object;
    enum status s = catalog_builder_new(&builder);

    *out = NULL;
    catalog_seek(catalog, 0, &at);
    for (uint64_t i = 0; s == STATUS_OK && catalog_next(&at, &object); i++) {
        if (!ranges_has(done, order_position(order, i))) {
            s = catalog_builder_add(builder, &object, why);
        }
    }
    if (s == STATUS_OK) {
        s = catalog_builder_finish(&builder, out);
    }
    catalog_builder_destroy(&builder);
    CHECK(s == STATUS_OK || s == STATUS_FULL);
    return s == STATUS_OK ? s : cursor_full(why);
}

static enum status cursor_refuse_catalog(const struct cursor_channel *c,
                                         struct fault *why)
{
    return fault_set(why, STATUS_MALFORMED,
                     "the cursor's channel %.*s counts what its catalog does "
                     "not have; it was damaged, or written by another version",
                     (int)c->name.size, c->name.at);
}

static enum status cursor_committed_dynamic(const struct cursor_channel *c,
                                            uint64_t count, struct fault *why,
                                            struct ranges *out)
{
    struct range range = {0};

    if (c->positions > count) {
        return cursor_refuse_catalog(c, why);
    }
    while (ranges_next(c->base, range.end, &range)) {
        ranges_add(out, range);
    }
    range.end = 0;
    while (ranges_next(c->committed, range.end, &range)) {
        ranges_add(out, range);
    }
    return STATUS_OK;
}

static enum status cursor_remake_deal(struct cursor_remade *r,
                                      const struct catalog *dealt,
                                      struct fault *why)
{
    const struct cursor_channel *c = r->channel;
    struct order order;
    struct deal_options options = {
        .kind = c->how.kind,
        .even = c->how.even,
        .hosts = c->hosts,
        .host_count = c->host_count,
        .may_split = c->how.may_split,
        .order = &order,
    };
    uint64_t units = 0;
    enum status s = STATUS_OK;

    if (catalog_count(dealt) > 0) {
        cursor_order(&c->how, c->name, c->epoch, catalog_count(dealt), &order);
        s = deal_new(dealt, &options, why, &r->deal);
    }
    for (uint32_t i = 0; r->deal != NULL && i < deal_rank_count(r->deal); i++) {
        units += deal_own(r->deal, i);
    }
    return s == STATUS_OK && units != c->positions
               ? cursor_refuse_catalog(c, why)
               : s;
}

/* Count, of every object, what was dealt and is not committed. */
static void cursor_count_open(struct cursor_remade *r)
{
    uint64_t position = 0;

    for (uint32_t i = 0; r->deal != NULL && i < deal_rank_count(r->deal); i++) {
        uint64_t own = deal_own(r->deal, i);
        struct deal_cursor units;
        struct deal_unit unit;

        deal_seek(r->deal, i, &units);
        for (uint64_t k = 0; k < own; k++, position++) {
            CHECK(deal_next(&units, &unit) && !unit.is_padding);
            r->counts[unit.object].is_dealt = true;
            r->counts[unit.object].open +=
                !ranges_has(r->channel->committed, position);
        }
    }
    CHECK(position == r->channel->positions);
}

/* From the objects that were dealt to those of the whole catalog. */
static void cursor_mark_done(struct cursor_remade *r)
{
    const struct cursor_count *count = r->counts;

    for (uint64_t i = 0; i < catalog_count(r->catalog); i++) {
        if (ranges_has(r->channel->base, order_position(&r->order, i))) {
            r->is_done[i] = true;
            continue;
        }
        r->is_done[i] = count->is_dealt && count->open == 0;
        count++;
    }
}

/* In the order of the positions, so that each range is added at the end. */
static void cursor_add_done(const struct cursor_remade *r, struct ranges *out)
{
    uint64_t count = catalog_count(r->catalog);
    uint64_t first = 0;

    for (uint64_t p = 0; p < count; p++) {
        if (r->is_done[order_unit(&r->order, p)]) {
            continue;
        }
        ranges_add(out, (struct range){first, p});
        first = p + 1;
    }
    ranges_add(out, (struct range){first, count});
}

static enum status cursor_committed_static(struct cursor_remade *r,
                                           struct fault *why,
                                           struct ranges *out)
{
    const struct cursor_channel *c = r->channel;
    uint64_t count = catalog_count(r->catalog);
    const struct catalog *dealt = r->catalog;
    enum status s = STATUS_OK;
    struct range beyond;

    if (ranges_next(c->base, count, &beyond)) {
        return cursor_refuse_catalog(c, why);
    }
    cursor_order(&c->how, c->name, c->epoch, count, &r->order);
    if (ranges_size(c->base) > 0) {
        s = cursor_left(r->catalog, &r->order, c->base, why, &r->left);
        dealt = r->left;
    }
    if (s == STATUS_OK) {
        s = cursor_remake_deal(r, dealt, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    r->counts = calloc(catalog_count(dealt) + 1, sizeof(r->counts[0]));
    r->is_done = calloc(count + 1, sizeof(r->is_done[0]));
    if (r->counts == NULL || r->is_done == NULL) {
        return cursor_full(why);
    }
    cursor_count_open(r);
    cursor_mark_done(r);
    cursor_add_done(r, out);
    return STATUS_OK;
}

enum status cursor_committed(const struct cursor_channel *c,
                             const struct catalog *catalog, struct fault *why,
                             struct ranges **out)
{
    struct cursor_remade remade = {.channel = c, .catalog = catalog};
    enum status s;

    *out = NULL;
    if (!bytes_is(c->catalog, catalog_name(catalog))) {
        return fault_set(why, STATUS_INVALID,
                         "the cursor's channel %.*s is of catalog %.*s, not of "
                         "%s",
                         (int)c->name.size, c->name.at, (int)c->catalog.size,
                         c->catalog.at, catalog_name(catalog));
    }
    *out = ranges_new();
    s = c->how.is_dynamic
            ? cursor_committed_dynamic(c, catalog_count(catalog), why, *out)
            : cursor_committed_static(&remade, why, *out);
    deal_destroy(&remade.deal);
    catalog_destroy(&remade.left);
    free(remade.counts);
    free(remade.is_done);
    if (s != STATUS_OK) {
        ranges_destroy(out);
    }
    return s;
}
