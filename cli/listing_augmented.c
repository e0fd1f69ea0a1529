/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest is gone through twice: for the objects that it names, each of
 * which is then looked up once however many lines name it, and for the units.
 * Between the two only the objects are kept. */
#include "cli/listing_augmented.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/listing_lookup.h"
#include "cli/listing_table.h"
#include "proto/augmented.h"
#include "proto/recipe.h"
#include "store/store_stop.h"
#include "store/store_sync.h"
#include "store/store_uri.h"

enum {
    AUGMENTED_MANIFEST_MAX = 1 << 30,
    AUGMENTED_RECIPES_MAX = 512 << 20, /* What a host reads at once. */
};

struct listing_lines {
    const struct listing_augmented *l;
    char *name; /* The manifest's URI. */
    struct augmented wanted;
    struct buf text;
    struct listing_table *table; /* Of the objects. */
    char *root;                  /* Where they are, as the first one says; */
    uint64_t root_line;          /* in this line. */
    struct buf *recipes;

    /* Of the lookup. */
    struct store *store;
    uint64_t next;
    struct bytes failed; /* The key of what could not be found. */
};

/* ---- Objects. -------------------------------------------------------------
 */

/* Take a location apart: where its store begins, and the key. Of a file that
 * is the root of all files, so that any two are in one place. */
static enum status lines_locate(struct bytes uri, struct fault *why,
                                struct store_uri *out)
{
    char *text = mem_copy_text(uri.at, uri.size);
    enum status s = store_uri_parse(text, STORE_READ, why, out);

    free(text);
    if (s == STATUS_OK && out->scheme == STORE_SCHEME_FILE) {
        char *key = mem_print("%s%s", out->place + 1, out->prefix);

        free(out->root);
        free(out->prefix);
        out->root = mem_copy("file:///");
        out->prefix = key;
    }
    return s;
}

/* An object lies where the first one does, and in a store of the kind that
 * the manifest is in: a list that comes from a bucket names no files here. */
static enum status lines_check_root(struct listing_lines *n,
                                    const struct store_uri *at, uint64_t number,
                                    struct fault *why)
{
    const char *home = store_root_uri(n->l->store);
    size_t scheme = (size_t)(strstr(home, "://") - home);

    if (strncmp(at->root, home, scheme + 1) != 0) {
        return fault_set(why, STATUS_INVALID,
                         "it lies outside of %.*s://, where the manifest is",
                         (int)scheme, home);
    }
    if (n->root == NULL) {
        n->root = mem_copy(at->root);
        n->root_line = number;
    }
    if (strcmp(n->root, at->root) != 0) {
        return fault_set(why, STATUS_CONFLICT,
                         "it lies outside of %s, where line %" PRIu64
                         " has its object; all objects of a channel lie in one "
                         "bucket",
                         n->root, n->root_line);
    }
    if (at->prefix[0] == '\0' || strlen(at->prefix) > CATALOG_KEY_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "its key is empty, or longer than %d bytes",
                         CATALOG_KEY_MAX);
    }
    return STATUS_OK;
}

static enum status lines_add_object(struct listing_lines *n, struct bytes uri,
                                    uint64_t number, struct fault *why)
{
    struct store_uri at;
    enum status s = lines_locate(uri, why, &at);

    if (s == STATUS_OK) {
        s = lines_check_root(n, &at, number, why);
    }
    if (s == STATUS_OK) {
        s = listing_table_add(n->table,
                              &(struct listing_entry){
                                  .key = bytes_of(at.prefix),
                                  .etag = {"", 0},
                                  .version = {"", 0},
                              },
                              why);
    }
    store_uri_fini(&at);
    return s;
}

/* ---- Lines. ---------------------------------------------------------------
 */

typedef enum status lines_fn(struct listing_lines *n,
                             const struct augmented_line *line, uint64_t number,
                             struct fault *why);

static enum status lines_each(struct listing_lines *n, lines_fn *each,
                              struct fault *why)
{
    struct bytes rest = buf_bytes(&n->text);
    struct augmented_line line = {0};
    struct bytes text;
    uint64_t number = 0;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && augmented_next(&rest, &number, &text)) {
        s = augmented_read(&n->wanted, text, number, why, &line);
        if (s == STATUS_OK) {
            s = each(n, &line, number, why);
        }
        if (s == STATUS_OK && n->l->stop != NULL && atomic_load(n->l->stop)) {
            s = fault_set(why, STATUS_STOPPED, "%s: reading it was stopped",
                          n->name);
        }
    }
    augmented_line_fini(&line);
    return s;
}

static enum status lines_fault(const struct listing_lines *n, uint64_t number,
                               const struct augmented_value *v, enum status s,
                               struct fault *why)
{
    return fault_prefix(why, s, "%s:%" PRIu64 ": %.*s", n->name, number,
                        (int)(v->text.size < 300 ? v->text.size : 300),
                        v->text.at);
}

static enum status lines_note_objects(struct listing_lines *n,
                                      const struct augmented_line *line,
                                      uint64_t number, struct fault *why)
{
    enum status s = STATUS_OK;

    for (uint32_t i = 0; s == STATUS_OK && i < n->wanted.count; i++) {
        const struct augmented_value *v = &line->values[i];

        if (v->is_ref) {
            s = lines_add_object(n, v->text, number, why);
            if (s != STATUS_OK) {
                s = lines_fault(n, number, v, s, why);
            }
        }
    }
    return s;
}

/* ---- Looking objects up. --------------------------------------------------
 */

static bool lines_next_object(void *self, uint64_t *tag, struct bytes *key)
{
    struct listing_lines *n = self;
    char room[LISTING_TABLE_WORD_MAX];
    struct listing_entry entry;

    if (n->next == listing_table_count(n->table)) {
        return false;
    }
    listing_table_at(n->table, n->next, room, &entry);
    *key = entry.key;
    *tag = n->next++;
    return true;
}

static enum status lines_found_object(void *self,
                                      const struct store_event *event,
                                      struct fault *why)
{
    struct listing_lines *n = self;
    char room[LISTING_TABLE_WORD_MAX];
    struct listing_entry entry;

    if (event->status == STATUS_OK) {
        return listing_table_set(n->table, event->tag, event->size,
                                 bytes_of(event->etag), why);
    }
    listing_table_at(n->table, event->tag, room, &entry);
    n->failed = entry.key;
    *why = event->why;
    return event->status;
}

/* Find the line that names what is not there, for the message. */
static enum status lines_blame(struct listing_lines *n,
                               const struct augmented_line *line,
                               uint64_t number, struct fault *why)
{
    for (uint32_t i = 0; i < n->wanted.count; i++) {
        struct store_uri at;
        bool is_it;

        if (!line->values[i].is_ref) {
            continue;
        }
        is_it = lines_locate(line->values[i].text, NULL, &at) == STATUS_OK &&
                bytes_is(n->failed, at.prefix);
        store_uri_fini(&at);
        if (is_it) {
            return fault_set(why, STATUS_NOT_FOUND,
                             "%s:%" PRIu64 ": attribute \"%s\"", n->name,
                             number, n->wanted.attributes[i]);
        }
    }
    return STATUS_OK;
}

static enum status lines_look_up(struct listing_lines *n, struct fault *why)
{
    struct buf prefix = {0};
    struct fault where = {.text = ""};
    enum status s = store_open(n->root, STORE_READ, why, &n->store, &prefix);

    if (s == STATUS_OK) {
        store_set_stop(n->store, n->l->stop);
        s = listing_look_up(&(struct listing_lookup){n->store,
                                                     lines_next_object,
                                                     lines_found_object, n},
                            why);
    }
    store_close(&n->store);
    buf_fini(&prefix);
    if (s != STATUS_OK && n->failed.size > 0 &&
        lines_each(n, lines_blame, &where) == STATUS_NOT_FOUND) {
        return fault_prefix(why, s, "%s", where.text);
    }
    return s;
}

/* ---- Units. ---------------------------------------------------------------
 */

/* The entry of @key, which is in the table. */
static void lines_entry(const struct listing_lines *n, struct bytes key,
                        char room[LISTING_TABLE_WORD_MAX],
                        struct listing_entry *out)
{
    uint64_t low = 0;
    uint64_t high = listing_table_count(n->table);

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        listing_table_at(n->table, middle, room, out);
        if (bytes_compare(out->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    listing_table_at(n->table, low, room, out);
    CHECK(bytes_is_equal(out->key, key));
}

static enum status lines_add_part(const struct listing_lines *n,
                                  const struct augmented_value *v,
                                  char room[LISTING_TABLE_WORD_MAX],
                                  struct fault *why, struct recipe_part *out)
{
    struct listing_entry entry;
    struct store_uri at;
    enum status s;

    *out = (struct recipe_part){.is_object = v->is_ref, .text = v->text};
    if (!v->is_ref) {
        return STATUS_OK;
    }
    s = lines_locate(v->text, why, &at);
    if (s == STATUS_OK) {
        lines_entry(n, bytes_of(at.prefix), room, &entry);
        out->key = entry.key; /* The table's. */
        out->etag = entry.etag;
        out->size = entry.size;
    }
    store_uri_fini(&at);
    return s;
}

static enum status lines_add_unit(struct listing_lines *n,
                                  const struct augmented_line *line,
                                  uint64_t number, struct fault *why)
{
    char rooms[RECIPE_PARTS_MAX][LISTING_TABLE_WORD_MAX];
    struct recipe recipe = {.count = n->wanted.count};
    struct recipe_unit unit;
    const char *slash = strrchr(n->l->key, '/');
    enum status s = STATUS_OK;

    for (uint32_t i = 0; s == STATUS_OK && i < recipe.count; i++) {
        s = lines_add_part(n, &line->values[i], rooms[i], why,
                           &recipe.parts[i]);
    }
    if (s != STATUS_OK) {
        return s;
    }
    recipes_add(slash != NULL ? slash + 1 : n->l->key, number, &recipe,
                n->recipes, &unit);
    if (n->recipes->size > AUGMENTED_RECIPES_MAX) {
        return fault_set(why, STATUS_FULL,
                         "%s:%" PRIu64 ": what is delivered beside objects is "
                         "more than %d MiB up to here; use several channels",
                         n->name, number, AUGMENTED_RECIPES_MAX >> 20);
    }
    return n->l->each(n->l->self,
                      &(struct catalog_object){bytes_of(unit.key), unit.size,
                                               bytes_of(unit.etag)},
                      why);
}

/* ---- All of it. -----------------------------------------------------------
 */

static enum status lines_run(struct listing_lines *n, struct fault *why)
{
    uint64_t repeated;
    enum status s = store_sync_get(
        n->l->store,
        &(struct store_sync_get){n->l->key, AUGMENTED_MANIFEST_MAX, NULL}, why,
        &n->text);

    if (s == STATUS_OK) {
        s = lines_each(n, lines_note_objects, why);
    }
    if (s == STATUS_OK) {
        s = listing_table_sort(n->table, why, &repeated);
    }
    if (s == STATUS_OK && n->root != NULL) {
        s = lines_look_up(n, why);
    }
    return s == STATUS_OK ? lines_each(n, lines_add_unit, why) : s;
}

enum status listing_augmented_run(const struct listing_augmented *l,
                                  struct fault *why, struct buf *recipes,
                                  char **root_uri)
{
    struct listing_lines n = {
        .l = l,
        .name = mem_print("%s%s", store_root_uri(l->store), l->key),
        .recipes = recipes,
    };
    enum status s;

    n.table = listing_table_new();
    n.wanted =
        (struct augmented){n.name, (const char *const *)l->channel->attributes,
                           l->channel->attribute_count};
    recipes_begin(recipes);
    s = lines_run(&n, why);
    *root_uri = s == STATUS_OK ? n.root : NULL;
    if (s != STATUS_OK) {
        free(n.root);
    }
    listing_table_destroy(&n.table);
    buf_fini(&n.text);
    free(n.name);
    return s;
}
