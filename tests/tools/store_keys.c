/* SPDX-License-Identifier: Apache-2.0 */
/* store_keys fill URI COUNT | check URI COUNT | remove URI
 *
 * COUNT objects with odd keys below URI, as only a program makes them: many
 * folders, every byte that text may hold, keys that start with other keys.
 * `check` lists them with as many requests at once as pays and compares keys,
 * order and sizes with what was put; it prints the requests that it took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/scan.h"
#include "store/store_sync.h"

enum { KEYS_KEY_MAX = 256 };

static struct {
    struct store *store;
    struct buf prefix;
    struct fault why;
    char **keys; /* Sorted by bytes. */
    size_t count;
    size_t seen;
} keys;

static int fail(void)
{
    fprintf(stderr, "store_keys: %s\n", keys.why.text);
    return 1;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void key_of(size_t i, char out[KEYS_KEY_MAX])
{
    static const char *const odd[] = {
        "a b",
        "a+b",
        "a%20b",
        "a&b<c>\"d'",
        "=?#;:@,",
        "~!$*()",
        "\xc3\xa9\xe2\x82\xac",
        "\xf0\x9f\x9a\x80",
        "[x]{y}|z^`",
        "UPPER",
        "x\tb",
        "\xcc\x81",
        "\xef\xbf\xbd",
        "-._",
    };
    size_t count = sizeof(odd) / sizeof(odd[0]);

    /* Some are all in one folder, some have one of their own. */
    if (i % 3 == 0) {
        snprintf(out, KEYS_KEY_MAX, "flat/%s %zu", odd[i % count], i);
    } else {
        snprintf(out, KEYS_KEY_MAX, "deep/%zx/%s/%zu%s", i % 61, odd[i % count],
                 i / 7, i % 2 == 0 ? ".x" : "");
    }
}

static void make_keys(size_t count)
{
    char key[KEYS_KEY_MAX];

    keys.keys = mem_new(count + 1, sizeof(keys.keys[0]));
    for (size_t i = 0; i < count; i++) {
        key_of(i, key);
        keys.keys[keys.count++] =
            mem_print("%s%s", buf_text(&keys.prefix), key);
    }
    qsort(keys.keys, keys.count, sizeof(keys.keys[0]), compare);
    count = keys.count;
    keys.count = 0;
    for (size_t i = 0; i < count; i++) { /* Without those twice. */
        if (keys.count > 0 &&
            strcmp(keys.keys[keys.count - 1], keys.keys[i]) == 0) {
            free(keys.keys[i]);
        } else {
            keys.keys[keys.count++] = keys.keys[i];
        }
    }
}

static bool fill_take(void)
{
    struct store_event events[STORE_EVENTS_MAX];
    size_t got = store_poll(keys.store, -1, events, STORE_EVENTS_MAX);

    for (size_t i = 0; i < got; i++) {
        if (events[i].status != STATUS_OK) {
            keys.why = events[i].why;
            return false;
        }
    }
    return true;
}

static int fill(void)
{
    for (size_t i = 0; i < keys.count; i++) {
        struct store_request r = {.op = STORE_PUT,
                                  .key = bytes_of(keys.keys[i]),
                                  .body = "0123456789",
                                  .size = i % 10};

        while (store_inflight(keys.store) >= 64) {
            if (!fill_take()) {
                return fail();
            }
        }
        if (store_submit(keys.store, &r) != STATUS_OK) {
            return 1;
        }
    }
    while (store_inflight(keys.store) > 0) {
        if (!fill_take()) {
            return fail();
        }
    }
    printf("%zu keys\n", keys.count);
    return 0;
}

static enum status check_one(void *self, const struct store_object *o,
                             struct fault *why)
{
    const char *want = keys.keys[keys.seen];

    (void)self;
    if (keys.seen == keys.count || o->size != keys.seen % 10 ||
        !bytes_is_equal(o->key, bytes_of(want))) {
        return fault_set(why, STATUS_CONFLICT,
                         "key %zu is \"%.*s\" of %llu bytes, not \"%s\" of %zu",
                         keys.seen, (int)o->key.size, o->key.at,
                         (unsigned long long)o->size,
                         want != NULL ? want : "the end", keys.seen % 10);
    }
    keys.seen++;
    return STATUS_OK;
}

static enum status check_again(void *self, struct fault *why)
{
    (void)self;
    (void)why;
    keys.seen = 0;
    return STATUS_OK;
}

static int check(void)
{
    struct scan_result result = {0};
    struct scan_options o = {.prefix = buf_bytes(&keys.prefix),
                             .result = &result,
                             .restart = check_again};

    if (scan_run(keys.store, &o, check_one, NULL, &keys.why) != STATUS_OK) {
        return fail();
    }
    if (keys.seen != keys.count) {
        fprintf(stderr, "store_keys: %zu of %zu keys were listed\n", keys.seen,
                keys.count);
        return 1;
    }
    printf("%zu keys, %llu requests, %u at once\n", keys.seen,
           (unsigned long long)result.requests, result.lanes);
    return 0;
}

static enum status note_key(void *self, const struct store_object *o,
                            struct fault *why)
{
    (void)self;
    (void)why;
    keys.keys = realloc(keys.keys, (keys.count + 1) * sizeof(keys.keys[0]));
    if (keys.keys == NULL) {
        abort();
    }
    keys.keys[keys.count++] = mem_copy_text(o->key.at, o->key.size);
    return STATUS_OK;
}

static int remove_all(void)
{
    struct scan_options o = {.prefix = buf_bytes(&keys.prefix)};
    struct bytes names[STORE_DELETE_MAX];
    struct store_event e;

    if (scan_run(keys.store, &o, note_key, NULL, &keys.why) != STATUS_OK) {
        return fail();
    }
    for (size_t i = 0; i < keys.count; i += STORE_DELETE_MAX) {
        size_t count = keys.count - i;

        count = count < STORE_DELETE_MAX ? count : STORE_DELETE_MAX;
        for (size_t j = 0; j < count; j++) {
            names[j] = bytes_of(keys.keys[i + j]);
        }
        if (store_sync(keys.store,
                       &(struct store_request){.op = STORE_DELETE_MANY,
                                               .keys = names,
                                               .key_count = (uint32_t)count},
                       &e) != STATUS_OK) {
            keys.why = e.why;
            return fail();
        }
    }
    printf("%zu keys removed\n", keys.count);
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 2 ? argv[1] : "";
    int code = 64;

    if (argc < 3 || store_open(argv[2], STORE_WRITE, &keys.why, &keys.store,
                               &keys.prefix) != STATUS_OK) {
        fprintf(stderr, "store_keys: %s\n",
                argc < 3 ? "fill URI COUNT | check URI COUNT | remove URI"
                         : keys.why.text);
        return 64;
    }
    if (argc > 3) {
        make_keys(strtoul(argv[3], NULL, 10));
    }
    if (strcmp(verb, "fill") == 0) {
        code = fill();
    } else if (strcmp(verb, "check") == 0) {
        code = check();
    } else if (strcmp(verb, "remove") == 0) {
        code = remove_all();
    }
    for (size_t i = 0; i < keys.count; i++) {
        free(keys.keys[i]);
    }
    free(keys.keys);
    store_close(&keys.store);
    buf_fini(&keys.prefix);
    return code;
}
