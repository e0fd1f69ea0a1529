/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket is wanted, or moving, or done; then it is told and at rest, until
 * it is dropped. The mover's thread has it while it moves, the sweeper's from
 * the moment that it is dropped and does not move. */
#include "worker/feed_fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
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
#include "worker/bring_move.h"
#include "worker/bring_object.h"

#define FEED_UNITS_FOLDER ".smshard.units"

enum feed_ticket_state {
    FEED_WANTED,
    FEED_MOVING,
    FEED_DONE,
    FEED_TOLD,
    FEED_SWEPT,
};

struct feed_ticket {
    uint64_t number;
    uint32_t source;
    struct bring_object object;
    struct bring_target target;
    char *folder; /* Of its own; NULL until it moves. */
    char *path;
    enum status status;
    struct fault why;
    struct {
        enum feed_ticket_state state;
        uint64_t due;
        bool is_dropped;
        bool has_news;            /* For the mover: dropped, or due sooner. */
        struct feed_ticket *next; /* In its queue. */
    } locked;
};

struct feed_queue {
    struct feed_ticket *first;
    struct feed_ticket *last;
};

struct feed_fetch {
    const struct feed_source *sources;
    struct bring_channel *channels; /* The same, as movers want it. */
    char **folders;
    uint32_t source_count;
    uint32_t first_source;
    struct fetch *fetch;
    uint32_t parts;
    uint64_t top;
    pthread_t mover;
    pthread_t sweeper;
    bool has_mover;
    bool has_sweeper;
    int done_fd;
    int work_fd; /* For the mover. */
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t sweeps;
        pthread_cond_t swept; /* The disk has room again. */
        bool is_sweeping;
        bool is_stopping;
        bool has_news;            /* One of the tickets that move. */
        struct feed_queue wanted; /* By due. */
        struct feed_queue dropped;
        struct feed_queue done;
        struct feed_ticket *all[FEED_TICKETS_MAX];
        uint32_t count;
    } locked;
};

static void feed_queue_add(struct feed_queue *q, struct feed_ticket *t)
{
    t->locked.next = NULL;
    if (q->last != NULL) {
        q->last->locked.next = t;
    } else {
        q->first = t;
    }
    q->last = t;
}

static struct feed_ticket *feed_queue_take(struct feed_queue *q)
{
    struct feed_ticket *t = q->first;

    if (t != NULL) {
        q->first = t->locked.next;
        q->last = q->first != NULL ? q->last : NULL;
    }
    return t;
}

/* O(n); n ≤ FEED_TICKETS_MAX. */
static void feed_queue_remove(struct feed_queue *q, const struct feed_ticket *t)
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

/* Add @t, which is in no queue, before the first that is due later. As above.
 */
static void feed_queue_insert(struct feed_queue *q, struct feed_ticket *t)
{
    struct feed_ticket **at = &q->first;

    if (q->last == NULL || q->last->locked.due <= t->locked.due) {
        feed_queue_add(q, t);
        return;
    }
    while ((*at)->locked.due <= t->locked.due) {
        at = &(*at)->locked.next;
    }
    t->locked.next = *at;
    *at = t;
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

/* ---- The sweeper. ---------------------------------------------------------
 */

static void feed_remove(const char *folder)
{
    struct fault why;
    char text[2 * FAULT_TEXT_MAX];

    if (folder != NULL && file_remove_tree(folder, &why) != STATUS_OK) {
        log_event(LOG_WARN, "feed.file-left", "why=%s",
                  log_quote(why.text, text, sizeof(text)));
    }
}

static void feed_sweep_locked(struct feed_fetch *f, struct feed_ticket *t)
{
    t->locked.state = FEED_SWEPT;
    feed_queue_add(&f->locked.dropped, t);
    pthread_cond_signal(&f->locked.sweeps);
}

static void *feed_sweeper_main(void *self)
{
    struct feed_fetch *f = self;
    struct feed_ticket *t;

    pthread_mutex_lock(&f->locked.mutex);
    while (!f->locked.is_stopping) {
        t = feed_queue_take(&f->locked.dropped);
        f->locked.is_sweeping = t != NULL;
        if (t == NULL) {
            pthread_cond_broadcast(&f->locked.swept);
            pthread_cond_wait(&f->locked.sweeps, &f->locked.mutex);
            continue;
        }
        pthread_mutex_unlock(&f->locked.mutex);
        feed_remove(t->folder);
        pthread_mutex_lock(&f->locked.mutex);
        feed_ticket_free_locked(f, t);
    }
    f->locked.is_sweeping = false;
    pthread_cond_broadcast(&f->locked.swept);
    pthread_mutex_unlock(&f->locked.mutex);
    return NULL;
}

/* Wait until all that was dropped is gone. */
static void feed_await_sweeper(struct feed_fetch *f)
{
    pthread_mutex_lock(&f->locked.mutex);
    while (!f->locked.is_stopping &&
           (f->locked.dropped.first != NULL || f->locked.is_sweeping)) {
        pthread_cond_wait(&f->locked.swept, &f->locked.mutex);
    }
    pthread_mutex_unlock(&f->locked.mutex);
}

/* ---- The mover. -----------------------------------------------------------
 */

static enum status feed_mover_fetch(void *self, struct fault *why,
                                    struct fetch **out)
{
    const struct feed_fetch *f = self;

    (void)why;
    *out = f->fetch;
    return STATUS_OK;
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

/* Say what came of @t; if it was dropped meanwhile, it goes. */
static void feed_mover_end(struct feed_fetch *f, struct feed_ticket *t,
                           enum status s)
{
    bool is_gone;

    t->status = s;
    pthread_mutex_lock(&f->locked.mutex);
    is_gone = t->locked.is_dropped;
    if (is_gone) {
        feed_sweep_locked(f, t);
    } else {
        t->locked.state = FEED_DONE;
        feed_queue_add(&f->locked.done, t);
    }
    pthread_mutex_unlock(&f->locked.mutex);
    if (!is_gone) {
        feed_wake(f->done_fd);
    }
}

static void feed_mover_outcomes(struct feed_fetch *f, struct bring_move *move)
{
    struct bring_moved moved;

    while (bring_move_take(move, &moved)) {
        struct feed_ticket *t;

        pthread_mutex_lock(&f->locked.mutex);
        t = feed_ticket_find_locked(f, moved.tag);
        pthread_mutex_unlock(&f->locked.mutex);
        CHECK(t != NULL);
        t->why = *moved.why;
        feed_mover_end(f, t, moved.status);
    }
}

/* Give up what was dropped, and hurry what is due sooner. */
static void feed_mover_heed(struct feed_fetch *f, struct bring_move *move)
{
    pthread_mutex_lock(&f->locked.mutex);
    for (uint32_t i = 0; f->locked.has_news && i < f->locked.count; i++) {
        struct feed_ticket *t = f->locked.all[i];

        if (t->locked.state != FEED_MOVING || !t->locked.has_news) {
            continue;
        }
        t->locked.has_news = false;
        if (t->locked.is_dropped) {
            bring_move_cancel(move, t->number);
        } else {
            bring_move_hurry(move, t->number, t->locked.due);
        }
    }
    f->locked.has_news = false;
    pthread_mutex_unlock(&f->locked.mutex);
}

/* Bytes that others under way will still take below the same folder. */
static uint64_t feed_mover_owed(struct feed_fetch *f,
                                const struct feed_ticket *of)
{
    uint64_t owed = 0;

    pthread_mutex_lock(&f->locked.mutex);
    for (uint32_t i = 0; i < f->locked.count; i++) {
        const struct feed_ticket *t = f->locked.all[i];
        uint64_t there = atomic_load(&t->target.bytes);

        if (t != of && t->locked.state == FEED_MOVING &&
            t->source == of->source && there < t->object.size) {
            owed += t->object.size - there;
        }
    }
    pthread_mutex_unlock(&f->locked.mutex);
    return owed;
}

static bool feed_mover_has_disk(const struct feed_ticket *t, uint64_t owed,
                                unsigned long long *there)
{
    struct fault why;

    return file_free_bytes(t->folder, &why, there) != STATUS_OK ||
           (*there >= owed && *there - owed >= t->object.size);
}

/* Of small ones writing will tell. */
static enum status feed_mover_measure(struct feed_fetch *f,
                                      struct feed_ticket *t)
{
    unsigned long long there = 0;
    uint64_t owed;

    if (t->object.size <= BRING_PART_BYTES) {
        return STATUS_OK;
    }
    owed = feed_mover_owed(f, t);
    if (feed_mover_has_disk(t, owed, &there)) {
        return STATUS_OK;
    }
    feed_await_sweeper(f);
    if (feed_mover_has_disk(t, owed, &there)) {
        return STATUS_OK;
    }
    return fault_set(&t->why, STATUS_NO_SPACE,
                     "%s: %.*s: the disk is full: the object has %" PRIu64
                     " bytes, and of %llu that are free below %s others need "
                     "%" PRIu64 "; free some or choose another base folder",
                     f->sources[t->source].name, BRING_KEY_SHOWN, t->object.key,
                     t->object.size, there, f->folders[t->source], owed);
}

/* Make its folder and begin to fetch it. */
static void feed_mover_begin(struct feed_fetch *f, struct bring_move *move,
                             struct feed_ticket *t, uint64_t due)
{
    struct bytes key = {t->object.key, t->object.key_size};
    struct bytes path;
    enum status s;

    t->folder = mem_print("%s/%" PRIu64, f->folders[t->source], t->number);
    t->target.channel = &f->channels[t->source];
    t->target.staging = t->folder;
    s = file_make_folder(t->folder, &t->why);
    if (s == STATUS_OK) {
        s = keypath_of(t->target.channel->prefix, key, &t->why, &path);
    }
    if (s == STATUS_OK) {
        t->path = mem_print("%s/%.*s", t->folder, (int)path.size, path.at);
        s = feed_mover_measure(f, t);
    }
    if (s != STATUS_OK) {
        feed_mover_end(f, t, s);
        return;
    }
    bring_move_add(move, &(struct bring_want){
                             .tag = t->number,
                             .due = due,
                             .source = f->first_source + t->source,
                             .target = &t->target,
                             .object = &t->object,
                         });
}

/* The next that there is room for; NULL: none. */
static struct feed_ticket *feed_mover_next(struct feed_fetch *f,
                                           const struct bring_move *move,
                                           uint64_t *due)
{
    struct feed_ticket *t;

    pthread_mutex_lock(&f->locked.mutex);
    t = f->locked.wanted.first;
    if (t != NULL && bring_move_has_room(move, t->locked.due)) {
        (void)feed_queue_take(&f->locked.wanted);
        t->locked.state = FEED_MOVING;
        *due = t->locked.due;
    } else {
        t = NULL;
    }
    pthread_mutex_unlock(&f->locked.mutex);
    return t;
}

/* Wait for an answer, or for work. false: it is over. */
static bool feed_mover_wait(struct feed_fetch *f, const struct bring_move *move)
{
    struct pollfd fds[] = {
        {.fd = f->work_fd, .events = POLLIN},
        {.fd = bring_move_fd(move), .events = POLLIN},
    };
    uint64_t count;
    bool is_stopping;

    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), -1);
    (void)!read(f->work_fd, &count, sizeof(count)); /* Says no more. */
    pthread_mutex_lock(&f->locked.mutex);
    is_stopping = f->locked.is_stopping;
    pthread_mutex_unlock(&f->locked.mutex);
    return !is_stopping;
}

static void *feed_mover_main(void *self)
{
    struct feed_fetch *f = self;
    struct bring_move *move = bring_move_new(
        &(struct bring_move_options){feed_mover_fetch, f, f->parts});
    struct feed_ticket *t;
    uint64_t due;

    do {
        feed_mover_heed(f, move);
        bring_move_step(move);
        feed_mover_outcomes(f, move);
        while ((t = feed_mover_next(f, move, &due)) != NULL) {
            feed_mover_begin(f, move, t, due);
            feed_mover_outcomes(f, move);
        }
    } while (feed_mover_wait(f, move));
    bring_move_destroy(&move);
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

static enum status feed_fetch_launch(struct feed_fetch *f, struct fault *why)
{
    int error;

    if (f->done_fd < 0 || f->work_fd < 0) {
        return fault_set(why, STATUS_OS, "make an event descriptor: %s",
                         strerror(errno));
    }
    error = pthread_create(&f->mover, NULL, feed_mover_main, f);
    f->has_mover = error == 0;
    if (error == 0) {
        error = pthread_create(&f->sweeper, NULL, feed_sweeper_main, f);
        f->has_sweeper = error == 0;
    }
    return error == 0 ? STATUS_OK
                      : fault_set(why, STATUS_OS, "start a thread: %s",
                                  strerror(error));
}

enum status feed_fetch_start(const struct feed_fetch_options *options,
                             struct fault *why, struct feed_fetch **out)
{
    struct feed_fetch *f = mem_new(1, sizeof(*f));
    enum status s = STATUS_OK;

    CHECK(options->parts > 0);
    f->sources = options->sources;
    f->source_count = options->source_count;
    f->first_source = options->fetch_source;
    f->fetch = options->fetch;
    f->parts = options->parts;
    f->channels = mem_new(f->source_count + 1, sizeof(f->channels[0]));
    f->folders = mem_new(f->source_count + 1, sizeof(f->folders[0]));
    f->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->work_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&f->locked.mutex, NULL);
    pthread_cond_init(&f->locked.sweeps, NULL);
    pthread_cond_init(&f->locked.swept, NULL);
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
        s = feed_fetch_launch(f, why);
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
    f->locked.is_stopping = true;
    pthread_cond_signal(&f->locked.sweeps);
    pthread_cond_broadcast(&f->locked.swept);
    pthread_mutex_unlock(&f->locked.mutex);
    if (f->has_mover) {
        feed_wake(f->work_fd);
        pthread_join(f->mover, NULL);
    }
    if (f->has_sweeper) {
        pthread_join(f->sweeper, NULL);
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
        feed_remove(f->folders[i]);
        free(f->folders[i]);
    }
    feed_close(f->done_fd);
    feed_close(f->work_fd);
    pthread_cond_destroy(&f->locked.sweeps);
    pthread_cond_destroy(&f->locked.swept);
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

uint64_t feed_fetch_clock_ms(const struct feed_fetch *f)
{
    return fetch_clock_ms(f->fetch);
}

uint64_t feed_fetch_want(struct feed_fetch *f, uint32_t source,
                         const struct bring_object *object, uint64_t due)
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
        t->locked.due = due;
        f->locked.all[f->locked.count++] = t;
        feed_queue_insert(&f->locked.wanted, t);
    }
    pthread_mutex_unlock(&f->locked.mutex);
    feed_wake(f->work_fd);
    return number;
}

void feed_fetch_hurry(struct feed_fetch *f, uint64_t ticket, uint64_t due)
{
    struct feed_ticket *t;
    bool is_news;

    pthread_mutex_lock(&f->locked.mutex);
    t = feed_ticket_find_locked(f, ticket);
    CHECK(t != NULL && !t->locked.is_dropped);
    is_news = due < t->locked.due;
    t->locked.due = is_news ? due : t->locked.due;
    if (is_news && t->locked.state == FEED_WANTED) {
        feed_queue_remove(&f->locked.wanted, t);
        feed_queue_insert(&f->locked.wanted, t);
    } else if (is_news && t->locked.state == FEED_MOVING) {
        t->locked.has_news = true;
        f->locked.has_news = true;
    }
    pthread_mutex_unlock(&f->locked.mutex);
    if (is_news) {
        feed_wake(f->work_fd);
    }
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
        t->locked.state = FEED_TOLD;
        *out = (struct feed_fetched){
            .ticket = t->number,
            .status = t->status,
            .path = t->status == STATUS_OK ? t->path : NULL,
        };
        out->why = t->why;
    }
    if (f->locked.done.first != NULL) {
        feed_wake(f->done_fd);
    }
    pthread_mutex_unlock(&f->locked.mutex);
    return t != NULL;
}

void feed_fetch_drop(struct feed_fetch *f, uint64_t ticket)
{
    struct feed_ticket *t;
    bool is_moving;

    pthread_mutex_lock(&f->locked.mutex);
    t = feed_ticket_find_locked(f, ticket);
    CHECK(t != NULL && !t->locked.is_dropped);
    t->locked.is_dropped = true;
    is_moving = t->locked.state == FEED_MOVING;
    if (is_moving) {
        t->locked.has_news = true;
        f->locked.has_news = true;
    } else if (t->locked.state == FEED_WANTED) {
        feed_queue_remove(&f->locked.wanted, t);
        feed_ticket_free_locked(f, t);
    } else {
        if (t->locked.state == FEED_DONE) {
            feed_queue_remove(&f->locked.done, t);
        }
        feed_sweep_locked(f, t);
    }
    pthread_mutex_unlock(&f->locked.mutex);
    if (is_moving) {
        feed_wake(f->work_fd);
    }
}

uint32_t feed_fetch_count(struct feed_fetch *f)
{
    uint32_t count;

    pthread_mutex_lock(&f->locked.mutex);
    count = f->locked.count;
    pthread_mutex_unlock(&f->locked.mutex);
    return count;
}
