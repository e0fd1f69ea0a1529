/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/manifest.h"
#include "store/store_sync.h"

enum { LISTING_MANIFEST_MAX = 1 << 30 };

/* The lookup of sizes and etags, many requests at a time. */
struct listing_lookup {
    struct listing_manifest *out;
    const struct manifest *manifest;
    struct store *store;
    struct buf prefix; /* Of the manifest's URI, as keys of the store. */
    uint64_t next;     /* The next object to ask for. */
};

static enum status listing_ask(struct listing_lookup *l, struct fault *why)
{
    uint64_t i = l->next;
    struct bytes suffix = l->manifest->suffixes[i];
    struct buf key = {0};
    enum status s;

    buf_add_bytes(&key, buf_bytes(&l->prefix));
    buf_add_bytes(&key, suffix);
    l->out->texts[2 * i] = buf_take(&key);
    l->out->objects[i].key =
        (struct bytes){l->out->texts[2 * i], l->prefix.size + suffix.size};
    s = store_submit(l->store,
                     &(struct store_request){.op = STORE_HEAD,
                                             .tag = i,
                                             .key = l->out->objects[i].key});
    CHECK(s == STATUS_OK);
    l->next++;
    (void)why;
    return s;
}

static enum status listing_answer(struct listing_lookup *l,
                                  const struct store_event *event,
                                  struct fault *why)
{
    struct catalog_object *object = &l->out->objects[event->tag];

    if (event->status != STATUS_OK) {
        *why = event->why;
        return fault_prefix(why, event->status, "the manifest names it");
    }
    l->out->texts[2 * event->tag + 1] = mem_copy(event->etag);
    object->etag = bytes_of(l->out->texts[2 * event->tag + 1]);
    object->size = event->size;
    return STATUS_OK;
}

static enum status listing_look_up(struct listing_lookup *l, struct fault *why)
{
    struct store_event *events = mem_new(STORE_EVENTS_MAX, sizeof(events[0]));
    uint64_t done = 0;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && done < l->manifest->count) {
        size_t got;

        while (l->next < l->manifest->count &&
               store_inflight(l->store) < STORE_INFLIGHT_MAX) {
            s = listing_ask(l, why);
        }
        got = store_poll(l->store, -1, events, STORE_EVENTS_MAX);
        for (size_t i = 0; s == STATUS_OK && i < got; i++) {
            s = listing_answer(l, &events[i], why);
            done++;
        }
    }
    free(events);
    return s;
}

static enum status listing_fill_manifest(const struct manifest *m,
                                         struct fault *why,
                                         struct listing_manifest *out)
{
    struct listing_lookup lookup = {.out = out, .manifest = m};
    enum status s =
        store_open(m->prefix, STORE_READ, why, &lookup.store, &lookup.prefix);

    if (s == STATUS_OK) {
        out->objects = mem_new(m->count, sizeof(out->objects[0]));
        out->texts = mem_new(2 * m->count, sizeof(out->texts[0]));
        out->count = m->count;
        out->root_uri = mem_copy(store_root_uri(lookup.store));
        out->prefix = mem_copy(buf_text(&lookup.prefix));
        s = listing_look_up(&lookup, why);
    }
    store_close(&lookup.store);
    buf_fini(&lookup.prefix);
    return s;
}

enum status listing_manifest_read(struct store *store, const char *key,
                                  struct fault *why,
                                  struct listing_manifest *out)
{
    struct manifest m = {0};
    struct buf text = {0};
    enum status s;

    *out = (struct listing_manifest){0};
    s = store_sync_get(
        store, &(struct store_sync_get){key, LISTING_MANIFEST_MAX, NULL}, why,
        &text);
    if (s == STATUS_OK) {
        s = manifest_parse(buf_bytes(&text), key, why, &m);
    }
    if (s == STATUS_OK) {
        s = listing_fill_manifest(&m, why, out);
    }
    manifest_fini(&m);
    buf_fini(&text);
    return s;
}

void listing_manifest_fini(struct listing_manifest *m)
{
    for (size_t i = 0; i < 2 * m->count; i++) {
        free(m->texts[i]);
    }
    free(m->texts);
    free(m->objects);
    free(m->root_uri);
    free(m->prefix);
    *m = (struct listing_manifest){0};
}
