/* SPDX-License-Identifier: Apache-2.0 */
/* The handle in front of every implementation: opens locations, refuses
 * requests that no implementation could serve, and counts what is in flight.
 *
 * A refused request is answered by an event from the next poll like any
 * other, so that a bad key in the data takes the same path as a missing one;
 * the implementation never sees it.
 *
 * A handle that is stopped ends its implementation, which gives up what is in
 * flight and writes to no caller's memory any more, and answers in its stead.
 */

#include "store/store.h"
#include "store/store_ops.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/store_dir.h"
#include "store/store_mem.h"
#include "store/store_s3.h"
#include "store/store_stop.h"
#include "store/store_uri.h"

enum { STORE_STOP_LOOK_MS = 100 }; /* How late a stop may be seen. */

struct store_refusal {
    struct store_refusal *next;
    uint64_t tag;
    enum store_op op;
    enum status status;
    struct fault why;
};

/* In flight at the implementation, of a handle that may be stopped. */
struct store_flight {
    uint64_t tag;
    enum store_op op;
};

struct store {
    const struct store_ops *ops;
    void *self; /* NULL: it was stopped. */
    char *root_uri;
    bool is_read_only;
    uint32_t limit_ms;
    uint32_t inflight; /* Refused ones are among them. */
    struct store_refusal *first;
    struct store_refusal **tail;
    const atomic_bool *stop;      /* NULL: nobody stops it. */
    struct store_flight *flights; /* STORE_INFLIGHT_MAX, or NULL as well. */
    uint32_t flight_count;
};

struct store *store_wrap(const struct store_ops *ops, void *self,
                         const char *root_uri)
{
    struct store *s = mem_new(1, sizeof(*s));

    s->ops = ops;
    s->self = self;
    s->root_uri = mem_copy(root_uri);
    s->tail = &s->first;
    return s;
}

static enum status store_open_scheme(const struct store_uri *u,
                                     enum store_use use, struct fault *why,
                                     struct store **out)
{
    switch (u->scheme) {
    case STORE_SCHEME_FILE:
        return store_dir_open(u->place, use, why, out);
    case STORE_SCHEME_MEM:
        *out = store_mem_open(u->place);
        return STATUS_OK;
    case STORE_SCHEME_S3:
        return store_s3_open(u->place, why, out);
    }
    UNREACHABLE("a scheme outside its enum");
}

enum status store_open(const char *uri, enum store_use use, struct fault *why,
                       struct store **out, struct buf *prefix)
{
    struct store_uri u;
    enum status s = store_uri_parse(uri, use, why, &u);

    *out = NULL;
    if (s != STATUS_OK) {
        return s;
    }
    s = store_open_scheme(&u, use, why, out);
    if (s == STATUS_OK) {
        (*out)->is_read_only = use == STORE_READ;
        buf_add_text(prefix, u.prefix);
    }
    store_uri_fini(&u);
    return s;
}

static void store_pop_refusal(struct store *s)
{
    struct store_refusal *first = s->first;

    s->first = first->next;
    if (s->first == NULL) {
        s->tail = &s->first;
    }
    free(first);
}

void store_close(struct store **s)
{
    if (*s == NULL) {
        return;
    }
    while ((*s)->first != NULL) {
        store_pop_refusal(*s);
    }
    if ((*s)->self != NULL) {
        (*s)->ops->destroy((*s)->self);
    }
    free((*s)->flights);
    free((*s)->root_uri);
    free(*s);
    *s = NULL;
}

const char *store_root_uri(const struct store *s)
{
    return s->root_uri;
}

uint32_t store_inflight(const struct store *s)
{
    return s->inflight;
}

void store_set_limit(struct store *s, uint32_t limit_ms)
{
    s->limit_ms = limit_ms;
}

void store_set_stop(struct store *s, const atomic_bool *stop)
{
    CHECK(s->inflight == 0);
    s->stop = stop;
    if (stop != NULL && s->flights == NULL) {
        s->flights = mem_new(STORE_INFLIGHT_MAX, sizeof(s->flights[0]));
    }
}

static bool store_is_stopped(const struct store *s)
{
    return s->stop != NULL && atomic_load(s->stop);
}

/* --- validation ---------------------------------------------------------- */

static bool store_is_write(enum store_op op)
{
    return op != STORE_LIST && op != STORE_HEAD && op != STORE_GET &&
           op != STORE_UPLOAD_PARTS;
}

static bool store_has_nul(struct bytes b)
{
    return b.size > 0 && memchr(b.at, '\0', b.size) != NULL;
}

static bool store_needs_upload(enum store_op op)
{
    return op == STORE_UPLOAD_PART || op == STORE_UPLOAD_END ||
           op == STORE_UPLOAD_ABORT || op == STORE_UPLOAD_PARTS;
}

/* What only a bug in the caller can cause. */
static void store_check(const struct store_request *r)
{
    CHECK(r->op <= STORE_DELETE_MANY && r->when <= STORE_IF_MATCH);
    CHECK(r->key.at != NULL || r->key.size == 0);
    CHECK(r->after.at != NULL || r->after.size == 0);
    CHECK(r->list_max <= STORE_LIST_MAX);
    CHECK_IMPLIES(r->op == STORE_GET, r->into != NULL || r->size == 0);
    CHECK_IMPLIES(r->op == STORE_PUT || r->op == STORE_UPLOAD_PART,
                  r->body != NULL || r->size == 0);
    CHECK_IMPLIES(store_is_write(r->op) && r->when == STORE_IF_MATCH,
                  r->etag != NULL);
    CHECK_IMPLIES(r->op == STORE_DELETE, r->when != STORE_IF_ABSENT);
    CHECK_IMPLIES(store_needs_upload(r->op), r->upload != NULL);
    CHECK_IMPLIES(r->op == STORE_UPLOAD_PART, r->part >= 1);
    CHECK_IMPLIES(r->op == STORE_DELETE_MANY,
                  r->keys != NULL && r->key_count >= 1 &&
                      r->key_count <= STORE_DELETE_MAX);
    CHECK_IMPLIES(r->op == STORE_UPLOAD_END,
                  r->part_count >= 1 && r->parts != NULL);
}

static const char *store_find_wrong_key(struct bytes key, bool may_be_empty)
{
    return key.size == 0 && !may_be_empty ? "the key is empty"
           : key.size > STORE_KEY_MAX     ? "the key is longer than 1024 bytes"
           : store_has_nul(key)           ? "the key holds a NUL byte"
                                          : NULL;
}

/* Return NULL, or what is wrong with the bytes of @r. */
static const char *store_find_wrong(const struct store_request *r)
{
    bool is_many = r->op == STORE_DELETE_MANY;
    const char *wrong =
        store_find_wrong_key(r->key, r->op == STORE_LIST || is_many);
    uint32_t parts = r->op == STORE_UPLOAD_END ? r->part_count : r->part;

    if (wrong == NULL) {
        wrong = store_find_wrong_key(r->after, true);
    }
    for (uint32_t i = 0; is_many && wrong == NULL && i < r->key_count; i++) {
        wrong = store_find_wrong_key(r->keys[i], false);
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (r->etag != NULL && strlen(r->etag) >= STORE_ETAG_MAX) {
        return "the etag is longer than any that a store gives";
    }
    if (store_needs_upload(r->op) && strlen(r->upload) >= STORE_UPLOAD_MAX) {
        return "the upload id is longer than any that a store gives";
    }
    if (store_needs_upload(r->op) && parts > STORE_PARTS_MAX) {
        return "an upload has at most 10000 parts; use larger ones";
    }
    return NULL;
}

static void store_refuse(struct store *s, const struct store_request *r,
                         enum status status, const char *reason)
{
    struct store_refusal *no = mem_new(1, sizeof(*no));
    char name[STORE_URI_SHOW_MAX];

    no->tag = r->tag;
    no->op = r->op;
    no->status = fault_set(&no->why, status, "%s: %s",
                           store_uri_show(s->root_uri, r->key, name), reason);
    *s->tail = no;
    s->tail = &no->next;
}

static void store_refuse_stopped(struct store *s, const struct store_request *r)
{
    store_refuse(s, r, STATUS_STOPPED, "it was not waited for any longer");
}

static enum status store_submit_well(struct store *s,
                                     const struct store_request *r)
{
    struct store_request limited = *r;
    enum status status;

    if (limited.limit_ms == 0) {
        limited.limit_ms = s->limit_ms;
    }
    status = s->ops->submit(s->self, &limited);
    if (status == STATUS_OK && s->stop != NULL) {
        CHECK(s->flight_count < STORE_INFLIGHT_MAX);
        s->flights[s->flight_count++] = (struct store_flight){r->tag, r->op};
    }
    return status;
}

enum status store_submit(struct store *s, const struct store_request *request)
{
    const char *wrong;
    enum status status = STATUS_OK;

    store_check(request);
    if (s->inflight >= STORE_INFLIGHT_MAX) {
        return STATUS_FULL;
    }
    wrong = store_find_wrong(request);
    if (wrong != NULL) {
        store_refuse(s, request, STATUS_INVALID, wrong);
    } else if (s->is_read_only && store_is_write(request->op)) {
        store_refuse(s, request, STATUS_DENIED,
                     "this location was opened as a source, which is never "
                     "written");
    } else if (s->self == NULL || store_is_stopped(s)) {
        store_refuse_stopped(s, request);
    } else {
        status = store_submit_well(s, request);
    }
    s->inflight += status == STATUS_OK;
    return status;
}

/* --- answers ------------------------------------------------------------- */

static size_t store_poll_refusals(struct store *s, struct store_event *events,
                                  size_t max)
{
    size_t count = 0;

    for (; count < max && s->first != NULL; count++) {
        events[count] = (struct store_event){
            .tag = s->first->tag,
            .op = s->first->op,
            .status = s->first->status,
            .why = s->first->why,
        };
        store_pop_refusal(s);
    }
    return count;
}

static void store_land(struct store *s, const struct store_event *event)
{
    uint32_t i = 0;

    while (s->flights[i].tag != event->tag || s->flights[i].op != event->op) {
        CHECK(++i < s->flight_count);
    }
    s->flights[i] = s->flights[--s->flight_count];
}

static void store_give_up(struct store *s)
{
    if (s->self == NULL) {
        return;
    }
    s->ops->destroy(s->self);
    s->self = NULL;
    for (uint32_t i = 0; i < s->flight_count; i++) {
        store_refuse_stopped(s,
                             &(struct store_request){.tag = s->flights[i].tag,
                                                     .op = s->flights[i].op});
    }
    s->flight_count = 0;
}

/* Wait in steps, so that a stop is seen. */
static size_t store_poll_stoppable(struct store *s, int timeout_ms,
                                   struct store_event *events, size_t max)
{
    bool is_endless = timeout_ms < 0;
    size_t count = 0;
    int step_ms;

    do {
        if (s->self == NULL || store_is_stopped(s)) {
            store_give_up(s);
            return store_poll_refusals(s, events, max);
        }
        step_ms = is_endless || timeout_ms > STORE_STOP_LOOK_MS
                      ? STORE_STOP_LOOK_MS
                      : timeout_ms;
        count = s->ops->poll(s->self, step_ms, events, max);
        timeout_ms -= is_endless ? 0 : step_ms;
    } while (count == 0 && s->flight_count > 0 &&
             (is_endless || timeout_ms > 0));
    for (size_t i = 0; i < count; i++) {
        store_land(s, &events[i]);
    }
    return count;
}

static size_t store_poll_self(struct store *s, int timeout_ms,
                              struct store_event *events, size_t max)
{
    return s->stop != NULL ? store_poll_stoppable(s, timeout_ms, events, max)
                           : s->ops->poll(s->self, timeout_ms, events, max);
}

size_t store_poll(struct store *s, int timeout_ms, struct store_event *events,
                  size_t max)
{
    size_t count;

    CHECK(max >= 1 && max <= STORE_EVENTS_MAX);
    CHECK(timeout_ms >= -1);
    count = store_poll_refusals(s, events, max);
    if (count < max) {
        count += store_poll_self(s, count > 0 ? 0 : timeout_ms, events + count,
                                 max - count);
    }
    CHECK(count <= s->inflight);
    s->inflight -= (uint32_t)count;
    return count;
}

void store_cancel(struct store *s, uint64_t tag)
{
    if (s->self != NULL && s->ops->cancel != NULL) {
        s->ops->cancel(s->self, tag);
    }
}

void store_wait_for(struct store *s, struct store_wait *out)
{
    *out = (struct store_wait){.timeout_ms = s->inflight > 0 ? 0 : -1};
    if (s->inflight == 0 || s->first != NULL || s->self == NULL ||
        s->ops->wait == NULL) {
        return;
    }
    s->ops->wait(s->self, out);
    if (s->stop != NULL &&
        (out->timeout_ms < 0 || out->timeout_ms > STORE_STOP_LOOK_MS)) {
        out->timeout_ms = STORE_STOP_LOOK_MS;
    }
}
