/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/listing_lookup.h"
#include "proto/manifest.h"
#include "store/store_stop.h"
#include "store/store_sync.h"

enum { LISTING_MANIFEST_MAX = 1 << 30 };

/* Which object of the manifest is looked up next. */
struct listing_named {
    struct listing_manifest *out;
    const struct manifest *manifest;
    struct buf prefix; /* Of the manifest's URI, as keys of the store. */
    uint64_t next;
};

static bool listing_next_named(void *self, uint64_t *tag, struct bytes *key)
{
    struct listing_named *n = self;
    struct buf text = {0};
    uint64_t i = n->next;

    if (i == n->manifest->count) {
        return false;
    }
    buf_add_bytes(&text, buf_bytes(&n->prefix));
    buf_add_bytes(&text, n->manifest->suffixes[i]);
    n->out->objects[i].key.size = text.size;
    n->out->texts[2 * i] = buf_take(&text);
    n->out->objects[i].key.at = n->out->texts[2 * i];
    *key = n->out->objects[i].key;
    *tag = i;
    n->next++;
    return true;
}

static enum status listing_found_named(void *self,
                                       const struct store_event *event,
                                       struct fault *why)
{
    struct listing_named *n = self;
    struct catalog_object *object = &n->out->objects[event->tag];

    if (event->status != STATUS_OK) {
        *why = event->why;
        return fault_prefix(why, event->status, "the manifest names it");
    }
    n->out->texts[2 * event->tag + 1] = mem_copy(event->etag);
    object->etag = bytes_of(n->out->texts[2 * event->tag + 1]);
    object->size = event->size;
    return STATUS_OK;
}

static enum status listing_fill_manifest(const struct manifest *m,
                                         const atomic_bool *stop,
                                         struct fault *why,
                                         struct listing_manifest *out)
{
    struct listing_named named = {.out = out, .manifest = m};
    struct store *store = NULL;
    enum status s =
        store_open(m->prefix, STORE_READ, why, &store, &named.prefix);

    if (s == STATUS_OK) {
        store_set_stop(store, stop);
        out->objects = mem_new(m->count, sizeof(out->objects[0]));
        out->texts = mem_new(2 * m->count, sizeof(out->texts[0]));
        out->count = m->count;
        out->root_uri = mem_copy(store_root_uri(store));
        out->prefix = mem_copy(buf_text(&named.prefix));
        s = listing_look_up(&(struct listing_lookup){store, listing_next_named,
                                                     listing_found_named,
                                                     &named},
                            why);
    }
    store_close(&store);
    buf_fini(&named.prefix);
    return s;
}

enum status listing_manifest_read(struct store *store, const char *key,
                                  const atomic_bool *stop, struct fault *why,
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
        s = listing_fill_manifest(&m, stop, why, out);
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
