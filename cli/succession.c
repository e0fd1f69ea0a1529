/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/succession.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/term_store.h"
#include "store/store.h"

enum { SUCCESSION_STORE_MS = 5000, SUCCESSION_WAIT_MAX_MS = 60000 };

struct succession {
    int news_fd; /* Thread to owner. */
    int wake_fd; /* Owner to thread. */
    bool has_thread;
    pthread_t thread;

    /* The thread's. */
    struct term *term;
    struct store *store;
    struct buf prefix;
    char *key;
    struct term_store lease; /* In @store, at @key. */

    pthread_mutex_t lock;
    struct {
        struct succession_news news;
        bool is_new;
        uint64_t until_ms;
        char entered[TERM_RUN_SIZE + 1]; /* Not told yet, or "". */
        char knocked[TERM_RUN_SIZE + 1]; /* The same. */
        bool is_eager;
        bool is_ending;
        bool is_stopped;
    } locked;
};

static void succession_signal(int fd)
{
    uint64_t one = 1;

    CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void succession_clear(int fd)
{
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0) {
        return; /* It was not set. */
    }
}

/* What the owner has asked for since the last turn: false, to stop. */
static bool succession_heed(struct succession *s, bool *is_ending)
{
    char entered[TERM_RUN_SIZE + 1];
    char knocked[TERM_RUN_SIZE + 1];
    bool is_stopped;
    bool is_eager;

    pthread_mutex_lock(&s->lock);
    memcpy(entered, s->locked.entered, sizeof(entered));
    memcpy(knocked, s->locked.knocked, sizeof(knocked));
    s->locked.entered[0] = '\0';
    s->locked.knocked[0] = '\0';
    is_eager = s->locked.is_eager;
    *is_ending = s->locked.is_ending;
    is_stopped = s->locked.is_stopped;
    pthread_mutex_unlock(&s->lock);
    if (knocked[0] != '\0') {
        term_knock(s->term, knocked);
    }
    if (entered[0] != '\0') {
        term_enter_run(s->term, entered);
    }
    term_set_eager(s->term, is_eager);
    return !is_stopped;
}

static bool succession_differs(const struct succession_news *a,
                               const struct succession_news *b)
{
    return a->state != b->state || a->lease.term != b->lease.term ||
           a->lease.is_released != b->lease.is_released ||
           strcmp(a->lease.run, b->lease.run) != 0 ||
           strcmp(a->lease.endpoint, b->lease.endpoint) != 0 ||
           strcmp(a->fault.text, b->fault.text) != 0;
}

/* Show the owner where the term stands now. */
static void succession_tell(struct succession *s)
{
    struct succession_news news = {.state = term_state(s->term),
                                   .lease = *term_lease(s->term)};
    bool is_new;

    memcpy(news.fault.text, term_fault(s->term),
           strlen(term_fault(s->term)) + 1);
    pthread_mutex_lock(&s->lock);
    is_new = succession_differs(&news, &s->locked.news);
    s->locked.news = news;
    s->locked.until_ms =
        news.state == TERM_LEADING ? term_until_ms(s->term) : 0;
    s->locked.is_new = s->locked.is_new || is_new;
    pthread_mutex_unlock(&s->lock);
    if (is_new) {
        succession_signal(s->news_fd);
    }
}

static void succession_wait(struct succession *s, uint64_t until_ms)
{
    struct pollfd fd = {.fd = s->wake_fd, .events = POLLIN};
    uint64_t now_ms = clock_now_ms(&clock_os);
    uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;

    if (wait_ms > SUCCESSION_WAIT_MAX_MS) {
        wait_ms = SUCCESSION_WAIT_MAX_MS;
    }
    if (poll(&fd, 1, (int)wait_ms) > 0) {
        succession_clear(s->wake_fd);
    }
}

static void *succession_main(void *self)
{
    struct succession *s = self;
    bool was_ending = false;
    bool is_ending;

    while (term_state(s->term) != TERM_RELEASED &&
           succession_heed(s, &is_ending)) {
        enum term_event_type type =
            is_ending && !was_ending ? TERM_EVENT_RELEASE : TERM_EVENT_TIMER;
        uint64_t timer_ms = term_store_step(s->term, &s->lease, type);

        was_ending = is_ending;
        succession_tell(s);
        if (term_state(s->term) != TERM_RELEASED) {
            succession_wait(s, timer_ms);
        }
    }
    return NULL;
}

static void succession_free(struct succession **s)
{
    struct succession *old = *s;

    term_destroy(&old->term);
    store_close(&old->store);
    buf_fini(&old->prefix);
    free(old->key);
    if (old->news_fd >= 0) {
        close(old->news_fd);
    }
    if (old->wake_fd >= 0) {
        close(old->wake_fd);
    }
    pthread_mutex_destroy(&old->lock);
    free(old);
    *s = NULL;
}

enum status succession_start(struct term *term, const char *state_uri,
                             struct fault *why, struct succession **out)
{
    struct succession *s = mem_new(1, sizeof(*s));
    enum status status;

    s->term = term;
    s->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    status = store_open(state_uri, STORE_WRITE, why, &s->store, &s->prefix);
    if (status == STATUS_OK) {
        store_set_limit(s->store, SUCCESSION_STORE_MS);
        s->key = mem_print("%slease", buf_text(&s->prefix));
        s->lease = (struct term_store){.store = s->store, .key = s->key};
        s->has_thread =
            s->news_fd >= 0 && s->wake_fd >= 0 &&
            pthread_create(&s->thread, NULL, succession_main, s) == 0;
        if (!s->has_thread) {
            status = fault_set(why, STATUS_OS, "no thread to watch the lease");
        }
    }
    if (status != STATUS_OK) {
        succession_free(&s);
    }
    *out = s;
    return status;
}

int succession_fd(const struct succession *s)
{
    return s->news_fd;
}

bool succession_take(struct succession *s, struct succession_news *out)
{
    bool is_new;

    succession_clear(s->news_fd);
    pthread_mutex_lock(&s->lock);
    is_new = s->locked.is_new;
    s->locked.is_new = false;
    *out = s->locked.news;
    pthread_mutex_unlock(&s->lock);
    return is_new;
}

uint64_t succession_until_ms(struct succession *s)
{
    uint64_t until_ms;

    pthread_mutex_lock(&s->lock);
    until_ms = s->locked.until_ms;
    pthread_mutex_unlock(&s->lock);
    return until_ms;
}

uint64_t succession_left_ms(struct succession *s, const char *run)
{
    uint64_t until_ms;
    uint64_t now_ms;

    pthread_mutex_lock(&s->lock);
    until_ms =
        strcmp(s->locked.news.lease.run, run) == 0 ? s->locked.until_ms : 0;
    pthread_mutex_unlock(&s->lock);
    now_ms = clock_now_ms(&clock_os);
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

/* Leave @run at @place for the thread's next turn. */
static void succession_leave(struct succession *s, const char *run, char *place)
{
    CHECK(strlen(run) <= TERM_RUN_SIZE);
    pthread_mutex_lock(&s->lock);
    memcpy(place, run, strlen(run) + 1);
    pthread_mutex_unlock(&s->lock);
    succession_signal(s->wake_fd);
}

void succession_enter_run(struct succession *s, const char *run)
{
    succession_leave(s, run, s->locked.entered);
}

void succession_knock(struct succession *s, const char *run)
{
    succession_leave(s, run, s->locked.knocked);
}

void succession_set_eager(struct succession *s, bool is_eager)
{
    bool was_eager;

    pthread_mutex_lock(&s->lock);
    was_eager = s->locked.is_eager;
    s->locked.is_eager = is_eager;
    pthread_mutex_unlock(&s->lock);
    if (is_eager != was_eager) {
        succession_signal(s->wake_fd);
    }
}

void succession_end(struct succession **s, bool is_over)
{
    struct succession *old = *s;

    if (old == NULL) {
        return;
    }
    pthread_mutex_lock(&old->lock);
    old->locked.is_ending = is_over;
    old->locked.is_stopped = !is_over;
    pthread_mutex_unlock(&old->lock);
    succession_signal(old->wake_fd);
    CHECK(pthread_join(old->thread, NULL) == 0);
    succession_free(s);
}
