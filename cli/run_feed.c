/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic channels: their units are leased while the command runs, fetched
 * ahead, and handed to its processes through a socket. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/run.h"

enum {
    RUN_FEED_AHEAD_UNITS = 4, /* Of each rank, fetched, at least; */
    RUN_FEED_AHEAD_ALL = 128, /* of all of them, unless that is less; */
    RUN_FEED_AHEAD_TIMES = 2, /* no more than fill the memory so often; */
    RUN_FEED_WANT_TIMES = 2,  /* and so many times as much is leased. */
    RUN_FEED_AHEAD_BYTES = 256 << 20,
    RUN_FEED_GAP_PART = 20,     /* Of a heartbeat. */
    RUN_FEED_WORDS_MAX = 20000, /* Of all hosts, to the coordinator, in a
                                   second. */
};

static char *run_feed_copy(struct bytes b)
{
    return mem_copy_text(b.at, b.size);
}

enum status run_feed_take_share(struct run *r, const struct wire_share *from,
                                struct catalog *catalog, struct fault *why)
{
    struct run_feed *f = &r->feeds[r->feed_count++];

    f->catalog = catalog;
    f->number = (uint32_t)from->number;
    f->name = run_feed_copy(from->channel);
    f->root_uri = run_feed_copy(from->root_uri);
    f->prefix = run_feed_copy(from->prefix);
    f->named_by =
        from->named_by.size > 0 ? run_feed_copy(from->named_by) : NULL;
    f->folder = mem_print("%s/%s", r->contract.data, f->name);
    f->channel = job_find_channel(r->contract.job, f->name);
    if (f->channel == NULL || from->positions > catalog_count(f->catalog)) {
        return fault_set(why, STATUS_MALFORMED,
                         "channel %s is not dealt as this host knows it",
                         f->name);
    }
    return STATUS_OK;
}

/* The order of an epoch, kept until another is asked for. */
static void run_feed_order(struct run_feed *f, uint64_t epoch)
{
    uint64_t count = catalog_count(f->catalog);

    if (f->has_order && f->order_epoch == epoch) {
        return;
    }
    if (f->channel->has_shuffle) {
        order_init_shuffled(&f->order, count, f->channel->shuffle_seed, epoch,
                            bytes_of(f->name));
    } else {
        order_init_plain(&f->order, count);
    }
    f->has_order = true;
    f->order_epoch = epoch;
}

static enum status run_feed_object(void *self, uint32_t channel,
                                   uint64_t position, uint64_t epoch,
                                   struct bring_object *out)
{
    struct run *r = self;
    struct run_feed *f = &r->feeds[channel];
    struct catalog_cursor cursor;
    struct catalog_object object;

    if (position >= catalog_count(f->catalog)) {
        return STATUS_INVALID;
    }
    run_feed_order(f, epoch);
    catalog_seek(f->catalog, order_unit(&f->order, position), &cursor);
    if (!catalog_next(&cursor, &object) || object.key.size > STORE_KEY_MAX ||
        object.etag.size >= STORE_ETAG_MAX) {
        return STATUS_INVALID;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out->key, object.key.at, object.key.size);
    out->key_size = object.key.size;
    out->size = object.size;
    if (object.etag.size > 0) {
        memcpy(out->etag, object.etag.at, object.etag.size);
    }
    return STATUS_OK;
}

/* How long news may wait, so that all hosts together do not say more than the
 * coordinator can hear. */
static uint64_t run_feed_gap_ms(const struct run *r, uint64_t beat_ms)
{
    uint64_t words =
        (uint64_t)r->contract.hosts.count * (r->feed_count + r->streams.count);
    uint64_t gap_ms = words * 1000 / RUN_FEED_WORDS_MAX;
    uint64_t least_ms = beat_ms / RUN_FEED_GAP_PART + 1;

    gap_ms = gap_ms > least_ms ? gap_ms : least_ms;
    return gap_ms < beat_ms ? gap_ms : beat_ms;
}

/* Small units are fetched many at once, and so further ahead. */
static uint32_t run_feed_ahead(const struct run *r, const struct run_feed *f)
{
    uint64_t count = catalog_count(f->catalog);
    uint64_t mean = count > 0 ? catalog_bytes(f->catalog) / count + 1 : 1;
    uint64_t bytes = (uint64_t)r->streams.memory.brings * MEMORY_BRING;
    uint64_t units = RUN_FEED_AHEAD_TIMES * bytes / mean / r->ranks;
    uint64_t most = RUN_FEED_AHEAD_ALL / r->ranks;

    most = most < FEED_AHEAD_MAX ? most : FEED_AHEAD_MAX;
    units = units < most ? units : most;
    return units > RUN_FEED_AHEAD_UNITS ? (uint32_t)units
                                        : RUN_FEED_AHEAD_UNITS;
}

static void run_feed_new_holder(struct run *r, uint32_t i)
{
    struct run_feed *f = &r->feeds[i];
    uint32_t ahead_units = run_feed_ahead(r, f);
    uint64_t beat_ms = run_setting(r, SETTING_HEARTBEAT);

    f->holder = holder_new(&(struct holder_options){
        .channel = f->number,
        .rank_count = r->ranks,
        .ahead_units = (uint64_t)RUN_FEED_WANT_TIMES * ahead_units,
        .lease_ms = run_setting(r, SETTING_HOST_TIMEOUT),
        .beat_ms = beat_ms,
        .gap_ms = run_feed_gap_ms(r, beat_ms),
        .now_ms = clock_now_ms(&clock_os),
    });
    r->feed_channels[i] = (struct feed_channel){
        .source = {.name = f->name,
                   .folder = f->folder,
                   .root_uri = f->root_uri,
                   .prefix = bytes_of(f->prefix),
                   .named_by = f->named_by},
        .holder = f->holder,
        .ahead_units = ahead_units,
        .ahead_bytes = RUN_FEED_AHEAD_BYTES,
        .skips = f->channel->skips > 0,
    };
}

/* Lanes and memory for all, and what delivers streams. */
static enum status run_streams_begin(struct run *r, struct fault *why)
{
    uint64_t beat_ms = run_setting(r, SETTING_HEARTBEAT);
    struct fetch_source files[WIRE_CHANNELS_MAX];
    enum status s;

    if (r->streams.count + r->feed_count == 0) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < r->feed_count; i++) {
        files[i] =
            (struct fetch_source){r->feeds[i].name, r->feeds[i].root_uri};
    }
    s = run_place_decide(&r->place, &r->contract.job->settings, r->ranks, why);
    if (s != STATUS_OK) {
        return s;
    }
    r->is_streaming = r->streams.count > 0;
    return run_streams_start(
        &r->streams,
        &(struct run_streams_options){
            .data_dir = r->contract.data,
            .memory = run_memory(r),
            .lanes = r->place.lanes,
            .lane_count = r->place.lane_count,
            .nodes = r->place.nodes,
            .placement = &r->place.placement,
            .is_strict = r->place.is_strict,
            .huge = (enum run_huge)run_setting(r, SETTING_HUGEPAGES),
            .beat_ms = beat_ms,
            .lease_ms = run_setting(r, SETTING_HOST_TIMEOUT),
            .gap_ms = run_feed_gap_ms(r, beat_ms),
            .files = files,
            .file_count = r->feed_count,
        },
        why);
}

enum status run_feed_start(struct run *r, struct fault *why)
{
    char *folder;
    enum status s = run_streams_begin(r, why);

    if (s != STATUS_OK || r->feed_count == 0) {
        return s;
    }
    for (uint32_t i = 0; i < r->feed_count; i++) {
        run_feed_new_holder(r, i);
    }
    folder = mem_print("%s/.smshard", r->contract.data);
    s = feed_new(
        &(struct feed_options){
            .folder = folder,
            .channels = r->feed_channels,
            .channel_count = r->feed_count,
            .rank_count = r->ranks,
            .fetch = r->streams.fetch,
            .fetch_source = r->streams.count,
            .parts = r->streams.memory.brings,
            .object = run_feed_object,
            .object_self = r,
        },
        why, &r->feed);
    free(folder);
    return s;
}

/* ---- What holders say and hear, of files and streams. ---------------------
 */

/* The @i-th holder; NULL: there are no more. */
static struct holder *run_holder(const struct run *r, uint32_t i,
                                 uint32_t *number)
{
    if (i < r->feed_count) {
        *number = r->feeds[i].number;
        return r->feed != NULL ? r->feeds[i].holder : NULL;
    }
    i -= r->feed_count;
    if (i < r->streams.count) {
        *number = r->streams.each[i].number;
        return r->streams.each[i].holder;
    }
    return NULL;
}

static uint32_t run_holder_count(const struct run *r)
{
    return r->feed_count + r->streams.count;
}

static void run_holder_speak(struct run *r, struct holder *h, uint32_t number)
{
    struct wire_message m = {.type = WIRE_WORK, .term = r->lease.term};

    if (!holder_work(h, clock_now_ms(&clock_os), &r->work)) {
        return;
    }
    buf_clear(&r->work_body);
    work_write(&r->work, &r->work_body);
    memcpy(m.job, r->lease.run, sizeof(m.job));
    m.work = (struct wire_work){number, buf_bytes(&r->work_body)};
    run_send(r, &m);
}

/* Say what the holders have to say. */
static void run_holders_speak(struct run *r)
{
    for (uint32_t i = 0; i < run_holder_count(r); i++) {
        uint32_t number;
        struct holder *h = run_holder(r, i, &number);

        if (h != NULL) {
            run_holder_speak(r, h, number);
        }
    }
}

uint64_t run_holders_timer_ms(const struct run *r)
{
    uint64_t next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < run_holder_count(r); i++) {
        uint32_t number;
        const struct holder *h = run_holder(r, i, &number);

        if (h != NULL && holder_timer_ms(h) < next_ms) {
            next_ms = holder_timer_ms(h);
        }
    }
    return next_ms;
}

/* A channel that can't be delivered ends this host. */
static void run_streams_turn(struct run *r)
{
    struct fault why = {.text = ""};
    struct fault other;
    enum status s;

    if (!r->is_streaming) {
        return;
    }
    s = run_streams_step(&r->streams, &why);
    if (s != STATUS_OK) {
        run_streams_stop(&r->streams);
        /* What was consumed until now counts. */
        (void)!run_streams_step(&r->streams, &other);
        r->is_streaming = false;
        run_step(r, (struct agent_event){.type = AGENT_EVENT_UNFED,
                                         .status = s,
                                         .text = why.text});
    }
}

void run_feed_step(struct run *r)
{
    struct fault why = {.text = ""};
    char quoted[FAULT_TEXT_MAX];

    if (r->feed != NULL &&
        feed_step(r->feed, clock_now_ms(&clock_os), &why) != STATUS_OK) {
        log_event(LOG_WARN, "unit.trouble", "reason=%s",
                  log_quote(why.text, quoted, sizeof(quoted)));
    }
    run_streams_turn(r);
    run_holders_speak(r);
}

void run_feed_take_grant(struct run *r, const struct wire_grant *message)
{
    struct fault why;

    if (grant_read(message->body, &why, &r->grant) != STATUS_OK) {
        return;
    }
    for (uint32_t i = 0; i < run_holder_count(r); i++) {
        uint32_t number;
        struct holder *h = run_holder(r, i, &number);

        if (h != NULL && number == r->grant.channel) {
            holder_take(h, &r->grant);
        }
    }
    run_feed_step(r);
}

void run_feed_new_term(struct run *r)
{
    for (uint32_t i = 0; i < run_holder_count(r); i++) {
        uint32_t number;
        struct holder *h = run_holder(r, i, &number);

        if (h != NULL) {
            holder_new_term(h);
        }
    }
}

void run_feed_end(struct run *r)
{
    if (r->is_streaming) {
        run_streams_stop(&r->streams);
        run_feed_step(r); /* What the deliverers have told last. */
    }
}

bool run_feed_is_settled(const struct run *r)
{
    for (uint32_t i = 0; i < run_holder_count(r); i++) {
        uint32_t number;
        const struct holder *h = run_holder(r, i, &number);

        if (h != NULL && !holder_is_settled(h)) {
            return false;
        }
    }
    return run_streams_is_settled(&r->streams);
}

void run_feed_fini(struct run *r)
{
    feed_destroy(&r->feed);
    r->is_streaming = false;
    run_streams_fini(&r->streams);
    for (uint32_t i = 0; i < r->feed_count; i++) {
        struct run_feed *f = &r->feeds[i];

        holder_destroy(&f->holder);
        catalog_destroy(&f->catalog);
        free(f->name);
        free(f->root_uri);
        free(f->prefix);
        free(f->named_by);
        free(f->folder);
    }
    r->feed_count = 0;
    buf_fini(&r->work_body);
}
