/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/store_sync.h"
#include "store/store_uri.h"

void pack_key(const struct pack *p, const char *name, struct buf *out)
{
    buf_add_bytes(out, buf_bytes(&p->folder));
    buf_add_text(out, name);
}

/* ---- What is there already. */

/* Objects of a former pack. */
struct pack_former {
    const struct pack *pack;
    bool has_index;
    char **keys; /* Shards. */
    size_t count;
    size_t room;
};

static enum status pack_see(void *self, const struct store_object *object,
                            struct fault *why)
{
    struct pack_former *f = self;
    size_t folder = f->pack->folder.size;
    struct bytes name = {object->key.at + folder, object->key.size - folder};

    (void)why;
    if (bytes_is(name, "pack.json")) {
        f->has_index = true;
    } else if (pack_is_shard_name(name, f->pack->options.prefix)) {
        if (f->count == f->room) {
            f->room = 2 * f->room + 16;
            f->keys = mem_grow(f->keys, f->room, sizeof(f->keys[0]));
        }
        f->keys[f->count++] = mem_copy_text(object->key.at, object->key.size);
    }
    return STATUS_OK;
}

static void pack_former_fini(struct pack_former *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->keys[i]);
    }
    free(f->keys);
}

/* Look only where a pack would be: what else lies in the folder may be much. */
static enum status pack_look(const struct pack *p, struct store *store,
                             struct fault *why, struct pack_former *out)
{
    const char *const names[] = {"pack.json", p->options.prefix};
    enum status s = STATUS_OK;

    *out = (struct pack_former){.pack = p};
    for (size_t i = 0; s == STATUS_OK && i < 2; i++) {
        struct buf prefix = {0};

        pack_key(p, names[i], &prefix);
        if (i == 1) {
            buf_add_char(&prefix, '-');
        }
        s = store_sync_list(store, buf_text(&prefix), pack_see, out, why);
        buf_fini(&prefix);
    }
    return s;
}

static enum status pack_refuse(const struct pack *p,
                               const struct pack_former *f, struct fault *why)
{
    if (f->has_index && !p->options.is_forced) {
        return fault_set(why, STATUS_EXISTS,
                         "%s%spack.json: there is a pack already; --force "
                         "replaces it",
                         p->root_uri, buf_text(&p->folder));
    }
    if (f->count > 0 && !p->options.is_forced) {
        return fault_set(why, STATUS_EXISTS,
                         "%s%s: a shard without a pack.json, of a pack that "
                         "did not end; --force replaces it",
                         p->root_uri, f->keys[0]);
    }
    return STATUS_OK;
}

/* ---- Steps. */

static enum status pack_open_target(struct pack *p, struct fault *why)
{
    struct store *store = NULL;
    enum status s =
        store_open(p->options.target, STORE_WRITE, why, &store, &p->folder);

    if (s == STATUS_OK) {
        p->root_uri = mem_copy(store_root_uri(store));
    }
    store_close(&store);
    return s;
}

static enum status pack_list(struct pack *p, struct fault *why)
{
    static char name[] = "source";
    char *uri = mem_copy(p->options.source);
    struct job_channel channel = {.name = name,
                                  .uri = uri,
                                  .source = JOB_SOURCE_PREFIX,
                                  .mode = JOB_RING};
    enum status s = listing_make(&(struct listing_options){.channel = &channel},
                                 why, &p->listing);

    free(uri);
    return s;
}

/* What the keys of a location begin with, its store's name before them. */
static enum status pack_place(const char *uri, enum store_use use,
                              struct fault *why, struct buf *out)
{
    struct store_uri parts;
    enum status s = store_uri_parse(uri, use, why, &parts);

    if (s == STATUS_OK) {
        buf_print(out, "%s%s", parts.root, parts.prefix);
        store_uri_fini(&parts);
    }
    return s;
}

/* The pack must not be listed as a part of its source. */
static enum status pack_keep_apart(const struct pack *p, struct fault *why)
{
    struct buf source = {0};
    struct buf target = {0};
    enum status s = pack_place(p->options.source, STORE_READ, why, &source);

    if (s == STATUS_OK) {
        s = pack_place(p->options.target, STORE_WRITE, why, &target);
    }
    if (s == STATUS_OK &&
        bytes_has_prefix(buf_bytes(&target), buf_bytes(&source))) {
        s = fault_set(why, STATUS_INVALID,
                      "%s lies in what %s stands for; pack to another place, "
                      "or end the source with '/'",
                      buf_text(&target), buf_text(&source));
    }
    buf_fini(&source);
    buf_fini(&target);
    return s;
}

static enum status pack_plan(struct pack *p, struct fault *why)
{
    const struct pack_plan_options options = {
        .format = p->options.format,
        .size = p->options.size,
        .prefix = buf_bytes(&p->listing.prefix)};
    uint64_t count = catalog_count(p->listing.catalog);

    if (count == 0) {
        return fault_set(why, STATUS_EMPTY, "%s: no object to pack",
                         p->options.source);
    }
    p->at = calloc(count, sizeof(p->at[0]));
    p->is_split = calloc(count, sizeof(p->is_split[0]));
    if (p->at == NULL || p->is_split == NULL) {
        return fault_set(why, STATUS_FULL, "no memory for the index");
    }
    return pack_plan_make(p->listing.catalog, &options, why, &p->plan);
}

/* The old index goes first: from now on there is no whole pack. */
static enum status pack_remove_index(struct pack *p, struct store *store,
                                     struct fault *why)
{
    struct buf key = {0};
    enum status s;

    pack_key(p, "pack.json", &key);
    s = store_sync_delete(store, buf_text(&key), why);
    buf_fini(&key);
    return s;
}

/* Shards of the former pack that the new one has not replaced. */
static enum status pack_remove_rest(struct pack *p, struct store *store,
                                    struct fault *why)
{
    struct pack_former former;
    struct buf last = {0};
    char name[PACK_NAME_MAX];
    enum status s = pack_look(p, store, why, &former);
    const char *ending = pack_ending(p->options.format);

    pack_shard_name(p->options.prefix, p->plan.count - 1, p->options.format,
                    name);
    pack_key(p, name, &last);
    for (size_t i = 0; s == STATUS_OK && i < former.count; i++) {
        struct bytes key = bytes_of(former.keys[i]);
        size_t dot = key.size;

        while (key.at[dot - 1] != '.') {
            dot--;
        }
        if (strcmp(key.at + dot, ending) != 0 ||
            bytes_compare(key, buf_bytes(&last)) > 0) {
            s = store_sync_delete(store, former.keys[i], why);
            p->removed += s == STATUS_OK;
        }
    }
    buf_fini(&last);
    pack_former_fini(&former);
    return s;
}

static enum status pack_finish(struct pack *p, struct pack_lane *lane,
                               struct fault *why)
{
    enum status s = STATUS_OK;

    if (p->options.is_forced) {
        s = pack_remove_rest(p, pack_lane_target(lane), why);
    }
    for (uint32_t i = 0; i < p->plan.count; i++) {
        p->out_bytes += p->plan.shards[i].size;
    }
    return s == STATUS_OK ? pack_write_index(p, lane, why) : s;
}

static enum status pack_prepare(struct pack *p, struct fault *why)
{
    enum status s = pack_keep_apart(p, why);

    if (s == STATUS_OK) {
        s = pack_list(p, why);
    }
    if (s == STATUS_OK) {
        s = pack_plan(p, why);
    }
    return s == STATUS_OK ? pack_open_target(p, why) : s;
}

static enum status pack_clear(struct pack *p, struct pack_lane *lane,
                              struct fault *why)
{
    struct pack_former former;
    enum status s = pack_look(p, pack_lane_target(lane), why, &former);

    if (s == STATUS_OK) {
        s = pack_refuse(p, &former, why);
    }
    if (s == STATUS_OK && former.has_index) {
        s = pack_remove_index(p, pack_lane_target(lane), why);
    }
    pack_former_fini(&former);
    return s;
}

enum status pack_run(struct pack *p, struct fault *why)
{
    struct pack_lane *lane = NULL;
    enum status s = pack_prepare(p, why);

    if (s == STATUS_OK) {
        s = pack_lane_new(
            &(struct pack_lane_options){.source = p->listing.root_uri,
                                        .target = p->root_uri,
                                        .stop = &p->stop,
                                        .done_bytes = &p->done_bytes},
            why, &lane);
    }
    if (s == STATUS_OK) {
        p->options.begin();
        s = pack_clear(p, lane, why);
    }
    if (s == STATUS_OK) {
        s = pack_make_shards(p, why);
    }
    if (s == STATUS_OK) {
        s = pack_finish(p, lane, why);
    }
    pack_lane_destroy(&lane);
    return s;
}

void pack_fini(struct pack *p)
{
    pack_plan_fini(&p->plan);
    listing_fini(&p->listing);
    buf_fini(&p->folder);
    free(p->root_uri);
    free(p->at);
    free(p->is_split);
}
