/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket is in one queue at a time, or with a lane, or at rest as a file.
 * Lanes remove before they fetch: that frees room. */
#include "worker/feed_fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/keypath.h"

#define FEED_UNITS_FOLDER ".smshard.units"

struct feed_ticket {
    uint64_t number;
    uint32_t source;
    bool is_dropped;
    bool is_busy; /* A lane has it. */
    struct bring_object object;
    char *folder; /* Of its own; NULL while nothing is on the disk. */
    char *path;
    enum status status;
    struct fault why;
    struct feed_ticket *next; /* In its queue. */
    bool is_queued;
};

struct feed_queue {
    struct feed_ticket *first;
    struct feed_ticket *last;
};

struct feed_fetch {
    const struct feed_source *sources;
    struct bring_channel *channels; /* The same, as lanes want it. */
    char **folders;
    uint32_t source_count;
    uint32_t lane_count;
    uint64_t top;
    pthread_t lanes[BRING_LANES_MAX];
    struct bring_stop stop;
    int done_fd;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t work;
        struct feed_queue wanted;
        struct feed_queue dropped;
        struct feed_queue done;
        struct feed_ticket *all[FEED_TICKETS_MAX];
        uint32_t count;
    } locked;
};

static void feed_queue_add(struct feed_queue *q, struct feed_ticket *t)
{
    CHECK(!t->is_queued);
    t->is_queued = true;
    t->next = NULL;
    if (q->last != NULL) {
        q->last->next = t;
    } else {
        q->first = t;
    }
    q->last = t;
}

static struct feed_ticket *feed_queue_take(struct feed_queue *q)
{
    struct feed_ticket *t = q->first;

    if (t != NULL) {
        q->first = t->next;
        q->last = q->first != NULL ? q->last : NULL;
        t->is_queued = false;
    }
    return t;
}

/* O(n); n ≤ FEED_TICKETS_MAX. */
static void feed_queue_remove(struct feed_queue *q, struct feed_ticket *t)
{
    struct feed_queue kept = {0};
    struct feed_ticket *each;

    while ((each = feed_queue_take(q)) != NULL) {
        if (each != t) {
            feed_queue_add(&kept, each);
        }
    }
    *q = kept;
}

static void feed_ticket_free_locked(struct feed_fetch *f, struct feed_ticket *t)
{
    for (uint32_t i = 0; i < f->locked.count; i++) {
        if (f->locked.all[i] == t) {
            f->locked.all[i] = f->locked.all[--f->locked.count];
            break;
        }
    }
    free(t->folder);
    free(t->path);
    free(t);
}

static void feed_wake(int fd)
{
    uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

/* ---- A lane. ------------------------------------------------------------- */

/* Remove what is on the disk of @t, which belongs to this lane. */
static void feed_ticket_remove(const struct feed_ticket *t)
{
    struct fault why;

    if (t->folder != NULL && file_remove_tree(t->folder, &why) != STATUS_OK) {
        char text[2 * FAULT_TEXT_MAX];

        log_event(LOG_WARN, "feed.file-left", "why=%s",
                  log_quote(why.text, text, sizeof(text)));
    }
}

static void feed_ticket_fetch(struct feed_fetch *f, struct bring_lane *lane,
                              struct feed_ticket *t)
{
    const struct bring_channel *c = &f->channels[t->source];
    struct bytes key = {t->object.key, t->object.key_size};
    struct bring_target target = {.channel = c};
    struct bytes path;

    t->folder = mem_print("%s/%" PRIu64, f->folders[t->source], t->number);
    target.staging = t->folder;
    t->status = file_make_folder(t->folder, &t->why);
    if (t->status == STATUS_OK) {
        t->status = bring_lane_bring(lane, &target, &t->object, &t->why);
    }
    if (t->status == STATUS_OK) {
        t->status = keypath_of(c->prefix, key, &t->why, &path);
    }
    if (t->status == STATUS_OK) {
        t->path = mem_print("%s/%.*s", t->folder, (int)path.size, path.at);
    } else {
        feed_ticket_remove(t);
    }
}

/* Wait for something to do: to fetch or, @is_dropped, to remove. NULL: to
 * end. */
static struct feed_ticket *feed_lane_wait(struct feed_fetch *f,
                                          bool *is_dropped)
{
    struct feed_ticket *t = NULL;

    pthread_mutex_lock(&f->locked.mutex);
    while (!atomic_load(&f->stop.is_set) &&
           (t = feed_queue_take(&f->locked.dropped)) == NULL &&
           (t = feed_queue_take(&f->locked.wanted)) == NULL) {
        pthread_cond_wait(&f->locked.work, &f->locked.mutex);
    }
    if (t != NULL) {
        t->is_busy = true;
        *is_dropped = t->is_dropped;
    }
    pthread_mutex_unlock(&f->locked.mutex);
    return t;
}

/* Say what came of @t; if it was dropped meanwhile, it comes back. */
static void feed_lane_put(struct feed_fetch *f, struct feed_ticket *t)
{
    bool is_gone;

    pthread_mutex_lock(&f->locked.mutex);
    t->is_busy = false;
    is_gone = t->is_dropped;
    if (is_gone) {
        feed_queue_add(&f->locked.dropped, t);
        pthread_cond_signal(&f->locked.work);
    } else {
        feed_queue_add(&f->locked.done, t);
    }
    pthread_mutex_unlock(&f->locked.mutex);
    if (!is_gone) {
        feed_wake(f->done_fd);
    }
}

static void *feed_lane_main(void *self)
{
    struct feed_fetch *f = self;
    struct bring_lane *lane = bring_lane_new(&f->stop);
    struct feed_ticket *t;
    bool is_dropped;

    while ((t = feed_lane_wait(f, &is_dropped)) != NULL) {
        if (!is_dropped) {
            feed_ticket_fetch(f, lane, t);
            feed_lane_put(f, t);
            continue;
        }
        feed_ticket_remove(t);
        pthread_mutex_lock(&f->locked.mutex);
        feed_ticket_free_locked(f, t);
        pthread_mutex_unlock(&f->locked.mutex);
    }
    bring_lane_destroy(&lane);
    return NULL;
}

/* ---- The owner's side. --------------------------------------------------- */

static enum status feed_fetch_make_folder(struct feed_fetch *f, uint32_t i,
                                          struct fault *why)
{
    enum status s;

    f->folders[i] = mem_print("%s/" FEED_UNITS_FOLDER, f->sources[i].folder);
    s = file_remove_tree(f->folders[i], why);
    if (s == STATUS_OK) {
        s = file_make_folder(f->folders[i], why);
    }
    return s == STATUS_OK ? s : fault_prefix(why, s, "%s", f->sources[i].name);
}

static enum status feed_fetch_launch(struct feed_fetch *f, uint32_t lanes,
                                     struct fault *why)
{
    f->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->stop.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->done_fd < 0 || f->stop.fd < 0) {
        return fault_set(why, STATUS_OS, "make an event descriptor: %s",
                         strerror(errno));
    }
    while (f->lane_count < lanes) {
        int error =
            pthread_create(&f->lanes[f->lane_count], NULL, feed_lane_main, f);

        if (error != 0) {
            return fault_set(why, STATUS_OS, "start a lane: %s",
                             strerror(error));
        }
        f->lane_count++;
    }
    return STATUS_OK;
}

enum status feed_fetch_start(const struct feed_fetch_options *options,
                             struct fault *why, struct feed_fetch **out)
{
    struct feed_fetch *f = mem_new(1, sizeof(*f));
    enum status s = STATUS_OK;

    CHECK(options->lanes > 0 && options->lanes <= BRING_LANES_MAX);
    f->sources = options->sources;
    f->source_count = options->source_count;
    f->channels = mem_new(f->source_count + 1, sizeof(f->channels[0]));
    f->folders = mem_new(f->source_count + 1, sizeof(f->folders[0]));
    f->done_fd = -1;
    f->stop.fd = -1;
    pthread_mutex_init(&f->locked.mutex, NULL);
    pthread_cond_init(&f->locked.work, NULL);
    for (uint32_t i = 0; i < f->source_count && s == STATUS_OK; i++) {
        f->channels[i] = (struct bring_channel){
            .name = f->sources[i].name,
            .root_uri = f->sources[i].root_uri,
            .prefix = f->sources[i].prefix,
            .named_by = f->sources[i].named_by,
        };
        s = feed_fetch_make_folder(f, i, why);
    }
    if (s == STATUS_OK) {
        s = feed_fetch_launch(f, options->lanes, why);
    }
    if (s != STATUS_OK) {
        feed_fetch_stop(&f);
        return s;
    }
    *out = f;
    return STATUS_OK;
}

static void feed_fetch_join(struct feed_fetch *f)
{
    pthread_mutex_lock(&f->locked.mutex);
    atomic_store(&f->stop.is_set, true);
    pthread_cond_broadcast(&f->locked.work);
    pthread_mutex_unlock(&f->locked.mutex);
    if (f->stop.fd >= 0) {
        feed_wake(f->stop.fd);
    }
    for (uint32_t i = 0; i < f->lane_count; i++) {
        pthread_join(f->lanes[i], NULL);
    }
}

static void feed_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void feed_fetch_stop(struct feed_fetch **fetch)
{
    struct feed_fetch *f = *fetch;

    if (f == NULL) {
        return;
    }
    feed_fetch_join(f);
    while (f->locked.count > 0) {
        feed_ticket_free_locked(f, f->locked.all[0]);
    }
    for (uint32_t i = 0; i < f->source_count; i++) {
        const struct feed_ticket all = {.folder = f->folders[i]};

        feed_ticket_remove(&all);
        free(f->folders[i]);
    }
    feed_close(f->done_fd);
    feed_close(f->stop.fd);
    pthread_cond_destroy(&f->locked.work);
    pthread_mutex_destroy(&f->locked.mutex);
    free(f->channels);
    free(f->folders);
    free(f);
    *fetch = NULL;
}

int feed_fetch_fd(const struct feed_fetch *f)
{
    return f->done_fd;
}

uint64_t feed_fetch_want(struct feed_fetch *f, uint32_t source,
                         const struct bring_object *object)
{
    struct feed_ticket *t = NULL;
    uint64_t number = 0;

    CHECK(source < f->source_count);
    pthread_mutex_lock(&f->locked.mutex);
    if (f->locked.count < FEED_TICKETS_MAX) {
        t = mem_new(1, sizeof(*t));
        number = ++f->top;
        t->number = number;
        t->source = source;
        t->object = *object;
        f->locked.all[f->locked.count++] = t;
        feed_queue_add(&f->locked.wanted, t);
        pthread_cond_signal(&f->locked.work);
    }
    pthread_mutex_unlock(&f->locked.mutex);
    return number;
}

bool feed_fetch_take(struct feed_fetch *f, struct feed_fetched *out)
{
    struct feed_ticket *t;
    uint64_t count;

    /* Before looking, so that what comes after is told again. */
    while (read(f->done_fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
    pthread_mutex_lock(&f->locked.mutex);
    t = feed_queue_take(&f->locked.done);
    if (t != NULL) {
        *out = (struct feed_fetched){
            .ticket = t->number, .status = t->status, .path = t->path};
        out->why = t->why;
    }
    if (f->locked.done.first != NULL) {
        feed_wake(f->done_fd);
    }
    pthread_mutex_unlock(&f->locked.mutex);
    return t != NULL;
}

static struct feed_ticket *feed_ticket_find_locked(const struct feed_fetch *f,
                                                   uint64_t number)
{
    for (uint32_t i = 0; i < f->locked.count; i++) {
        if (f->locked.all[i]->number == number) {
            return f->locked.all[i];
        }
    }
    return NULL;
}

void feed_fetch_drop(struct feed_fetch *f, uint64_t ticket)
{
    struct feed_ticket *t;

    pthread_mutex_lock(&f->locked.mutex);
    t = feed_ticket_find_locked(f, ticket);
    CHECK(t != NULL && !t->is_dropped);
    t->is_dropped = true;
    if (!t->is_busy) {
        if (t->is_queued) {
            feed_queue_remove(
                t->folder == NULL ? &f->locked.wanted : &f->locked.done, t);
        }
        feed_queue_add(&f->locked.dropped, t);
        pthread_cond_signal(&f->locked.work);
    }
    pthread_mutex_unlock(&f->locked.mutex);
}

uint32_t feed_fetch_count(struct feed_fetch *f)
{
    uint32_t count;

    pthread_mutex_lock(&f->locked.mutex);
    count = f->locked.count;
    pthread_mutex_unlock(&f->locked.mutex);
    return count;
}
