/* SPDX-License-Identifier: Apache-2.0 */
/* A request stands in one of four lists: on its way, ended, shown (its event
 * was handed out, its views are still good), spare. libcurl tells which
 * sockets it waits for; they stand in one epoll set, whose descriptor is the
 * handle's. Lists are short (STORE_INFLIGHT_MAX and the like), so that a walk
 * finds what it wants. */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/http_easy_curl.h"

enum {
    CURL_CONNECTIONS = 64,
    CURL_IDLE_MS = 3500,
    CURL_OTHER_HOSTS = 16, /* Kept connections beyond those to one host. */
    CURL_EVENTS = 64,
    CURL_CA_MAX = 16 << 20,
};

struct http_curl {
    CURLM *multi;
    int epoll_fd;
    struct http_setup setup;
    char *ca_bundle;
    uint64_t timer_ms; /* libcurl's; UINT64_MAX: none. */
    struct http_easy *flying;
    struct http_easy *ended;
    struct http_easy **ended_tail;
    struct http_easy *shown;
    struct http_easy *spare;
};

/* ---- lists -------------------------------------------------------------- */

static void http_curl_list_push(struct http_easy **list, struct http_easy *e)
{
    e->next = *list;
    *list = e;
}

static struct http_easy **http_curl_list_find(struct http_easy **list,
                                              uint64_t tag)
{
    while (*list != NULL && (*list)->request.tag != tag) {
        list = &(*list)->next;
    }
    return list;
}

static void http_curl_list_drop(struct http_easy **list, struct http_easy *e)
{
    while (*list != e) {
        CHECK(*list != NULL);
        list = &(*list)->next;
    }
    *list = e->next;
}

static void http_curl_list_destroy(struct http_easy **list)
{
    while (*list != NULL) {
        struct http_easy *e = *list;

        *list = e->next;
        http_easy_destroy(&e);
    }
}

static void http_curl_end(struct http_curl *c, struct http_easy *e,
                          CURLcode code)
{
    http_curl_list_drop(&c->flying, e);
    http_easy_end(e, code, clock_now_ms(&clock_os));
    CHECK(curl_multi_remove_handle(c->multi, e->curl) == CURLM_OK);
    e->next = NULL;
    *c->ended_tail = e;
    c->ended_tail = &e->next;
}

static void http_curl_retire(struct http_curl *c, struct http_easy *e)
{
    http_easy_clear(e);
    http_curl_list_push(&c->spare, e);
}

/* ---- what libcurl calls ------------------------------------------------- */

static int http_curl_on_socket(CURL *curl, curl_socket_t fd, int what,
                               void *self, void *unused)
{
    static const uint32_t wanted[] = {
        [CURL_POLL_IN] = EPOLLIN,
        [CURL_POLL_OUT] = EPOLLOUT,
        [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
    };
    struct http_curl *c = self;
    struct epoll_event event = {.data.fd = fd};
    char *e = NULL;

    (void)unused;
    if (what == CURL_POLL_REMOVE) { /* It may be closed by now. */
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = what <= CURL_POLL_INOUT ? wanted[what] : 0;
    if (epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
        (errno == ENOENT &&
         epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)) {
        return 0;
    }
    if (curl_easy_getinfo(curl, CURLINFO_PRIVATE, &e) == CURLE_OK &&
        e != NULL) {
        http_easy_judge((struct http_easy *)(void *)e, HTTP_OS,
                        strerror(errno));
        c->setup.due_ms = 0;
    }
    return 0;
}

static int http_curl_on_timer(CURLM *multi, long timeout_ms, void *self)
{
    struct http_curl *c = self;

    (void)multi;
    c->timer_ms = timeout_ms < 0
                      ? UINT64_MAX
                      : clock_now_ms(&clock_os) + (uint64_t)timeout_ms;
    return 0;
}

/* ---- moving ------------------------------------------------------------- */

/* Only memory can fail here, and what is broken then is not known. */
static void http_curl_act(struct http_curl *c, curl_socket_t fd, int ready)
{
    int running;

    if (curl_multi_socket_action(c->multi, fd, ready, &running) == CURLM_OK) {
        return;
    }
    for (struct http_easy *e = c->flying; e != NULL; e = e->next) {
        http_easy_judge(e, HTTP_OS, "libcurl is out of memory");
    }
    c->setup.due_ms = 0;
}

static void http_curl_act_on_sockets(struct http_curl *c)
{
    struct epoll_event events[CURL_EVENTS];
    int count = epoll_wait(c->epoll_fd, events, CURL_EVENTS, 0);

    for (int i = 0; i < count; i++) {
        uint32_t is = events[i].events;
        int ready = ((is & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                    ((is & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                    ((is & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);

        http_curl_act(c, events[i].data.fd, ready);
    }
}

static void http_curl_act_on_time(struct http_curl *c)
{
    if (c->timer_ms <= clock_now_ms(&clock_os)) {
        c->timer_ms = UINT64_MAX;
        http_curl_act(c, CURL_SOCKET_TIMEOUT, 0);
    }
}

static void http_curl_take_ends(struct http_curl *c)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(c->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *e = NULL;

        CHECK(message->msg == CURLMSG_DONE);
        CHECK(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &e) ==
              CURLE_OK);
        CHECK(e != NULL);
        http_curl_end(c, (struct http_easy *)(void *)e, code);
    }
}

static void http_curl_end_late(struct http_curl *c)
{
    uint64_t now = clock_now_ms(&clock_os);
    struct http_easy *next;

    if (now < c->setup.due_ms) {
        return;
    }
    c->setup.due_ms = UINT64_MAX;
    for (struct http_easy *e = c->flying; e != NULL; e = next) {
        uint64_t due;

        next = e->next;
        if (http_easy_is_late(e, now)) {
            http_curl_end(c, e, CURLE_OPERATION_TIMEDOUT);
            continue;
        }
        due = http_easy_due_ms(e);
        c->setup.due_ms = due < c->setup.due_ms ? due : c->setup.due_ms;
    }
}

/* ---- the table ---------------------------------------------------------- */

static void http_curl_submit(void *self, const struct http_request *request)
{
    struct http_curl *c = self;
    struct http_easy *e = c->spare;

    CHECK(*http_curl_list_find(&c->flying, request->tag) == NULL);
    if (e != NULL) {
        c->spare = e->next;
    } else {
        e = http_easy_new(&c->setup);
        CHECK(e != NULL); /* As with mem.h: a few bytes are not there. */
    }
    http_curl_list_push(&c->flying, e);
    if (!http_easy_start(e, request, clock_now_ms(&clock_os)) ||
        curl_multi_add_handle(c->multi, e->curl) != CURLM_OK) {
        http_easy_judge(e, HTTP_OS, "libcurl is out of memory");
        c->setup.due_ms = 0;
    }
}

static void http_curl_cancel(void *self, uint64_t tag)
{
    struct http_curl *c = self;
    struct http_easy **at = http_curl_list_find(&c->flying, tag);
    struct http_easy *e = *at;

    if (e != NULL) {
        CHECK(curl_multi_remove_handle(c->multi, e->curl) == CURLM_OK);
    } else {
        at = http_curl_list_find(&c->ended, tag);
        e = *at;
    }
    if (e == NULL) {
        return;
    }
    *at = e->next;
    if (c->ended_tail == &e->next) {
        c->ended_tail = at;
    }
    http_curl_retire(c, e);
}

static uint64_t http_curl_progress(void *self, uint64_t tag)
{
    struct http_curl *c = self;
    const struct http_easy *e = *http_curl_list_find(&c->flying, tag);

    e = e != NULL ? e : *http_curl_list_find(&c->ended, tag);
    return e != NULL && e->has_head ? e->received : UINT64_MAX;
}

static int http_curl_fd(void *self)
{
    return ((struct http_curl *)self)->epoll_fd;
}

static int http_curl_wait_ms(void *self)
{
    struct http_curl *c = self;
    uint64_t due =
        c->timer_ms < c->setup.due_ms ? c->timer_ms : c->setup.due_ms;
    uint64_t now = clock_now_ms(&clock_os);

    if (c->ended != NULL || due <= now) {
        return 0;
    }
    if (due == UINT64_MAX) {
        return -1;
    }
    return due - now < INT32_MAX ? (int)(due - now) : INT32_MAX;
}

static size_t http_curl_poll(void *self, struct http_event *events, size_t max)
{
    struct http_curl *c = self;
    size_t count = 0;

    while (c->shown != NULL) {
        struct http_easy *e = c->shown;

        c->shown = e->next;
        http_curl_retire(c, e);
    }
    http_curl_act_on_sockets(c);
    http_curl_act_on_time(c);
    http_curl_take_ends(c);
    http_curl_end_late(c);
    while (c->ended != NULL && count < max) {
        struct http_easy *e = c->ended;

        c->ended = e->next;
        events[count++] = e->event;
        http_curl_list_push(&c->shown, e);
    }
    if (c->ended == NULL) {
        c->ended_tail = &c->ended;
    }
    return count;
}

static void http_curl_destroy(void *self)
{
    struct http_curl *c = self;

    for (struct http_easy *e = c->flying; e != NULL; e = e->next) {
        (void)curl_multi_remove_handle(c->multi, e->curl);
    }
    http_curl_list_destroy(&c->flying);
    http_curl_list_destroy(&c->ended);
    http_curl_list_destroy(&c->shown);
    http_curl_list_destroy(&c->spare);
    if (c->multi != NULL) {
        CHECK(curl_multi_cleanup(c->multi) == CURLM_OK);
    }
    if (c->epoll_fd >= 0) {
        close(c->epoll_fd);
    }
    free(c->ca_bundle);
    free(c);
}

static const struct http_ops http_curl_ops = {
    .submit = http_curl_submit,
    .cancel = http_curl_cancel,
    .progress = http_curl_progress,
    .fd = http_curl_fd,
    .wait_ms = http_curl_wait_ms,
    .poll = http_curl_poll,
    .destroy = http_curl_destroy,
};

/* ---- life --------------------------------------------------------------- */

static CURLcode http_curl_global_result;

static void http_curl_global_once(void)
{
    http_curl_global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* libcurl would tell only at the first connection. */
static enum status http_curl_check_bundle(const char *path, struct fault *why)
{
    struct buf text = {0};
    enum status s = file_read(path, CURL_CA_MAX, why, &text);

    if (s == STATUS_OK && strstr(buf_text(&text), "-----BEGIN ") == NULL) {
        s = fault_set(why, STATUS_INVALID, "%s: holds no certificate in PEM",
                      path);
    }
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) {
        s = STATUS_INVALID;
    }
    if (s != STATUS_OK) {
        (void)fault_prefix(why, s, "CA bundle");
    }
    buf_fini(&text);
    return s;
}

static bool http_curl_set_multi(struct http_curl *c, uint32_t connections)
{
    CURLM *m = c->multi;
    long limit = connections != 0 ? (long)connections : (long)CURL_CONNECTIONS;

    return curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, http_curl_on_socket) ==
               CURLM_OK &&
           curl_multi_setopt(m, CURLMOPT_SOCKETDATA, (void *)c) == CURLM_OK &&
           curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, http_curl_on_timer) ==
               CURLM_OK &&
           curl_multi_setopt(m, CURLMOPT_TIMERDATA, (void *)c) == CURLM_OK &&
           curl_multi_setopt(m, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) ==
               CURLM_OK &&
           curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, limit) ==
               CURLM_OK &&
           curl_multi_setopt(m, CURLMOPT_MAXCONNECTS,
                             limit + CURL_OTHER_HOSTS) == CURLM_OK;
}

enum status http_curl_new(const struct http_options *options, struct fault *why,
                          struct http *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint32_t idle_ms = options->idle_ms != 0 ? options->idle_ms : CURL_IDLE_MS;
    struct http_curl *c;

    if (options->ca_bundle != NULL) {
        enum status s = http_curl_check_bundle(options->ca_bundle, why);

        if (s != STATUS_OK) {
            return s;
        }
    }
    CHECK(pthread_once(&once, http_curl_global_once) == 0);
    c = mem_new(1, sizeof(*c));
    c->ended_tail = &c->ended;
    c->timer_ms = UINT64_MAX;
    c->ca_bundle =
        options->ca_bundle != NULL ? mem_copy(options->ca_bundle) : NULL;
    c->setup = (struct http_setup){
        .ca_bundle = c->ca_bundle,
        .idle_s = idle_ms < 1000 ? 1 : (long)(idle_ms / 1000),
        .is_direct = options->is_direct,
        .due_ms = UINT64_MAX,
    };
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    c->multi = http_curl_global_result == CURLE_OK ? curl_multi_init() : NULL;
    if (c->epoll_fd < 0 || c->multi == NULL ||
        !http_curl_set_multi(c, options->connections)) {
        http_curl_destroy(c);
        return fault_set(why, STATUS_OS,
                         "can't set up HTTP: out of files or memory");
    }
    *out = (struct http){&http_curl_ops, c};
    return STATUS_OK;
}
