/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/hedge.h"

enum {
    STREAM_UNITS_LEAST = 8, /* At hand, of each rank, */
    STREAM_UNITS_MOST = 8192,
    STREAM_SLOTS_MOST = 64,
    STREAM_FOLDER_MAX = 90, /* A socket's path has 107 bytes. */
    STREAM_WRAP_PART = 4,   /* Of the slots, where objects are made records. */
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
    bool is_single = from->channel->mode != JOB_RING;
    enum status status = STATUS_OK;

    CHECK(s->count < RUN_STREAMS_MAX);
    s->count++;
    t->number = (uint32_t)from->share->number;
    t->channel = from->channel;
    t->catalog = from->catalog;
    t->root_uri =
        mem_copy_text(from->share->root_uri.at, from->share->root_uri.size);
    t->prefix = mem_copy_text(from->share->prefix.at, from->share->prefix.size);
    t->ranks = is_single ? 1 : from->ranks;
    if (from->recipes != NULL) {
        status = recipes_read(from->recipes, why, &t->recipes);
    }
    if (status != STATUS_OK) {
        return fault_prefix(why, status, "channel %s", t->channel->name);
    }
    if (t->channel->mode == JOB_FAST_FILE) {
        return STATUS_OK;
    }
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
    out->framing = t->channel->records;
    out->object_size = object.size;
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

static bool stream_is_wrapped(const struct run_stream *t)
{
    return t->channel->mode == JOB_PIPE &&
           t->channel->wrapper == JOB_WRAP_RECORDIO;
}

/* No more slots than the channel fills, and what a reader can be ahead; and,
 * where records are put together, than leave room for that. */
static uint32_t stream_slots(const struct run_streams *s, uint32_t i)
{
    uint64_t bytes = catalog_bytes(s->each[i].catalog);
    uint64_t needed = bytes / s->memory.slot_bytes + MEMORY_ENOUGH;
    uint64_t most = s->memory.slots[i];

    if (stream_is_wrapped(&s->each[i])) {
        most = (most + STREAM_WRAP_PART - 1) / STREAM_WRAP_PART;
    }
    most = most < STREAM_SLOTS_MOST ? most : STREAM_SLOTS_MOST;
    return (uint32_t)(needed < most ? needed : most);
}

/* Where a rank's memory was wanted, and where it is. */
static void stream_log_slots(const struct run_stream *t, uint32_t rank,
                             int node)
{
    const struct place_got *got = slots_got(t->slots[rank]);
    char quoted[2 * PLACE_TEXT_MAX];

    log_event(LOG_INFO, "memory.placed",
              "channel=%s rank=%u node=%d slots=%u got=%s", t->channel->name,
              (unsigned)rank, node, (unsigned)slots_count(t->slots[rank]),
              log_quote(got->text, quoted, sizeof(quoted)));
}

/* Whole huge pages of slots, no more than were planned; 0: there are not so
 * many. */
static uint32_t stream_huge_slots(const struct run_streams *s, uint32_t i,
                                  uint32_t count)
{
    size_t slot = s->memory.slot_bytes;
    uint32_t each = slot < SLOTS_HUGE ? (uint32_t)(SLOTS_HUGE / slot) : 1;
    uint32_t most =
        (stream_is_wrapped(&s->each[i]) ? count : s->memory.slots[i]) / each *
        each;
    uint32_t wanted = (count + each - 1) / each * each;

    return wanted < most ? wanted : most;
}

static enum status stream_new_huge(struct run_streams *s, uint32_t i,
                                   struct slots_options options,
                                   struct fault *why, struct slots **out)
{
    options.count = stream_huge_slots(s, i, options.count);
    options.is_huge = true;
    options.is_lazy = false;
    if (options.count > 0) {
        return slots_new(&options, why, out);
    }
    return fault_set(why, STATUS_FULL,
                     "%u slots of %zu KiB are less than a page of 2 MiB; give "
                     "more --memory",
                     s->memory.slots[i], options.size >> 10);
}

/* OK: they are there; or are not, and need not be. */
static enum status stream_try_huge(struct run_streams *s, uint32_t i,
                                   uint32_t rank,
                                   const struct slots_options *options,
                                   struct fault *why)
{
    struct run_stream *t = &s->each[i];
    char quoted[FAULT_TEXT_MAX];
    enum status status = stream_new_huge(s, i, *options, why, &t->slots[rank]);

    if (status == STATUS_OK) {
        return status;
    }
    if (s->options.huge == RUN_HUGE_NEED) {
        return fault_prefix(why, status, "channel %s: huge pages",
                            t->channel->name);
    }
    t->lacks_huge = true;
    log_event(LOG_WARN, "hugepages.absent", "channel=%s rank=%u reason=%s",
              t->channel->name, rank,
              log_quote(why->text, quoted, sizeof(quoted)));
    return STATUS_OK;
}

/* Room for a rank's units, in memory that is shared or not. */
static enum status stream_new_slots(struct run_streams *s, uint32_t i,
                                    uint32_t rank, struct fault *why)
{
    const struct run_streams_options *o = &s->options;
    struct run_stream *t = &s->each[i];
    bool is_ring = t->channel->mode == JOB_RING;
    struct slots_options options = {
        .kind = is_ring ? SLOTS_SHARED : SLOTS_PRIVATE,
        .count = stream_slots(s, i),
        .size = s->memory.slot_bytes,
        .node = is_ring ? o->nodes[rank] : -1,
        .is_strict = o->is_strict,
        .is_lazy = !is_ring,
    };
    enum status status = o->huge != RUN_HUGE_OFF
                             ? stream_try_huge(s, i, rank, &options, why)
                             : STATUS_OK;

    if (status == STATUS_OK && t->slots[rank] == NULL) {
        status = slots_new(&options, why, &t->slots[rank]);
    }
    if (status == STATUS_OK && is_ring) {
        stream_log_slots(t, rank, o->nodes[rank]);
    }
    return status;
}

/* The largest object that a record can be made of in what the slots leave. */
static uint64_t stream_wrap_max(const struct run_streams *s, uint32_t i)
{
    uint64_t left = s->memory.slots[i] - stream_slots(s, i);

    return left * s->memory.slot_bytes / PIPE_WRAP_COPIES;
}

static enum status stream_start_pipe(struct run_streams *s, uint32_t i,
                                     const struct run_streams_options *o,
                                     struct fault *why)
{
    struct run_stream *t = &s->each[i];
    enum status status = stream_new_slots(s, i, 0, why);

    if (status != STATUS_OK) {
        return status;
    }
    return pipe_start(
        &(struct pipe_options){
            .folder = o->data_dir,
            .channel = t->channel->name,
            .supply = t->supply,
            .fetch = s->fetch,
            .slots = t->slots[0],
            .source = i,
            .slots_max = slots_count(t->slots[0]),
            .is_gzip = t->channel->compression == JOB_GZIP,
            .is_wrapped = stream_is_wrapped(t),
            .wrap_max = stream_wrap_max(s, i),
            .skips = t->channel->skips > 0,
            .recipes = t->recipes,
        },
        why, &t->pipe);
}

/* ---- FastFile. ------------------------------------------------------------
 */

/* On any thread. */
static void stream_object_at(void *self, uint64_t i, struct mount_object *io)
{
    const struct run_stream *t = self;
    struct catalog_cursor cursor;
    struct catalog_object object;
    bool is_there;

    catalog_seek(t->catalog, i, &cursor);
    is_there = catalog_next(&cursor, &object);
    CHECK(is_there);
    CHECK(object.key.size + object.etag.size <= sizeof(io->room));
    memcpy(io->room, object.key.at, object.key.size);
    memcpy(io->room + object.key.size, object.etag.at, object.etag.size);
    io->key = (struct bytes){io->room, object.key.size};
    io->etag = (struct bytes){io->room + object.key.size, object.etag.size};
    io->size = object.size;
}

static enum status stream_start_mount(struct run_streams *s, uint32_t i,
                                      struct fault *why)
{
    struct run_stream *t = &s->each[i];
    char *folder = mem_print("%s/%s", s->options.data_dir, t->channel->name);
    enum status status = stream_new_slots(s, i, 0, why);

    if (status == STATUS_OK) {
        status = mount_start(
            &(struct mount_options){
                .folder = folder,
                .channel = t->channel->name,
                .prefix = bytes_of(t->prefix),
                .index = {t, catalog_count(t->catalog), stream_object_at},
                .bytes = catalog_bytes(t->catalog),
                .time_s = clock_wall_ms(&clock_os) / 1000,
                .fetch = s->fetch,
                .source = i,
                .lane = FETCH_ANY,
                .slots = t->slots[0],
                .slots_max = slots_count(t->slots[0]),
            },
            why, &t->mount);
    }
    free(folder);
    return status;
}

/* ---- Rings. ---------------------------------------------------------------
 */

/* Where the rings' socket lies: below the data, unless that is too far down
 * for a socket. */
static enum status streams_ring_folder(struct run_streams *s, struct fault *why,
                                       char **out)
{
    char *base = mem_print("%s/.smshard", s->options.data_dir);
    enum status status = file_make_folder(base, why);

    *out = mem_print("%s/rings", base);
    free(base);
    if (status != STATUS_OK || strlen(*out) <= STREAM_FOLDER_MAX) {
        return status;
    }
    free(*out);
    *out = mem_copy("/tmp/smshard-rings-XXXXXX");
    if (mkdtemp(*out) == NULL) {
        return file_fault(why, errno, "make a private folder", "/tmp");
    }
    s->rings_folder = mem_copy(*out);
    return STATUS_OK;
}

static void streams_stop_rings(struct run_streams *s)
{
    rings_stop(&s->rings);
    if (s->rings_folder != NULL) {
        (void)rmdir(s->rings_folder); /* The socket has gone. */
        free(s->rings_folder);
        s->rings_folder = NULL;
    }
}

static enum ring_mode stream_ring_mode(enum job_ring_mode mode)
{
    return mode == JOB_RING_EXCLUSIVE   ? RING_EXCLUSIVE
           : mode == JOB_RING_BROADCAST ? RING_BROADCAST
                                        : RING_SHARE;
}

static uint32_t stream_ring_consumers(const struct job_channel *c)
{
    if (c->ring.mode == JOB_RING_EXCLUSIVE) {
        return 1;
    }
    return c->ring.consumers > 0 ? (uint32_t)c->ring.consumers
                                 : RING_CONSUMERS_MAX;
}

/* All rings of the host at once: they have one socket. */
static enum status streams_start_rings(struct run_streams *s, struct fault *why)
{
    struct rings_channel channels[RUN_STREAMS_MAX];
    uint32_t count = 0;
    enum status status = STATUS_OK;
    char *folder = NULL;

    for (uint32_t i = 0; i < s->count; i++) {
        struct run_stream *t = &s->each[i];

        if (t->channel->mode != JOB_RING) {
            continue;
        }
        for (uint32_t k = 0; status == STATUS_OK && k < t->ranks; k++) {
            status = stream_new_slots(s, i, k, why);
        }
        t->ring_number = count;
        channels[count++] = (struct rings_channel){
            .name = t->channel->name,
            .supply = t->supply,
            .slots = t->slots,
            .rank_count = t->ranks,
            .source = i,
            .mode = stream_ring_mode(t->channel->ring.mode),
            .consumers = stream_ring_consumers(t->channel),
            .skips = t->channel->skips > 0,
            .drops = t->channel->ring.drops,
        };
    }
    if (status != STATUS_OK || count == 0) {
        return status;
    }
    status = streams_ring_folder(s, why, &folder);
    if (status == STATUS_OK) {
        status = rings_start(
            &(struct rings_options){folder, s->fetch, channels, count}, why,
            &s->rings);
    }
    free(folder);
    return status;
}

static enum status streams_plan(struct run_streams *s,
                                const struct run_streams_options *o,
                                struct fault *why)
{
    enum memory_mode modes[RUN_STREAMS_MAX];
    uint32_t ranks = 1;
    enum status status;

    for (uint32_t i = 0; i < s->count; i++) {
        bool is_single = s->each[i].channel->mode != JOB_RING;

        modes[i] = is_single ? MEMORY_MOUNT : MEMORY_RANKS;
        ranks = s->each[i].ranks > ranks ? s->each[i].ranks : ranks;
    }
    for (uint32_t i = 0; i < o->file_count; i++) {
        modes[s->count + i] = MEMORY_FILE;
    }
    status = memory_plan(
        &(struct memory_options){
            .cap = o->memory,
            .ranks = ranks,
            .channel_count = s->count + o->file_count,
            .channels = modes,
        },
        why, &s->memory);
    if (status == STATUS_OK) {
        hedge_set_room(s->memory.hedge_bytes);
        log_event(LOG_INFO, "memory.planned",
                  "cap=%" PRIu64 " used=%" PRIu64 " slot=%zu hedges=%zu",
                  o->memory, s->memory.bytes, s->memory.slot_bytes,
                  s->memory.hedge_bytes);
    }
    return status;
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
    for (uint32_t i = 0; i < o->file_count; i++) {
        s->sources[s->count + i] = o->files[i];
    }
    return fetch_start(
        &(struct fetch_options){
            .sources = s->sources,
            .source_count = s->count + o->file_count,
            .lanes = o->lanes,
            .lane_count = o->lane_count,
        },
        why, &s->fetch);
}

static enum status streams_watch(struct run_streams *s,
                                 const struct supply *supply, struct fault *why)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, supply_told_fd(supply), &event) ==
                   0
               ? STATUS_OK
               : fault_set(why, STATUS_OS, "wait for a channel: %s",
                           strerror(errno));
}

enum status run_streams_start(struct run_streams *s,
                              const struct run_streams_options *o,
                              struct fault *why)
{
    enum status status;

    CHECK(s->count + o->file_count <= RUN_STREAMS_MAX);
    if (s->count + o->file_count == 0) {
        return STATUS_OK;
    }
    s->options = *o;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0) {
        return fault_set(why, STATUS_OS, "wait for channels: %s",
                         strerror(errno));
    }
    status = streams_plan(s, o, why);
    if (status == STATUS_OK) {
        status = streams_start_fetch(s, o, why);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < s->count; i++) {
        if (s->each[i].channel->mode == JOB_FAST_FILE) {
            status = stream_start_mount(s, i, why);
            continue;
        }
        stream_new_holder(&s->each[i], o,
                          stream_slots(s, i) * (uint64_t)s->memory.slot_bytes);
        if (s->each[i].supply == NULL) {
            status = fault_set(why, STATUS_OS, "wait for a channel: %s",
                               strerror(errno));
            continue;
        }
        stream_new_course(&s->each[i]);
        status = streams_watch(s, s->each[i].supply, why);
        if (status == STATUS_OK && s->each[i].channel->mode == JOB_PIPE) {
            status = stream_start_pipe(s, i, o, why);
        }
    }
    return status == STATUS_OK ? streams_start_rings(s, why) : status;
}

enum status run_streams_step(struct run_streams *s, struct fault *why)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < s->count; i++) {
        struct run_stream *t = &s->each[i];
        struct fault own = {.text = ""};
        enum status one = STATUS_OK;

        if (t->course != NULL) {
            one = course_step(t->course, clock_now_ms(&clock_os), &own);
        }
        if (one != STATUS_OK && status == STATUS_OK) {
            status =
                fault_names(&own, t->channel->name)
                    ? one
                    : fault_prefix(&own, one, "channel %s", t->channel->name);
            *why = own;
        }
    }
    return status;
}

const char *run_streams_socket(const struct run_streams *s)
{
    return s->rings != NULL ? rings_path(s->rings) : NULL;
}

int run_streams_fd(const struct run_streams *s)
{
    return s->epoll > 0 ? s->epoll : -1;
}

bool run_streams_is_settled(const struct run_streams *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct course *c = s->each[i].course;

        if (c != NULL && course_stats(c).unsaid > 0) {
            return false;
        }
    }
    return true;
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
        mount_stop(&s->each[i].mount);
    }
    streams_stop_rings(s);
    for (uint32_t i = 0; i < s->count; i++) {
        for (uint32_t k = 0; k < s->each[i].ranks; k++) {
            slots_destroy(&s->each[i].slots[k]);
        }
        free(s->each[i].meters);
        s->each[i].meters = NULL;
    }
    if (s->options.file_count == 0) {
        fetch_stop(&s->fetch);
    }
}

void run_streams_fini(struct run_streams *s)
{
    run_streams_stop(s);
    fetch_stop(&s->fetch);
    for (uint32_t i = 0; i < s->count; i++) {
        struct run_stream *t = &s->each[i];

        course_destroy(&t->course);
        supply_destroy(&t->supply);
        holder_destroy(&t->holder);
        run_deal_destroy(&t->deal);
        catalog_destroy(&t->catalog);
        recipes_destroy(&t->recipes);
        free(t->root_uri);
        free(t->prefix);
    }
    dealt_destroy(&s->dealt);
    if (s->epoll > 0) {
        close(s->epoll);
    }
    s->epoll = 0;
    s->count = 0;
}
