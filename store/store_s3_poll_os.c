/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <poll.h>

#include "base/clock.h"
#include "store/hedge.h"
#include "store/rate.h"
#include "store/store_s3_state.h"

enum {
    S3_WINDOW_MS = 10000, /* A read must bring this many bytes in each: */
    S3_WINDOW_BYTES = 4096,
    S3_POLL_BATCH = 64,
};

/* ---- what is slow ------------------------------------------------------- */

/* A read that is far behind what is usual gets a second request beside it. */
static void s3_hedge(struct s3_store *s, struct s3_call *c)
{
    const struct s3_flight *main = &c->flights[0];
    struct s3_flight *f = &c->flights[1];
    struct retry_slow slow = {main->since_ms, 0, main->http.into_size};

    if (!main->is_on || !main->is_get || f->is_on || c->pin[0] == '\0' ||
        !hedge_has_room(main->http.into_size)) {
        return;
    }
    slow.got = s->get.ops->progress(s->get.self, main->http.tag);
    if (!rate_process_is_on() &&
        s3_bucket_hedge(s->bucket, clock_now_ms(&clock_os), &slow) &&
        s3_bucket_view(s->bucket, NULL, &f->view) == STATUS_OK) {
        f->hedge = hedge_new(main->http.into_size);
        if (f->hedge != NULL) {
            rate_process_add(1, 0);
            s3_fly(s, c, 1);
        }
    }
}

/* A body that only trickles would keep its connection from timing out for
 * ever. What came of it is given up with it. */
static void s3_watch(struct s3_store *s, struct s3_call *c)
{
    struct s3_flight *f = &c->flights[0];
    uint64_t now = clock_now_ms(&clock_os);
    uint64_t got;

    if (!f->is_on || now < f->window_ms + S3_WINDOW_MS) {
        return;
    }
    got = s->get.ops->progress(s->get.self, f->http.tag);
    if (got == UINT64_MAX || got >= f->window_got + S3_WINDOW_BYTES) {
        f->window_ms = now; /* Without a head yet, that has its own time. */
        f->window_got = got == UINT64_MAX ? 0 : got;
        return;
    }
    s->get.ops->cancel(s->get.self, f->http.tag);
    s3_answered(s, c, 0,
                &(struct http_event){.tag = f->http.tag,
                                     .result = HTTP_TIMEOUT,
                                     .why = "the answer only trickles"});
}

/* ---- what is due -------------------------------------------------------- */

static bool s3_is_flying(const struct s3_call *c)
{
    return c->flights[0].is_on || c->flights[1].is_on;
}

static int s3_sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static bool s3_is_on_curl(const struct s3_call *c)
{
    return c->flights[0].is_on && !c->flights[0].is_get;
}

/* A call that waits for its pause to end, and then for the pool's word. */
static uint64_t s3_due_ms(const struct s3_call *c)
{
    return c->due_ms > c->retry.at_ms ? c->due_ms : c->retry.at_ms;
}

/* Milliseconds until @c, which is on its way, wants to be looked at. */
static int s3_call_wait(const struct s3_call *c, uint64_t now)
{
    int due = c->flights[0].is_get ? S3_HEDGE_TICK_MS : -1;

    if (!s3_is_flying(c)) {
        due = s3_due_ms(c) > now ? (int)(s3_due_ms(c) - now) : 0;
    }
    if (c->r.limit_ms != 0) {
        due = s3_sooner(due, (int)(s3_left_ms(c, now) & INT_MAX));
    }
    return due;
}

/* See to the call in @slot; it may have ended after that. */
static void s3_tend(struct s3_store *s, uint32_t slot, bool is_tick,
                    uint64_t now)
{
    struct s3_call *c = s->slots[slot];

    if (s3_left_ms(c, now) == 0) {
        s3_call_expire(s, c);
    } else if (!s3_is_flying(c)) {
        if (s3_due_ms(c) <= now) {
            s3_launch(s, c);
        }
    } else if (is_tick && c->flights[0].is_get) {
        s3_hedge(s, c);
        s3_watch(s, c);
    }
}

/* Launch what is due. Returns the milliseconds until the next is; -1: none. */
static int s3_launch_due(struct s3_store *s)
{
    uint64_t now = clock_now_ms(&clock_os);
    bool is_tick = now >= s->looked_ms + S3_HEDGE_TICK_MS;
    uint32_t left = s->used;
    int wait = -1;

    s->looked_ms = is_tick ? now : s->looked_ms;
    s->has_curl = false;
    for (uint32_t i = 0; left > 0; i++) {
        if (s->slots[i] == NULL) {
            continue;
        }
        left--;
        s3_tend(s, i, is_tick, now);
        if (s->slots[i] != NULL) {
            wait = s3_sooner(wait, s3_call_wait(s->slots[i], now));
            s->has_curl |= s3_is_on_curl(s->slots[i]);
        }
    }
    return wait;
}

/* ---- the loop ----------------------------------------------------------- */

static bool s3_pump(struct s3_store *s, struct http *h)
{
    struct http_event events[S3_POLL_BATCH];
    size_t count = h->ops->poll(h->self, events, S3_POLL_BATCH);

    for (size_t i = 0; i < count; i++) {
        uint64_t tag = events[i].tag;
        struct s3_call *c = s->slots[(tag >> 1) & (STORE_INFLIGHT_MAX - 1)];
        int flight = (int)(tag & 1);

        if (c != NULL && c->number == tag >> S3_SLOT_BITS &&
            c->flights[flight].is_on) {
            s3_answered(s, c, flight, &events[i]);
        }
    }
    return count > 0;
}

static size_t s3_take_done(struct s3_store *s, struct store_event *events,
                           size_t max)
{
    size_t count = 0;

    while (count < max && s->done != NULL) {
        struct s3_call *c = s->done;

        s->done = c->next;
        if (s->done == NULL) {
            s->done_tail = &s->done;
        }
        events[count++] = c->event;
        if (c->page != NULL) {
            c->page->next = s->shown;
            s->shown = c->page;
            c->page = NULL;
        }
        c->next = s->spare;
        s->spare = c;
    }
    return count;
}

void s3_wait_for(void *self, struct store_wait *out)
{
    struct s3_store *s = self;
    int wait = s3_launch_due(s);

    if (s->has_curl) {
        out->fds[out->fd_count++] = s->curl.ops->fd(s->curl.self);
        wait = s3_sooner(wait, s->curl.ops->wait_ms(s->curl.self));
    }
    if (s->has_get) {
        out->fds[out->fd_count++] = s->get.ops->fd(s->get.self);
        wait = s3_sooner(wait, s->get.ops->wait_ms(s->get.self));
    }
    out->timeout_ms = s->done != NULL ? 0 : wait;
}

static void s3_wait(struct s3_store *s, int most_ms)
{
    struct store_wait w = {.fd_count = 0};
    struct pollfd fds[STORE_FDS_MAX];

    s3_wait_for(s, &w);
    for (uint32_t i = 0; i < w.fd_count; i++) {
        fds[i] = (struct pollfd){.fd = w.fds[i], .events = POLLIN};
    }
    (void)poll(fds, w.fd_count, s3_sooner(w.timeout_ms, most_ms));
}

size_t s3_poll(void *self, int timeout_ms, struct store_event *events,
               size_t max)
{
    struct s3_store *s = self;
    uint64_t start = clock_now_ms(&clock_os);

    s3_pages_drop(s);
    for (;;) {
        bool has_moved;
        uint64_t spent;

        (void)s3_launch_due(s);
        has_moved = s->has_curl && s3_pump(s, &s->curl);
        has_moved |= s->has_get && s3_pump(s, &s->get);
        if (s->done != NULL || s->used == 0) {
            return s3_take_done(s, events, max);
        }
        spent = clock_now_ms(&clock_os) - start;
        if (timeout_ms >= 0 && spent >= (uint64_t)timeout_ms) {
            return 0;
        }
        if (!has_moved) {
            s3_wait(s, timeout_ms < 0 ? -1 : timeout_ms - (int)spent);
        }
    }
}
