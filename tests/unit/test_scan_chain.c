/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that keep objects in folders list them folder by folder: all of
 * "a/" before "a-1/", though '-' comes before '/'. Nothing may be lost there,
 * wherever the key space was cut. */
#include "store/scan.h"
#include "store/scan_chain.h"

#include "base/mem.h"
#include "base/prng.h"
#include "store/store_ops.h"
#include "tests/harness.h"

enum { KEYS_MAX = 4000, FLYING_MAX = 64 };

struct folders {
    char *keys[KEYS_MAX]; /* In the server's order. */
    size_t count;
    struct prng prng;
    struct store_request flying[FLYING_MAX];
    char after[FLYING_MAX][64];
    bool is_on[FLYING_MAX];
    size_t inflight;
    struct store_object page[STORE_LIST_MAX];
    bool says_so; /* That pages are unordered, where they show it. */
};

/* As names of folders are compared: a '/' ends one. */
static int by_folder(const char *a, const char *b)
{
    for (;; a++, b++) {
        int x = *a == '/' ? 1 : (unsigned char)*a;
        int y = *b == '/' ? 1 : (unsigned char)*b;

        if (x != y || x == 0) {
            return x - y;
        }
    }
}

static int compare_folders(const void *a, const void *b)
{
    return by_folder(*(char *const *)a, *(char *const *)b);
}

static int compare_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status folders_submit(void *self, const struct store_request *r)
{
    struct folders *f = self;
    size_t i = 0;

    while (f->is_on[i]) {
        i++;
    }
    f->flying[i] = *r;
    snprintf(f->after[i], sizeof(f->after[i]), "%.*s", (int)r->after.size,
             r->after.at);
    f->is_on[i] = true;
    f->inflight++;
    return STATUS_OK;
}

static void folders_serve(struct folders *f, size_t i, struct store_event *e)
{
    uint32_t max = f->flying[i].list_max;
    size_t at = 0;

    *e = (struct store_event){
        .tag = f->flying[i].tag, .op = STORE_LIST, .objects = f->page};
    while (at < f->count && f->after[i][0] != '\0' &&
           by_folder(f->keys[at], f->after[i]) <= 0) {
        at++;
    }
    for (; at < f->count && e->object_count < max; at++) {
        struct store_object *o = &f->page[e->object_count++];

        *o = (struct store_object){.key = bytes_of(f->keys[at]),
                                   .etag = BYTES("\"e\"")};
        e->is_unordered |= f->says_so && f->after[i][0] != '\0' &&
                           strcmp(f->keys[at], f->after[i]) <= 0;
    }
    e->has_more = at < f->count;
}

static size_t folders_poll(void *self, int timeout_ms,
                           struct store_event *events, size_t max)
{
    struct folders *f = self;
    size_t i;

    (void)timeout_ms;
    (void)max;
    if (f->inflight == 0) {
        return 0;
    }
    do {
        i = (size_t)prng_below(&f->prng, FLYING_MAX);
    } while (!f->is_on[i]);
    folders_serve(f, i, events);
    f->is_on[i] = false;
    f->inflight--;
    return 1;
}

static void folders_destroy(void *self)
{
    (void)self;
}

struct told {
    size_t count;
    uint32_t restarts;
    char keys[KEYS_MAX][64];
};

static enum status told_each(void *self, const struct store_object *o,
                             struct fault *why)
{
    struct told *t = self;

    (void)why;
    EXPECT(t->count < KEYS_MAX);
    snprintf(t->keys[t->count], sizeof(t->keys[0]), "%.*s", (int)o->key.size,
             o->key.at);
    EXPECT(t->count == 0 ||
           strcmp(t->keys[t->count - 1], t->keys[t->count]) < 0);
    t->count++;
    return STATUS_OK;
}

static enum status told_restart(void *self, struct fault *why)
{
    struct told *t = self;

    (void)why;
    t->count = 0;
    t->restarts++;
    return STATUS_OK;
}

static void fill(struct folders *f, uint64_t seed)
{
    static const char *const parts[] = {"a",   "a-1", "a.b", "a0", "A",
                                        "a!x", "b",   "b+",  "z",  "m"};

    prng_init(&f->prng, seed);
    f->count = 0;
    while (f->count < 200 + seed * 31 % (KEYS_MAX - 200)) {
        uint64_t r = prng_next(&f->prng);

        f->keys[f->count] = mem_print("%s/%s%s%05zu", parts[r % 10],
                                      r >> 8 & 1 ? parts[r / 32 % 10] : "",
                                      r >> 9 & 1 ? "/" : "-", f->count);
        f->count++;
    }
    qsort(f->keys, f->count, sizeof(f->keys[0]), compare_folders);
}

TEST(folders_by_name_lose_nothing)
{
    struct folders *f = mem_new(1, sizeof(*f));
    static const struct store_ops ops = {folders_submit, folders_poll,
                                         folders_destroy, NULL, NULL};
    struct told *t = mem_new(1, sizeof(*t));
    uint32_t restarts = 0;

    for (uint64_t seed = 0; seed < 150; seed++) {
        struct scan_options o = {.lanes = 1 + (uint32_t)(seed % 24),
                                 .page = 7 + (uint32_t)(seed % 40),
                                 .restart = told_restart};
        struct store *s = store_wrap(&ops, f, "odd://b/");
        char *want[KEYS_MAX];
        struct fault why = {""};

        f->says_so = seed % 2 == 0;
        fill(f, seed);
        memcpy(want, f->keys, f->count * sizeof(want[0]));
        qsort(want, f->count, sizeof(want[0]), compare_bytes);
        *t = (struct told){.count = 0};
        EXPECT_EQ(scan_run(s, &o, told_each, t, &why), STATUS_OK);
        EXPECT_EQ(t->count, f->count);
        for (size_t i = 0; i < f->count; i++) {
            EXPECT_STR(t->keys[i], want[i]);
        }
        restarts += t->restarts;
        store_close(&s);
        for (size_t i = 0; i < f->count; i++) {
            free(f->keys[i]);
        }
    }
    EXPECT(restarts > 10);
    free(t);
    free(f);
}

/* Without a restart what was told in vain is an error, never a gap. */
TEST(without_a_restart_it_is_an_error)
{
    struct folders *f = mem_new(1, sizeof(*f));
    static const struct store_ops ops = {folders_submit, folders_poll,
                                         folders_destroy, NULL, NULL};
    struct store *s = store_wrap(&ops, f, "odd://b/");
    struct scan_options o = {.lanes = 8, .page = 20};
    struct scan_result result = {0};
    struct scan_chain_options chain = {.store = s,
                                       .scan = &o,
                                       .each = told_each,
                                       .told_count = 3,
                                       .told_last = BYTES("zz")};
    struct told *t = mem_new(1, sizeof(*t));
    struct fault why = {""};

    chain.self = t;
    fill(f, 3);
    EXPECT_EQ(scan_chain_run(&chain, &why, &result), STATUS_STORE);
    EXPECT(strstr(why.text, "not in the order") != NULL);
    store_close(&s);
    for (size_t i = 0; i < f->count; i++) {
        free(f->keys[i]);
    }
    free(t);
    free(f);
}
