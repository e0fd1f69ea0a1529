/* SPDX-License-Identifier: Apache-2.0 */
/* The handle: which calls wait for their time, which fly on which transport,
 * and what an end leads to. All of it on the owner's thread, inside submit
 * and poll.
 *
 * A GET into the caller's memory goes over http_get, everything else, and all
 * of it behind a proxy, over http_curl. A tag on a transport is the call's
 * slot, its number (so that a late event of a finished call finds nobody) and
 * whether it is the hedge. */

#include "store/store_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/rate.h"
#include "store/store_ops.h"
#include "store/store_s3_state.h"

enum {
    S3_TURNS_MAX = 64,  /* Exchanges of one call that told nothing new. */
    S3_FIRST_TRIES = 4, /* While the server has never answered. */
    S3_LOG_EVERY_MS = 10000,
};

/* ---- calls -------------------------------------------------------------- */

static struct s3_call *s3_spare_call(struct s3_store *s)
{
    struct s3_call *c = s->spare;

    if (c == NULL) {
        return s3_call_new();
    }
    s->spare = c->next;
    s3_call_reset(c);
    return c;
}

static struct s3_page *s3_page_take(struct s3_store *s)
{
    struct s3_page *page = s->spare_page;

    s->spare_page = NULL;
    return page != NULL ? page : mem_new(1, sizeof(*page));
}

void s3_pages_drop(struct s3_store *s)
{
    while (s->shown != NULL) {
        struct s3_page *page = s->shown;

        s->shown = page->next;
        if (s->spare_page == NULL) {
            page->next = NULL;
            s->spare_page = page;
        } else {
            s3_page_free(page);
        }
    }
}

/* ---- ends --------------------------------------------------------------- */

static uint32_t s3_slot(const struct s3_store *s, const struct s3_call *c)
{
    for (uint32_t i = 0; i < STORE_INFLIGHT_MAX; i++) {
        if (s->slots[i] == c) {
            return i;
        }
    }
    UNREACHABLE("a call without a slot");
}

static uint64_t s3_tag(const struct s3_store *s, const struct s3_call *c,
                       bool is_hedge)
{
    return c->number << S3_SLOT_BITS | (uint64_t)s3_slot(s, c) << 1 | is_hedge;
}

static void s3_flight_cancel(struct s3_store *s, struct s3_call *c, int i)
{
    struct s3_flight *f = &c->flights[i];
    struct http *h = f->is_get ? &s->get : &s->curl;

    if (f->is_on) {
        h->ops->cancel(h->self, s3_tag(s, c, i == 1));
    }
    s3_flight_reset(f);
}

void s3_call_end(struct s3_store *s, struct s3_call *c)
{
    s3_flight_cancel(s, c, 0);
    s3_flight_cancel(s, c, 1);
    if (c->r.op == STORE_LIST && c->event.status == STATUS_OK) {
        s3_tokens_keep(&s->tokens, c);
    } else if (c->page != NULL) {
        s3_tokens_return(&s->tokens, c);
        c->event.objects = NULL;
        c->event.object_count = 0;
        c->event.part_count =
            c->event.status == STATUS_OK ? c->event.part_count : 0;
    }
    c->event.tag = c->r.tag;
    c->event.op = c->r.op;
    s->slots[s3_slot(s, c)] = NULL;
    s->used--;
    c->next = NULL;
    *s->done_tail = c;
    s->done_tail = &c->next;
}

/* Where the exchange went, for its line. */
static const char *s3_where(const struct s3_flight *f, struct buf *out)
{
    const char *origin = f->view.endpoint.origin;

    buf_clear(out);
    buf_print(out, "%s%s", origin,
              http_has_proxy(origin) ? " (through the environment's proxy)"
                                     : "");
    return buf_text(out);
}

/* The log hears of trouble now and then, not of every object. */
static void s3_say(struct s3_store *s, const struct s3_call *c,
                   const struct s3_flight *f, const struct http_event *e,
                   const struct s3_answer *a)
{
    uint64_t now = clock_now_ms(&clock_os);
    char uri[STORE_URI_SHOW_MAX];
    char quoted[FAULT_TEXT_MAX];
    struct buf where = {0};
    struct fault why;

    if (c->retry.attempts < 3 ||
        (s->said_ms != 0 && now - s->said_ms < S3_LOG_EVERY_MS)) {
        return;
    }
    s->said_ms = now;
    s3_answer_say(a, e, s3_call_uri(c, uri), s3_where(f, &where), &why);
    buf_fini(&where);
    log_event(
        LOG_WARN, "store.retry", "attempts=%u wait_ms=%llu reason=%s",
        c->retry.attempts,
        (unsigned long long)(c->retry.at_ms > now ? c->retry.at_ms - now : 0),
        log_quote(why.text, quoted, sizeof(quoted)));
}

static void s3_give_up(struct s3_store *s, struct s3_call *c,
                       const struct s3_flight *f, const struct http_event *e,
                       const struct s3_answer *a)
{
    char uri[STORE_URI_SHOW_MAX];
    struct buf where = {0};

    c->event.status = a->status != STATUS_OK ? a->status : STATUS_STORE;
    c->event.is_final = true;
    s3_answer_say(a, e, s3_call_uri(c, uri), s3_where(f, &where),
                  &c->event.why);
    buf_fini(&where);
    if (c->retry.attempts > 1) {
        size_t used = strlen(c->event.why.text);

        snprintf(c->event.why.text + used, sizeof(c->event.why.text) - used,
                 " (%u attempts)", c->retry.attempts);
    }
    s3_call_end(s, c);
}

static bool s3_is_write(const struct s3_call *c)
{
    return c->r.op > STORE_GET && c->r.op != STORE_UPLOAD_PARTS &&
           c->phase == S3_MAIN;
}

/* A redirect gets a signed request with the session's token in it: only hosts
 * of the same service are believed, and an endpoint of the user's own never
 * sends elsewhere. */
static bool s3_may_go_to(const struct s3_flight *f, const char *host)
{
    char suffix[80];

    snprintf(suffix, sizeof(suffix), ".%s",
             endpoint_suffix(f->view.endpoint.region));
    return !f->view.endpoint.is_custom &&
           bytes_has_suffix(bytes_of(host), bytes_of(suffix)) &&
           (strncmp(host, "s3", 2) == 0 || strstr(host, ".s3") != NULL);
}

/* Return the class under which the failed exchange is tried again. */
static enum retry_class s3_classify(struct s3_store *s, struct s3_call *c,
                                    const struct s3_flight *f,
                                    struct s3_answer *a, struct fault *why)
{
    why->text[0] = '\0';
    if (a->fix == S3_FIX_NONE) {
        return a->retry;
    }
    if (s3_bucket_fix(s->bucket, &f->view, a, why)) {
        return RETRY_FIXED;
    }
    if (a->fix == S3_FIX_HOST && s3_may_go_to(f, a->host) &&
        c->host[0] == '\0') {
        memcpy(c->host, a->host, sizeof(c->host));
        return RETRY_FIXED;
    }
    return a->fix == S3_FIX_CHECKSUM ? a->retry : RETRY_NEVER;
}

/* Milliseconds until the caller does not wait any longer; 0: now. */
uint64_t s3_left_ms(const struct s3_call *c, uint64_t now)
{
    uint64_t end = c->began_ms + c->r.limit_ms;

    return c->r.limit_ms == 0 ? UINT64_MAX : end > now ? end - now : 0;
}

/* Whether another attempt would start too late. */
static bool s3_is_late(const struct s3_call *c)
{
    return s3_left_ms(c, clock_now_ms(&clock_os)) == 0;
}

/* The caller's time is over, in whatever state that finds the call. */
void s3_call_expire(struct s3_store *s, struct s3_call *c)
{
    char uri[STORE_URI_SHOW_MAX];
    struct fault last = c->event.why;

    c->event.status = STATUS_TIMEOUT;
    c->event.is_final = true;
    (void)fault_set(&c->event.why, STATUS_TIMEOUT,
                    "%s: not done within %u ms%s%s", s3_call_uri(c, uri),
                    c->r.limit_ms, last.text[0] != '\0' ? "; " : "", last.text);
    s3_call_end(s, c);
}

static void s3_call_failed(struct s3_store *s, struct s3_call *c,
                           const struct s3_flight *f,
                           const struct http_event *e, struct s3_answer *a)
{
    struct fault why;
    enum retry_class class = s3_classify(s, c, f, a, &why);
    bool is_hopeless = !s3_bucket_has_answered(s->bucket) &&
                       c->retry.attempts >= S3_FIRST_TRIES;

    c->is_unsure |= a->is_ambiguous && s3_is_write(c);
    c->is_fresh =
        class == RETRY_FREE || class == RETRY_TRANSIENT || class == RETRY_ODD;
    c->event.is_throttled |= class == RETRY_THROTTLE;
    rate_process_add(0, class == RETRY_THROTTLE);
    if (is_hopeless || class == RETRY_NEVER || s3_is_late(c) ||
        !s3_bucket_failed(s->bucket, &c->retry, clock_now_ms(&clock_os),
                          (struct retry_failure){class, a->after_ms})) {
        s3_give_up(s, c, f, e, a);
        if (why.text[0] != '\0') { /* Why it could not be mended. */
            struct fault said = c->event.why;

            (void)fault_set(&c->event.why, c->event.status, "%s; %s", said.text,
                            why.text);
        }
        return;
    }
    s3_say(s, c, f, e, a);
    if (c->r.limit_ms != 0) { /* For the line, should it be the last. */
        s3_answer_say(a, e, "last", f->view.endpoint.origin, &c->event.why);
    }
    if (c->is_unsure && c->r.when != STORE_ALWAYS && s3_is_write(c) &&
        c->r.op != STORE_DELETE) {
        c->phase = S3_READ_BACK;
    }
    if (c->is_unsure && c->r.op == STORE_DELETE &&
        c->r.when == STORE_IF_MATCH) {
        c->phase = S3_LOOK; /* Who knows whose value is there now. */
    }
    s3_flight_cancel(s, c, 0);
    s3_flight_cancel(s, c, 1);
}

/* ---- launching ---------------------------------------------------------- */

static bool s3_has_proxy(struct s3_store *s, const char *origin)
{
    if (strcmp(s->proxy.origin, origin) != 0) {
        snprintf(s->proxy.origin, sizeof(s->proxy.origin), "%s", origin);
        s->proxy.is_there = http_has_proxy(origin);
    }
    return s->proxy.is_there;
}

void s3_fly(struct s3_store *s, struct s3_call *c, int i)
{
    struct s3_flight *f = &c->flights[i];
    struct http *h;
    uint64_t wall = clock_wall_ms(&clock_os) + (uint64_t)f->view.offset_ms;

    if (c->host[0] != '\0') {
        endpoint_set_host(&f->view.endpoint, c->host);
    }
    s3_request_make(c, s->signer, wall, f);
    f->http.tag = s3_tag(s, c, i == 1);
    if (i == 1) {
        CHECK(f->http.into_size == c->flights[0].http.into_size);
        c->event.is_hedged = true;
        f->http.into = f->hedge;
        f->http.is_fresh = true;
    }
    f->is_get = s->has_get && s3_request_is_direct(c) &&
                !s3_has_proxy(s, f->view.endpoint.origin);
    h = f->is_get ? &s->get : &s->curl;
    f->is_on = true;
    f->since_ms = clock_now_ms(&clock_os);
    f->window_ms = f->since_ms;
    f->window_got = 0;
    c->is_fresh = false;
    h->ops->submit(h->self, &f->http);
}

/* No credentials, or no session. Where there were some before, that is trouble
 * like any other. */
static void s3_no_view(struct s3_store *s, struct s3_call *c,
                       enum status status, uint64_t now)
{
    bool may_pass = status == STATUS_STORE || status == STATUS_TIMEOUT ||
                    status == STATUS_IO || status == STATUS_OS;
    char uri[STORE_URI_SHOW_MAX];

    if (may_pass && s3_bucket_has_answered(s->bucket) &&
        s3_bucket_failed(s->bucket, &c->retry, now,
                         (struct retry_failure){.class = RETRY_TRANSIENT})) {
        return;
    }
    c->event.status =
        fault_prefix(&c->event.why, status, "%s", s3_call_uri(c, uri));
    s3_call_end(s, c);
}

void s3_launch(struct s3_store *s, struct s3_call *c)
{
    uint64_t now = clock_now_ms(&clock_os);
    struct s3_flight *f = &c->flights[0];
    enum status status;

    /* What has a limit must not wait for its turn: leases, journal, keys. */
    if (c->r.limit_ms == 0 &&
        !rate_process_may_go(now, &c->ticket, &c->due_ms)) {
        return;
    }
    if (!s3_bucket_admit(s->bucket, &c->retry, now, &c->due_ms)) {
        return;
    }
    c->ticket = 0;
    rate_process_add(1, 0);
    status = s3_bucket_view(s->bucket, &c->event.why, &f->view);
    if (status != STATUS_OK) {
        s3_no_view(s, c, status, now);
        return;
    }
    s3_fly(s, c, 0);
}

/* ---- answers ------------------------------------------------------------ */

static s3_outcome_fn *const s3_outcomes[] = {
    [STORE_LIST] = s3_read_list,
    [STORE_HEAD] = s3_read_head,
    [STORE_GET] = s3_read_get,
    [STORE_PUT] = s3_write_put,
    [STORE_DELETE] = s3_write_delete,
    [STORE_UPLOAD_BEGIN] = s3_write_begin,
    [STORE_UPLOAD_PART] = s3_write_part,
    [STORE_UPLOAD_END] = s3_write_end,
    [STORE_UPLOAD_ABORT] = s3_write_abort,
    [STORE_UPLOAD_PARTS] = s3_write_parts,
    [STORE_DELETE_MANY] = s3_write_delete_many,
};

static void s3_call_succeeded(struct s3_store *s, struct s3_call *c,
                              const struct http_event *e)
{
    s3_bucket_succeeded(s->bucket, &c->retry, clock_now_ms(&clock_os), e);
    if (c->event.status == STATUS_OK && c->r.when == STORE_IF_MATCH &&
        s3_is_write(c) && c->r.op != STORE_DELETE) {
        s3_bucket_set_quotes(s->bucket, c->wants_unquoted);
    }
    s3_call_end(s, c);
}

/* A hedge's end, or its call's while a hedge flies. Returns whether @e is the
 * end that counts. */
static bool s3_is_decisive(struct s3_store *s, struct s3_call *c, int i,
                           const struct http_event *e)
{
    struct s3_flight *other = &c->flights[1 - i];

    if (e->result == HTTP_DONE && (e->code < 300 || !other->is_on)) {
        if (i == 1 && e->got > 0) {
            memcpy((char *)c->r.into + c->got, c->flights[1].hedge, e->got);
            c->event.is_hedge_won = true;
        }
        return true;
    }
    if (!other->is_on) { /* The bytes of a broken hedge are not kept. */
        return true;
    }
    s3_flight_cancel(s, c, i);
    return false;
}

static void s3_again(struct s3_store *s, struct s3_call *c)
{
    s3_flight_cancel(s, c, 0);
    s3_flight_cancel(s, c, 1);
    if (s3_is_late(c)) {
        s3_call_expire(s, c);
        return;
    }
    if (++c->turns > S3_TURNS_MAX && c->r.op != STORE_LIST) {
        (void)s3_finish(c, NULL, STATUS_STORE,
                        "the server's answers contradict each other; it was "
                        "asked %d times",
                        S3_TURNS_MAX);
        s3_call_end(s, c);
        return;
    }
    if (c->is_unsure) {
        /* To be read back, or written again: that is no new beginning. */
        c->retry.at_ms = clock_now_ms(&clock_os);
    } else {
        retry_begin(&c->retry, clock_now_ms(&clock_os));
    }
}

void s3_answered(struct s3_store *s, struct s3_call *c, int i,
                 const struct http_event *event)
{
    struct s3_asked asked = s3_request_asked(c);
    struct s3_flight *f = &c->flights[i];
    struct http_event e = *event;
    struct s3_answer a;

    f->is_on = false;
    if (!s3_is_decisive(s, c, i, &e)) {
        return;
    }
    s3_flight_cancel(s, c, 1 - i);
    if (i == 1 && e.result != HTTP_DONE) {
        e.got = 0;
    }
    s3_answer_read(&asked, &e, &a);
    if (e.code != 0) {
        (void)s3_bucket_note_answer(s->bucket, a.server_ms, &e);
    }
    switch (s3_outcomes[c->r.op](c, f, &e, &a)) {
    case S3_FINISH:
        s3_call_succeeded(s, c, &e);
        return;
    case S3_AGAIN:
        s3_again(s, c);
        return;
    case S3_RETRY:
        s3_call_failed(s, c, f, &e, &a);
        return;
    }
}

/* ---- the table ---------------------------------------------------------- */

/* What a call needs from the start on, by its operation. */
static void s3_call_prepare(struct s3_store *s, struct s3_call *c)
{
    const struct aws_settings *settings = s3_bucket_settings(s->bucket);
    bool checks = settings->response_checksum == AWS_CHECKSUM_SUPPORTED;
    uint8_t random[(S3_NONCE_SIZE - 1) / 2];

    if (c->r.op == STORE_LIST || c->r.op == STORE_UPLOAD_PARTS) {
        c->page = s3_page_take(s);
    }
    if (c->r.op == STORE_LIST) {
        s3_tokens_use(&s->tokens, c);
    }
    if (c->r.op == STORE_GET) {
        snprintf(c->pin, sizeof(c->pin), "%s",
                 c->r.etag != NULL ? c->r.etag : "");
        c->is_ranged = c->r.offset > 0;
        c->sum_kind = c->r.sum != CRC_NONE      ? c->r.sum
                      : checks && c->r.is_whole ? CRC_64NVME
                                                : CRC_NONE;
        c->phase = c->r.size == 0 ? S3_LOOK : S3_MAIN;
    }
    if (c->r.op == STORE_DELETE && c->r.when == STORE_IF_MATCH) {
        c->phase = S3_LOOK;
    }
    if (c->r.op == STORE_UPLOAD_BEGIN) {
        hash_random(random, sizeof(random));
        for (size_t i = 0; i < sizeof(random); i++) {
            snprintf(c->nonce + 2 * i, 3, "%02x", random[i]);
        }
    }
}

static enum status s3_submit(void *self, const struct store_request *r)
{
    struct s3_store *s = self;
    struct s3_call *c = s3_spare_call(s);
    uint32_t slot = 0;

    while (s->slots[slot] != NULL) {
        slot++;
        CHECK(slot < STORE_INFLIGHT_MAX);
    }
    s->slots[slot] = c;
    s->used++;
    c->number = ++s->number;
    c->root_uri = s->root_uri;
    c->began_ms = clock_now_ms(&clock_os);
    s3_call_take(c, r);
    s3_call_prepare(s, c);
    retry_begin(&c->retry, clock_now_ms(&clock_os));
    return STATUS_OK;
}

static void s3_cancel(void *self, uint64_t tag)
{
    struct s3_store *s = self;

    for (uint32_t i = 0; i < STORE_INFLIGHT_MAX; i++) {
        struct s3_call *c = s->slots[i];
        char uri[STORE_URI_SHOW_MAX];

        if (c != NULL && c->r.tag == tag) {
            c->event.status = fault_set(&c->event.why, STATUS_STOPPED,
                                        "%s: cancelled", s3_call_uri(c, uri));
            s3_call_end(s, c);
            return;
        }
    }
}

static void s3_destroy(void *self)
{
    struct s3_store *s = self;

    for (uint32_t i = 0; i < STORE_INFLIGHT_MAX; i++) {
        if (s->slots[i] != NULL) {
            s3_call_end(s, s->slots[i]);
        }
    }
    while (s->done != NULL) {
        struct s3_call *c = s->done;

        s->done = c->next;
        s3_call_free(c);
    }
    while (s->spare != NULL) {
        struct s3_call *c = s->spare;

        s->spare = c->next;
        s3_call_free(c);
    }
    s3_pages_drop(s);
    s3_page_free(s->spare_page);
    s3_tokens_fini(&s->tokens);
    http_destroy(&s->curl);
    if (s->has_get) {
        http_destroy(&s->get);
    }
    signer_destroy(&s->signer);
    free(s->root_uri);
    free(s);
}

enum status store_s3_open(const char *bucket, struct fault *why,
                          struct store **out)
{
    static const struct store_ops ops = {s3_submit, s3_poll, s3_destroy,
                                         s3_cancel, s3_wait_for};
    struct s3_store *s = mem_new(1, sizeof(*s));
    struct http_options options = {.ca_bundle = NULL};
    enum status status = s3_bucket_get(bucket, why, &s->bucket);

    *out = NULL;
    s->done_tail = &s->done;
    if (status == STATUS_OK) {
        options.ca_bundle = s3_bucket_settings(s->bucket)->ca_bundle;
        status = http_curl_new(&options, why, &s->curl);
    }
    if (status != STATUS_OK) {
        free(s);
        return status;
    }
    status = http_get_new(&options, why, &s->get);
    if (status != STATUS_OK) {
        http_destroy(&s->curl);
        free(s);
        return status;
    }
    s->has_get = true;
    s->signer = signer_new();
    s->root_uri = mem_print("s3://%s/", bucket);
    *out = store_wrap(&ops, s, s->root_uri);
    return STATUS_OK;
}
