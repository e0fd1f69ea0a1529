/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/store_sync.h"

/* A segment ends after CATALOG_SEGMENT_BYTES and one block of objects. */
enum { SHARE_SEGMENT_MAX = 2 * CATALOG_SEGMENT_BYTES };

enum status share_write(struct store *store, const char *key,
                        const struct catalog *catalog, struct fault *why)
{
    uint32_t count = catalog_segment_count(catalog);
    enum status s = STATUS_OK;
    struct buf segment = {0};

    for (uint32_t i = 0; s == STATUS_OK && i < count; i++) {
        char *name = mem_print("%s/%08u", key, i);

        buf_clear(&segment);
        catalog_segment_write(catalog, i, &segment);
        CHECK(segment.size <= SHARE_SEGMENT_MAX);
        s = store_sync_put(store,
                           &(struct store_sync_put){name, buf_bytes(&segment),
                                                    STORE_ALWAYS, NULL},
                           why);
        free(name);
    }
    buf_fini(&segment);
    return s;
}

/* Reads the segments as the listing yields them. */
struct share_reader {
    struct store *store;
    struct catalog_builder *builder;
    char **keys;
    size_t key_count;
};

static enum status share_note_key(void *self, const struct store_object *object,
                                  struct fault *why)
{
    struct share_reader *r = self;

    (void)why;
    r->keys = mem_grow(r->keys, r->key_count + 1, sizeof(r->keys[0]));
    r->keys[r->key_count++] = mem_copy_text(object->key.at, object->key.size);
    return STATUS_OK;
}

static enum status share_read_segments(struct share_reader *r,
                                       struct fault *why)
{
    struct buf segment = {0};
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < r->key_count; i++) {
        buf_clear(&segment);
        s = store_sync_get(
            r->store,
            &(struct store_sync_get){r->keys[i], SHARE_SEGMENT_MAX, NULL}, why,
            &segment);
        if (s == STATUS_OK) {
            s = catalog_builder_add_segment(r->builder, buf_bytes(&segment),
                                            why);
        }
    }
    buf_fini(&segment);
    return s;
}

static enum status share_check_name(const struct catalog *catalog,
                                    const struct share_want *want,
                                    struct fault *why)
{
    if (want->name == NULL || strcmp(catalog_name(catalog), want->name) == 0) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_MALFORMED,
                     "%s: is not the catalog that its name says", want->key);
}

enum status share_read(struct store *store, const struct share_want *want,
                       struct fault *why, struct catalog **out)
{
    struct share_reader r = {.store = store};
    char *prefix = mem_print("%s/", want->key);
    enum status s = catalog_builder_new(&r.builder);

    *out = NULL;
    if (s == STATUS_OK) {
        s = store_sync_list(store, prefix, share_note_key, &r, why);
    }
    if (s == STATUS_OK) {
        s = share_read_segments(&r, why);
    }
    if (s == STATUS_OK) {
        s = catalog_builder_finish(&r.builder, out);
    }
    if (s == STATUS_OK) {
        s = share_check_name(*out, want, why);
    }
    if (s != STATUS_OK) {
        catalog_destroy(out);
    }
    catalog_builder_destroy(&r.builder);
    for (size_t i = 0; i < r.key_count; i++) {
        free(r.keys[i]);
    }
    free(r.keys);
    free(prefix);
    return s;
}

char *share_recipes_key(struct bytes catalog_key)
{
    return mem_print("%.*s.recipes", (int)catalog_key.size, catalog_key.at);
}

enum status share_of_host(const struct catalog *catalog,
                          const struct deal *deal, uint32_t host,
                          struct fault *why, struct catalog **out)
{
    struct catalog_builder *builder = NULL;
    struct catalog_cursor objects;
    struct catalog_object object;
    struct deal_cursor units;
    struct deal_unit unit;
    enum status s = catalog_builder_new(&builder);

    *out = NULL;
    catalog_seek(catalog, 0, &objects);
    deal_host_seek(deal, host, &units);
    while (s == STATUS_OK && deal_host_next(&units, &unit)) {
        if (unit.object != objects.next) {
            catalog_seek(catalog, unit.object, &objects);
        }
        CHECK(catalog_next(&objects, &object));
        s = catalog_builder_add(builder, &object, why);
    }
    if (s == STATUS_OK) {
        s = catalog_builder_finish(&builder, out);
    }
    catalog_builder_destroy(&builder);
    return s;
}
