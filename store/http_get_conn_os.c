/* SPDX-License-Identifier: Apache-2.0 */
/* A connection: connect, handshake, send, head, body, idle. Every step ends in
 * "come back when the socket is ready", in the call's end, or in the next
 * step. The body's bytes go from the socket to where they stay; only what
 * came in one piece with the head is copied. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/http_get.h"

static void get_conn_watch(struct get_conn *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data = {.ptr = c}};
    int op = c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (c->events != events) {
        CHECK(epoll_ctl(c->h->epoll, op, c->link.fd, &e) == 0);
        c->events = events;
    }
}

void get_conn_close(struct get_conn *c, bool is_polite)
{
    struct get_conn **at = &c->host->conns;

    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    c->host->conn_count--;
    if (c->call != NULL) {
        c->call->conn = NULL;
    }
    if (c->events != 0) {
        CHECK(epoll_ctl(c->h->epoll, EPOLL_CTL_DEL, c->link.fd, NULL) == 0);
    }
    http_link_close(&c->link, is_polite);
    buf_fini(&c->out);
    buf_fini(&c->in);
    free(c);
}

/* ---- ends --------------------------------------------------------------- */

static void get_conn_fail(struct get_conn *c, enum http_result result,
                          const char *why)
{
    struct http_get *h = c->h;
    struct get_call *call = c->call;
    char text[HTTP_WHY_MAX];

    snprintf(text, sizeof(text), "%s", why);
    get_conn_close(c, false);
    get_call_end(h, call, result, text);
}

/* The peer hung up, or the network did. */
static void get_conn_broken(struct get_conn *c)
{
    bool is_virgin = c->call->first_ms == 0;
    enum http_result result = !is_virgin     ? HTTP_SHORT
                              : c->is_reused ? HTTP_STALE
                                             : HTTP_LOST;

    get_conn_fail(c, result, c->link.why);
}

/* The answer is whole. */
static void get_conn_done(struct get_conn *c)
{
    struct http_get *h = c->h;
    struct get_call *call = c->call;

    c->call = NULL;
    call->conn = NULL;
    if (c->head.is_kept && !c->is_closing && c->in.size == 0) {
        c->state = GET_IDLE;
        c->idle_since_ms = get_now();
        get_conn_watch(c, EPOLLIN);
    } else {
        get_conn_close(c, true);
    }
    get_call_end(h, call, HTTP_DONE, "");
}

/* ---- the body ----------------------------------------------------------- */

/* Count @size bytes that lie at their place. */
static void get_conn_count(struct get_conn *c, const char *at, size_t size)
{
    struct get_call *call = c->call;

    call->got += size;
    call->sum = crc_add(call->r->sum, call->sum, at, size);
}

/* Take a piece of the body that lies elsewhere. false: the call has ended. */
static bool get_conn_take(struct get_conn *c, struct bytes piece)
{
    struct get_call *call = c->call;
    size_t room;

    if (call->is_direct) {
        if (piece.size > call->r->into_size - call->got) {
            get_conn_fail(c, HTTP_TOO_LARGE,
                          "the body is longer than its room");
            return false;
        }
        memcpy((char *)call->r->into + call->got, piece.at, piece.size);
        get_conn_count(c, (char *)call->r->into + call->got, piece.size);
        return true;
    }
    room = GET_ERROR_MAX - call->body.size;
    if (piece.size > room) { /* Enough of an error to say what it is. */
        piece.size = room;
        c->is_closing = true;
    }
    buf_add_bytes(&call->body, piece);
    if (c->is_closing && call->body.size == GET_ERROR_MAX) {
        get_conn_done(c);
        return false;
    }
    return true;
}

static bool get_conn_chunks(struct get_conn *c, struct bytes in)
{
    struct bytes data;

    for (;;) {
        switch (http_chunk_next(&c->chunk, &in, &data)) {
        case HTTP_CHUNK_DATA:
            if (!get_conn_take(c, data)) {
                return false;
            }
            break;
        case HTTP_CHUNK_MORE:
            return true;
        case HTTP_CHUNK_END:
            c->is_closing |= in.size > 0;
            get_conn_done(c);
            return false;
        case HTTP_CHUNK_BAD:
            get_conn_fail(c, HTTP_MALFORMED, "the chunks are none");
            return false;
        }
    }
}

/* Take what came of the body, at @in. false: the call has ended. */
static bool get_conn_feed(struct get_conn *c, struct bytes in)
{
    if (c->head.is_chunked) {
        return get_conn_chunks(c, in);
    }
    if (c->head.has_length && in.size > c->left) {
        in.size = (size_t)c->left; /* Bytes of nothing that was asked for. */
        c->is_closing = true;
    }
    if (!get_conn_take(c, in)) {
        return false;
    }
    c->left -= c->head.has_length ? in.size : 0;
    if (c->head.has_length && c->left == 0) {
        get_conn_done(c);
        return false;
    }
    return true;
}

/* Read the body straight to its place. */
static enum http_link_state get_conn_direct(struct get_conn *c)
{
    struct get_call *call = c->call;
    char *at = (char *)call->r->into + call->got;
    size_t got;
    enum http_link_state state =
        http_link_read(&c->link, at, (size_t)c->left, &got);

    if (state == HTTP_LINK_OK) {
        call->moved_ms = get_now();
        c->left -= got;
        get_conn_count(c, at, got);
    }
    return state;
}

/* Read a piece of it that has to be looked at. */
static enum http_link_state get_conn_piece(struct get_conn *c, bool *is_over)
{
    char piece[4 * GET_HEAD_PIECE];
    size_t got;
    enum http_link_state state =
        http_link_read(&c->link, piece, sizeof(piece), &got);

    *is_over = false;
    if (state == HTTP_LINK_OK) {
        c->call->moved_ms = get_now();
        *is_over = !get_conn_feed(c, (struct bytes){piece, got});
    }
    return state;
}

static void get_conn_body(struct get_conn *c)
{
    enum http_link_state state = HTTP_LINK_OK;
    bool is_over = false;

    while (state == HTTP_LINK_OK && !is_over) {
        if (c->call->is_direct && c->head.has_length) {
            state = get_conn_direct(c);
            if (c->left == 0) {
                get_conn_done(c);
                return;
            }
        } else {
            state = get_conn_piece(c, &is_over);
        }
    }
    if (is_over || state == HTTP_LINK_READ) {
        return;
    }
    if (state == HTTP_LINK_END && !c->head.has_length && !c->head.is_chunked) {
        c->is_closing = true; /* So it said where the body ends. */
        get_conn_done(c);
        return;
    }
    if (state == HTTP_LINK_WRITE) {
        get_conn_watch(c, EPOLLIN | EPOLLOUT);
        return;
    }
    get_conn_broken(c);
}

/* ---- the head ----------------------------------------------------------- */

/* The head is whole; what of the body came with it is behind it. */
static void get_conn_headed(struct get_conn *c)
{
    struct get_call *call = c->call;
    const struct http_request *r = call->r;
    struct http_get *h = c->h;
    bool is_good = c->head.code >= 200 && c->head.code < 300;
    struct buf in = c->in;
    struct bytes rest = {in.at + c->head.size, in.size - c->head.size};

    call->event.code = c->head.code;
    buf_add_bytes(&call->headers, c->head.headers);
    call->is_direct = is_good && r->into != NULL;
    c->left = c->head.length;
    c->state = GET_BODY;
    c->chunk = (struct http_chunk){0};
    c->in = (struct buf){0}; /* @c may not survive what follows. */
    if (http_head_is_bare(c->head.code, r->method)) {
        c->is_closing |= rest.size > 0;
        get_conn_done(c);
    } else if (call->is_direct && c->head.has_length &&
               c->head.length > r->into_size) {
        get_conn_fail(c, HTTP_TOO_LARGE, "the body is longer than its room");
    } else if (c->head.has_length && c->head.length == 0) {
        c->is_closing |= rest.size > 0;
        get_conn_done(c);
    } else if (rest.size == 0 || get_conn_feed(c, rest)) {
        get_conn_body(c);
    }
    buf_fini(&h->head);
    h->head = in;
}

/* Pass over the heads of interim answers, "100 Continue" and its kind. */
static enum http_head_state get_conn_look(struct get_conn *c, const char **why)
{
    for (;;) {
        enum http_head_state state =
            http_head_parse(buf_bytes(&c->in), &c->seen, &c->head, why);

        if (state != HTTP_HEAD_WHOLE || c->head.code >= 200) {
            return state;
        }
        if (c->head.code == 101) {
            *why = "the peer switches to another protocol";
            return HTTP_HEAD_BAD;
        }
        memmove(c->in.at, c->in.at + c->head.size, c->in.size - c->head.size);
        c->in.size -= c->head.size;
        c->interim += c->head.size;
        c->seen = 0;
    }
}

/* Look at what there is of the head. false: more has to come. */
static bool get_conn_parse(struct get_conn *c)
{
    const char *why = "";
    enum http_head_state state = get_conn_look(c, &why);

    if (state == HTTP_HEAD_BAD) {
        get_conn_fail(c, HTTP_MALFORMED, why);
        return true;
    }
    if (state == HTTP_HEAD_MORE && c->in.size + c->interim > HTTP_HEADERS_MAX) {
        get_conn_fail(c, HTTP_MALFORMED, "the head is too long");
        return true;
    }
    if (state == HTTP_HEAD_MORE) {
        return false;
    }
    get_conn_headed(c);
    return true;
}

static void get_conn_head(struct get_conn *c)
{
    for (;;) {
        size_t got;
        char *to = buf_reserve(&c->in, GET_HEAD_PIECE);
        enum http_link_state state =
            http_link_read(&c->link, to, GET_HEAD_PIECE, &got);

        if (state == HTTP_LINK_READ) {
            return;
        }
        if (state == HTTP_LINK_WRITE) {
            get_conn_watch(c, EPOLLIN | EPOLLOUT);
            return;
        }
        if (state != HTTP_LINK_OK) {
            get_conn_broken(c);
            return;
        }
        buf_add_done(&c->in, got);
        c->call->moved_ms = get_now();
        if (c->call->first_ms == 0) {
            c->call->first_ms = c->call->moved_ms;
        }
        if (get_conn_parse(c)) {
            return;
        }
    }
}

/* ---- the request -------------------------------------------------------- */

static void get_conn_send(struct get_conn *c)
{
    while (c->sent < c->out.size) {
        size_t put;
        enum http_link_state state = http_link_write(
            &c->link, c->out.at + c->sent, c->out.size - c->sent, &put);

        if (state == HTTP_LINK_WRITE || state == HTTP_LINK_READ) {
            get_conn_watch(c, EPOLLIN | EPOLLOUT);
            return;
        }
        if (state != HTTP_LINK_OK) {
            get_conn_broken(c);
            return;
        }
        c->sent += put;
        c->call->moved_ms = get_now();
    }
    c->call->sent_ms = get_now();
    c->state = GET_HEAD;
    if (c->in.at == NULL) {
        c->in = c->h->head;
        c->h->head = (struct buf){0};
    }
    buf_clear(&c->in);
    c->seen = 0;
    c->interim = 0;
    get_conn_watch(c, EPOLLIN);
}

static void get_conn_start(struct get_conn *c)
{
    const struct http_request *r = c->call->r;

    buf_clear(&c->out);
    buf_add_text(&c->out, r->method);
    buf_add_char(&c->out, ' ');
    buf_add_text(&c->out, r->target);
    buf_add_text(&c->out, " HTTP/1.1\r\n");
    buf_add_bytes(&c->out, r->headers);
    buf_add_text(&c->out, "\r\n");
    c->sent = 0;
    c->state = GET_SEND;
    c->is_closing = false;
    get_conn_send(c);
}

/* Let the call's event say where it went. */
static void get_conn_name(struct get_conn *c)
{
    char *to = c->call->event.address;

    memcpy(to, c->address, sizeof(c->address));
}

void get_conn_use(struct get_conn *c, struct get_call *call)
{
    CHECK(c->state == GET_IDLE && c->call == NULL);
    c->call = call;
    call->conn = c;
    c->is_reused = true;
    call->event.is_reused = true;
    get_conn_name(c);
    get_conn_start(c);
}

/* ---- the connection ----------------------------------------------------- */

static void get_conn_shake(struct get_conn *c)
{
    switch (http_link_shake(&c->link)) {
    case HTTP_LINK_OK:
        get_conn_start(c);
        return;
    case HTTP_LINK_READ:
        get_conn_watch(c, EPOLLIN);
        return;
    case HTTP_LINK_WRITE:
        get_conn_watch(c, EPOLLIN | EPOLLOUT);
        return;
    case HTTP_LINK_END:
    case HTTP_LINK_BROKEN:
    case HTTP_LINK_OS:
        get_conn_fail(c, http_tls_is_cut(c->link.tls) ? HTTP_CONNECT : HTTP_TLS,
                      c->link.why);
        return;
    }
}

static void get_conn_connected(struct get_conn *c)
{
    if (!c->host->is_tls) {
        get_conn_start(c);
        return;
    }
    if (!http_link_secure(&c->link, c->h->tls, c->host->host)) {
        get_conn_fail(c, HTTP_OS, "no memory for TLS");
        return;
    }
    c->state = GET_SHAKE;
    get_conn_shake(c);
}

/* This address failed: the call tries another one, while there are any that
 * did not. */
static void get_conn_refused(struct get_conn *c, enum http_link_state state)
{
    struct get_host *host = c->host;
    struct get_call *call = c->call;
    uint64_t now = get_now();

    if (state == HTTP_LINK_OS) {
        get_conn_fail(c, HTTP_OS, c->link.why);
        return;
    }
    http_places_ban(&host->places, &c->place, now);
    if (http_places_good(&host->places, now) == 0) {
        get_conn_fail(c, HTTP_CONNECT, c->link.why);
        return;
    }
    get_conn_close(c, false);
    get_call_again(call);
}

static void get_conn_connect(struct get_conn *c, enum http_link_state state)
{
    if (state == HTTP_LINK_OK) {
        get_conn_connected(c);
    } else if (state == HTTP_LINK_WRITE) {
        get_conn_watch(c, EPOLLOUT);
    } else {
        get_conn_refused(c, state);
    }
}

void get_conn_open(struct http_get *h, struct get_host *host,
                   struct get_call *call)
{
    struct get_conn *c = mem_new(1, sizeof(*c));

    c->h = h;
    c->host = host;
    c->call = call;
    c->link.fd = -1;
    c->place = http_places_next(&host->places, get_now());
    c->next = host->conns;
    host->conns = c;
    host->conn_count++;
    call->conn = c;
    http_link_address(&c->place, c->address, sizeof(c->address));
    get_conn_name(c);
    get_conn_connect(c, http_link_connect(&c->link, &c->place));
}

void get_conn_turn(struct get_conn *c)
{
    switch (c->state) {
    case GET_CONNECT:
        get_conn_connect(c, http_link_connected(&c->link));
        return;
    case GET_SHAKE:
        get_conn_shake(c);
        return;
    case GET_SEND:
        get_conn_send(c);
        return;
    case GET_HEAD:
        get_conn_watch(c, EPOLLIN);
        get_conn_head(c);
        return;
    case GET_BODY:
        get_conn_watch(c, EPOLLIN);
        get_conn_body(c);
        return;
    case GET_IDLE: /* It was closed, or says what nobody asked for. */
        get_conn_close(c, false);
        return;
    }
}
