/* SPDX-License-Identifier: Apache-2.0 */
/* Private to http_curl: one request on its way through libcurl, and the list
 * that it stands in.
 *
 * http_curl.c       the handle: libcurl's multi, epoll, timers, lists
 * http_easy_curl.c  one request: what is asked, what comes, how it ended
 *
 * The object outlives its requests: it is made once, used again and again. */

#ifndef STORE_HTTP_EASY_CURL_H
#define STORE_HTTP_EASY_CURL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/http.h"

/* What all requests of a handle share. */
struct http_setup {
    const char *ca_bundle; /* NULL: the system's. */
    long idle_s;
    bool is_direct;
    uint64_t due_ms; /* The earliest time at which some request may be late;
                        whoever starts a clock moves it forward. */
    uint64_t fresh_until_ms; /* A kept connection was found dead, and so may
                                be the others: none is used before. */
};

struct http_easy {
    struct http_easy *next;
    struct http_setup *setup;
    CURL *curl;
    struct curl_slist *headers;
    struct http_request request;
    struct http_event event;
    uint64_t submit_ms;

    bool has_verdict; /* We ended it: event.result and event.why say how. */
    bool is_begun;    /* Connected; the request goes out. */
    bool is_sent;
    bool is_answered; /* The final status line came. */
    bool has_head;    /* All of the final head came. */
    int open_errno;   /* Of a socket that could not be made. */
    uint64_t sent_ms;
    uint64_t moved_ms; /* The last byte, in either direction. */
    size_t sent;       /* Of request.body. */
    int unacked;       /* Bytes in the socket when it was last asked. */

    size_t head_bytes; /* Of all heads: interim ones, trailers. */
    uint64_t received; /* Bytes of the body. */
    struct buf head;
    struct buf body;
    char error[CURL_ERROR_SIZE];
};

/* NULL: out of memory. */
struct http_easy *http_easy_new(struct http_setup *setup);
void http_easy_destroy(struct http_easy **e);

/* Set everything up for @request, without moving a byte. false: out of
 * memory. */
MUST_USE bool http_easy_start(struct http_easy *e,
                              const struct http_request *request,
                              uint64_t now_ms);

/* End it ourselves: @result stands whatever libcurl says. The first verdict
 * counts. */
void http_easy_judge(struct http_easy *e, enum http_result result,
                     const char *why);

/* When it will be late unless something moves; UINT64_MAX: never. */
uint64_t http_easy_due_ms(const struct http_easy *e);

/* Whether it is late at @now_ms; then it is judged. */
bool http_easy_is_late(struct http_easy *e, uint64_t now_ms);

/* Fill @e->event from what came and @code. Its views point into @e. */
void http_easy_end(struct http_easy *e, CURLcode code, uint64_t now_ms);

/* Forget the request; what it used is kept for the next one. */
void http_easy_clear(struct http_easy *e);

#endif /* STORE_HTTP_EASY_CURL_H */
