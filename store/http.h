/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 as the stores use it: the seam between what is asked and how bytes
 * move. Two implementations: http_curl (any request; libcurl's multi, socket
 * API, epoll) and http_get (GET straight into the caller's memory; sockets,
 * OpenSSL, epoll).
 *
 * No policy: one request is one attempt. No redirect is followed, nothing is
 * asked again, nothing is decided from a status code. A handle and all its
 * requests belong to one thread; nothing is called back. */

#ifndef STORE_HTTP_H
#define STORE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    HTTP_HEADERS_MAX = 64 << 10, /* Bytes of a response's head. */
    HTTP_BODY_MAX = 16 << 20,    /* Of a body that is collected. */
    HTTP_WHY_MAX = 256,
};

/* How an attempt ended. DONE has a status code; so have SHORT, TIMEOUT and
 * TOO_LARGE once the head was whole, and 0 before. */
enum http_result {
    HTTP_DONE,      /* A whole response came. */
    HTTP_RESOLVE,   /* The host's name has no address. */
    HTTP_CONNECT,   /* Refused, unreachable, or not in time. */
    HTTP_TLS,       /* The certificate or the handshake. */
    HTTP_STALE,     /* A kept connection was closed before it answered with
                       a byte: another attempt costs nothing. A write may
                       have happened all the same. */
    HTTP_LOST,      /* The connection broke before a byte of the answer. */
    HTTP_SHORT,     /* It broke in the answer; @got bytes are good. */
    HTTP_TIMEOUT,   /* First byte, stall or total; @why says which. */
    HTTP_MALFORMED, /* Not HTTP, or beyond HTTP_HEADERS_MAX. */
    HTTP_TOO_LARGE, /* The body does not fit; nothing of it was taken. */
    HTTP_OS,        /* Out of files, memory, ports. */
};

/* One request. What it points to must stay until its event or cancel. */
struct http_request {
    uint64_t tag; /* Unique among those in flight. */
    const char *method;
    const char *origin;   /* "https://host:port"; an IPv6 address in []. */
    const char *target;   /* "/path?query", sent as it is. */
    struct bytes headers; /* "Host: h\r\nName: value\r\n…"; Content-Length
                             is added where there is a body or PUT, POST. */
    struct bytes body;

    void *into;        /* Where a body of a 2xx goes; NULL: it is collected. */
    size_t into_size;  /* A longer one is TOO_LARGE. */
    enum crc_kind sum; /* Of the bytes put to @into. */
    size_t body_max;   /* Of a collected body; 0 means HTTP_BODY_MAX. */

    uint32_t connect_ms;    /* Name, connection and TLS together. */
    uint32_t first_byte_ms; /* From the request's last byte; 0: no limit. */
    uint32_t stall_ms;      /* Without a byte in either direction while the
                               request or its answer is on the way; not
                               between the two. */
    bool is_fresh;          /* On a new connection. */
    bool is_expect;         /* Wait for "100 Continue" for up to a second. */
};

/* How one ended. Views die with the next poll. */
struct http_event {
    uint64_t tag;
    enum http_result result;
    int code;
    struct bytes headers;   /* "Name: value\r\n…", without the status line. */
    struct bytes body;      /* Collected: all error bodies, and 2xx without
                               @into. */
    size_t got;             /* Bytes put to @into. */
    uint64_t sum;           /* Of those. */
    uint32_t first_byte_ms; /* From submit. */
    uint32_t total_ms;
    bool is_reused;         /* The connection was a kept one. */
    char address[64];       /* "192.0.2.1:443"; "" if none was reached. */
    char why[HTTP_WHY_MAX]; /* Unless DONE: one phrase. */
};

struct http_ops {
    /* Take @request over. Never fails at once: the event tells. */
    void (*submit)(void *self, const struct http_request *request);
    /* Forget @tag; no event comes. Its connection may be closed. */
    void (*cancel)(void *self, uint64_t tag);
    /* Bytes of @tag's body received so far; UINT64_MAX before its head. */
    uint64_t (*progress)(void *self, uint64_t tag);
    /* Readable when poll has something to do. Constant. */
    int (*fd)(void *self);
    /* Milliseconds after which poll must be called anyway; -1: none. */
    int (*wait_ms)(void *self);
    /* Move bytes, without waiting. Returns how many events were filled. */
    size_t (*poll)(void *self, struct http_event *events, size_t max);
    void (*destroy)(void *self); /* Cancels what is in flight. */
};

struct http {
    const struct http_ops *ops;
    void *self;
};

struct http_options {
    const char *ca_bundle; /* PEM file; NULL: the system's. */
    uint32_t connections;  /* To one host, at most; 0 means 64. */
    uint32_t idle_ms;      /* A kept connection older than that is not used
                              again; 0 means 3500: S3 closes at 5 s. */
    bool is_direct;        /* Over no proxy, whatever the environment says:
                              the metadata of this machine. */
};

/* Any request, through the proxy that the environment names.
 * OS; NOT_FOUND, INVALID: the CA file. */
MUST_USE enum status http_curl_new(const struct http_options *options,
                                   struct fault *why, struct http *out);

/* GET with @into set, over no proxy. The same errors. */
MUST_USE enum status http_get_new(const struct http_options *options,
                                  struct fault *why, struct http *out);

void http_destroy(struct http *h);

/* Whether the environment sends @origin through a proxy. Pure but for
 * getenv(3). */
bool http_has_proxy(const char *origin);

/* The value of header @name (any case) in @headers, without white space
 * around it; false when it is not there. The first one counts. */
bool http_header(struct bytes headers, const char *name, struct bytes *value);

const char *http_result_name(enum http_result result);

/* One request, waited for at most @total_ms, on a handle of its own: for
 * credentials and the like. OK: an answer came, of any code. Otherwise
 * @keep->event has the result all the same, and the line names method, origin
 * and reason, never target or headers. TIMEOUT, IO (not reached, not trusted,
 * broken), MALFORMED, FULL (too large), OS, and those of http_curl_new().
 *
 * The event's views point into @keep, which is overwritten; the caller frees
 * it with http_kept_fini(), after an error too. */
struct http_kept {
    struct http_event event;
    char *headers;
    char *body;
};
MUST_USE enum status http_call(const struct http_options *options,
                               const struct http_request *request,
                               uint32_t total_ms, struct fault *why,
                               struct http_kept *keep);
void http_kept_fini(struct http_kept *keep);

#endif /* STORE_HTTP_H */
