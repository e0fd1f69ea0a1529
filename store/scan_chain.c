/* SPDX-License-Identifier: Apache-2.0 */
#include "store/scan_chain.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
    CHAIN_STUCK_MAX = 8,
    CHAIN_FAILS_MAX = 4,
    CHAIN_CHUNK = 1 << 20,
    CHAIN_FIRST = 1024
};

/* Texts lie in chunks that do not move. */
struct chain_chunk {
    struct chain_chunk *next;
    size_t used;
    char text[CHAIN_CHUNK];
};

struct chain {
    const struct scan_chain_options *o;
    struct fault *why;
    struct store_object *objects;
    size_t count;
    size_t room;
    struct chain_chunk *chunks;
    struct buf last; /* Key of the last page. */
    uint32_t stuck;
};

static enum status chain_fault(struct chain *c, enum status s, const char *what)
{
    return fault_set(c->why, s, "%s%.*s: the listing %s",
                     store_root_uri(c->o->store), (int)c->o->scan->prefix.size,
                     c->o->scan->prefix.at, what);
}

static struct bytes chain_copy(struct chain *c, struct bytes from)
{
    struct chain_chunk *chunk = c->chunks;
    char *at;

    if (chunk == NULL || CHAIN_CHUNK - chunk->used < from.size) {
        chunk = malloc(sizeof(*chunk));
        if (chunk == NULL) {
            return (struct bytes){NULL, 0};
        }
        chunk->used = 0;
        chunk->next = c->chunks;
        c->chunks = chunk;
    }
    at = chunk->text + chunk->used;
    if (from.size > 0) {
        memcpy(at, from.at, from.size);
    }
    chunk->used += from.size;
    return (struct bytes){at, from.size};
}

static enum status chain_add(struct chain *c, const struct store_object *o)
{
    struct store_object *kept;

    if (c->count == c->room) {
        size_t room = c->room > 0 ? 2 * c->room : CHAIN_FIRST;
        struct store_object *more =
            realloc(c->objects, room * sizeof(*c->objects));

        if (more == NULL) {
            return chain_fault(c, STATUS_FULL, "does not fit into memory");
        }
        c->objects = more;
        c->room = room;
    }
    kept = &c->objects[c->count];
    *kept = *o;
    kept->key = chain_copy(c, o->key);
    kept->etag = chain_copy(c, o->etag);
    if (kept->key.at == NULL || kept->etag.at == NULL) {
        return chain_fault(c, STATUS_FULL, "does not fit into memory");
    }
    c->count++;
    return STATUS_OK;
}

static enum status chain_page(struct chain *c, const struct store_event *e)
{
    enum status s = STATUS_OK;
    struct bytes last = {"", 0};

    for (uint32_t i = 0; s == STATUS_OK && i < e->object_count; i++) {
        s = chain_add(c, &e->objects[i]);
    }
    if (e->object_count > 0) {
        last = e->objects[e->object_count - 1].key;
    }
    if (s == STATUS_OK && e->has_more &&
        (last.size == 0 || bytes_is_equal(last, buf_bytes(&c->last))) &&
        ++c->stuck > CHAIN_STUCK_MAX) {
        s = chain_fault(c, STATUS_STORE,
                        "does not go on: its pages tell nothing new, again "
                        "and again");
    }
    if (last.size > 0) {
        buf_clear(&c->last);
        buf_add_bytes(&c->last, last);
    }
    return s;
}

static enum status chain_list(struct chain *c, struct scan_result *result)
{
    struct store_event *e = mem_new(1, sizeof(*e));
    enum status s = STATUS_OK;
    uint32_t fails = 0;

    do {
        struct store_request r = {.op = STORE_LIST,
                                  .key = c->o->scan->prefix,
                                  .after = buf_bytes(&c->last),
                                  .list_max = c->o->scan->page};

        s = store_sync(c->o->store, &r, e);
        result->requests++;
        if (s != STATUS_OK && e->is_throttled && ++fails < CHAIN_FAILS_MAX) {
            s = STATUS_OK;
            e->has_more = true;
            continue;
        }
        fails = 0;
        if (s != STATUS_OK && c->why != NULL) {
            *c->why = e->why;
        }
        if (s == STATUS_OK) {
            s = chain_page(c, e);
        }
    } while (s == STATUS_OK && e->has_more);
    free(e);
    return s;
}

static int chain_compare(const void *a, const void *b)
{
    const struct store_object *x = a;
    const struct store_object *y = b;

    return bytes_compare(x->key, y->key);
}

/* Sort, and keep one of each: a page may have told a key again. */
static void chain_sort(struct chain *c)
{
    size_t to = 0;

    if (c->count > 0) {
        qsort(c->objects, c->count, sizeof(*c->objects), chain_compare);
    }
    for (size_t i = 0; i < c->count; i++) {
        if (to == 0 ||
            !bytes_is_equal(c->objects[to - 1].key, c->objects[i].key)) {
            c->objects[to++] = c->objects[i];
        }
    }
    c->count = to;
}

/* How many of the sorted keys were told already, if those are exactly what was
 * told; else all is told anew. */
static enum status chain_resume(struct chain *c, size_t *from)
{
    const struct scan_chain_options *o = c->o;
    size_t below = 0;

    while (below < c->count && o->told_count > 0 &&
           bytes_compare(c->objects[below].key, o->told_last) <= 0) {
        below++;
    }
    *from = below;
    if (below == o->told_count) {
        return STATUS_OK;
    }
    *from = 0;
    if (o->scan->restart == NULL) {
        return chain_fault(c, STATUS_STORE, "is not in the order of its keys");
    }
    return o->scan->restart(o->self, c->why);
}

enum status scan_chain_run(const struct scan_chain_options *o,
                           struct fault *why, struct scan_result *result)
{
    struct chain c = {.o = o, .why = why};
    size_t from = 0;
    enum status s = chain_list(&c, result);

    if (s == STATUS_OK) {
        chain_sort(&c);
        s = chain_resume(&c, &from);
    }
    for (size_t i = from; s == STATUS_OK && i < c.count; i++) {
        s = o->each(o->self, &c.objects[i], why);
    }
    result->objects = c.count;
    while (c.chunks != NULL) {
        struct chain_chunk *chunk = c.chunks;

        c.chunks = chunk->next;
        free(chunk);
    }
    free(c.objects);
    buf_fini(&c.last);
    return s;
}
