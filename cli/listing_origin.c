/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing_origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/gunzip.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store_stop.h"
#include "store/store_sync.h"
#include "store/store_uri.h"

enum {
    ORIGIN_MANIFEST_MAX = 256 << 20, /* Bytes of a manifest.json. */
    ORIGIN_CHECKSUM_MAX = 4096,
    ORIGIN_START = 4096, /* Bytes that tell what it is. */
};

#define ORIGIN_MANIFEST "manifest.json"
#define ORIGIN_CHECKSUM "manifest.checksum"

/* ---- The manifest of an inventory. */

static enum status origin_read_text(struct store *store, const char *key,
                                    size_t max, struct fault *why,
                                    struct buf *out)
{
    return store_sync_get(store, &(struct store_sync_get){key, max, NULL}, why,
                          out);
}

/* Compare the manifest @text with the checksum beside it, which is written
 * last: without it the inventory is not complete. */
static enum status origin_check(struct store *store, const char *folder,
                                struct bytes text, struct fault *why)
{
    char *key = mem_print("%s" ORIGIN_CHECKSUM, folder);
    struct hash *hash = hash_md5_new();
    char have[HASH_MD5_HEX];
    char want[INVENTORY_MD5_SIZE] = "";
    struct buf checksum = {0};
    enum status s =
        origin_read_text(store, key, ORIGIN_CHECKSUM_MAX, why, &checksum);

    hash_add(hash, text.at, text.size);
    hash_md5_finish(&hash, have);
    if (s == STATUS_NOT_FOUND) {
        s = fault_set(why, s,
                      "%s%s: it is not there, so the inventory is not "
                      "complete; take an older one, or wait",
                      store_root_uri(store), key);
    } else if (s == STATUS_OK &&
               (!inventory_read_checksum(buf_bytes(&checksum), want) ||
                strcmp(have, want) != 0)) {
        s = fault_set(why, STATUS_INVALID,
                      "%s%s: it is not the MD5 of the " ORIGIN_MANIFEST
                      " beside it (%s); one of them is damaged or being "
                      "replaced",
                      store_root_uri(store), key, have);
    }
    buf_fini(&checksum);
    free(key);
    return s;
}

/* Read the manifest in @folder, a key with its slash, and check it. Whether it
 * is whole is one question, whether we can read it another. */
static enum status origin_read_manifest(struct listing_origin *o,
                                        const char *folder, struct fault *why,
                                        bool *is_whole)
{
    char *key = mem_print("%s" ORIGIN_MANIFEST, folder);
    char *uri = mem_print("%s%s", store_root_uri(o->store), key);
    struct buf text = {0};
    enum status s =
        origin_read_text(o->store, key, ORIGIN_MANIFEST_MAX, why, &text);

    if (s == STATUS_OK) {
        s = origin_check(o->store, folder, buf_bytes(&text), why);
    }
    *is_whole = s != STATUS_NOT_FOUND && s != STATUS_INVALID;
    if (s == STATUS_OK) {
        s = inventory_parse(buf_bytes(&text), uri, why, &o->inventory);
    }
    buf_fini(&text);
    free(uri);
    free(key);
    return s;
}

/* ---- The newest of a configuration. */

struct origin_dates {
    size_t prefix; /* Bytes of a key before the date. */
    char **names;
    size_t count;
};

/* Note "<date>/manifest.json". */
static enum status origin_note(void *self, const struct store_object *object,
                               struct fault *why)
{
    struct origin_dates *d = self;
    struct bytes name = {object->key.at + d->prefix,
                         object->key.size - d->prefix};
    size_t end = strlen("/" ORIGIN_MANIFEST);

    (void)why;
    if (!bytes_has_suffix(name, BYTES("/" ORIGIN_MANIFEST)) ||
        !inventory_is_folder((struct bytes){name.at, name.size - end})) {
        return STATUS_OK;
    }
    d->names = mem_grow(d->names, d->count + 1, sizeof(d->names[0]));
    d->names[d->count++] = mem_copy_text(name.at, name.size - end);
    return STATUS_OK;
}

static int origin_newest_first(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Take the newest of @dates that is whole. */
static enum status origin_take_newest(struct listing_origin *o,
                                      const struct origin_dates *dates,
                                      const char *prefix, struct fault *why)
{
    for (size_t i = 0; i < dates->count; i++) {
        char *folder = mem_print("%s%s/", prefix, dates->names[i]);
        bool is_whole;
        enum status s = origin_read_manifest(o, folder, why, &is_whole);

        free(folder);
        if (is_whole) {
            return s;
        }
        log_event(LOG_WARN, "listing.passed_over", "date=%s why=\"%s\"",
                  dates->names[i], why->text);
    }
    return fault_set(why, STATUS_NOT_FOUND,
                     "%s%s: no complete inventory is there; \"Listing\" names "
                     "the folder of its configuration, which holds "
                     "YYYY-MM-DDTHH-MMZ/" ORIGIN_MANIFEST
                     " with its " ORIGIN_CHECKSUM,
                     store_root_uri(o->store), prefix);
}

static enum status origin_find_newest(struct listing_origin *o,
                                      const char *prefix, struct fault *why)
{
    struct origin_dates dates = {.prefix = strlen(prefix)};
    /* Dates start with a 2: what else is in the folder is not listed. */
    char *start = mem_print("%s2", prefix);
    enum status s = store_sync_list(o->store, start, origin_note, &dates, why);

    if (s == STATUS_OK && dates.count > 1) {
        qsort(dates.names, dates.count, sizeof(dates.names[0]),
              origin_newest_first);
    }
    if (s == STATUS_OK) {
        s = origin_take_newest(o, &dates, prefix, why);
    }
    for (size_t i = 0; i < dates.count; i++) {
        free(dates.names[i]);
    }
    free(dates.names);
    free(start);
    return s;
}

/* ---- Where the files are. */

/* Whether the manifest lies in the bucket that it was made for. */
static bool origin_is_at_home(const struct listing_origin *o)
{
    char *home = mem_print("s3://%s/", o->inventory.destination);
    bool is = strcmp(store_root_uri(o->store), home) == 0;

    free(home);
    return is;
}

/* The last two parts of @key: "data/NAME". */
static const char *origin_tail(const char *key)
{
    const char *at = key + strlen(key);
    int slashes = 0;

    while (at > key && slashes < 2) {
        at--;
        slashes += *at == '/' ? 1 : 0;
    }
    return *at == '/' ? at + 1 : at;
}

static void origin_make_files(struct listing_origin *o, const char *prefix)
{
    bool is_at_home = origin_is_at_home(o);

    o->count = o->inventory.file_count;
    o->files = mem_new(o->count + 1, sizeof(o->files[0]));
    o->keys = mem_new(o->count + 1, sizeof(o->keys[0]));
    for (size_t i = 0; i < o->count; i++) {
        const struct inventory_file *f = &o->inventory.files[i];

        o->keys[i] = is_at_home
                         ? mem_copy(f->key)
                         : mem_print("%s%s", prefix, origin_tail(f->key));
        o->files[i] =
            (struct listing_stream_file){.key = o->keys[i], .size = f->size};
    }
}

static void origin_name(struct listing_origin *o, const char *what,
                        uint64_t made_ms)
{
    char date[INVENTORY_DATE_SIZE];

    o->made_ms = made_ms;
    o->name = mem_print("the %s of %s", what, inventory_date(made_ms, date));
}

/* Of @uri: where the folder of the inventory's configuration ends, which is
 * two parts before the end, or where the store's root does. */
static size_t origin_base_size(const char *uri, const char *root)
{
    size_t least =
        strncmp(uri, "file://", 7) == 0 ? strlen("file:///") : strlen(root);
    size_t size = strlen(uri);

    for (int parts = 0; parts < 2 && size > least; parts++) {
        size--;
        while (size > least && uri[size - 1] != '/') {
            size--;
        }
    }
    return size;
}

static enum status origin_open(struct listing_origin *o, const char *uri,
                               struct fault *why, struct buf *key)
{
    enum status s = store_open(uri, STORE_READ, why, &o->store, key);

    if (s == STATUS_OK) {
        store_set_stop(o->store, o->stop);
    }
    return s;
}

/* Read the inventory in the configuration's folder @base: that of @folder
 * below it, or the newest when that is NULL. */
static enum status origin_read_inventory(struct listing_origin *o,
                                         const char *base, const char *folder,
                                         struct fault *why)
{
    struct buf prefix = {0};
    char *full = NULL;
    bool is_whole;
    enum status s = origin_open(o, base, why, &prefix);

    if (s == STATUS_OK && folder != NULL) {
        full = mem_print("%s%s", buf_text(&prefix), folder);
        s = origin_read_manifest(o, full, why, &is_whole);
    } else if (s == STATUS_OK) {
        s = origin_find_newest(o, buf_text(&prefix), why);
    }
    if (s == STATUS_OK) {
        origin_make_files(o, buf_text(&prefix));
        origin_name(o, "inventory", o->inventory.created_ms);
    }
    free(full);
    buf_fini(&prefix);
    return s;
}

/* ---- One object, of either kind. */

struct origin_object {
    char *key;
    uint64_t size;
    uint64_t modified_ms;
    size_t got;
    char start[ORIGIN_START];
};

static enum status origin_look(struct listing_origin *o,
                               struct origin_object *object, struct fault *why)
{
    struct store_event *event = mem_new(1, sizeof(*event));
    struct store_request request = {.op = STORE_HEAD,
                                    .key = bytes_of(object->key)};
    enum status s = store_sync(o->store, &request, event);

    if (s == STATUS_OK) {
        object->size = event->size;
        object->modified_ms = event->modified_ms;
        memcpy(o->etag, event->etag, sizeof(o->etag));
    }
    if (s == STATUS_OK && object->size > 0) {
        request.op = STORE_GET;
        request.into = object->start;
        request.size =
            object->size < ORIGIN_START ? (size_t)object->size : ORIGIN_START;
        request.etag = o->etag;
        s = store_sync(o->store, &request, event);
        object->got = event->got;
    }
    if (s != STATUS_OK) {
        *why = event->why;
    }
    free(event);
    return s;
}

/* The first byte that is no space and no byte order mark; 0: none. */
static char origin_first(const struct origin_object *object)
{
    struct bytes start = {object->start, object->got};
    size_t i = bytes_has_prefix(start, BYTES("\xef\xbb\xbf")) ? 3 : 0;

    while (i < start.size && strchr(" \t\r\n", start.at[i]) != NULL) {
        i++;
    }
    return i < start.size ? start.at[i] : '\0';
}

static enum status origin_take_batch(struct listing_origin *o,
                                     const struct origin_object *object,
                                     struct fault *why)
{
    if (origin_first(object) == '[') {
        return fault_set(why, STATUS_INVALID,
                         "%s%s: it is a JSON list, which no inventory is; a "
                         "ManifestFile is named by S3Uri with S3DataType "
                         "ManifestFile",
                         store_root_uri(o->store), object->key);
    }
    o->is_batch = true;
    o->count = 1;
    o->files = mem_new(1, sizeof(o->files[0]));
    o->keys = mem_new(1, sizeof(o->keys[0]));
    o->keys[0] = mem_copy(object->key);
    o->files[0] =
        (struct listing_stream_file){o->keys[0], object->size, o->etag};
    origin_name(o, "manifest", object->modified_ms);
    return STATUS_OK;
}

/* The manifest.json of an inventory by its own URI. */
static enum status origin_take_manifest(struct listing_origin *o,
                                        const char *uri, struct fault *why)
{
    size_t size = origin_base_size(uri, store_root_uri(o->store));
    char *base = mem_copy_text(uri, size);
    const char *name = strrchr(uri, '/') + 1;
    char *folder = mem_copy_text(uri + size, (size_t)(name - uri) - size);
    enum status s;

    store_close(&o->store);
    if (strcmp(name, ORIGIN_MANIFEST) == 0) {
        s = origin_read_inventory(o, base, folder, why);
    } else {
        s = fault_set(why, STATUS_INVALID,
                      "%s: an inventory is named by its " ORIGIN_MANIFEST, uri);
    }
    free(folder);
    free(base);
    return s;
}

static enum status origin_find_object(struct listing_origin *o, const char *uri,
                                      struct fault *why)
{
    struct origin_object *object = mem_new(1, sizeof(*object));
    struct buf key = {0};
    enum status s = origin_open(o, uri, why, &key);

    if (s == STATUS_OK) {
        object->key = mem_copy(buf_text(&key));
        s = key.size > 0
                ? origin_look(o, object, why)
                : fault_set(why, STATUS_INVALID, "%s: it names no object", uri);
    }
    if (s == STATUS_OK && origin_first(object) == '{') {
        s = origin_take_manifest(o, uri, why);
    } else if (s == STATUS_OK) {
        s = origin_take_batch(o, object, why);
    }
    buf_fini(&key);
    free(object->key);
    free(object);
    return s;
}

enum status listing_origin_find(const char *uri, const atomic_bool *stop,
                                struct fault *why, struct listing_origin *out)
{
    size_t size = strlen(uri);
    enum status s;

    *out = (struct listing_origin){.stop = stop};
    CHECK(size > 0);
    if (uri[size - 1] == '/') {
        s = origin_read_inventory(out, uri, NULL, why);
    } else {
        s = origin_find_object(out, uri, why);
    }
    if (s != STATUS_OK) {
        listing_origin_fini(out);
    }
    return s;
}

void listing_origin_fini(struct listing_origin *o)
{
    store_close(&o->store);
    inventory_fini(&o->inventory);
    for (size_t i = 0; i < o->count; i++) {
        free(o->keys[i]);
    }
    free(o->keys);
    free(o->files);
    free(o->name);
    *o = (struct listing_origin){0};
}
