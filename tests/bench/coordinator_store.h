/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory that answers a coordinator's requests some time later, and
 * its memory, which is not the coordinator's: it is mapped, not allocated, so
 * that it can be taken off what the process needs. */

#ifndef TESTS_BENCH_COORDINATOR_STORE_H
#define TESTS_BENCH_COORDINATOR_STORE_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "coordinator/journal.h"

enum { STORE_OBJECTS_MAX = 65536, STORE_CALLS_MAX = JOURNAL_ASKS_MAX };

struct store_object {
    char key[JOURNAL_KEY_MAX];
    char *at;
    size_t size;
    uint64_t etag; /* 0: it is not there. */
};

struct store_call {
    bool is_used;
    uint64_t due_ms;
    struct journal_request request;
};

struct store {
    struct store_object *objects; /* Open addressing, by key. */
    struct store_call calls[STORE_CALLS_MAX];
    uint64_t delay_ms;
    uint64_t etags;
    uint64_t puts;
    uint64_t put_bytes;
    size_t largest;
    char etag[32];
};

static size_t mapped_bytes; /* Of all that is not the coordinator's. */

static inline void *map_new(size_t size)
{
    void *at;

    size = (size + 4095) / 4096 * 4096;
    /* cppcheck-suppress invalidFunctionArg */
    at = mmap(NULL, size, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(at != MAP_FAILED);
    mapped_bytes += size;
    return at;
}

static inline void map_free(void *at, size_t size)
{
    size = (size + 4095) / 4096 * 4096;
    if (at != NULL) {
        CHECK(munmap(at, size) == 0);
        mapped_bytes -= size;
    }
}

static inline struct store_object *store_find(struct store *s, const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *c = key; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    }
    for (;; hash++) {
        struct store_object *o = &s->objects[hash % STORE_OBJECTS_MAX];

        if (o->key[0] == '\0') {
            memcpy(o->key, key, strlen(key) + 1);
        }
        if (strcmp(o->key, key) == 0) {
            return o;
        }
    }
}

static inline void store_add(struct store *s,
                             const struct journal_request *request,
                             uint64_t now_ms)
{
    for (uint32_t i = 0; i < STORE_CALLS_MAX; i++) {
        if (!s->calls[i].is_used) {
            s->calls[i] =
                (struct store_call){true, now_ms + s->delay_ms, *request};
            return;
        }
    }
    UNREACHABLE("a store that is asked too much");
}

static inline enum status store_put_now(struct store *s, struct store_object *o,
                                        const struct journal_request *r)
{
    char etag[32];

    snprintf(etag, sizeof(etag), "e%llu", (unsigned long long)o->etag);
    if (r->ask == JOURNAL_CREATE && o->etag != 0) {
        return STATUS_EXISTS;
    }
    if (r->ask == JOURNAL_REPLACE && o->etag == 0) {
        return STATUS_NOT_FOUND;
    }
    if (r->ask == JOURNAL_REPLACE && strcmp(etag, r->etag) != 0) {
        return STATUS_CHANGED;
    }
    map_free(o->at, o->size);
    o->at = map_new(r->body.size);
    o->size = r->body.size;
    memcpy(o->at, r->body.at, r->body.size);
    o->etag = ++s->etags;
    s->puts++;
    s->put_bytes += o->size;
    s->largest = o->size > s->largest ? o->size : s->largest;
    return STATUS_OK;
}

static inline void store_answer(struct store *s,
                                const struct journal_request *r,
                                struct journal_event *out)
{
    struct store_object *o = store_find(s, r->key);

    *out = (struct journal_event){.tag = r->tag, .status = STATUS_OK};
    if (r->ask == JOURNAL_DELETE) {
        map_free(o->at, o->size);
        o->at = NULL;
        o->size = 0;
        o->etag = 0;
    } else if (r->ask == JOURNAL_GET) {
        out->status = o->etag == 0 ? STATUS_NOT_FOUND : STATUS_OK;
        out->body = (struct bytes){o->at, o->size};
    } else {
        out->status = store_put_now(s, o, r);
    }
    snprintf(s->etag, sizeof(s->etag), "e%llu", (unsigned long long)o->etag);
    out->etag = s->etag;
}

/* Take the outcome of a request that is due. */
static inline bool store_take(struct store *s, uint64_t now_ms,
                              struct journal_event *out)
{
    for (uint32_t i = 0; i < STORE_CALLS_MAX; i++) {
        if (s->calls[i].is_used && s->calls[i].due_ms <= now_ms) {
            s->calls[i].is_used = false;
            store_answer(s, &s->calls[i].request, out);
            return true;
        }
    }
    return false;
}

/* Who asked is gone; nothing that was under way happened. */
static inline void store_forget(struct store *s)
{
    memset(s->calls, 0, sizeof(s->calls));
}

#endif /* TESTS_BENCH_COORDINATOR_STORE_H */
