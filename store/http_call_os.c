/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/http.h"

/* Wait for the only request of @h. false: not by @until_ms. */
static bool call_wait(const struct http *h, uint64_t until_ms,
                      struct http_event *event)
{
    while (h->ops->poll(h->self, event, 1) == 0) {
        struct pollfd wait = {.fd = h->ops->fd(h->self), .events = POLLIN};
        uint64_t now = clock_now_ms(&clock_os);
        int wait_ms = h->ops->wait_ms(h->self);

        if (now >= until_ms) {
            return false;
        }
        if (wait_ms < 0 || until_ms - now < (uint64_t)wait_ms) {
            wait_ms = (int)(until_ms - now);
        }
        (void)poll(&wait, 1, wait_ms);
    }
    return true;
}

static char *call_keep(struct bytes *view)
{
    char *copy = mem_copy_text(view->at != NULL ? view->at : "", view->size);

    view->at = copy;
    return copy;
}

static enum status call_status(enum http_result result)
{
    switch (result) {
    case HTTP_DONE:
        return STATUS_OK;
    case HTTP_TIMEOUT:
        return STATUS_TIMEOUT;
    case HTTP_MALFORMED:
        return STATUS_MALFORMED;
    case HTTP_TOO_LARGE:
        return STATUS_FULL;
    case HTTP_OS:
        return STATUS_OS;
    case HTTP_RESOLVE:
    case HTTP_CONNECT:
    case HTTP_TLS:
    case HTTP_STALE:
    case HTTP_LOST:
    case HTTP_SHORT:
        break;
    }
    return STATUS_IO;
}

enum status http_call(const struct http_options *options,
                      const struct http_request *request, uint32_t total_ms,
                      struct fault *why, struct http_kept *keep)
{
    struct http_event *event = &keep->event;
    uint64_t until_ms = clock_now_ms(&clock_os) + total_ms;
    struct http http;
    enum status s = http_curl_new(options, why, &http);

    *keep = (struct http_kept){0};
    if (s != STATUS_OK) {
        return s;
    }
    http.ops->submit(http.self, request);
    if (!call_wait(&http, until_ms, event)) {
        *event = (struct http_event){
            .tag = request->tag, .result = HTTP_TIMEOUT, .total_ms = total_ms};
        snprintf(event->why, sizeof(event->why), "no answer within %u ms",
                 total_ms);
    }
    keep->headers = call_keep(&event->headers);
    keep->body = call_keep(&event->body);
    s = call_status(event->result);
    if (s != STATUS_OK) {
        (void)fault_set(why, s, "%s %s: %s", request->method, request->origin,
                        event->why);
    }
    http_destroy(&http);
    return s;
}

void http_kept_fini(struct http_kept *keep)
{
    free(keep->headers);
    free(keep->body);
    *keep = (struct http_kept){0};
}
