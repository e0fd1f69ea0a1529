/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of bring: a store of objects and a channel made from its
 * listing, which can be held in the middle. */

#ifndef TESTS_BRING_SOURCE_H
#define TESTS_BRING_SOURCE_H

#include "tests/worker_kit.h"
#include "worker/bring.h"

enum { ITEMS_MAX = 512, BIG = (20 << 20) + 5 };

/* One listed object. */
struct item {
    char key[KIT_TEXT_MAX];
    char etag[STORE_ETAG_MAX];
    uint64_t size;
};

/* A channel whose source is listed. */
struct source {
    struct store *store;
    char uri[KIT_TEXT_MAX];
    char name[64];
    struct item *items;
    size_t count;
    size_t step; /* This host has each @step-th object, from the first. */
    size_t next;
    size_t all_next;
    /* Before item @hold: write to @fds[1], then wait for ever or, with
     * @release, until that is readable. */
    size_t hold;
    int fds[2];
    int release;
    struct bring_channel channel;
};

static inline bool next_item(const struct source *s, size_t *at, size_t step,
                             struct bring_item *out)
{
    if (*at >= s->count) {
        return false;
    }
    *out = (struct bring_item){
        .key = bytes_of(s->items[*at].key),
        .size = s->items[*at].size,
        .etag = bytes_of(s->items[*at].etag),
    };
    *at += step;
    return true;
}

static inline bool next_mine(void *self, struct bring_item *out)
{
    struct source *s = self;

    if (s->hold > 0 && s->next == s->hold) {
        EXPECT(write(s->fds[1], "x", 1) == 1);
        while (s->release == 0) {
            pause();
        }
        kit_wait(s->release);
    }
    return next_item(s, &s->next, s->step, out);
}

static inline bool next_of_all(void *self, struct bring_item *out)
{
    struct source *s = self;

    return next_item(s, &s->all_next, 1, out);
}

static inline enum status add_item(void *self, const struct store_object *o,
                                   struct fault *why)
{
    struct source *s = self;
    struct item *i = &s->items[s->count++];

    (void)why;
    EXPECT(s->count <= ITEMS_MAX);
    snprintf(i->key, sizeof(i->key), "%.*s", (int)o->key.size, o->key.at);
    snprintf(i->etag, sizeof(i->etag), "%.*s", (int)o->etag.size, o->etag.at);
    i->size = o->size;
    return STATUS_OK;
}

#define S1 "mem://a/ a text of any kind\n1"
#define S2 "mem://a/ a text of any kind\n2"

static inline void rewind_source(struct source *s, size_t step,
                                 const char *stamp)
{
    s->step = step;
    s->next = 0;
    s->all_next = 0;
    s->channel.stamp = stamp;
    s->channel.units = 0;
    s->channel.bytes = 0;
    for (size_t i = 0; i < s->count; i += step) {
        s->channel.units++;
        s->channel.bytes += s->items[i].size;
    }
}

/* Open an empty source; @scheme is "file" or "mem". */
static inline void open_source(struct source *s, const char *name,
                               const char *scheme)
{
    *s = (struct source){0};
    snprintf(s->name, sizeof(s->name), "%s", name);
    if (strcmp(scheme, "file") == 0) {
        snprintf(s->uri, sizeof(s->uri), "file://%s/store-%s/", kit_base, name);
    } else {
        snprintf(s->uri, sizeof(s->uri), "mem://%s/", name);
    }
    s->store = kit_open(s->uri);
    s->items = mem_new(ITEMS_MAX, sizeof(s->items[0]));
}

/* List it; the host has all of it. */
static inline void list_source(struct source *s, const char *prefix)
{
    struct fault why;

    s->count = 0;
    EXPECT_OK(store_sync_list(s->store, prefix, add_item, s, &why), why);
    s->channel = (struct bring_channel){
        .name = s->name,
        .root_uri = s->uri,
        .prefix = bytes_of(prefix),
        .items = next_mine,
        .items_self = s,
        .all = next_of_all,
        .all_self = s,
    };
    rewind_source(s, 1, S1);
}

static inline void close_source(struct source *s)
{
    store_close(&s->store);
    free(s->items);
}

#endif /* TESTS_BRING_SOURCE_H */
