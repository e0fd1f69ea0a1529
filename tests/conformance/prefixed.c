/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/prefixed.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_ops.h"

struct prefixed {
    struct store *inner;
    char *prefix;
    struct store_object *objects[STORE_EVENTS_MAX]; /* Until the next poll. */
    struct buf text;
    struct bytes keys[STORE_DELETE_MAX];
};

static struct bytes prefixed_add(const struct prefixed *p, struct bytes key,
                                 struct buf *out)
{
    buf_add_text(out, p->prefix);
    buf_add_bytes(out, key);
    return buf_bytes(out);
}

/* Keys of one DELETE_MANY at a time; they live until the next. */
static const struct bytes *prefixed_keys(struct prefixed *p,
                                         const struct store_request *r)
{
    buf_clear(&p->text);
    (void)buf_reserve(&p->text, (size_t)r->key_count *
                                    (STORE_KEY_MAX + strlen(p->prefix)));
    for (uint32_t i = 0; i < r->key_count; i++) {
        size_t start = p->text.size;

        buf_add_text(&p->text, p->prefix);
        buf_add_bytes(&p->text, r->keys[i]);
        p->keys[i] = (struct bytes){p->text.at + start, p->text.size - start};
    }
    return p->keys;
}

static enum status prefixed_submit(void *self, const struct store_request *r)
{
    struct prefixed *p = self;
    struct store_request inner = *r;
    struct buf key = {0};
    struct buf after = {0};
    enum status s;

    if (r->op == STORE_DELETE_MANY) {
        inner.keys = prefixed_keys(p, r);
    }

    inner.key = prefixed_add(p, r->key, &key);
    if (r->after.size > 0) {
        inner.after = prefixed_add(p, r->after, &after);
    }
    s = store_submit(p->inner, &inner);
    buf_fini(&key);
    buf_fini(&after);
    return s;
}

static void prefixed_strip(struct prefixed *p, size_t i, struct store_event *e)
{
    size_t size = strlen(p->prefix);

    free(p->objects[i]);
    p->objects[i] = NULL;
    if (e->object_count == 0) {
        return;
    }
    p->objects[i] = mem_new(e->object_count, sizeof(*p->objects[i]));
    for (uint32_t j = 0; j < e->object_count; j++) {
        p->objects[i][j] = e->objects[j];
        p->objects[i][j].key.at += size;
        p->objects[i][j].key.size -= size;
    }
    e->objects = p->objects[i];
}

static size_t prefixed_poll(void *self, int timeout_ms,
                            struct store_event *events, size_t max)
{
    struct prefixed *p = self;
    size_t count = store_poll(p->inner, timeout_ms, events, max);

    for (size_t i = 0; i < count; i++) {
        prefixed_strip(p, i, &events[i]);
    }
    return count;
}

static void prefixed_destroy(void *self)
{
    struct prefixed *p = self;

    for (size_t i = 0; i < STORE_EVENTS_MAX; i++) {
        free(p->objects[i]);
    }
    store_close(&p->inner);
    buf_fini(&p->text);
    free(p->prefix);
    free(p);
}

static void prefixed_cancel(void *self, uint64_t tag)
{
    struct prefixed *p = self;

    store_cancel(p->inner, tag);
}

static void prefixed_wait(void *self, struct store_wait *out)
{
    struct prefixed *p = self;

    store_wait_for(p->inner, out);
}

struct store *prefixed_open(struct store *inner, const char *prefix)
{
    static const struct store_ops ops = {prefixed_submit, prefixed_poll,
                                         prefixed_destroy, prefixed_cancel,
                                         prefixed_wait};
    struct prefixed *p = mem_new(1, sizeof(*p));

    p->inner = inner;
    p->prefix = mem_copy(prefix);
    return store_wrap(&ops, p, store_root_uri(inner));
}
