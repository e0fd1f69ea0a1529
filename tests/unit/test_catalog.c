/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/catalog.h"

#include "base/prng.h"
#include "coordinator/synth.h"
#include "tests/harness.h"

struct row {
    const char *key;
    uint64_t size;
    const char *etag;
};

static struct catalog_object object_of(const struct row *row)
{
    return (struct catalog_object){bytes_of(row->key), row->size,
                                   bytes_of(row->etag)};
}

static enum status add_row(struct catalog_builder *b, const char *key,
                           const char *etag, struct fault *why)
{
    struct catalog_object object = {bytes_of(key), 1, bytes_of(etag)};

    return catalog_builder_add(b, &object, why);
}

static struct catalog *catalog_of(const struct row *rows, size_t count)
{
    struct catalog_builder *b = NULL;
    struct catalog *c = NULL;
    struct fault why;

    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        struct catalog_object object = object_of(&rows[i]);

        EXPECT(catalog_builder_add(b, &object, &why) == STATUS_OK);
    }
    EXPECT(catalog_builder_finish(&b, &c) == STATUS_OK);
    EXPECT(b == NULL);
    catalog_check(c);
    return c;
}

static void expect_object(const struct catalog_object *got,
                          const struct row *want)
{
    EXPECT(bytes_is(got->key, want->key));
    EXPECT_EQ(got->size, want->size);
    EXPECT(bytes_is(got->etag, want->etag));
}

static void expect_rows(const struct catalog *c, const struct row *rows,
                        size_t count)
{
    struct catalog_cursor cursor;
    struct catalog_object object;

    EXPECT_EQ(catalog_count(c), count);
    catalog_seek(c, 0, &cursor);
    for (size_t i = 0; i < count; i++) {
        EXPECT(catalog_next(&cursor, &object));
        expect_object(&object, &rows[i]);
        EXPECT_EQ(catalog_size(c, i), rows[i].size);
    }
    EXPECT(!catalog_next(&cursor, &object));
    EXPECT(!catalog_next(&cursor, &object));
}

#define MD5 "d41d8cd98f00b204e9800998ecf8427e"
#define TEXT127                                                                \
    "1234567890123456789012345678901234567890123456789012345678901234567890"   \
    "123456789012345678901234567890123456789012345678901234567"

/* Every form of etag, beside keys that share starts, ends, or nothing. */
static const struct row rows[] = {
    {"\x01", 0, ""},
    {"A/part-1.tar", 1, MD5},
    {"A/part-10.tar", 255, MD5},
    {"A/part-11.tar", 256, "\"" MD5 "\""},
    {"A/part-110.tar", 65536, MD5 "-1"},
    {"A/part-2.tar", 5, "\"" MD5 "-999999\""},
    {"A/part-2.tar.gz", 5, MD5 "-1000000"},
    {"A/part-2.tar.gz2", 5, MD5 "-0"},
    {"A/part-3.tar", UINT64_C(1) << 40, MD5 "-01"},
    {"A/part-3.tarr", 5, MD5 "-"},
    {"A/part-3.tarrr", 5, MD5 "-1x"},
    {"B", 5, "D41D8CD98F00B204E9800998ECF8427E"},
    {"BB", 5, "d41d8cd98f00b204e9800998ecf8427g"},
    {"BBB", 5, "\"" MD5},
    {"BBBB", 5, MD5 "\""},
    {"a", 5, "\""},
    {"aab", 5, "\"\""},
    {"ab", 5, "\"\""},
    {"abab", 5, TEXT127},
    {"ababab", 5, TEXT127},
    {"b/a/a/a", 5, ""},
    {"b/a/b", 5, "x"},
    {"b/a/b/a/a/a", 5, ""},
    {"\xc3\xa4", 5, ""},
    {"\xff", UINT64_C(1) << 60, "y"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

TEST(every_form_comes_back)
{
    struct catalog *c = catalog_of(rows, ROWS);
    uint64_t bytes = 0;

    expect_rows(c, rows, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        bytes += rows[i].size;
    }
    EXPECT_EQ(catalog_bytes(c), bytes);
    catalog_destroy(&c);
    EXPECT(c == NULL);
}

TEST(empty_catalog)
{
    struct catalog *c = catalog_of(NULL, 0);

    expect_rows(c, NULL, 0);
    EXPECT_EQ(catalog_bytes(c), 0);
    EXPECT_EQ(catalog_segment_count(c), 0);
    EXPECT_EQ(strlen(catalog_name(c)), CATALOG_NAME_SIZE - 1);
    catalog_destroy(&c);
}

TEST(bad_objects_are_named)
{
    static const char letters[2 * CATALOG_KEY_MAX] = {0};
    struct catalog_builder *b = NULL;
    struct fault why;
    struct catalog_object object = {{letters, CATALOG_KEY_MAX + 1}, 1, {0}};

    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    EXPECT(add_row(b, "m/b", "", &why) == STATUS_OK);
    EXPECT(add_row(b, "m/b", "", &why) == STATUS_INVALID);
    EXPECT_STR(why.text, "m/b: the key comes twice");
    EXPECT(add_row(b, "m/a", "", &why) == STATUS_INVALID);
    EXPECT_STR(why.text, "m/a: the key comes after m/b, which is greater");
    EXPECT(add_row(b, "m", "", &why) == STATUS_INVALID);
    EXPECT(add_row(b, "", "", &why) == STATUS_INVALID);
    EXPECT(add_row(b, "n", TEXT127 "8", &why) == STATUS_INVALID);
    EXPECT(strstr(why.text, "n: the etag has 128 bytes") != NULL);
    EXPECT(catalog_builder_add(b, &object, &why) == STATUS_INVALID);
    object = (struct catalog_object){BYTES("o"), CATALOG_BYTES_MAX, {0}};
    EXPECT(catalog_builder_add(b, &object, &why) == STATUS_FULL);
    /* Bytes above 127 are not negative. */
    EXPECT(add_row(b, "\xff", "", &why) == STATUS_OK);
    EXPECT(add_row(b, "z", "", &why) == STATUS_INVALID);
    catalog_builder_destroy(&b);
    EXPECT(b == NULL);
}

/* A random catalog kept beside its plain copy. */
struct plain {
    char key[CATALOG_KEY_MAX + 1];
    size_t key_size;
    uint64_t size;
    char etag[CATALOG_ETAG_MAX + 1];
};

/* Make the next key greater than the last one in one of many ways. */
static void next_key(struct prng *prng, const struct plain *last,
                     struct plain *out)
{
    size_t keep = (size_t)prng_below(prng, last->key_size + 1);
    size_t more = 1 + (size_t)prng_below(prng, prng_chance(prng, 1, 50)
                                                   ? CATALOG_KEY_MAX - 1
                                                   : 12);

    *out = *last;
    while (keep < last->key_size && (uint8_t)last->key[keep] >= 254) {
        keep++;
    }
    if (keep < last->key_size) {
        out->key[keep]++;
        keep++;
        more--;
    }
    if (prng_chance(prng, 1, 2) && keep < last->key_size) {
        return; /* The same end. */
    }
    out->key_size = keep;
    for (; more > 0 && out->key_size < CATALOG_KEY_MAX; more--) {
        out->key[out->key_size++] = (char)(1 + prng_below(prng, 200));
    }
}

static void random_etag(struct prng *prng, struct plain *out)
{
    unsigned long long a = prng_next(prng);

    if (prng_chance(prng, 1, 4)) {
        return; /* The same again. */
    }
    switch (prng_below(prng, 5)) {
    case 0:
        snprintf(out->etag, sizeof(out->etag), "%016llx%016llx", a, ~a);
        break;
    case 1:
        snprintf(out->etag, sizeof(out->etag), "\"%016llx%016llx\"", a, a * 3);
        break;
    case 2:
        snprintf(out->etag, sizeof(out->etag), "%016llx%016llx-%llu", a, a * 5,
                 a % 2000000);
        break;
    case 3:
        snprintf(out->etag, sizeof(out->etag), "%llx", a >> (a % 64));
        break;
    default:
        out->etag[0] = '\0';
    }
}

static struct catalog *random_catalog(struct prng *prng, struct plain *plain,
                                      size_t count)
{
    struct plain last = {.key = "k", .key_size = 1};
    struct catalog_builder *b = NULL;
    struct catalog *c = NULL;
    struct fault why;

    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        struct catalog_object object;

        next_key(prng, &last, &plain[i]);
        random_etag(prng, &plain[i]);
        plain[i].size = prng_next(prng) >> (6 + prng_below(prng, 58));
        plain[i].size %= UINT64_C(1) << 50;
        last = plain[i];
        object = (struct catalog_object){
            {last.key, last.key_size}, last.size, bytes_of(last.etag)};
        EXPECT(catalog_builder_add(b, &object, &why) == STATUS_OK);
    }
    EXPECT(catalog_builder_finish(&b, &c) == STATUS_OK);
    catalog_check(c);
    return c;
}

static void expect_plain(const struct catalog *c, const struct plain *plain,
                         uint64_t first, uint64_t end)
{
    struct catalog_cursor cursor;
    struct catalog_object object;

    catalog_seek(c, first, &cursor);
    for (uint64_t i = first; i < end; i++) {
        EXPECT(catalog_next(&cursor, &object));
        EXPECT(bytes_is_equal(object.key,
                              (struct bytes){plain[i].key, plain[i].key_size}));
        EXPECT_EQ(object.size, plain[i].size);
        EXPECT(bytes_is(object.etag, plain[i].etag));
        EXPECT_EQ(catalog_size(c, i), plain[i].size);
    }
}

TEST(random_catalogs_read_from_anywhere)
{
    enum { MOST = 700 };
    struct plain *plain = malloc(MOST * sizeof(*plain));
    uint64_t sizes[MOST];
    struct prng prng;

    prng_init(&prng, 1);
    for (int round = 0; round < 40; round++) {
        size_t count = (size_t)prng_below(&prng, MOST + 1);
        struct catalog *c = random_catalog(&prng, plain, count);

        expect_plain(c, plain, 0, count);
        for (int i = 0; i < 30; i++) {
            uint64_t first = prng_below(&prng, count + 1);
            uint64_t some = prng_below(&prng, count - first + 1);

            expect_plain(c, plain, first, first + some);
            catalog_sizes(c, first, (size_t)some, sizes);
            for (uint64_t j = 0; j < some; j++) {
                EXPECT_EQ(sizes[j], plain[first + j].size);
            }
        }
        catalog_destroy(&c);
    }
    free(plain);
}

static struct catalog *synthetic(uint64_t count, enum synth_keys keys,
                                 uint64_t seed)
{
    struct synth_options options = {.count = count,
                                    .mean_bytes = 1 << 20,
                                    .seed = seed,
                                    .sizes = SYNTH_LOGNORMAL,
                                    .keys = keys};
    struct catalog *c = NULL;
    struct fault why;

    EXPECT(synth_make(&options, &why, &c) == STATUS_OK);
    return c;
}

static void expect_same(const struct catalog *a, const struct catalog *b)
{
    struct catalog_cursor left;
    struct catalog_cursor right;
    struct catalog_object x;
    struct catalog_object y;

    EXPECT_EQ(catalog_count(a), catalog_count(b));
    EXPECT_EQ(catalog_bytes(a), catalog_bytes(b));
    catalog_seek(a, 0, &left);
    catalog_seek(b, 0, &right);
    while (catalog_next(&left, &x)) {
        EXPECT(catalog_next(&right, &y));
        EXPECT(bytes_is_equal(x.key, y.key) && x.size == y.size &&
               bytes_is_equal(x.etag, y.etag));
    }
    EXPECT_STR(catalog_name(a), catalog_name(b));
}

TEST(segments_come_back)
{
    struct catalog *c = synthetic(700000, SYNTH_HASHED, 3);
    struct catalog_builder *b = NULL;
    struct catalog *again = NULL;
    struct fault why;

    EXPECT(catalog_segment_count(c) > 2);
    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    for (uint32_t i = 0; i < catalog_segment_count(c); i++) {
        struct buf out = {0};

        catalog_segment_write(c, i, &out);
        EXPECT(out.size <= CATALOG_SEGMENT_BYTES);
        EXPECT(catalog_builder_add_segment(b, buf_bytes(&out), &why) ==
               STATUS_OK);
        buf_fini(&out);
    }
    EXPECT(catalog_builder_finish(&b, &again) == STATUS_OK);
    catalog_check(again);
    expect_same(c, again);
    catalog_destroy(&c);
    catalog_destroy(&again);
}

/* Segments cut elsewhere: two catalogs joined, so that blocks lie otherwise. */
TEST(name_does_not_depend_on_the_cut)
{
    static const size_t cuts[] = {0, 1, 7, 64, 65, 130, 199, 200};
    enum { COUNT = 200 };
    struct plain *plain = malloc(COUNT * sizeof(*plain));
    struct catalog *whole;
    struct prng prng;

    prng_init(&prng, 4);
    whole = random_catalog(&prng, plain, COUNT);
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct catalog_builder *b = NULL;
        struct catalog *joined = NULL;
        struct buf out = {0};
        struct fault why;

        EXPECT(catalog_builder_new(&b) == STATUS_OK);
        for (size_t k = 0; k < COUNT; k++) {
            struct catalog_object object = {{plain[k].key, plain[k].key_size},
                                            plain[k].size,
                                            bytes_of(plain[k].etag)};

            if (k == cuts[i] && k > 0) {
                struct catalog *part = NULL;

                EXPECT(catalog_builder_finish(&b, &part) == STATUS_OK);
                catalog_segment_write(part, 0, &out);
                catalog_destroy(&part);
                EXPECT(catalog_builder_new(&b) == STATUS_OK);
                EXPECT(catalog_builder_add_segment(b, buf_bytes(&out), &why) ==
                       STATUS_OK);
            }
            EXPECT(catalog_builder_add(b, &object, &why) == STATUS_OK);
        }
        EXPECT(catalog_builder_finish(&b, &joined) == STATUS_OK);
        catalog_check(joined);
        expect_same(whole, joined);
        catalog_destroy(&joined);
        buf_fini(&out);
    }
    catalog_destroy(&whole);
    free(plain);
}

TEST(name_tells_every_difference)
{
    static const struct row base[] = {{"a", 1, "x"}, {"bc", 2, ""}};
    static const struct row others[][2] = {
        {{"a", 1, "y"}, {"bc", 2, ""}},  {{"a", 2, "x"}, {"bc", 2, ""}},
        {{"aa", 1, "x"}, {"bc", 2, ""}}, {{"a", 1, "x"}, {"bc", 2, "x"}},
        {{"a", 1, ""}, {"bc", 2, "x"}},  {{"ab", 1, "x"}, {"c", 2, ""}},
    };
    struct catalog *c = catalog_of(base, 2);

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct catalog *other = catalog_of(others[i], 2);

        EXPECT(strcmp(catalog_name(c), catalog_name(other)) != 0);
        catalog_destroy(&other);
    }
    /* Names are kept in stores: they never change. */
    EXPECT_STR(
        catalog_name(c),
        "4d67b0e4e91e740d846060f414fc5f6e891a11d9ffbadc2e7e179233277a0581");
    catalog_destroy(&c);
}

static enum status read_segment(struct bytes bytes)
{
    struct catalog_builder *b = NULL;
    struct fault why = {"untouched"};
    enum status s;

    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    s = catalog_builder_add_segment(b, bytes, &why);
    EXPECT((s == STATUS_OK) == (strcmp(why.text, "untouched") == 0));
    catalog_builder_destroy(&b);
    return s;
}

TEST(torn_and_flipped_segments_are_refused)
{
    struct catalog *c = catalog_of(rows, ROWS);
    struct buf out = {0};
    char *copy;

    catalog_segment_write(c, 0, &out);
    EXPECT(read_segment(buf_bytes(&out)) == STATUS_OK);
    for (size_t size = 0; size < out.size; size++) {
        copy = malloc(size + 1); /* So that reading past the end shows. */
        memcpy(copy, out.at, size);
        EXPECT(read_segment((struct bytes){copy, size}) == STATUS_MALFORMED);
        free(copy);
    }
    for (size_t bit = 0; bit < 8 * out.size; bit++) {
        enum status s;

        out.at[bit / 8] ^= (char)(1 << bit % 8);
        s = read_segment(buf_bytes(&out));
        EXPECT(s == (bit / 8 >= 4 && bit / 8 < 8 ? STATUS_VERSION
                                                 : STATUS_MALFORMED));
        out.at[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_add_char(&out, '\0');
    EXPECT(read_segment(buf_bytes(&out)) == STATUS_MALFORMED);
    buf_fini(&out);
    catalog_destroy(&c);
}

TEST(segments_out_of_order_are_refused)
{
    struct catalog *c = catalog_of(rows, ROWS);
    struct catalog_builder *b = NULL;
    struct buf out = {0};
    struct fault why;

    catalog_segment_write(c, 0, &out);
    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    EXPECT(add_row(b, "zz", "", &why) == STATUS_OK);
    EXPECT(catalog_builder_add_segment(b, buf_bytes(&out), &why) ==
           STATUS_MALFORMED);
    EXPECT(strstr(why.text, "which is greater") != NULL);
    catalog_builder_destroy(&b);
    buf_fini(&out);
    catalog_destroy(&c);
}

/* The promise of the header, with room to spare: numbered keys, MD5 etags. */
TEST(memory_stays_small)
{
    struct catalog *c = synthetic(200000, SYNTH_NUMBERED, 1);
    size_t keys = catalog_key_memory(c);

    EXPECT(keys < 200000 * 5);
    EXPECT(keys > 200000);
    EXPECT(catalog_memory(c) - keys < 200000 * 24);
    catalog_destroy(&c);
}
