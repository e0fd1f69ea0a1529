/* SPDX-License-Identifier: Apache-2.0 */
/* Listing by many requests at once, against a sorted set: what is told must
 * be that set, in order, whatever the store does. */

#include "base/buf.h"
#include "base/mem.h"
#include "base/prng.h"
#include "store/scan.h"
#include "store/store_mem.h"
#include "store/store_ops.h"
#include "store/store_sync.h"
#include "tests/harness.h"
#include "tests/unit/scan_keys.h"

enum { ODD_FLYING_MAX = 64, ODD_EVENTS_MAX = 8 };

/* ---- a store that answers oddly ----------------------------------------- */

struct odd_options {
    uint64_t seed;
    uint32_t delay;    /* Of 100 polls, so many let a request lie. */
    uint32_t throttle; /* Of 100 pages, so many fail being throttled. */
    uint32_t notice;   /* So many are served and say to slow down. */
    uint32_t forget;   /* So many begin at the start of the prefix. */
    uint32_t repeat;   /* So many are the page of an earlier request. */
    uint32_t change;   /* So many come after a write or delete. */
    uint32_t refuse;   /* So many of those that begin at no listed key fail. */
    bool is_unordered; /* As one chain, last key first. */
    bool is_unsorted;  /* So are its pages, but it does not say so. */
    bool is_stuck;     /* It tells the first page only. */
};

struct odd_flight {
    bool is_on;
    uint64_t tag;
    struct buf key;
    struct buf after;
    uint32_t list_max;
};

struct odd_page {
    struct store_object objects[STORE_LIST_MAX];
    struct buf room;
};

struct odd {
    struct odd_options o;
    struct prng prng;
    struct store *mem;
    struct store *handle;
    struct odd_flight flights[ODD_FLYING_MAX];
    uint32_t count;
    uint32_t most;
    struct odd_page pages[ODD_EVENTS_MAX];
    struct buf last_after; /* Of the request before. */
};

static enum status odd_submit(void *self, const struct store_request *r)
{
    struct odd *d = self;
    struct odd_flight *f = d->flights;

    EXPECT(r->op == STORE_LIST);
    while (f->is_on) {
        f++;
    }
    EXPECT(f < d->flights + ODD_FLYING_MAX);
    f->is_on = true;
    f->tag = r->tag;
    f->list_max = r->list_max;
    buf_clear(&f->key);
    buf_clear(&f->after);
    buf_add_bytes(&f->key, r->key);
    buf_add_bytes(&f->after, r->after);
    d->count++;
    d->most = d->count > d->most ? d->count : d->most;
    return STATUS_OK;
}

static bool odd_is(struct odd *d, uint32_t percent)
{
    return percent > 0 && prng_chance(&d->prng, percent, 100);
}

static void odd_put(struct store *s, const char *key, size_t size)
{
    struct store_event *e = mem_new(1, sizeof(*e));
    struct store_request r = {
        .op = STORE_PUT, .key = {key, size}, .body = "x", .size = size % 2};

    EXPECT(store_sync(s, &r, e) == STATUS_OK);
    free(e);
}

/* Keys that hold "~volatile" come and go. */
static void odd_change(struct odd *d)
{
    char key[64];

    snprintf(key, sizeof(key), "%s%c~volatile%d", buf_text(&d->flights[0].key),
             (char)('0' + prng_below(&d->prng, 70)),
             (int)prng_below(&d->prng, 9));
    if (prng_chance(&d->prng, 1, 2)) {
        odd_put(d->mem, key, strlen(key));
    } else {
        EXPECT(store_sync_delete(d->mem, key, NULL) == STATUS_OK);
    }
}

static void odd_copy(struct odd_page *p, struct store_event *e)
{
    size_t size = 1;
    char *at;

    for (uint32_t i = 0; i < e->object_count; i++) {
        size += e->objects[i].key.size + e->objects[i].etag.size;
    }
    buf_clear(&p->room);
    at = buf_reserve(&p->room, size);
    for (uint32_t i = 0; i < e->object_count; i++) {
        const struct store_object *o = &e->objects[i];

        p->objects[i] = *o;
        memcpy(at, o->key.at, o->key.size);
        p->objects[i].key.at = at;
        at += o->key.size;
        memcpy(at, o->etag.at, o->etag.size);
        p->objects[i].etag.at = at;
        at += o->etag.size;
    }
    e->objects = p->objects;
}

/* All keys, the last one first, one page; has_more comes from thin air. */
static void odd_turn(struct odd_page *p, struct store_event *e)
{
    for (uint32_t i = 0; i < e->object_count / 2; i++) {
        struct store_object o = p->objects[i];

        p->objects[i] = p->objects[e->object_count - 1 - i];
        p->objects[e->object_count - 1 - i] = o;
    }
}

static bool odd_fails(struct odd *d, struct odd_flight *f,
                      struct store_event *e)
{
    bool is_throttled = odd_is(d, d->o.throttle);

    if (!is_throttled && !(f->after.size > 0 && odd_is(d, d->o.refuse))) {
        return false;
    }
    e->is_throttled = is_throttled;
    e->status = fault_set(&e->why, STATUS_STORE, "a failure made by a test");
    return true;
}

static void odd_serve(struct odd *d, struct odd_flight *f, struct odd_page *p,
                      struct store_event *e)
{
    struct store_request r = {
        .op = STORE_LIST, .key = buf_bytes(&f->key), .list_max = f->list_max};

    if (odd_is(d, d->o.change)) {
        odd_change(d);
    }
    *e = (struct store_event){.op = STORE_LIST};
    if (!odd_fails(d, f, e)) {
        bool is_repeat =
            odd_is(d, d->o.repeat) &&
            bytes_compare(buf_bytes(&d->last_after), buf_bytes(&f->after)) < 0;

        if (!odd_is(d, d->o.forget) && !d->o.is_stuck) {
            r.after = buf_bytes(is_repeat ? &d->last_after : &f->after);
        }
        EXPECT(store_sync(d->mem, &r, e) == STATUS_OK);
        e->is_throttled = odd_is(d, d->o.notice);
        e->is_unordered = d->o.is_unordered;
        odd_copy(p, e);
        if (d->o.is_unsorted) {
            odd_turn(p, e);
        }
    }
    e->tag = f->tag;
    buf_clear(&d->last_after);
    buf_add_bytes(&d->last_after, buf_bytes(&f->after));
}

static size_t odd_poll(void *self, int timeout_ms, struct store_event *events,
                       size_t max)
{
    struct odd *d = self;
    size_t count = 0;

    (void)timeout_ms;
    while (count < max && count < ODD_EVENTS_MAX && d->count > 0) {
        struct odd_flight *f =
            &d->flights[prng_below(&d->prng, ODD_FLYING_MAX)];

        if (!f->is_on) {
            continue;
        }
        if (count > 0 && odd_is(d, d->o.delay)) {
            break;
        }
        odd_serve(d, f, &d->pages[count], &events[count]);
        f->is_on = false;
        d->count--;
        count++;
    }
    return count;
}

static void odd_destroy(void *self)
{
    struct odd *d = self;

    for (int i = 0; i < ODD_FLYING_MAX; i++) {
        buf_fini(&d->flights[i].key);
        buf_fini(&d->flights[i].after);
    }
    for (int i = 0; i < ODD_EVENTS_MAX; i++) {
        buf_fini(&d->pages[i].room);
    }
    buf_fini(&d->last_after);
    store_close(&d->mem);
    free(d);
}

static struct odd *odd_open(const char *name, const struct odd_options *o)
{
    static const struct store_ops ops = {odd_submit, odd_poll, odd_destroy,
                                         NULL, NULL};
    struct odd *d = mem_new(1, sizeof(*d));

    d->o = *o;
    prng_init(&d->prng, o->seed);
    d->mem = store_mem_open(name);
    d->handle = store_wrap(&ops, d, "odd://b/");
    return d;
}

static void odd_close(struct odd *d)
{
    struct store *handle = d->handle;

    store_close(&handle);
}

/* ---- sets of keys ------------------------------------------------------- */

struct keys {
    struct bytes *at;
    size_t count;
};

static void keys_add(struct keys *k, const char *at, size_t size)
{
    k->at = mem_grow(k->at, k->count + 1, sizeof(*k->at));
    k->at[k->count++] = (struct bytes){mem_copy_text(at, size), size};
}

/* They are ours. */
static void keys_free(struct bytes key)
{
    union {
        const char *view;
        char *own;
    } u = {key.at};

    free(u.own);
}

static void keys_sort(struct keys *k)
{
    size_t to = 0;

    if (k->count > 0) {
        qsort(k->at, k->count, sizeof(*k->at), keys_compare);
    }
    for (size_t i = 0; i < k->count; i++) {
        if (to > 0 && bytes_is_equal(k->at[i], k->at[to - 1])) {
            keys_free(k->at[i]);
        } else {
            k->at[to++] = k->at[i];
        }
    }
    k->count = to;
}

static void keys_fini(struct keys *k)
{
    for (size_t i = 0; i < k->count; i++) {
        keys_free(k->at[i]);
    }
    free(k->at);
    *k = (struct keys){0};
}

/* A store of its own with @count keys of @shape below "p/". */
static struct keys fill(const char *name, enum shape shape, uint32_t count,
                        uint64_t seed)
{
    struct store *s = store_mem_open(name);
    struct keys k = {0};
    struct prng p;

    prng_init(&p, seed);
    for (uint32_t i = 0; i < count; i++) {
        char key[STORE_KEY_MAX + 1];
        size_t size = shape_key(shape, &p, i, key);

        keys_add(&k, key, size);
    }
    keys_sort(&k);
    for (size_t i = 0; i < k.count; i++) {
        odd_put(s, k.at[i].at, k.at[i].size);
    }
    store_close(&s);
    return k;
}

/* ---- what is told ------------------------------------------------------- */

struct told {
    const struct keys *want;
    size_t next;
    char last[STORE_KEY_MAX];
    size_t last_size;
    bool is_any_order;
    size_t stop_after; /* 0: never. */
    size_t count;
};

static enum status told_each(void *self, const struct store_object *o,
                             struct fault *why)
{
    struct told *t = self;
    struct bytes last = {t->last, t->last_size};

    t->count++;
    if (t->stop_after == t->count) {
        return fault_set(why, STATUS_FULL, "enough");
    }
    if (t->is_any_order) {
        return STATUS_OK;
    }
    EXPECT(t->last_size == 0 || bytes_compare(last, o->key) < 0);
    memcpy(t->last, o->key.at, o->key.size);
    t->last_size = o->key.size;
    EXPECT_EQ(o->size, o->key.size % 2);
    EXPECT(o->etag.size > 0);
    if (t->next < t->want->count &&
        bytes_is_equal(t->want->at[t->next], o->key)) {
        t->next++;
    } else {
        EXPECT(memmem(o->key.at, o->key.size, "~volatile", 9) != NULL);
    }
    return STATUS_OK;
}

/* All is told again. */
static enum status told_restart(void *self, struct fault *why)
{
    struct told *t = self;

    (void)why;
    t->next = 0;
    t->last_size = 0;
    t->count = 0;
    return STATUS_OK;
}

static struct scan_options with(uint32_t lanes, uint32_t page,
                                scan_restart_fn *restart)
{
    return (struct scan_options){.prefix = BYTES("p/"),
                                 .lanes = lanes,
                                 .page = page,
                                 .restart = restart};
}

static char *name_of(const char *what, uint64_t a, uint64_t b)
{
    static char name[64];

    snprintf(name, sizeof(name), "%s-%llu-%llu", what, (unsigned long long)a,
             (unsigned long long)b);
    return name;
}

/* List what @keys has, and expect it. */
static struct scan_result list(const char *name, const struct keys *keys,
                               const struct odd_options *odd,
                               const struct scan_options *options)
{
    struct odd *d = odd_open(name, odd);
    struct told t = {.want = keys};
    struct scan_result result;
    struct scan_options o = *options;
    struct fault why = {""};

    o.result = &result;
    if (scan_run(d->handle, &o, told_each, &t, &why) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        EXPECT(false);
    }
    EXPECT_EQ(t.next, keys->count);
    EXPECT_EQ(t.count, result.objects);
    EXPECT_EQ(result.lanes, d->most);
    EXPECT_EQ(d->count, 0);
    odd_close(d);
    return result;
}

TEST(each_shape_in_any_order)
{
    for (int shape = 0; shape < SHAPES; shape++) {
        static const uint32_t counts[] = {0, 1, 2, 60, 900};

        for (size_t i = 0; i < 5; i++) {
            char *name = name_of("shape", (uint64_t)shape, i);
            struct keys k = fill(name, (enum shape)shape, counts[i], i + 1);

            for (uint64_t seed = 0; seed < 6; seed++) {
                static const uint32_t pages[] = {1, 2, 7, 10, 50, 1000};
                struct scan_options o =
                    with(1 + (uint32_t)seed * 9, pages[seed], NULL);
                struct odd_options odd = {.seed = seed, .delay = 40};
                uint64_t full = k.count / o.page + 1;
                struct scan_result r = list(name, &k, &odd, &o);

                EXPECT_EQ(r.objects, k.count);
                EXPECT(r.requests <= 3 * full + 8);
                EXPECT(o.lanes > 1 || r.requests <= full + 1);
            }
            keys_fini(&k);
        }
    }
}

TEST(whatever_the_store_does)
{
    for (int shape = 0; shape < SHAPES; shape++) {
        char *name = name_of("odd", (uint64_t)shape, 0);
        struct keys k = fill(name, (enum shape)shape, 400, 3);

        for (uint64_t seed = 0; seed < 12; seed++) {
            struct scan_options o =
                with(1 + (uint32_t)seed * 3, 20, told_restart);
            struct odd_options odd = {
                .seed = seed,
                .delay = 30,
                .throttle = seed % 2 ? 10 : 0,
                .notice = seed % 3 ? 10 : 0,
                .forget = seed % 4 ? 10 : 0,
                .repeat = seed % 5 ? 10 : 0,
                .change = seed % 6 ? 20 : 0,
            };

            (void)list(name, &k, &odd, &o);
        }
        keys_fini(&k);
    }
}

/* A store that does not like texts that are no keys: one chain does. */
TEST(cuts_that_are_refused)
{
    struct keys k = fill("refuse", FOLDERS, 500, 1);
    uint32_t passed = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct scan_options o = with(8, 25, told_restart);
        struct odd_options odd = {.seed = seed, .delay = 30, .refuse = 3};
        struct odd *d = odd_open("refuse", &odd);
        struct told t = {.want = &k};
        struct fault why;

        if (scan_run(d->handle, &o, told_each, &t, &why) == STATUS_OK) {
            EXPECT_EQ(t.next, k.count);
            passed++;
        } else {
            EXPECT_STR(why.text, "a failure made by a test");
        }
        EXPECT_EQ(d->count, 0);
        odd_close(d);
    }
    EXPECT(passed >= 10);
    keys_fini(&k);
}

TEST(many_keys_with_many_lanes)
{
    static const enum shape shapes[] = {NUMBERS, SHARDS, DATES,
                                        FOLDERS, UUIDS,  WORDS};

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char *name = name_of("many", i, 0);
        struct keys k = fill(name, shapes[i], i == 4 ? 50000 : 20000, 9);
        struct scan_options o = with(64, 100, NULL);
        struct odd_options odd = {.seed = 5, .delay = 10};
        struct scan_result r = list(name, &k, &odd, &o);

        if (getenv("TEST_SAY") != NULL) {
            fprintf(stderr,
                    "shape %d: %zu keys, %llu requests, %llu empty, %u lanes, "
                    "%llu held\n",
                    shapes[i], k.count, (unsigned long long)r.requests,
                    (unsigned long long)r.empty, r.lanes,
                    (unsigned long long)r.held_bytes);
        }
        EXPECT(r.requests <= k.count / 100 * 2);
        EXPECT(r.lanes >= 20);
        EXPECT(r.held_bytes > 0 && r.held_bytes <= k.count * 60);
        keys_fini(&k);
    }
}

TEST(throttling_halves_the_lanes)
{
    struct keys k = fill("slow", UUIDS, 4000, 2);
    struct scan_options o = with(64, 10, NULL);
    struct odd_options odd = {.seed = 1, .notice = 100};
    struct scan_result r = list("slow", &k, &odd, &o);

    EXPECT(r.lanes <= 8);
    keys_fini(&k);
}

TEST(no_order_is_one_chain)
{
    struct keys k = fill("chain", WORDS, 300, 2);
    struct scan_options o = with(16, 20, NULL);
    struct odd_options odd = {.seed = 1, .is_unordered = true};
    struct scan_result r = list("chain", &k, &odd, &o);

    EXPECT_EQ(r.lanes, 1);
    EXPECT_EQ(r.held_bytes, 0);
    keys_fini(&k);
}

static void list_badly(const struct odd_options *odd, const char *want)
{
    struct keys k = fill("bad", WORDS, 300, 2);
    struct scan_options o = with(16, 20, NULL);
    struct odd *d = odd_open("bad", odd);
    struct told t = {.want = &k};
    struct fault why;

    EXPECT(scan_run(d->handle, &o, told_each, &t, &why) == STATUS_STORE);
    EXPECT_STR(why.text, want);
    EXPECT_EQ(d->count, 0);
    odd_close(d);
    keys_fini(&k);
}

/* Pages that were turned round are sorted again. */
TEST(unsorted_pages_are_sorted)
{
    struct keys k = fill("turned", WORDS, 300, 2);
    struct scan_options o = with(16, 20, told_restart);
    struct odd_options odd = {.seed = 1, .is_unsorted = true};

    (void)list("turned", &k, &odd, &o);
    keys_fini(&k);
}

TEST(pages_that_lead_nowhere)
{
    list_badly(&(struct odd_options){.is_stuck = true},
               "odd://b/p/: the listing does not go on: its pages tell nothing "
               "new, again and again");
    list_badly(&(struct odd_options){.is_stuck = true, .is_unordered = true},
               "odd://b/p/: the listing does not go on: its pages tell nothing "
               "new, again and again");
    list_badly(&(struct odd_options){.throttle = 100},
               "a failure made by a test");
}

TEST(the_callers_word_ends_it)
{
    struct keys k = fill("stop", SHARDS, 1000, 2);

    for (size_t after = 1; after < 1000; after += 111) {
        struct scan_options o = with(16, 20, NULL);
        struct odd_options odd = {.seed = after, .delay = 50};
        struct odd *d = odd_open("stop", &odd);
        struct told t = {.want = &k, .stop_after = after};
        struct fault why;

        EXPECT(scan_run(d->handle, &o, told_each, &t, &why) == STATUS_FULL);
        EXPECT_STR(why.text, "enough");
        EXPECT_EQ(t.count, after);
        EXPECT_EQ(store_inflight(d->handle), 0);
        odd_close(d);
    }
    keys_fini(&k);
}

/* A store on this machine: one request after the other, and no more of them
 * than pages. */
TEST(local_stores_have_one_lane)
{
    struct keys k = fill("local", SHARDS, 2500, 2);
    struct store *s = store_mem_open("local");
    struct told t = {.want = &k};
    struct scan_result r;
    struct scan_options o = {.prefix = BYTES("p/"), .result = &r};

    EXPECT(scan_run(s, &o, told_each, &t, NULL) == STATUS_OK);
    EXPECT_EQ(t.next, 2500);
    EXPECT_EQ(r.requests, 3);
    EXPECT_EQ(r.lanes, 1);
    EXPECT_EQ(r.held_bytes, 0);
    store_close(&s);
    keys_fini(&k);
}
