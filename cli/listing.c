/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/listing_augmented.h"
#include "cli/listing_inventory.h"
#include "cli/listing_manifest.h"
#include "proto/keypath.h"
#include "store/scan.h"
#include "store/store.h"
#include "store/store_stop.h"

enum { LISTING_PROGRESS_EVERY = 100000 };

/* What is being filled while the store lists. */
struct listing_work {
    const struct listing_options *options;
    struct listing *listing;
    struct catalog_builder *builder;
    uint64_t objects;
};

static void listing_progress(void *self, uint64_t objects)
{
    const struct listing_options *options =
        ((const struct listing_work *)self)->options;

    if (options->progress != NULL) {
        options->progress(options->progress_self, options->channel, objects);
    }
}

static enum status listing_keep(void *self, const struct catalog_object *object,
                                struct fault *why)
{
    struct listing_work *w = self;

    if (keypath_is_folder(object->key)) {
        w->listing->folder_marks++;
        return STATUS_OK;
    }
    w->objects++;
    return catalog_builder_add(w->builder, object, why);
}

static enum status listing_add(struct listing_work *w,
                               const struct catalog_object *object,
                               struct fault *why)
{
    uint64_t before = w->objects;
    enum status s = listing_keep(w, object, why);

    if (w->objects > before && w->objects % LISTING_PROGRESS_EVERY == 0) {
        listing_progress(w, w->objects);
    }
    return s;
}

static enum status listing_add_listed(void *self,
                                      const struct store_object *object,
                                      struct fault *why)
{
    return listing_add(
        self, &(struct catalog_object){object->key, object->size, object->etag},
        why);
}

/* The store has no order of its own: what came was for nothing. */
static enum status listing_restart(void *self, struct fault *why)
{
    struct listing_work *w = self;

    catalog_builder_destroy(&w->builder);
    w->objects = 0;
    w->listing->folder_marks = 0;
    return catalog_builder_new(&w->builder) == STATUS_OK
               ? STATUS_OK
               : fault_set(why, STATUS_FULL, "no memory for the catalog");
}

static enum status listing_from_prefix(struct listing_work *w,
                                       struct store *store, struct fault *why)
{
    struct scan_options options = {.prefix = buf_bytes(&w->listing->prefix),
                                   .restart = listing_restart};

    return scan_run(store, &options, listing_add_listed, w, why);
}

/* A manifest names its objects one by one, in any order. */
static enum status listing_from_manifest(struct listing_work *w,
                                         struct store *store, struct fault *why)
{
    struct listing_manifest found = {0};
    const char *key = buf_text(&w->listing->prefix);
    enum status s =
        listing_manifest_read(store, key, w->options->stop, why, &found);

    for (size_t i = 0; s == STATUS_OK && i < found.count; i++) {
        s = listing_add(w, &found.objects[i], why);
    }
    if (s == STATUS_OK) {
        free(w->listing->root_uri);
        w->listing->root_uri = mem_copy(found.root_uri);
        buf_clear(&w->listing->prefix);
        buf_add_text(&w->listing->prefix, found.prefix);
    }
    listing_manifest_fini(&found);
    return s;
}

/* The lines are in order, and their keys are. */
static enum status listing_add_line(void *self,
                                    const struct catalog_object *object,
                                    struct fault *why)
{
    return listing_add(self, object, why);
}

static enum status listing_from_augmented(struct listing_work *w,
                                          struct store *store,
                                          struct fault *why)
{
    struct listing_augmented lines = {
        .channel = w->options->channel,
        .store = store,
        .key = buf_text(&w->listing->prefix),
        .stop = w->options->stop,
        .each = listing_add_line,
        .self = w,
    };
    char *root_uri = NULL;
    enum status s =
        listing_augmented_run(&lines, why, &w->listing->recipes, &root_uri);

    if (root_uri != NULL) {
        free(w->listing->root_uri);
        w->listing->root_uri = root_uri;
    }
    return s;
}

static enum status listing_from_inventory(struct listing_work *w,
                                          struct store *store,
                                          struct fault *why)
{
    struct listing_inventory inventory = {
        .channel = w->options->channel,
        .store = store,
        .prefix = buf_bytes(&w->listing->prefix),
        .stop = w->options->stop,
        .each = listing_keep,
        .progress = listing_progress,
        .self = w,
    };

    return listing_inventory_run(&inventory, why, &w->listing->named_by);
}

static enum status listing_fill(struct listing_work *w, struct fault *why)
{
    const struct job_channel *c = w->options->channel;
    struct store *store = NULL;
    enum status s =
        store_open(c->uri, STORE_READ, why, &store, &w->listing->prefix);

    if (s != STATUS_OK) {
        return s;
    }
    store_set_stop(store, w->options->stop);
    w->listing->root_uri = mem_copy(store_root_uri(store));
    if (c->source == JOB_SOURCE_MANIFEST) {
        s = listing_from_manifest(w, store, why);
    } else if (c->source == JOB_SOURCE_AUGMENTED) {
        s = listing_from_augmented(w, store, why);
    } else if (c->listing != NULL) {
        s = listing_from_inventory(w, store, why);
    } else {
        s = listing_from_prefix(w, store, why);
    }
    store_close(&store);
    return s;
}

static bool listing_next_key(void *walk, struct bytes *out)
{
    struct catalog_object object;

    if (!catalog_next(walk, &object)) {
        return false;
    }
    *out = object.key;
    return true;
}

/* In a folder every object must have a place of its own on disk. */
static enum status listing_check_names(const struct listing *l,
                                       const struct job_channel *c,
                                       struct fault *why)
{
    struct catalog_cursor first;
    struct catalog_cursor second;

    if (c->mode != JOB_FILE && c->mode != JOB_FAST_FILE) {
        return STATUS_OK;
    }
    catalog_seek(l->catalog, 0, &first);
    catalog_seek(l->catalog, 0, &second);
    return keypath_check_walk(buf_bytes(&l->prefix), listing_next_key, &first,
                              &second, why);
}

static enum status listing_check_empty(const struct listing *l,
                                       const struct job_channel *c,
                                       struct fault *why)
{
    if (catalog_count(l->catalog) > 0 || c->may_be_empty) {
        return STATUS_OK;
    }
    if (l->named_by != NULL) {
        return fault_set(why, STATUS_EMPTY,
                         "%s: %s (%s) names no object there; check both URIs, "
                         "or set \"AllowEmpty\": true if that is meant",
                         c->uri, l->named_by, c->listing);
    }
    return fault_set(why, STATUS_EMPTY,
                     "%s: no object is there; check the URI, or set "
                     "\"AllowEmpty\": true if that is meant",
                     c->uri);
}

enum status listing_make(const struct listing_options *options,
                         struct fault *why, struct listing *out)
{
    struct listing_work w = {.options = options, .listing = out};
    const struct job_channel *c = options->channel;
    enum status s;

    CHECK(c->source <= JOB_SOURCE_AUGMENTED);
    *out = (struct listing){0};
    s = catalog_builder_new(&w.builder);
    if (s == STATUS_OK) {
        s = listing_fill(&w, why);
    }
    if (s == STATUS_OK) {
        s = catalog_builder_finish(&w.builder, &out->catalog);
    }
    if (s == STATUS_OK) {
        s = listing_check_empty(out, c, why);
    }
    if (s == STATUS_OK) {
        s = listing_check_names(out, c, why);
    }
    catalog_builder_destroy(&w.builder);
    if (s != STATUS_OK) {
        listing_fini(out);
        return fault_prefix(why, s, "channel %s", c->name);
    }
    return s;
}

enum status listing_take(const struct job_channel *channel,
                         struct catalog **catalog, struct fault *why,
                         struct listing *out)
{
    struct store *store = NULL;
    enum status s;

    CHECK(channel->source == JOB_SOURCE_PREFIX);
    *out = (struct listing){0};
    s = store_open(channel->uri, STORE_READ, why, &store, &out->prefix);
    if (s != STATUS_OK) {
        listing_fini(out);
        return s;
    }
    out->root_uri = mem_copy(store_root_uri(store));
    out->catalog = *catalog;
    *catalog = NULL;
    store_close(&store);
    return STATUS_OK;
}

void listing_fini(struct listing *l)
{
    catalog_destroy(&l->catalog);
    free(l->root_uri);
    free(l->named_by);
    buf_fini(&l->prefix);
    buf_fini(&l->recipes);
    *l = (struct listing){0};
}
