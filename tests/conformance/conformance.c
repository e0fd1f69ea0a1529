/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/conformance.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_sync.h"

enum { TEXT_MAX = 4096, WRITERS = 8, ROUNDS = 25, KEYS_MAX = 64 };

#define MUST(cond)                                                             \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
            _Exit(1);                                                          \
        }                                                                      \
    } while (0)

void conformance_run(const struct conformance_store *impl,
                     conformance_case_fn *run)
{
    struct store *s;

    impl->start();
    s = impl->open();
    run(impl, s);
    store_close(&s);
    impl->finish();
}

/* What goes wrong in a race is told before the case ends by it. */
static enum status tell(enum status s, const struct fault *why)
{
    if (s == STATUS_STORE || s == STATUS_IO || s == STATUS_DENIED ||
        s == STATUS_CONFLICT) {
        fprintf(stderr, "%s: %s\n", status_name(s), why->text);
    }
    return s;
}

static enum status put_when(struct store *s, const char *key, const char *value,
                            enum store_when when, char *etag)
{
    struct fault why;

    return tell(store_sync_put(
                    s,
                    &(struct store_sync_put){key, bytes_of(value), when, etag},
                    &why),
                &why);
}

static void put(struct store *s, const char *key, const char *value)
{
    MUST(put_when(s, key, value, STORE_ALWAYS, NULL) == STATUS_OK);
}

/* The value of @key in a text of the caller's, and its etag. */
static enum status get(struct store *s, const char *key, char *out, char *etag)
{
    struct buf value = {0};
    struct fault why;
    enum status st = tell(
        store_sync_get(s, &(struct store_sync_get){key, TEXT_MAX - 1, etag},
                       &why, &value),
        &why);

    snprintf(out, TEXT_MAX, "%s", buf_text(&value));
    buf_fini(&value);
    return st;
}

static void must_be(struct store *s, const char *key, const char *want)
{
    char got[TEXT_MAX];

    MUST(get(s, key, got, NULL) == STATUS_OK);
    MUST(strcmp(got, want) == 0);
}

static enum status ask(struct store *s, struct store_request request,
                       struct store_event *event)
{
    return store_sync(s, &request, event);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Page through @prefix, @page keys at a time; keys joined by '|'. A store that
 * says that it has no order has to tell all keys once all the same. */
static void list(struct store *s, const char *prefix, uint32_t page,
                 struct buf *out)
{
    struct store_event *e = calloc(1, sizeof(*e));
    char *keys[KEYS_MAX];
    size_t count = 0;
    bool is_unordered = false;

    MUST(e != NULL);
    do {
        const char *after = count > 0 ? keys[count - 1] : "";
        struct store_request r = {.op = STORE_LIST,
                                  .key = bytes_of(prefix),
                                  .after = bytes_of(after),
                                  .list_max = page};

        MUST(ask(s, r, e) == STATUS_OK);
        MUST(e->object_count <= page);
        MUST(!e->has_more || e->object_count > 0);
        is_unordered |= e->is_unordered;
        for (uint32_t i = 0; i < e->object_count; i++) {
            const struct store_object *o = &e->objects[i];

            MUST(count < KEYS_MAX);
            keys[count] = strndup(o->key.at, o->key.size);
            MUST(keys[count++] != NULL);
        }
    } while (e->has_more);
    if (is_unordered) {
        qsort(keys, count, sizeof(keys[0]), compare_texts);
    }
    for (size_t i = 0; i < count; i++) {
        buf_print(out, "%s|", keys[i]);
        free(keys[i]);
    }
    free(e);
}

static void must_list(struct store *s, const char *prefix, uint32_t page,
                      const char *want)
{
    struct buf got = {0};

    list(s, prefix, page, &got);
    if (strcmp(buf_text(&got), want) != 0) {
        fprintf(stderr, "listed %s\nwanted %s\n", buf_text(&got), want);
        exit(1);
    }
    buf_fini(&got);
}

static const char *const odd_keys[] = {
    "a b",   "a%20b", "a+b",    "a-b/x",      "a.b",    "a/b",
    "a/c/d", "ab",    "b\x01x", "z/\xc3\xa4", "z/\xff", "~"};
static const char odd_list[] = "a b|a%20b|a+b|a-b/x|a.b|a/b|a/c/d|ab|b\x01x|"
                               "z/\xc3\xa4|z/\xff|~|";
static const char text_list[] = "a b|a%20b|a+b|a-b/x|a.b|a/b|a/c/d|ab|"
                                "z/\xc3\xa4|z/\xf4\x8f\xbf\xbd|~|";
enum { ODD_KEYS = sizeof(odd_keys) / sizeof(odd_keys[0]) };

/* Put the keys, not in their order, and return how they are to be listed. */
static const char *put_odd_keys(const struct conformance_store *impl,
                                struct store *s)
{
    for (unsigned i = 0; i < ODD_KEYS; i++) {
        const char *key = odd_keys[(i * 7) % ODD_KEYS];

        if (impl->is_utf8 && strstr(key, "\xff") != NULL) {
            key = "z/\xf4\x8f\xbf\xbd"; /* The last character but two. */
        }
        if (!impl->is_utf8 || strstr(key, "\x01") == NULL) {
            put(s, key, "x");
        }
    }
    return impl->is_utf8 ? text_list : odd_list;
}

void conformance_list_is_in_the_order_of_bytes(
    const struct conformance_store *impl, struct store *s)
{
    const char *want;

    must_list(s, "", 50, "");
    want = put_odd_keys(impl, s);
    must_list(s, "", 1000, want);
}

void conformance_list_pages_of_any_size_tell_all(
    const struct conformance_store *impl, struct store *s)
{
    const char *want = put_odd_keys(impl, s);

    for (uint32_t page = 1; page <= ODD_KEYS + 1; page++) {
        must_list(s, "", page, want);
    }
}

/* What a handle wrote is in the next page it asks for. */
void conformance_list_goes_on_after_a_write(
    const struct conformance_store *impl, struct store *s)
{
    struct store_event *e = calloc(1, sizeof(*e));

    (void)impl;
    MUST(e != NULL);
    put(s, "p/a", "1");
    put(s, "p/b", "1");
    put(s, "p/d", "1");
    MUST(ask(s,
             (struct store_request){
                 .op = STORE_LIST, .key = BYTES("p/"), .list_max = 2},
             e) == STATUS_OK);
    MUST(e->object_count == 2 && e->has_more);
    put(s, "p/c", "1");
    MUST(ask(s,
             (struct store_request){.op = STORE_LIST,
                                    .key = BYTES("p/"),
                                    .after = BYTES("p/b"),
                                    .list_max = 2},
             e) == STATUS_OK);
    MUST(e->object_count == 2 && !e->has_more);
    MUST(bytes_is(e->objects[0].key, "p/c"));
    free(e);
}

void conformance_list_prefixes_are_literal(const struct conformance_store *impl,
                                           struct store *s)
{
    (void)impl;
    put(s, "data/train-1.csv", "1");
    put(s, "data/train/x", "2");
    put(s, "data/trai", "3");
    put(s, "data/val/x", "4");
    must_list(s, "data/train", 10, "data/train-1.csv|data/train/x|");
    must_list(s, "data/train/", 10, "data/train/x|");
    must_list(s, "data/train/x", 10, "data/train/x|");
    must_list(s, "data/none", 10, "");
    must_list(s, "none/at/all", 10, "");
}

void conformance_values_come_back(const struct conformance_store *impl,
                                  struct store *s)
{
    struct store_event e;
    struct store *other = impl->open();

    put(s, "k", "one");
    must_be(other, "k", "one");
    put(other, "k", "two!");
    must_be(s, "k", "two!");
    put(s, "empty", "");
    must_be(s, "empty", "");
    MUST(ask(s, (struct store_request){.op = STORE_HEAD, .key = BYTES("k")},
             &e) == STATUS_OK);
    MUST(e.size == 4 && e.etag[0] != '\0');
    store_close(&other);
}

void conformance_values_of_twenty_megabytes(
    const struct conformance_store *impl, struct store *s)
{
    size_t size = 20 << 20;
    char *in = malloc(size);
    char *out = malloc(size);
    struct store_event e;

    (void)impl;
    MUST(in != NULL && out != NULL);
    for (size_t i = 0; i < size; i++) {
        in[i] = (char)(i * 31 + (i >> 12));
    }
    MUST(
        ask(s,
            (struct store_request){
                .op = STORE_PUT, .key = BYTES("big"), .body = in, .size = size},
            &e) == STATUS_OK);
    MUST(ask(s,
             (struct store_request){.op = STORE_GET,
                                    .key = BYTES("big"),
                                    .into = out,
                                    .size = size},
             &e) == STATUS_OK);
    MUST(e.got == size && e.size == size && memcmp(in, out, size) == 0);
    free(in);
    free(out);
}

void conformance_etags_name_one_value(const struct conformance_store *impl,
                                      struct store *s)
{
    char etags[16][STORE_ETAG_MAX];

    for (int i = 0; i < 16; i++) {
        char got[TEXT_MAX];
        struct fault why;

        if (i == 8) {
            MUST(store_sync_delete(s, "k", &why) == STATUS_OK);
        }
        snprintf(got, sizeof(got), "same%d", impl->has_equal_etags ? i : 0);
        MUST(put_when(s, "k", got, STORE_ALWAYS, etags[i]) == STATUS_OK);
        for (int j = 0; j < i; j++) {
            MUST(strcmp(etags[i], etags[j]) != 0);
        }
        MUST(get(s, "k", got, etags[i]) == STATUS_OK);
    }
}

void conformance_get_ranges(const struct conformance_store *impl,
                            struct store *s)
{
    static const struct {
        uint64_t offset;
        size_t size;
        const char *want; /* NULL: INVALID. */
    } rows[] = {{0, 10, "0123456789"}, {0, 3, "012"}, {7, 3, "789"},
                {7, 100, "789"},       {10, 5, NULL}, {11, 1, NULL}};

    (void)impl;
    put(s, "k", "0123456789");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char into[128] = "";
        struct store_event e;
        enum status st = ask(s,
                             (struct store_request){.op = STORE_GET,
                                                    .key = BYTES("k"),
                                                    .offset = rows[i].offset,
                                                    .into = into,
                                                    .sum = CRC_32C,
                                                    .size = rows[i].size},
                             &e);

        if (rows[i].want == NULL) {
            MUST(st == STATUS_INVALID);
        } else {
            MUST(st == STATUS_OK && e.size == 10);
            MUST(e.got == strlen(rows[i].want));
            MUST(memcmp(into, rows[i].want, e.got) == 0);
            MUST(e.got_sum == crc_add(CRC_32C, 0, into, e.got));
        }
    }
}

void conformance_get_pinned(const struct conformance_store *impl,
                            struct store *s)
{
    char etag[STORE_ETAG_MAX];
    char into[8];
    struct store_event e;
    struct store_request r = {.op = STORE_GET,
                              .key = BYTES("k"),
                              .into = into,
                              .size = 3,
                              .etag = etag};

    (void)impl;
    MUST(put_when(s, "k", "old", STORE_ALWAYS, etag) == STATUS_OK);
    MUST(ask(s, r, &e) == STATUS_OK);
    put(s, "k", "new");
    MUST(ask(s, r, &e) == STATUS_CHANGED);
}

void conformance_if_absent(const struct conformance_store *impl,
                           struct store *s)
{
    struct fault why;

    (void)impl;
    MUST(put_when(s, "k", "1", STORE_IF_ABSENT, NULL) == STATUS_OK);
    MUST(put_when(s, "k", "2", STORE_IF_ABSENT, NULL) == STATUS_EXISTS);
    must_be(s, "k", "1");
    MUST(store_sync_delete(s, "k", &why) == STATUS_OK);
    MUST(put_when(s, "k", "3", STORE_IF_ABSENT, NULL) == STATUS_OK);
    must_be(s, "k", "3");
}

void conformance_if_match(const struct conformance_store *impl, struct store *s)
{
    char etag[STORE_ETAG_MAX];
    char stale[STORE_ETAG_MAX];

    (void)impl;
    MUST(put_when(s, "k", "1", STORE_ALWAYS, etag) == STATUS_OK);
    memcpy(stale, etag, sizeof(stale));
    MUST(put_when(s, "k", "2", STORE_IF_MATCH, etag) == STATUS_OK);
    MUST(strcmp(etag, stale) != 0);
    MUST(put_when(s, "k", "3", STORE_IF_MATCH, stale) == STATUS_CHANGED);
    must_be(s, "k", "2");
    MUST(put_when(s, "k", "4", STORE_IF_MATCH, etag) == STATUS_OK);
    MUST(put_when(s, "none", "x", STORE_IF_MATCH, etag) == STATUS_NOT_FOUND);
}

void conformance_delete_with_condition(const struct conformance_store *impl,
                                       struct store *s)
{
    char etag[STORE_ETAG_MAX];
    char got[TEXT_MAX];
    struct store_event e;
    struct store_request r = {.op = STORE_DELETE,
                              .key = BYTES("a/k"),
                              .when = STORE_IF_MATCH,
                              .etag = "no-such-etag"};

    (void)impl;
    MUST(put_when(s, "a/k", "1", STORE_ALWAYS, etag) == STATUS_OK);
    MUST(ask(s, r, &e) == STATUS_CHANGED);
    must_be(s, "a/k", "1");
    r.etag = etag;
    MUST(ask(s, r, &e) == STATUS_OK);
    MUST(get(s, "a/k", got, NULL) == STATUS_NOT_FOUND);
    must_list(s, "", 10, "");
}

void conformance_absent_keys(const struct conformance_store *impl,
                             struct store *s)
{
    char got[TEXT_MAX];
    struct store_event e;
    struct fault why;

    (void)impl;
    MUST(get(s, "none", got, NULL) == STATUS_NOT_FOUND);
    MUST(ask(s, (struct store_request){.op = STORE_HEAD, .key = BYTES("none")},
             &e) == STATUS_NOT_FOUND);
    MUST(strstr(e.why.text, "none") != NULL);
    MUST(store_sync_delete(s, "none", &why) == STATUS_OK);
}

/* --- races ------------------------------------------------------------------
 */

struct racer {
    const struct conformance_store *impl;
    pthread_barrier_t *start;
    int number;
    int wins;
};

static void race(const struct conformance_store *impl, void *(*run)(void *),
                 struct racer *racers)
{
    pthread_t threads[WRITERS];
    pthread_barrier_t start;

    MUST(pthread_barrier_init(&start, NULL, WRITERS) == 0);
    for (int i = 0; i < WRITERS; i++) {
        racers[i] = (struct racer){impl, &start, i, 0};
        MUST(pthread_create(&threads[i], NULL, run, &racers[i]) == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        MUST(pthread_join(threads[i], NULL) == 0);
    }
    pthread_barrier_destroy(&start);
}

static void *race_absent(void *self)
{
    struct racer *r = self;
    struct store *s = r->impl->open();

    for (int i = 0; i < ROUNDS; i++) {
        char key[16];
        char mine[16];
        enum status st;

        snprintf(key, sizeof(key), "key-%d", i);
        snprintf(mine, sizeof(mine), "of %d", r->number);
        pthread_barrier_wait(r->start);
        st = put_when(s, key, mine, STORE_IF_ABSENT, NULL);
        MUST(st == STATUS_OK || st == STATUS_EXISTS);
        r->wins += st == STATUS_OK;
    }
    store_close(&s);
    return NULL;
}

void conformance_if_absent_has_one_winner(const struct conformance_store *impl,
                                          struct store *s)
{
    struct racer racers[WRITERS];
    int wins = 0;

    (void)s;
    race(impl, race_absent, racers);
    for (int i = 0; i < WRITERS; i++) {
        wins += racers[i].wins;
    }
    MUST(wins == ROUNDS);
}

static void *race_match(void *self)
{
    struct racer *r = self;
    struct store *s = r->impl->open();

    pthread_barrier_wait(r->start);
    while (r->wins < ROUNDS) {
        char etag[STORE_ETAG_MAX];
        char text[TEXT_MAX];
        enum status st;

        MUST(get(s, "count", text, etag) == STATUS_OK);
        snprintf(text, sizeof(text), "%d by %d",
                 (int)strtol(text, NULL, 10) + 1, r->number);
        st = put_when(s, "count", text, STORE_IF_MATCH, etag);
        MUST(st == STATUS_OK || st == STATUS_CHANGED);
        r->wins += st == STATUS_OK;
    }
    store_close(&s);
    return NULL;
}

/* Half of them write as fast as they can, half read. */
static void *race_read(void *self)
{
    struct racer *r = self;
    struct store *s = r->impl->open();
    struct store_event e;
    char text[TEXT_MAX];

    pthread_barrier_wait(r->start);
    for (int i = 0; i < ROUNDS * WRITERS; i++) {
        if (r->number % 2 == 0) {
            put(s, "busy", "a value");
            continue;
        }
        MUST(get(s, "busy", text, NULL) == STATUS_OK);
        MUST(strcmp(text, "a value") == 0);
        MUST(ask(s,
                 (struct store_request){.op = STORE_HEAD, .key = BYTES("busy")},
                 &e) == STATUS_OK);
    }
    store_close(&s);
    return NULL;
}

void conformance_readers_among_writers(const struct conformance_store *impl,
                                       struct store *s)
{
    struct racer racers[WRITERS];

    put(s, "busy", "a value");
    race(impl, race_read, racers);
}

void conformance_if_match_loses_no_update(const struct conformance_store *impl,
                                          struct store *s)
{
    struct racer racers[WRITERS];
    char text[TEXT_MAX];

    put(s, "count", "0");
    race(impl, race_match, racers);
    MUST(get(s, "count", text, NULL) == STATUS_OK);
    MUST(strtol(text, NULL, 10) == WRITERS * ROUNDS);
}

/* --- multipart --------------------------------------------------------------
 */

struct upload {
    char id[STORE_UPLOAD_MAX];
    struct store_part parts[2];
};

/* The first part is as large as the store wants it, and ends with "one,". */
static char *first_part(const struct conformance_store *impl, size_t *size)
{
    char *body;

    *size = impl->part_bytes > 4 ? impl->part_bytes : 4;
    body = malloc(*size);
    MUST(body != NULL);
    memset(body, 'x', *size);
    memcpy(body + *size - 4, "one,", 4);
    return body;
}

static void begin(const struct conformance_store *impl, struct store *s,
                  const char *key, struct upload *u)
{
    struct store_event e;
    size_t size;
    char *body = first_part(impl, &size);

    MUST(ask(s,
             (struct store_request){.op = STORE_UPLOAD_BEGIN,
                                    .key = bytes_of(key)},
             &e) == STATUS_OK);
    memcpy(u->id, e.upload, sizeof(u->id));
    for (uint32_t i = 2; i > 0; i--) { /* The second part comes first. */
        struct store_part *part = &u->parts[i - 1];

        MUST(ask(s,
                 (struct store_request){.op = STORE_UPLOAD_PART,
                                        .key = bytes_of(key),
                                        .upload = u->id,
                                        .part = i,
                                        .body = i == 1 ? body : "two",
                                        .size = i == 1 ? size : 3},
                 &e) == STATUS_OK);
        memcpy(part->etag, e.etag, sizeof(e.etag));
        part->size = i == 1 ? size : 3;
        part->sum = e.sum;
    }
    free(body);
}

/* Both parts, in their order. */
static void must_be_joined(const struct conformance_store *impl,
                           struct store *s, const char *key)
{
    char into[7];
    struct store_event e;
    size_t size;

    free(first_part(impl, &size));
    MUST(ask(s,
             (struct store_request){.op = STORE_GET,
                                    .key = bytes_of(key),
                                    .offset = size - 4,
                                    .into = into,
                                    .size = sizeof(into)},
             &e) == STATUS_OK);
    MUST(e.size == size + 3 && e.got == 7 && memcmp(into, "one,two", 7) == 0);
}

static enum status end(struct store *s, const char *key, const struct upload *u,
                       enum store_when when)
{
    struct store_event e;

    return ask(s,
               (struct store_request){.op = STORE_UPLOAD_END,
                                      .key = bytes_of(key),
                                      .upload = u->id,
                                      .parts = u->parts,
                                      .part_count = 2,
                                      .when = when},
               &e);
}

void conformance_upload(const struct conformance_store *impl, struct store *s)
{
    struct upload u;

    begin(impl, s, "a/big", &u);
    must_list(s, "", 10, "");
    MUST(end(s, "a/big", &u, STORE_ALWAYS) == STATUS_OK);
    must_be_joined(impl, s, "a/big");
    must_list(s, "", 10, "a/big|");
}

void conformance_upload_conditions(const struct conformance_store *impl,
                                   struct store *s)
{
    struct upload u;

    begin(impl, s, "k", &u);
    put(s, "k", "first");
    MUST(end(s, "k", &u, STORE_IF_ABSENT) == STATUS_EXISTS);
    must_be(s, "k", "first");
    begin(impl, s, "k2", &u);
    MUST(end(s, "k2", &u, STORE_IF_ABSENT) == STATUS_OK);
    must_be_joined(impl, s, "k2");
}

/* What is there of an upload that another process may go on with. */
void conformance_upload_parts_are_listed(const struct conformance_store *impl,
                                         struct store *s)
{
    struct store_event *e = calloc(1, sizeof(*e));
    struct store_request r = {.op = STORE_UPLOAD_PARTS, .key = BYTES("k")};
    struct upload u;

    MUST(e != NULL);
    begin(impl, s, "k", &u);
    r.upload = u.id;
    MUST(ask(s, r, e) == STATUS_OK && e->part_count == 2 && !e->has_more);
    MUST(e->parts[0].number == 1 && e->parts[1].number == 2);
    MUST(e->parts[1].part.size == 3);
    MUST(strcmp(e->parts[0].part.etag, u.parts[0].etag) == 0);
    MUST(strcmp(e->parts[1].part.etag, u.parts[1].etag) == 0);
    r.part = 1;
    MUST(ask(s, r, e) == STATUS_OK && e->part_count == 1);
    MUST(e->parts[0].number == 2);
    MUST(end(s, "k", &u, STORE_ALWAYS) == STATUS_OK);
    MUST(ask(s, r, e) == STATUS_NOT_FOUND);
    free(e);
}

void conformance_delete_many(const struct conformance_store *impl,
                             struct store *s)
{
    static const char *const names[] = {"a b", "a&b<c>", "d/e", "none",
                                        "f+\"g"};
    struct bytes keys[5];
    struct store_event e;

    (void)impl;
    for (size_t i = 0; i < 5; i++) {
        keys[i] = bytes_of(names[i]);
        if (strcmp(names[i], "none") != 0) {
            put(s, names[i], "x");
        }
    }
    put(s, "kept", "x");
    MUST(ask(s,
             (struct store_request){
                 .op = STORE_DELETE_MANY, .keys = keys, .key_count = 5},
             &e) == STATUS_OK);
    MUST(e.failed == 0);
    must_list(s, "", 10, "kept|");
}

void conformance_upload_wrong_or_aborted(const struct conformance_store *impl,
                                         struct store *s)
{
    struct store_event e;
    char got[TEXT_MAX];
    struct upload u;

    begin(impl, s, "k", &u);
    MUST(ask(s,
             (struct store_request){
                 .op = STORE_UPLOAD_ABORT, .key = BYTES("k"), .upload = u.id},
             &e) == STATUS_OK);
    MUST(end(s, "k", &u, STORE_ALWAYS) == STATUS_NOT_FOUND);
    begin(impl, s, "k", &u);
    snprintf(u.parts[0].etag, sizeof(u.parts[0].etag), "wrong");
    MUST(end(s, "k", &u, STORE_ALWAYS) == STATUS_INVALID);
    MUST(get(s, "k", got, NULL) == STATUS_NOT_FOUND);
}

/* --- requests under way ------------------------------------------------------
 */

void conformance_inflight_tags_and_limit(const struct conformance_store *impl,
                                         struct store *s)
{
    struct store_event *events = calloc(STORE_EVENTS_MAX, sizeof(*events));
    struct store_request r = {.op = STORE_HEAD, .key = BYTES("k")};
    bool seen[STORE_INFLIGHT_MAX] = {false};
    unsigned total = 0;

    (void)impl;
    MUST(events != NULL);
    put(s, "k", "x");
    for (uint64_t i = 0; i < STORE_INFLIGHT_MAX; i++) {
        r.tag = i;
        MUST(store_submit(s, &r) == STATUS_OK);
    }
    MUST(store_submit(s, &r) == STATUS_FULL);
    MUST(store_inflight(s) == STORE_INFLIGHT_MAX);
    while (total < STORE_INFLIGHT_MAX) {
        size_t got = store_poll(s, -1, events, STORE_EVENTS_MAX);

        MUST(got > 0);
        for (size_t i = 0; i < got; i++) {
            MUST(events[i].tag < STORE_INFLIGHT_MAX);
            MUST(!seen[events[i].tag] && events[i].status == STATUS_OK);
            seen[events[i].tag] = true;
        }
        total += (unsigned)got;
    }
    MUST(store_inflight(s) == 0);
    free(events);
}

void conformance_poll_with_nothing_to_do(const struct conformance_store *impl,
                                         struct store *s)
{
    struct store_event e;

    (void)impl;
    MUST(store_poll(s, -1, &e, 1) == 0);
}
