/* SPDX-License-Identifier: Apache-2.0 */
/* Where a range of keys is cut, and what is held of those listed early. */

#include "base/prng.h"
#include "store/scan_cut.h"
#include "store/scan_held.h"
#include "tests/harness.h"
#include "tests/unit/scan_keys.h"

/* ---- cuts --------------------------------------------------------------- */

TEST(cut_rows)
{
    static const struct {
        const char *learn;
        const char *first;
        const char *lo;
        const char *hi;
        uint32_t level;
        const char *want; /* NULL: no cut. */
    } rows[] = {
        {"0123456789", "p/0000", "p/0099", "", 0, "p/5"},
        {"0123456789", "p/0000", "p/0099", "p/5", 0, "p/2"},
        {"0123456789", "p/9000", "p/9099", "", 0, "p/95"},
        {"0123456789abcdef", "p/00aa", "p/04bb", "", 0, "p/5"},
        {"0123456789abcdef", "p/00aa", "p/04bb", "p/8", 0, "p/4"},
        {"0123456789/f", "p/2020/01/01/f0", "p/2020/01/01/f7", "", 0,
         "p/2020/01/01/f8"},
        {"0123456789/f", "p/2020/01/01/f0", "p/2020/01/01/f7", "", 1,
         "p/2020/01/01/f8"},
        {"0123456789/f", "p/2020/01/01/f0", "p/2020/01/01/f7", "", 2,
         "p/2020/01/5"},
        {"0123456789/f", "p/2020/01/01/f0", "p/2020/01/01/f7", "", 4, "p/6"},
        {"0123456789/f", "p/2020/01/01/f0", "p/2020/01/01/f7", "", 99, "p/6"},
        {"ac", "p/a", "p/a", "p/a", 0, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scan_alphabet a = {.count = 0};
        struct scan_span span = {BYTES("p/"), bytes_of(rows[i].first),
                                 bytes_of(rows[i].lo), bytes_of(rows[i].hi),
                                 rows[i].level};
        struct scan_cut cut;
        bool has_cut;

        scan_learn(&a, bytes_of(rows[i].learn), 0);
        memset(a.kinds, 0, sizeof(a.kinds));
        scan_learn(&a, span.first, 2);
        scan_learn(&a, span.lo, 2);
        has_cut = scan_cut_find(&a, &span, &cut);
        EXPECT_EQ(has_cut, rows[i].want != NULL);
        if (has_cut) {
            EXPECT_EQ(cut.size, strlen(rows[i].want));
            EXPECT(memcmp(cut.at, rows[i].want, cut.size) == 0);
        }
    }
}

/* Any two keys: a cut is inside, text if they are, without NUL. */
TEST(cut_is_inside)
{
    struct prng p;
    uint32_t cuts = 0;

    prng_init(&p, 4);
    for (int i = 0; i < 60000; i++) {
        enum shape shape = (enum shape)prng_below(&p, SHAPES);
        char keys[3][STORE_KEY_MAX + 1];
        struct bytes k[3];
        struct scan_alphabet a = {.count = 0};
        struct scan_span span;
        struct scan_cut cut;

        for (size_t j = 0; j < 3; j++) {
            k[j].size =
                shape_key(shape, &p, (uint32_t)prng_below(&p, 999), keys[j]);
            k[j].at = keys[j];
            scan_learn(&a, k[j], 2);
        }
        qsort(k, 3, sizeof(k[0]), keys_compare);
        span = (struct scan_span){BYTES("p/"), k[0], k[1], k[2],
                                  (uint32_t)prng_below(&p, 4)};
        span.hi.size = prng_chance(&p, 1, 2) ? 0 : span.hi.size;
        if (!scan_cut_find(&a, &span, &cut)) {
            continue;
        }
        cuts++;
        EXPECT(cut.size <= STORE_KEY_MAX);
        EXPECT(bytes_compare((struct bytes){cut.at, cut.size}, k[1]) > 0);
        EXPECT(span.hi.size == 0 ||
               bytes_compare((struct bytes){cut.at, cut.size}, k[2]) < 0);
        EXPECT(memchr(cut.at, 0, cut.size) == NULL);
        EXPECT(memcmp(cut.at, "p/", 2) == 0);
    }
    EXPECT(cuts > 30000);
}

/* ---- what is held ------------------------------------------------------- */

static const char *const etags[] = {
    "\"0123456789abcdef0123456789abcdef\"",
    "\"ffffffffffffffffffffffffffffffff-1\"",
    "\"ffffffffffffffffffffffffffffffff-10000\"",
    "\"ffffffffffffffffffffffffffffffff-10001\"",
    "\"ffffffffffffffffffffffffffffffff-01\"",
    "\"ffffffffffffffffffffffffffffffff-\"",
    "\"ffffffffffffffffffffffffffffffff-99999999999\"",
    "\"fffffffffffffffffffffffffffffff-12\"",
    "\"FFFFFFFFffffffffffffffffffffffff\"",
    "\"ffffffffffffffffffffffffffffffff1\"",
    "ffffffffffffffffffffffffffffffff",
    "\"5f0c-61a\"",
    "W/\"weak\"",
    "\"\"",
    "",
};

enum { ETAGS = sizeof(etags) / sizeof(etags[0]), HELD = 3000 };

struct held_sum {
    struct prng keys;
    uint32_t next;
};

static struct store_object held_object(struct prng *p, uint32_t i,
                                       char key[STORE_KEY_MAX + 1])
{
    struct store_object o;

    o.key.size = shape_key(prng_chance(p, 1, 9) ? LONG : WORDS, p, i, key);
    o.key.at = key;
    o.size = i % 5 == 0 ? UINT64_MAX - i : prng_below(p, 1 << (i % 30));
    o.modified_ms = i % 7 == 0 ? 0 : prng_next(p);
    o.etag = bytes_of(etags[i % ETAGS]);
    return o;
}

static enum status held_each(void *self, const struct store_object *o,
                             struct fault *why)
{
    struct held_sum *sum = self;
    char key[STORE_KEY_MAX + 1];
    struct store_object want = held_object(&sum->keys, sum->next++, key);

    (void)why;
    EXPECT(bytes_is_equal(o->key, want.key));
    EXPECT(bytes_is_equal(o->etag, want.etag));
    EXPECT_EQ(o->size, want.size);
    EXPECT_EQ(o->modified_ms, want.modified_ms);
    return STATUS_OK;
}

/* In three queues that are joined, empty ones between. */
TEST(held_is_told_as_it_was)
{
    static struct scan_held h[5];
    struct held_sum sum = {.next = 0};
    struct prng p;

    prng_init(&p, 8);
    prng_init(&sum.keys, 8);
    for (uint32_t i = 0; i < HELD; i++) {
        char key[STORE_KEY_MAX + 1];
        struct store_object o = held_object(&p, i, key);

        EXPECT(scan_held_add(&h[i / (HELD / 2) * 2 + 1], &o) == STATUS_OK);
    }
    for (int i = 1; i < 5; i++) {
        scan_held_join(&h[0], &h[i]);
        EXPECT_EQ(h[i].count, 0);
    }
    EXPECT_EQ(h[0].count, HELD);
    EXPECT(scan_held_tell(&h[0], held_each, &sum, NULL) == STATUS_OK);
    EXPECT_EQ(sum.next, HELD);
    EXPECT_EQ(h[0].bytes, 0);
    scan_held_fini(&h[0]);
}
