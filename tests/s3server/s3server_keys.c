/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/s3server/s3server_keys.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct srv_blob *srv_blob_new(struct buf *taken)
{
    struct srv_blob *b = mem_new(1, sizeof(*b));

    atomic_init(&b->refs, 1);
    b->size = taken->size;
    b->at = taken->at;
    *taken = (struct buf){0};
    return b;
}

struct srv_blob *srv_blob_hold(struct srv_blob *b)
{
    if (b != NULL) {
        atomic_fetch_add(&b->refs, 1);
    }
    return b;
}

void srv_blob_drop(struct srv_blob *b)
{
    if (b != NULL && atomic_fetch_sub(&b->refs, 1) == 1) {
        free(b->at);
        free(b);
    }
}

static void srv_version_free(struct srv_version *v)
{
    while (v != NULL) {
        struct srv_version *older = v->older;

        srv_blob_drop(v->blob);
        free(v->meta);
        free(v->part_ends);
        free(v);
        v = older;
    }
}

/* Fill @links with what points over @key on each level. */
static void srv_keys_links(struct srv_keys *k, const char *key,
                           struct srv_entry **links[SRV_LEVELS])
{
    struct srv_entry **level = k->head;

    for (int i = SRV_LEVELS - 1; i >= 0; i--) {
        while (level[i] != NULL && strcmp(level[i]->key, key) < 0) {
            level = level[i]->next;
        }
        links[i] = &level[i];
    }
}

struct srv_entry *srv_keys_seek(const struct srv_keys *k, const char *key)
{
    struct srv_entry *const *level = k->head;
    struct srv_entry *at = NULL;

    for (int i = SRV_LEVELS - 1; i >= 0; i--) {
        while (level[i] != NULL && strcmp(level[i]->key, key) < 0) {
            level = level[i]->next;
        }
        at = level[i];
    }
    return at;
}

struct srv_entry *srv_keys_find(const struct srv_keys *k, const char *key)
{
    struct srv_entry *e = srv_keys_seek(k, key);

    return e != NULL && strcmp(e->key, key) == 0 ? e : NULL;
}

struct srv_version *srv_keys_now(const struct srv_keys *k, const char *key)
{
    struct srv_entry *e = srv_keys_find(k, key);

    return e != NULL && !e->newest->is_marker ? e->newest : NULL;
}

static int srv_keys_level(struct srv_keys *k)
{
    int levels = 1;

    k->seed = k->seed * 6364136223846793005U + 1442695040888963407U;
    for (uint64_t bits = k->seed >> 20; (bits & 3) == 0; bits >>= 2) {
        levels++;
        if (levels == SRV_LEVELS) {
            break;
        }
    }
    return levels;
}

void srv_keys_add(struct srv_keys *k, const char *key, struct srv_version *v,
                  bool keeps)
{
    struct srv_entry **links[SRV_LEVELS];
    struct srv_entry *e = srv_keys_find(k, key);
    int levels;

    if (e == NULL) {
        levels = srv_keys_level(k);
        e = mem_new(1, offsetof(struct srv_entry, next) +
                           (size_t)levels * sizeof(e->next[0]));
        e->key = mem_copy(key);
        e->levels = levels;
        srv_keys_links(k, key, links);
        for (int i = 0; i < levels; i++) {
            e->next[i] = *links[i];
            *links[i] = e;
        }
    }
    if (!keeps) {
        srv_version_free(e->newest);
        e->newest = NULL;
    }
    v->older = e->newest;
    e->newest = v;
}

static void srv_entry_free(struct srv_entry *e)
{
    srv_version_free(e->newest);
    free(e->key);
    free(e);
}

void srv_keys_remove(struct srv_keys *k, const char *key)
{
    struct srv_entry **links[SRV_LEVELS];
    struct srv_entry *e = srv_keys_find(k, key);

    if (e == NULL) {
        return;
    }
    srv_keys_links(k, key, links);
    for (int i = 0; i < e->levels; i++) {
        *links[i] = e->next[i];
    }
    srv_entry_free(e);
}

bool srv_keys_remove_version(struct srv_keys *k, const char *key,
                             const char *id)
{
    struct srv_entry *e = srv_keys_find(k, key);
    struct srv_version **link = e != NULL ? &e->newest : NULL;
    struct srv_version *v;

    while (link != NULL && *link != NULL && strcmp((*link)->id, id) != 0) {
        link = &(*link)->older;
    }
    if (link == NULL || *link == NULL) {
        return false;
    }
    v = *link;
    *link = v->older;
    v->older = NULL;
    srv_version_free(v);
    if (e->newest == NULL) {
        srv_keys_remove(k, key);
    }
    return true;
}

void srv_keys_fini(struct srv_keys *k)
{
    struct srv_entry *e = k->head[0];

    while (e != NULL) {
        struct srv_entry *next = e->next[0];

        srv_entry_free(e);
        e = next;
    }
}
