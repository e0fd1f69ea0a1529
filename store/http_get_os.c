/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_get.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

enum { GET_READY_MAX = 64 };

uint64_t get_now(void)
{
    return clock_now_ms(&clock_os) + 1; /* 0 is "never". */
}

/* ---- hosts -------------------------------------------------------------- */

static void get_host_split(struct get_host *host)
{
    const char *at = strstr(host->origin, "://");
    const char *end;

    CHECK(at != NULL);
    at += 3;
    host->is_tls = strncmp(host->origin, "https", 5) == 0;
    if (at[0] == '[') {
        end = strchr(at, ']');
        CHECK(end != NULL);
        host->host = mem_copy_text(at + 1, (size_t)(end - at - 1));
        end++;
    } else {
        end = at + strcspn(at, ":");
        host->host = mem_copy_text(at, (size_t)(end - at));
    }
    host->port = mem_copy(*end == ':' ? end + 1 : host->is_tls ? "443" : "80");
}

static struct get_host *get_host_find(struct http_get *h, const char *origin)
{
    struct get_host *host = h->hosts;

    while (host != NULL && strcmp(host->origin, origin) != 0) {
        host = host->next;
    }
    if (host == NULL) {
        host = mem_new(1, sizeof(*host));
        host->origin = mem_copy(origin);
        get_host_split(host);
        host->next = h->hosts;
        h->hosts = host;
    }
    return host;
}

static void get_host_free(struct get_host *host)
{
    while (host->conns != NULL) {
        get_conn_close(host->conns, false);
    }
    http_lookup_destroy(&host->lookup);
    free(host->origin);
    free(host->host);
    free(host->port);
    free(host);
}

/* ---- calls -------------------------------------------------------------- */

static struct get_call *get_call_new(struct http_get *h)
{
    struct get_call *call = h->spare;
    struct buf headers;

    if (call == NULL) {
        return mem_new(1, sizeof(*call));
    }
    h->spare = call->next;
    headers = call->headers;
    buf_clear(&headers);
    *call = (struct get_call){.headers = headers};
    return call;
}

/* Give @call back; there are never more of them than were in flight. */
static void get_call_drop(struct http_get *h, struct get_call *call)
{
    buf_fini(&call->body);
    call->next = h->spare;
    h->spare = call;
}

static void get_calls_drop(struct http_get *h, struct get_call **list)
{
    while (*list != NULL) {
        struct get_call *call = *list;

        *list = call->next;
        get_call_drop(h, call);
    }
}

static void get_spare_free(struct http_get *h)
{
    while (h->spare != NULL) {
        struct get_call *call = h->spare;

        h->spare = call->next;
        buf_fini(&call->headers);
        free(call);
    }
}

static void get_unqueue(struct get_call *call)
{
    struct get_call **at = &call->host->queue;

    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    call->next = NULL;
}

static bool get_is_queued(const struct get_call *call)
{
    const struct get_call *q = call->host->queue;

    while (q != NULL && q != call) {
        q = q->next;
    }
    return q != NULL;
}

void get_call_again(struct get_call *call)
{
    call->next = call->host->queue;
    call->host->queue = call;
    call->event.address[0] = '\0';
}

void get_call_end(struct http_get *h, struct get_call *call,
                  enum http_result result, const char *why)
{
    struct http_event *e = &call->event;
    uint64_t now = get_now();

    e->tag = call->tag;
    e->result = result;
    e->headers = buf_bytes(&call->headers);
    e->body = buf_bytes(&call->body);
    e->got = result == HTTP_TOO_LARGE ? 0 : call->got;
    e->sum = result == HTTP_TOO_LARGE ? 0 : call->sum;
    e->total_ms = (uint32_t)(now - call->submitted_ms);
    e->first_byte_ms = call->first_ms != 0
                           ? (uint32_t)(call->first_ms - call->submitted_ms)
                           : e->total_ms;
    snprintf(e->why, sizeof(e->why), "%s", why);
    call->next = NULL;
    *h->done_tail = call;
    h->done_tail = &call->next;
}

/* ---- starting ----------------------------------------------------------- */

/* A kept connection that is still good; those that are not are closed. */
static struct get_conn *get_host_idle(struct http_get *h, struct get_host *host)
{
    uint64_t now = get_now();
    struct get_conn *c = host->conns;

    while (c != NULL) {
        struct get_conn *next = c->next;

        if (c->state == GET_IDLE) {
            if (now - c->idle_since_ms < h->idle_ms &&
                http_link_is_quiet(&c->link)) {
                return c;
            }
            get_conn_close(c, false);
        }
        c = next;
    }
    return NULL;
}

/* Learn addresses; false: none is known yet, or there will be none. */
static bool get_host_has_place(struct http_get *h, struct get_host *host)
{
    struct http_place place;
    uint64_t now = get_now();

    if (host->places.count == 0 &&
        http_lookup_literal(host->host, host->port, &place)) {
        http_places_learn(&host->places, &place, 1, now);
        host->looked_up_ms = UINT64_MAX; /* It does not change. */
    }
    if (host->lookup == NULL && host->looked_up_ms != UINT64_MAX &&
        (host->looked_up_ms == 0 ||
         now - host->looked_up_ms >= GET_LOOKUP_MS)) {
        host->looked_up_ms = now;
        host->lookup = http_lookup_new(host->host, host->port, h->wake);
    }
    return host->places.count > 0;
}

static bool get_host_secure(struct http_get *h, struct get_host *host,
                            struct fault *why)
{
    return !host->is_tls || h->tls != NULL ||
           http_tls_acquire(h->ca_bundle, why, &h->tls) == STATUS_OK;
}

/* Give queued calls connections while there are any. */
static void get_host_start(struct http_get *h, struct get_host *host)
{
    while (host->queue != NULL) {
        struct get_call *call = host->queue;
        struct get_conn *idle = get_host_idle(h, host);
        struct fault why;

        if (idle != NULL && !call->r->is_fresh) {
            get_unqueue(call);
            get_conn_use(idle, call);
            continue;
        }
        if (idle != NULL && host->conn_count >= h->connections) {
            get_conn_close(idle, true);
        }
        if (host->conn_count >= h->connections) {
            return;
        }
        call->begun_ms = call->begun_ms != 0 ? call->begun_ms : get_now();
        if (!get_host_has_place(h, host)) {
            return;
        }
        get_unqueue(call);
        if (!get_host_secure(h, host, &why)) {
            get_call_end(h, call, HTTP_TLS, why.text);
            continue;
        }
        get_conn_open(h, host, call);
    }
}

static void get_host_answered(struct http_get *h, struct get_host *host)
{
    struct http_lookup_answer a;

    if (host->lookup == NULL || !http_lookup_take(host->lookup, &a)) {
        return;
    }
    http_lookup_destroy(&host->lookup);
    if (a.count > 0) {
        http_places_learn(&host->places, a.places, a.count, get_now());
        return;
    }
    while (host->places.count == 0 && host->queue != NULL) {
        struct get_call *call = host->queue;

        get_unqueue(call);
        get_call_end(h, call, HTTP_RESOLVE, a.why);
    }
    host->looked_up_ms = host->places.count == 0 ? 0 : host->looked_up_ms;
}

/* ---- time --------------------------------------------------------------- */

/* When @call is late, and what then; UINT64_MAX: never. */
static uint64_t get_call_due(const struct get_call *call, const char **why)
{
    const struct http_request *r = call->r;
    const struct get_conn *c = call->conn;
    uint64_t due = UINT64_MAX;

    if (c == NULL || c->state < GET_SEND) {
        *why = "connecting took too long";
        return r->connect_ms > 0 && call->begun_ms > 0
                   ? call->begun_ms + r->connect_ms
                   : due;
    }
    if (c->state == GET_HEAD && call->first_ms == 0) {
        *why = "no first byte came in time";
        return r->first_byte_ms > 0 ? call->sent_ms + r->first_byte_ms : due;
    }
    *why = "no byte moved for too long";
    return r->stall_ms > 0 ? call->moved_ms + r->stall_ms : due;
}

static void get_call_late(struct http_get *h, struct get_call *call,
                          const char *why)
{
    bool is_connecting = call->conn == NULL || call->conn->state < GET_SEND;

    if (call->conn != NULL) {
        if (is_connecting) {
            http_places_ban(&call->host->places, &call->conn->place, get_now());
        }
        get_conn_close(call->conn, false);
    } else {
        get_unqueue(call);
    }
    get_call_end(h, call, is_connecting ? HTTP_CONNECT : HTTP_TIMEOUT, why);
}

/* The call of each connection, then those that wait: end the late ones and
 * return when the next one is late. */
static uint64_t get_host_tick(struct http_get *h, struct get_host *host)
{
    uint64_t next = UINT64_MAX;
    uint64_t now = get_now();
    const char *why;

    for (struct get_conn *c = host->conns; c != NULL;) {
        struct get_conn *after = c->next;
        uint64_t due = c->call != NULL ? get_call_due(c->call, &why)
                                       : c->idle_since_ms + h->idle_ms;

        if (due > now) {
            next = due < next ? due : next;
        } else if (c->call != NULL) {
            get_call_late(h, c->call, why);
        } else {
            get_conn_close(c, true);
        }
        c = after;
    }
    for (struct get_call *call = host->queue; call != NULL;) {
        struct get_call *after = call->next;
        uint64_t due = get_call_due(call, &why);

        if (due <= now) {
            get_call_late(h, call, why);
        } else {
            next = due < next ? due : next;
        }
        call = after;
    }
    return next;
}

/* ---- the table ---------------------------------------------------------- */

static void get_submit(void *self, const struct http_request *r)
{
    struct http_get *h = self;
    struct get_call *call = get_call_new(h);
    struct get_call **at;

    CHECK(strcmp(r->method, "GET") == 0 && r->into != NULL);
    call->request = *r;
    call->r = &call->request;
    call->tag = r->tag;
    call->submitted_ms = get_now();
    call->moved_ms = call->submitted_ms;
    call->host = get_host_find(h, r->origin);
    at = &call->host->queue;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = call;
    get_host_start(h, call->host);
}

/* The call of @tag that has no event yet. */
static struct get_call *get_find(const struct http_get *h, uint64_t tag)
{
    for (struct get_host *host = h->hosts; host != NULL; host = host->next) {
        for (struct get_conn *c = host->conns; c != NULL; c = c->next) {
            if (c->call != NULL && c->call->tag == tag) {
                return c->call;
            }
        }
        for (struct get_call *q = host->queue; q != NULL; q = q->next) {
            if (q->tag == tag) {
                return q;
            }
        }
    }
    return NULL;
}

static void get_cancel(void *self, uint64_t tag)
{
    struct http_get *h = self;
    struct get_call *call = get_find(h, tag);
    struct get_host *host;

    for (struct get_call **at = &h->done; *at != NULL; at = &(*at)->next) {
        if ((*at)->tag == tag) {
            call = *at;
            *at = call->next;
            if (*at == NULL) {
                h->done_tail = at;
            }
            get_call_drop(h, call);
            return;
        }
    }
    if (call == NULL) {
        return;
    }
    host = call->host;
    if (call->conn != NULL) {
        get_conn_close(call->conn, false);
    } else if (get_is_queued(call)) {
        get_unqueue(call);
    }
    get_call_drop(h, call);
    get_host_start(h, host); /* Nothing else may wake the next one. */
}

static uint64_t get_progress(void *self, uint64_t tag)
{
    const struct get_call *call = get_find(self, tag);

    return call != NULL && call->conn != NULL && call->conn->state == GET_BODY
               ? call->got
               : UINT64_MAX;
}

static int get_fd(void *self)
{
    struct http_get *h = self;

    return h->epoll;
}

static int get_wait_ms(void *self)
{
    struct http_get *h = self;
    uint64_t next = UINT64_MAX;
    uint64_t now;

    for (struct get_host *host = h->hosts; host != NULL; host = host->next) {
        uint64_t due = get_host_tick(h, host);

        next = due < next ? due : next;
    }
    now = get_now();
    return h->done != NULL      ? 0
           : next == UINT64_MAX ? -1
                                : (next > now ? (int)(next - now) : 0);
}

static void get_take_ready(struct http_get *h)
{
    struct epoll_event ready[GET_READY_MAX];
    uint64_t woken;
    int count = epoll_wait(h->epoll, ready, GET_READY_MAX, 0);

    for (int i = 0; i < count; i++) {
        if (ready[i].data.ptr == NULL) {
            /* Says only that some lookup has ended. */
            (void)!read(h->wake, &woken, sizeof(woken));
        } else {
            get_conn_turn(ready[i].data.ptr);
        }
    }
}

static size_t get_poll(void *self, struct http_event *events, size_t max)
{
    struct http_get *h = self;
    size_t count = 0;

    get_calls_drop(h, &h->shown);
    get_take_ready(h);
    for (struct get_host *host = h->hosts; host != NULL; host = host->next) {
        get_host_answered(h, host);
        (void)get_host_tick(h, host);
        get_host_start(h, host);
    }
    while (count < max && h->done != NULL) {
        struct get_call *call = h->done;

        h->done = call->next;
        if (h->done == NULL) {
            h->done_tail = &h->done;
        }
        events[count++] = call->event;
        call->next = h->shown;
        h->shown = call;
    }
    return count;
}

static void get_destroy(void *self)
{
    struct http_get *h = self;

    while (h->hosts != NULL) {
        struct get_host *host = h->hosts;

        for (struct get_conn *c = host->conns; c != NULL; c = c->next) {
            if (c->call != NULL) {
                get_call_drop(h, c->call);
                c->call = NULL;
            }
        }
        h->hosts = host->next;
        get_calls_drop(h, &host->queue);
        get_host_free(host);
    }
    get_calls_drop(h, &h->done);
    get_calls_drop(h, &h->shown);
    get_spare_free(h);
    buf_fini(&h->head);
    http_tls_release(&h->tls);
    free(h->ca_bundle);
    close(h->wake);
    close(h->epoll);
    free(h);
}

enum status http_get_new(const struct http_options *options, struct fault *why,
                         struct http *out)
{
    static const struct http_ops ops = {get_submit, get_cancel,  get_progress,
                                        get_fd,     get_wait_ms, get_poll,
                                        get_destroy};
    struct epoll_event wake = {.events = EPOLLIN, .data = {.ptr = NULL}};
    struct http_get *h = mem_new(1, sizeof(*h));

    h->done_tail = &h->done;
    h->connections =
        options->connections > 0 ? options->connections : GET_CONNECTIONS;
    h->idle_ms = options->idle_ms > 0 ? options->idle_ms : GET_IDLE_MS;
    h->ca_bundle =
        options->ca_bundle != NULL ? mem_copy(options->ca_bundle) : NULL;
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->epoll < 0 || h->wake < 0 ||
        epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->wake, &wake) != 0) {
        get_destroy(h);
        return fault_set(why, STATUS_OS, "out of files for connections");
    }
    if (h->ca_bundle != NULL) { /* Better said now than at the first use. */
        enum status s = http_tls_acquire(h->ca_bundle, why, &h->tls);

        if (s != STATUS_OK) {
            get_destroy(h);
            return s;
        }
    }
    *out = (struct http){&ops, h};
    return STATUS_OK;
}
