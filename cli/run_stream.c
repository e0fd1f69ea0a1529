/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_stream.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    STREAM_UNITS_LEAST = 8, /* At hand, of each rank, */
    STREAM_UNITS_MOST = 8192,
};

/* ---- What was dealt. ------------------------------------------------------
 */

enum status run_streams_take_dealt(struct run_streams *s, struct bytes text,
                                   const char *run, struct fault *why)
{
    return dealt_read(text, run, why, &s->dealt);
}

enum status run_streams_add(struct run_streams *s,
                            const struct run_stream_from *from,
                            struct fault *why)
{
    struct run_stream *t = &s->each[s->count];
    bool is_single = from->channel->mode == JOB_PIPE;

    CHECK(s->count < RUN_STREAMS_MAX);
    s->count++;
    t->number = (uint32_t)from->share->number;
    t->channel = from->channel;
    t->catalog = from->catalog;
    t->root_uri =
        mem_copy_text(from->share->root_uri.at, from->share->root_uri.size);
    t->ranks = is_single ? 1 : from->ranks;
    if (from->share->is_dynamic) {
        return from->share->positions <= catalog_count(t->catalog)
                   ? STATUS_OK
                   : fault_set(why, STATUS_MALFORMED,
                               "channel %s is not dealt as this host knows it",
                               t->channel->name);
    }
    CHECK(s->dealt != NULL);
    return run_deal_new(
        &(struct run_deal_options){
            .catalog = t->catalog,
            .dealt = dealt_of(s->dealt),
            .channel = t->channel,
            .number = t->number,
            .host = from->host,
        },
        why, &t->deal);
}

/* ---- Units. ---------------------------------------------------------------
 */

static uint64_t stream_dynamic(struct run_stream *t, uint64_t epoch,
                               uint64_t position)
{
    uint64_t count = catalog_count(t->catalog);

    if (!t->has_order || t->order_epoch != epoch) {
        if (t->channel->has_shuffle) {
            order_init_shuffled(&t->order, count, t->channel->shuffle_seed,
                                epoch, bytes_of(t->channel->name));
        } else {
            order_init_plain(&t->order, count);
        }
        t->has_order = true;
        t->order_epoch = epoch;
    }
    return order_unit(&t->order, position);
}

static enum status stream_unit(void *self, uint32_t rank, uint64_t epoch,
                               uint64_t at, struct supply_unit *out)
{
    struct run_stream *t = self;
    struct catalog_object object;
    struct deal_unit unit = {.is_whole = true};
    enum status s = STATUS_OK;

    if (t->deal != NULL) {
        s = run_deal_unit(t->deal, rank, epoch, at, &unit);
    } else if (at < catalog_count(t->catalog)) {
        unit.object = stream_dynamic(t, epoch, at);
    } else {
        s = STATUS_INVALID;
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (unit.object != t->cursor.next || t->cursor.catalog == NULL) {
        catalog_seek(t->catalog, unit.object, &t->cursor);
    }
    if (!catalog_next(&t->cursor, &object)) {
        return STATUS_INVALID;
    }
    out->key = object.key;
    out->etag = object.etag;
    out->offset = unit.is_whole ? 0 : unit.offset;
    out->size = unit.is_whole ? object.size : unit.size;
    out->is_whole = unit.is_whole;
    return STATUS_OK;
}

/* ---- Start and end. -------------------------------------------------------
 */

/* As many units at hand as fill the slots twice. */
static void stream_measure(struct run_stream *t, uint64_t bytes)
{
    uint64_t count = catalog_count(t->catalog);
    uint64_t mean = count > 0 ? catalog_bytes(t->catalog) / count + 1 : 1;
    uint64_t units = 2 * bytes / mean;

    units = units > STREAM_UNITS_LEAST ? units : STREAM_UNITS_LEAST;
    t->units_ahead = units < STREAM_UNITS_MOST ? units : STREAM_UNITS_MOST;
}

static void stream_new_holder(struct run_stream *t,
                              const struct run_streams_options *o,
                              uint64_t bytes)
{
    stream_measure(t, bytes);
    t->holder = holder_new(&(struct holder_options){
        .channel = t->number,
        .rank_count = t->ranks,
        .ahead_units = t->units_ahead,
        .lease_ms = o->lease_ms,
        .beat_ms = o->beat_ms,
        .gap_ms = o->gap_ms,
        .now_ms = clock_now_ms(&clock_os),
    });
    t->supply = supply_new(&(struct supply_options){
        .rank_count = t->ranks,
        .units_max = (uint32_t)t->units_ahead,
        .bytes_max = 2 * bytes,
    });
}

static void stream_new_course(struct run_stream *t)
{
    struct course_rank *ranks = mem_new(t->ranks, sizeof(*ranks));
    uint64_t epochs = t->channel->epochs;

    for (uint32_t i = 0; t->deal != NULL && i < t->ranks; i++) {
        ranks[i] = run_deal_rank(t->deal, i);
    }
    t->course = course_new(&(struct course_options){
        .holder = t->holder,
        .supply = t->supply,
        .rank_count = t->ranks,
        .epochs = epochs,
        .ranks = t->deal != NULL ? ranks : NULL,
        .skips = t->channel->skips > 0,
        .unit = stream_unit,
        .unit_self = t,
    });
    free(ranks);
}

static enum status stream_start_pipe(struct run_streams *s, uint32_t i,
                                     const struct run_streams_options *o,
                                     struct fault *why)
{
    struct run_stream *t = &s->each[i];
    uint32_t count = s->memory.slots[i];
    enum status status = slots_new(
        &(struct slots_options){
            .count = count, .size = s->memory.slot_bytes, .node = -1},
        why, &t->slots);

    if (status != STATUS_OK) {
        return status;
    }
    return pipe_start(
        &(struct pipe_options){
            .folder = o->data_dir,
            .channel = t->channel->name,
            .supply = t->supply,
            .fetch = s->fetch,
            .slots = t->slots,
            .source = i,
            .slots_max = count,
            .is_gzip = t->channel->compression == JOB_GZIP,
            .is_wrapped = t->channel->wrapper == JOB_WRAP_RECORDIO,
            .skips = t->channel->skips > 0,
        },
        why, &t->pipe);
}

static enum status streams_plan(struct run_streams *s,
                                const struct run_streams_options *o,
                                struct fault *why)
{
    enum memory_mode modes[RUN_STREAMS_MAX];
    uint32_t ranks = 1;

    for (uint32_t i = 0; i < s->count; i++) {
        bool is_single = s->each[i].channel->mode == JOB_PIPE;

        modes[i] = is_single ? MEMORY_MOUNT : MEMORY_RANKS;
        ranks = s->each[i].ranks > ranks ? s->each[i].ranks : ranks;
    }
    return memory_plan(
        &(struct memory_options){
            .cap = o->memory,
            .ranks = ranks,
            .channel_count = s->count,
            .channels = modes,
        },
        why, &s->memory);
}

static enum status streams_start_fetch(struct run_streams *s,
                                       const struct run_streams_options *o,
                                       struct fault *why)
{
    for (uint32_t i = 0; i < s->count; i++) {
        s->sources[i] = (struct fetch_source){
            .name = s->each[i].channel->name,
            .root_uri = s->each[i].root_uri,
        };
    }
    return fetch_start(
        &(struct fetch_options){
            .sources = s->sources,
            .source_count = s->count,
            .lane_count = o->lanes,
        },
        why, &s->fetch);
}

enum status run_streams_start(struct run_streams *s,
                              const struct run_streams_options *o,
                              struct fault *why)
{
    enum status status;

    if (s->count == 0) {
        return STATUS_OK;
    }
    status = streams_plan(s, o, why);
    if (status == STATUS_OK) {
        status = streams_start_fetch(s, o, why);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < s->count; i++) {
        stream_new_holder(&s->each[i], o,
                          s->memory.slots[i] * (uint64_t)s->memory.slot_bytes);
        stream_new_course(&s->each[i]);
        status = stream_start_pipe(s, i, o, why);
    }
    return status;
}

enum status run_streams_step(struct run_streams *s, struct fault *why)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < s->count; i++) {
        struct run_stream *t = &s->each[i];

        if (t->pipe == NULL) {
            continue;
        }
        status = course_step(t->course, clock_now_ms(&clock_os), why);
        if (status != STATUS_OK) {
            status = fault_prefix(why, status, "channel %s", t->channel->name);
        }
    }
    return status;
}

uint32_t run_streams_fds(const struct run_streams *s, int *fds, uint32_t max)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < s->count && count < max; i++) {
        if (s->each[i].pipe != NULL) {
            fds[count++] = supply_told_fd(s->each[i].supply);
        }
    }
    return count;
}

void run_streams_stop(struct run_streams *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        struct run_stream *t = &s->each[i];

        if (t->supply != NULL) {
            supply_stop(t->supply); /* All at once, then one by one. */
        }
    }
    for (uint32_t i = 0; i < s->count; i++) {
        pipe_stop(&s->each[i].pipe);
        slots_destroy(&s->each[i].slots);
    }
    fetch_stop(&s->fetch);
}

void run_streams_fini(struct run_streams *s)
{
    run_streams_stop(s);
    for (uint32_t i = 0; i < s->count; i++) {
        struct run_stream *t = &s->each[i];

        course_destroy(&t->course);
        supply_destroy(&t->supply);
        holder_destroy(&t->holder);
        run_deal_destroy(&t->deal);
        catalog_destroy(&t->catalog);
        free(t->root_uri);
    }
    dealt_destroy(&s->dealt);
    s->count = 0;
}
