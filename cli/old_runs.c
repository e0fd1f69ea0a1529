/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/old_runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "coordinator/term.h"
#include "store/store_sync.h"

struct old_run {
    char id[TERM_RUN_SIZE + 1];
    uint64_t date_ms; /* Of its newest object; 0: not known. */
};

struct old_runs {
    struct old_runs_options options;
    char run[TERM_RUN_SIZE + 1];
    struct old_run *runs; /* Other than that; newest first once listed. */
    uint32_t count;
    bool is_listed;
    struct buf after; /* While they are listed: the last key of a page. */
    uint32_t kept;    /* So many stay; those from there to @last go, */
    uint32_t last;
    uint32_t next; /* backwards: the oldest first. It goes down to @kept. */
    struct store_event event;
};

struct old_runs *old_runs_new(const struct old_runs_options *options)
{
    struct old_runs *o = mem_new(1, sizeof(*o));

    CHECK(strlen(options->run) <= TERM_RUN_SIZE);
    o->options = *options;
    memcpy(o->run, options->run, strlen(options->run) + 1);
    o->options.run = o->run;
    return o;
}

void old_runs_destroy(struct old_runs **o)
{
    if (*o == NULL) {
        return;
    }
    free((*o)->runs);
    buf_fini(&(*o)->after);
    free(*o);
    *o = NULL;
}

static bool old_runs_fail(const struct old_runs *o)
{
    char quoted[FAULT_TEXT_MAX];

    log_event(LOG_WARN, "runs.left", "reason=%s",
              log_quote(o->event.why.text, quoted, sizeof(quoted)));
    return false;
}

/* ---- Which there are ----------------------------------------------------- */

/* Read the run's id in what follows `runs/` in a key. */
static bool old_runs_id(struct bytes rest, char out[TERM_RUN_SIZE + 1])
{
    if (rest.size <= TERM_RUN_SIZE || rest.at[TERM_RUN_SIZE] != '/') {
        return false;
    }
    memcpy(out, rest.at, TERM_RUN_SIZE);
    out[TERM_RUN_SIZE] = '\0';
    return strspn(out, "0123456789abcdef") == TERM_RUN_SIZE;
}

/* O(runs) an object at worst; keys come ordered, so it is mostly the last. */
static struct old_run *old_runs_find(struct old_runs *o, const char *id)
{
    for (uint32_t i = o->count; i > 0; i--) {
        if (strcmp(o->runs[i - 1].id, id) == 0) {
            return &o->runs[i - 1];
        }
    }
    if (o->count == OLD_RUNS_MAX) {
        return NULL;
    }
    o->runs = mem_grow(o->runs, o->count + 1, sizeof(*o->runs));
    memset(&o->runs[o->count], 0, sizeof(*o->runs));
    memcpy(o->runs[o->count].id, id, TERM_RUN_SIZE + 1);
    return &o->runs[o->count++];
}

static void old_runs_note(struct old_runs *o, const struct store_object *object,
                          size_t skip)
{
    char id[TERM_RUN_SIZE + 1];
    struct old_run *run;

    if (object->key.size < skip ||
        !old_runs_id(
            (struct bytes){object->key.at + skip, object->key.size - skip},
            id) ||
        strcmp(id, o->run) == 0) {
        return;
    }
    run = old_runs_find(o, id);
    if (run != NULL && object->modified_ms > run->date_ms) {
        run->date_ms = object->modified_ms;
    }
}

static int old_runs_compare(const void *a, const void *b)
{
    const struct old_run *x = a;
    const struct old_run *y = b;

    return (x->date_ms < y->date_ms) - (x->date_ms > y->date_ms);
}

/* All were listed: choose those that go. */
static bool old_runs_choose(struct old_runs *o)
{
    o->is_listed = true;
    o->next = o->count;
    o->kept = o->count;
    if (o->count <= OLD_RUNS_KEPT || !o->options.is_led(o->options.self)) {
        return false;
    }
    qsort(o->runs, o->count, sizeof(*o->runs), old_runs_compare);
    while (o->next > 0 && o->runs[o->next - 1].date_ms == 0) {
        o->next--;
    }
    o->kept = OLD_RUNS_KEPT;
    while (o->kept < o->next &&
           o->runs[o->kept].date_ms == o->runs[OLD_RUNS_KEPT - 1].date_ms) {
        o->kept++;
    }
    o->last = o->next;
    return o->next > o->kept;
}

static bool old_runs_list(struct old_runs *o, struct store *store,
                          const char *prefix)
{
    char *folder = mem_print("%sruns/", prefix);
    struct store_request request = {.op = STORE_LIST,
                                    .key = bytes_of(folder),
                                    .after = buf_bytes(&o->after)};
    size_t skip = strlen(folder);
    enum status s = store_sync(store, &request, &o->event);

    free(folder);
    if (s != STATUS_OK) {
        return old_runs_fail(o);
    }
    for (uint32_t i = 0; i < o->event.object_count; i++) {
        old_runs_note(o, &o->event.objects[i], skip);
    }
    if (o->event.object_count > 0) {
        buf_clear(&o->after);
        buf_add_bytes(&o->after,
                      o->event.objects[o->event.object_count - 1].key);
    }
    return o->event.has_more || old_runs_choose(o);
}

/* ---- Deleting ------------------------------------------------------------ */

/* Delete the objects that were just listed. */
static enum status old_runs_delete_page(struct old_runs *o, struct store *store)
{
    struct store_request request = {.op = STORE_DELETE_MANY,
                                    .key_count = o->event.object_count};
    struct bytes keys[OLD_RUNS_STEP];
    struct buf text = {0};
    size_t at = 0;
    enum status s;

    CHECK(request.key_count <= OLD_RUNS_STEP);
    for (uint32_t i = 0; i < request.key_count; i++) {
        buf_add_bytes(&text, o->event.objects[i].key);
    }
    for (uint32_t i = 0; i < request.key_count; i++) {
        keys[i] = (struct bytes){text.at + at, o->event.objects[i].key.size};
        at += keys[i].size;
    }
    request.keys = keys;
    s = store_sync(store, &request, &o->event);
    buf_fini(&text);
    return s;
}

static bool old_runs_delete(struct old_runs *o, struct store *store,
                            const char *prefix)
{
    char *folder = mem_print("%sruns/%s/", prefix, o->runs[o->next - 1].id);
    struct store_request request = {
        .op = STORE_LIST, .key = bytes_of(folder), .list_max = OLD_RUNS_STEP};
    enum status s = store_sync(store, &request, &o->event);
    bool has_more = o->event.has_more;

    if (s == STATUS_OK && o->event.object_count > 0) {
        s = old_runs_delete_page(o, store);
    }
    free(folder);
    if (s != STATUS_OK) {
        return old_runs_fail(o);
    }
    o->next -= has_more ? 0 : 1;
    if (o->next == o->kept) {
        log_event(LOG_INFO, "runs.deleted", "count=%" PRIu32,
                  o->last - o->kept);
    }
    return o->next > o->kept;
}

bool old_runs_turn(struct old_runs *o, struct store *store, const char *prefix)
{
    return o->is_listed ? old_runs_delete(o, store, prefix)
                        : old_runs_list(o, store, prefix);
}
