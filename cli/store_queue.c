/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/trouble.h"
#include "store/store_sync.h"

enum {
    STORE_QUEUE_LIMIT_MS = 5000,
    STORE_QUEUE_THREADS = 4,
    STORE_QUEUE_ASKS = JOURNAL_DELETE + 1,
};

struct store_queue;

/* One of the threads, with a store of its own. */
struct store_queue_lane {
    struct store_queue *queue;
    struct store *store;
    bool has_thread;
    pthread_t thread;
};

/* One request, and then its outcome. */
struct store_queue_item {
    struct store_queue_item *next;
    uint32_t tag;
    enum journal_ask ask;
    char *key;
    char etag[STORE_ETAG_MAX];
    struct buf body;
    enum status status;
};

struct store_queue_list {
    struct store_queue_item *first;
    struct store_queue_item *last;
};

struct store_queue {
    int fd;
    char *folder;
    struct buf prefix;
    struct store_queue_lane lanes[STORE_QUEUE_THREADS];
    struct store_queue_item *taken;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct {
        struct store_queue_list asked;
        struct store_queue_list done;
        struct trouble trouble[STORE_QUEUE_ASKS];
        store_queue_idle_fn *idle; /* The first lane's; NULL: none. */
        void *idle_self;
        bool is_ending;
    } locked;
};

static void store_queue_push(struct store_queue_list *list,
                             struct store_queue_item *item)
{
    item->next = NULL;
    if (list->first == NULL) {
        list->first = item;
    } else {
        list->last->next = item;
    }
    list->last = item;
}

static struct store_queue_item *store_queue_pop(struct store_queue_list *list)
{
    struct store_queue_item *item = list->first;

    if (item != NULL) {
        list->first = item->next;
    }
    return item;
}

static void store_queue_free_item(struct store_queue_item *item)
{
    if (item != NULL) {
        buf_fini(&item->body);
        free(item->key);
        free(item);
    }
}

static enum status store_queue_put(struct store *store,
                                   struct store_queue_item *item,
                                   struct fault *why)
{
    enum store_when when = STORE_ALWAYS;

    if (item->ask == JOURNAL_CREATE) {
        when = STORE_IF_ABSENT;
    } else if (item->ask == JOURNAL_REPLACE) {
        when = STORE_IF_MATCH;
    }
    return store_sync_put(store,
                          &(struct store_sync_put){item->key,
                                                   buf_bytes(&item->body), when,
                                                   item->etag},
                          why);
}

static bool store_queue_is_answer(enum status s)
{
    return s == STATUS_OK || s == STATUS_NOT_FOUND || s == STATUS_EXISTS ||
           s == STATUS_CHANGED;
}

static void store_queue_note(struct store_queue *q,
                             const struct store_queue_item *item,
                             const struct fault *why)
{
    static const char *const kinds[STORE_QUEUE_ASKS] = {
        [JOURNAL_GET] = "get",         [JOURNAL_CREATE] = "create",
        [JOURNAL_REPLACE] = "replace", [JOURNAL_WRITE] = "write",
        [JOURNAL_DELETE] = "delete",
    };
    struct trouble_news news;

    pthread_mutex_lock(&q->lock);
    news = trouble_take(&q->locked.trouble[item->ask],
                        store_queue_is_answer(item->status),
                        clock_now_ms(&clock_os));
    pthread_mutex_unlock(&q->lock);
    trouble_log(&news, "journal", kinds[item->ask], why);
}

static void store_queue_do(struct store_queue *q, struct store *store,
                           struct store_queue_item *item)
{
    struct fault why = {.text = ""};

    if (item->ask == JOURNAL_GET) {
        buf_clear(&item->body);
        item->status =
            store_sync_get(store,
                           &(struct store_sync_get){
                               item->key, JOURNAL_SNAPSHOT_MAX, item->etag},
                           &why, &item->body);
    } else if (item->ask == JOURNAL_DELETE) {
        item->status = store_sync_delete(store, item->key, &why);
    } else {
        item->status = store_queue_put(store, item, &why);
    }
    store_queue_note(q, item, &why);
}

/* Nothing is asked. The lock is held before and after. */
static void store_queue_rest_locked(struct store_queue_lane *lane)
{
    struct store_queue *q = lane->queue;
    store_queue_idle_fn *turn = lane == q->lanes ? q->locked.idle : NULL;
    void *self = q->locked.idle_self;
    bool has_more;

    if (turn == NULL) {
        pthread_cond_wait(&q->wake, &q->lock);
        return;
    }
    pthread_mutex_unlock(&q->lock);
    has_more = turn(self, lane->store, buf_text(&q->prefix));
    pthread_mutex_lock(&q->lock);
    if (!has_more) {
        q->locked.idle = NULL;
    }
}

static void *store_queue_main(void *self)
{
    struct store_queue_lane *lane = self;
    struct store_queue *q = lane->queue;
    uint64_t one = 1;

    pthread_mutex_lock(&q->lock);
    while (!q->locked.is_ending) {
        struct store_queue_item *item = store_queue_pop(&q->locked.asked);

        if (item == NULL) {
            store_queue_rest_locked(lane);
            continue;
        }
        pthread_mutex_unlock(&q->lock);
        store_queue_do(q, lane->store, item);
        pthread_mutex_lock(&q->lock);
        store_queue_push(&q->locked.done, item);
        CHECK(write(q->fd, &one, sizeof(one)) == sizeof(one));
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

static enum status store_queue_start_lane(struct store_queue *q,
                                          const char *uri, int i,
                                          struct fault *why)
{
    struct store_queue_lane *lane = &q->lanes[i];
    enum status s;

    lane->queue = q;
    buf_clear(&q->prefix);
    s = store_open(uri, STORE_WRITE, why, &lane->store, &q->prefix);
    if (s != STATUS_OK) {
        return s;
    }
    store_set_limit(lane->store, STORE_QUEUE_LIMIT_MS);
    return STATUS_OK;
}

static enum status store_queue_start_threads(struct store_queue *q,
                                             struct fault *why)
{
    for (int i = 0; i < STORE_QUEUE_THREADS; i++) {
        struct store_queue_lane *lane = &q->lanes[i];

        lane->has_thread =
            pthread_create(&lane->thread, NULL, store_queue_main, lane) == 0;
        if (!lane->has_thread) {
            return fault_set(why, STATUS_OS, "no thread to write the journal");
        }
    }
    return STATUS_OK;
}

enum status store_queue_start(const char *uri, const char *folder,
                              struct fault *why, struct store_queue **out)
{
    struct store_queue *q = mem_new(1, sizeof(*q));
    enum status s = STATUS_OK;

    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(pthread_mutex_init(&q->lock, NULL) == 0);
    CHECK(pthread_cond_init(&q->wake, NULL) == 0);
    if (q->fd < 0) {
        s = fault_set(why, STATUS_OS, "no descriptor for the journal");
    }
    for (int i = 0; s == STATUS_OK && i < STORE_QUEUE_THREADS; i++) {
        s = store_queue_start_lane(q, uri, i, why);
    }
    q->folder = mem_print("%s%s", buf_text(&q->prefix), folder);
    if (s == STATUS_OK) {
        s = store_queue_start_threads(q, why);
    }
    *out = q;
    if (s != STATUS_OK) {
        store_queue_end(out);
    }
    return s;
}

void store_queue_add(struct store_queue *q,
                     const struct journal_request *request)
{
    struct store_queue_item *item = mem_new(1, sizeof(*item));

    item->tag = request->tag;
    item->ask = request->ask;
    item->key = mem_print("%s%s", q->folder, request->key);
    if (request->ask == JOURNAL_REPLACE) {
        CHECK(strlen(request->etag) < sizeof(item->etag));
        memcpy(item->etag, request->etag, strlen(request->etag) + 1);
    }
    if (request->body.size > 0) {
        buf_add_bytes(&item->body, request->body);
    }
    pthread_mutex_lock(&q->lock);
    store_queue_push(&q->locked.asked, item);
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
}

void store_queue_set_idle(struct store_queue *q, store_queue_idle_fn *turn,
                          void *self)
{
    pthread_mutex_lock(&q->lock);
    q->locked.idle = turn;
    q->locked.idle_self = self;
    pthread_cond_broadcast(&q->wake);
    pthread_mutex_unlock(&q->lock);
}

int store_queue_fd(const struct store_queue *q)
{
    return q->fd;
}

bool store_queue_take(struct store_queue *q, struct journal_event *out)
{
    uint64_t count;

    store_queue_free_item(q->taken);
    pthread_mutex_lock(&q->lock);
    q->taken = store_queue_pop(&q->locked.done);
    if (q->taken == NULL && read(q->fd, &count, sizeof(count)) < 0) {
        count = 0; /* It was not set. */
    }
    pthread_mutex_unlock(&q->lock);
    if (q->taken == NULL) {
        return false;
    }
    *out = (struct journal_event){
        .type = JOURNAL_EVENT_STORED,
        .tag = q->taken->tag,
        .status = q->taken->status,
        .etag = q->taken->etag,
        .body = buf_bytes(&q->taken->body),
    };
    return true;
}

void store_queue_end(struct store_queue **q)
{
    struct store_queue *old = *q;

    if (old == NULL) {
        return;
    }
    pthread_mutex_lock(&old->lock);
    old->locked.is_ending = true;
    pthread_cond_broadcast(&old->wake);
    pthread_mutex_unlock(&old->lock);
    for (int i = 0; i < STORE_QUEUE_THREADS; i++) {
        if (old->lanes[i].has_thread) {
            CHECK(pthread_join(old->lanes[i].thread, NULL) == 0);
        }
        store_close(&old->lanes[i].store);
    }
    store_queue_free_item(old->taken);
    while (old->locked.asked.first != NULL) {
        store_queue_free_item(store_queue_pop(&old->locked.asked));
    }
    while (old->locked.done.first != NULL) {
        store_queue_free_item(store_queue_pop(&old->locked.done));
    }
    buf_fini(&old->prefix);
    free(old->folder);
    pthread_cond_destroy(&old->wake);
    pthread_mutex_destroy(&old->lock);
    if (old->fd >= 0) {
        close(old->fd);
    }
    free(old);
    *q = NULL;
}
