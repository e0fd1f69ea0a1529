/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum {
    STORE_SYNC_FIRST = 64 << 10, /* Most of what is read whole is smaller. */
    STORE_SYNC_STEP = 8 << 20,
    STORE_SYNC_TRIES = 3, /* Of a value that changes while it is read. */
};

enum status store_sync(struct store *s, const struct store_request *request,
                       struct store_event *event)
{
    enum status status;

    CHECK(store_inflight(s) == 0);
    status = store_submit(s, request);
    CHECK(status == STATUS_OK);
    while (store_poll(s, -1, event, 1) == 0) {
    }
    CHECK(event->tag == request->tag && event->op == request->op);
    return event->status;
}

/* Events are large, and stacks may be small. */
static struct store_event *store_sync_event(void)
{
    return mem_new(1, sizeof(struct store_event));
}

static enum status store_sync_end(struct store_event *e, struct fault *why)
{
    enum status status = e->status;

    if (status != STATUS_OK && why != NULL) {
        *why = e->why;
    }
    free(e);
    return status;
}

/* --- get ----------------------------------------------------------------- */

/* Read the value once from its start, every range of the same value. */
static enum status store_sync_get_once(struct store *s,
                                       const struct store_sync_get *get,
                                       struct store_event *e, struct buf *out)
{
    size_t start = out->size;
    char etag[STORE_ETAG_MAX] = "";
    size_t step = STORE_SYNC_FIRST;

    do {
        size_t done = out->size - start;
        struct store_request r = {
            .op = STORE_GET,
            .key = bytes_of(get->key),
            .offset = done,
            .size = get->max - done < step ? get->max - done : step,
            .etag = done > 0 ? etag : NULL,
        };

        r.into = buf_reserve(out, r.size);
        if (store_sync(s, &r, e) != STATUS_OK) {
            return e->status;
        }
        if (e->size > get->max) {
            return e->status =
                       fault_set(&e->why, STATUS_FULL,
                                 "%s%s: %llu bytes, and %zu are allowed here",
                                 store_root_uri(s), get->key,
                                 (unsigned long long)e->size, get->max);
        }
        CHECK(e->got > 0 || e->size == done);
        buf_add_done(out, e->got);
        memcpy(etag, e->etag, sizeof(etag));
        step = STORE_SYNC_STEP;
    } while (out->size - start < e->size);
    return STATUS_OK;
}

static void store_sync_cut(struct buf *out, size_t size)
{
    if (out->at != NULL) {
        out->size = size;
        out->at[size] = '\0';
    }
}

enum status store_sync_get(struct store *s, const struct store_sync_get *get,
                           struct fault *why, struct buf *out)
{
    struct store_event *e = store_sync_event();
    size_t start = out->size;

    for (int i = 0; i < STORE_SYNC_TRIES; i++) {
        enum status status = store_sync_get_once(s, get, e, out);

        if (status != STATUS_OK) {
            store_sync_cut(out, start);
        }
        if (status != STATUS_CHANGED) {
            break;
        }
    }
    if (e->status == STATUS_OK && get->etag != NULL) {
        memcpy(get->etag, e->etag, STORE_ETAG_MAX);
    }
    return store_sync_end(e, why);
}

/* --- put, delete, list --------------------------------------------------- */

enum status store_sync_put(struct store *s, const struct store_sync_put *put,
                           struct fault *why)
{
    struct store_event *e = store_sync_event();
    struct store_request r = {
        .op = STORE_PUT,
        .key = bytes_of(put->key),
        .body = put->body.at,
        .size = put->body.size,
        .when = put->when,
        .etag = put->when == STORE_IF_MATCH ? put->etag : NULL,
    };

    if (store_sync(s, &r, e) == STATUS_OK && put->etag != NULL) {
        memcpy(put->etag, e->etag, STORE_ETAG_MAX);
    }
    return store_sync_end(e, why);
}

enum status store_sync_delete(struct store *s, const char *key,
                              struct fault *why)
{
    struct store_event *e = store_sync_event();
    struct store_request r = {.op = STORE_DELETE, .key = bytes_of(key)};

    /* Its status is in the event. */
    (void)(store_sync(s, &r, e) == STATUS_OK);
    return store_sync_end(e, why);
}

enum status store_sync_list(struct store *s, const char *prefix,
                            store_each_fn *each, void *self, struct fault *why)
{
    struct store_event *e = store_sync_event();
    struct store_request r = {.op = STORE_LIST, .key = bytes_of(prefix)};
    struct buf after = {0};
    enum status status = STATUS_OK;

    do {
        r.after = buf_bytes(&after);
        if (store_sync(s, &r, e) != STATUS_OK) {
            break;
        }
        for (uint32_t i = 0; status == STATUS_OK && i < e->object_count; i++) {
            status = each(self, &e->objects[i], why);
        }
        if (e->object_count > 0) {
            buf_clear(&after);
            buf_add_bytes(&after, e->objects[e->object_count - 1].key);
        }
    } while (status == STATUS_OK && e->has_more);
    buf_fini(&after);
    if (status != STATUS_OK) {
        free(e);
        return status;
    }
    return store_sync_end(e, why);
}
