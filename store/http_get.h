/* SPDX-License-Identifier: Apache-2.0 */
/* Private to http_get_new(): the handle (http_get_os.c) and its connections
 * (http_get_conn_os.c).
 *
 * A call waits in the queue of its host until a kept connection is quiet, or
 * a new one may be made; a connection serves one call at a time. The loop is
 * one epoll, level-triggered: a connection reads until its socket is empty or
 * its body is whole. One thread. */

#ifndef STORE_HTTP_GET_H
#define STORE_HTTP_GET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/http.h"
#include "store/http_head.h"
#include "store/http_link.h"
#include "store/http_lookup.h"
#include "store/http_places.h"
#include "store/http_tls.h"

enum {
    GET_HEAD_PIECE = 4096,    /* Read at once while in the head. */
    GET_ERROR_MAX = 64 << 10, /* Of an error's body that is kept. */
    GET_CONNECTIONS = 64,
    GET_IDLE_MS = 3500,
    GET_LOOKUP_MS = 5000, /* Names are looked up again after. */
};

struct get_conn;
struct get_host;
struct http_get;

/* One request. */
struct get_call {
    struct get_call *next;
    struct http_request request;
    const struct http_request *r; /* That copy. */
    uint64_t tag;
    struct get_host *host;
    struct get_conn *conn; /* NULL while it waits. */
    uint64_t submitted_ms;
    uint64_t begun_ms; /* Its turn in the queue has come; 0 before. */
    uint64_t moved_ms; /* Last byte in either direction. */
    uint64_t sent_ms;  /* The request's last byte; 0 before. */
    uint64_t first_ms; /* The answer's first byte; 0 before. */
    bool is_direct;    /* The body goes to r->into. */
    size_t got;        /* Of it. */
    uint64_t sum;
    struct buf headers;
    struct buf body; /* What is collected. */
    struct http_event event;
};

enum get_state {
    GET_CONNECT,
    GET_SHAKE,
    GET_SEND,
    GET_HEAD,
    GET_BODY,
    GET_IDLE,
};

struct get_conn {
    struct get_conn *next; /* Of its host. */
    struct http_get *h;
    struct get_host *host;
    struct get_call *call; /* NULL while idle. */
    enum get_state state;
    struct http_link link;
    struct http_place place;
    char address[64]; /* Of it, for events. */
    uint32_t events;  /* That epoll watches. */
    bool is_reused;
    bool is_closing; /* After this call. */
    uint64_t idle_since_ms;
    struct buf out; /* The request. */
    size_t sent;
    struct buf in; /* The head, and what came with it. */
    size_t seen;
    size_t interim; /* Bytes of 1xx heads before this one. */
    struct http_head head;
    struct http_chunk chunk;
    uint64_t left; /* Of a body with a length. */
};

struct get_host {
    struct get_host *next;
    char *origin;
    char *host;
    char *port;
    bool is_tls;
    struct http_places places;
    struct http_lookup *lookup;
    uint64_t looked_up_ms; /* 0: never. */
    struct get_conn *conns;
    uint32_t conn_count;
    struct get_call *queue; /* Oldest first. */
};

struct http_get {
    int epoll;
    int wake; /* eventfd: a lookup has ended. */
    uint32_t connections;
    uint32_t idle_ms;
    char *ca_bundle;
    struct http_tls *tls; /* Made at the first use. */
    struct get_host *hosts;
    struct get_call *done; /* Oldest first. */
    struct get_call **done_tail;
    struct get_call *shown; /* Their views live until the next poll. */
    struct get_call *spare; /* Without a life; they keep their memory. */
    struct buf head;        /* Room for one, of whoever reads next. */
};

/* ---- http_get_conn_os.c */

/* Make a connection for @call, which is out of the queue then. */
void get_conn_open(struct http_get *h, struct get_host *host,
                   struct get_call *call);

/* Give an idle connection a call. */
void get_conn_use(struct get_conn *c, struct get_call *call);

/* Its socket has something to say. */
void get_conn_turn(struct get_conn *c);

/* Close and free it; its call, if it has one, is on its own then. */
void get_conn_close(struct get_conn *c, bool is_polite);

/* ---- http_get_os.c */

/* End @call with @result and a phrase; it is then the handle's. */
void get_call_end(struct http_get *h, struct get_call *call,
                  enum http_result result, const char *why);

/* Put @call back to the head of its host's queue. */
void get_call_again(struct get_call *call);

/* Milliseconds, monotonic. */
uint64_t get_now(void);

#endif /* STORE_HTTP_GET_H */
