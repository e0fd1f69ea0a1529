/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic channels: their units are leased while the command runs, fetched one
 * by one, and handed to its processes through a socket. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/run.h"

enum {
    RUN_FEED_AHEAD_UNITS = 4, /* Of each rank, fetched; */
    RUN_FEED_WANT_UNITS = 8,  /* leased, at least. */
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
    uint64_t words = (uint64_t)r->contract.hosts.count * r->feed_count;
    uint64_t gap_ms = words * 1000 / RUN_FEED_WORDS_MAX;
    uint64_t least_ms = beat_ms / RUN_FEED_GAP_PART + 1;

    gap_ms = gap_ms > least_ms ? gap_ms : least_ms;
    return gap_ms < beat_ms ? gap_ms : beat_ms;
}

static void run_feed_new_holder(struct run *r, uint32_t i)
{
    struct run_feed *f = &r->feeds[i];
    uint64_t beat_ms = run_setting(r, SETTING_HEARTBEAT);

    f->holder = holder_new(&(struct holder_options){
        .channel = f->number,
        .rank_count = r->ranks,
        .ahead_units = RUN_FEED_WANT_UNITS,
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
        .ahead_units = RUN_FEED_AHEAD_UNITS,
        .ahead_bytes = RUN_FEED_AHEAD_BYTES,
        .skips = f->channel->skips > 0,
    };
}

enum status run_feed_start(struct run *r, struct fault *why)
{
    char *folder;
    enum status s;

    if (r->feed_count == 0) {
        return STATUS_OK;
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
            .lanes = (uint32_t)run_setting(r, SETTING_LANES),
            .object = run_feed_object,
            .object_self = r,
        },
        why, &r->feed);
    free(folder);
    return s;
}

/* Say what the holders have to say. */
static void run_feed_speak(struct run *r)
{
    for (uint32_t i = 0; i < r->feed_count; i++) {
        struct wire_message m = {.type = WIRE_WORK, .term = r->lease.term};

        if (!holder_work(r->feeds[i].holder, clock_now_ms(&clock_os),
                         &r->work)) {
            continue;
        }
        buf_clear(&r->work_body);
        work_write(&r->work, &r->work_body);
        memcpy(m.job, r->lease.run, sizeof(m.job));
        m.work =
            (struct wire_work){r->feeds[i].number, buf_bytes(&r->work_body)};
        run_send(r, &m);
    }
}

void run_feed_step(struct run *r)
{
    struct fault why = {.text = ""};
    char quoted[FAULT_TEXT_MAX];

    if (r->feed == NULL) {
        return;
    }
    if (feed_step(r->feed, clock_now_ms(&clock_os), &why) != STATUS_OK) {
        log_event(LOG_WARN, "unit.trouble", "reason=%s",
                  log_quote(why.text, quoted, sizeof(quoted)));
    }
    run_feed_speak(r);
}

void run_feed_take_grant(struct run *r, const struct wire_grant *message)
{
    struct fault why;

    if (r->feed == NULL ||
        grant_read(message->body, &why, &r->grant) != STATUS_OK) {
        return;
    }
    for (uint32_t i = 0; i < r->feed_count; i++) {
        if (r->feeds[i].number == r->grant.channel) {
            holder_take(r->feeds[i].holder, &r->grant);
        }
    }
    run_feed_step(r);
}

void run_feed_new_term(struct run *r)
{
    for (uint32_t i = 0; r->feed != NULL && i < r->feed_count; i++) {
        holder_new_term(r->feeds[i].holder);
    }
}

bool run_feed_is_settled(const struct run *r)
{
    for (uint32_t i = 0; r->feed != NULL && i < r->feed_count; i++) {
        if (!holder_is_settled(r->feeds[i].holder)) {
            return false;
        }
    }
    return true;
}

void run_feed_fini(struct run *r)
{
    feed_destroy(&r->feed);
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
