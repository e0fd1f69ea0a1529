/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/recipe.h"

#include "base/prng.h"
#include "tests/harness.h"

enum { LINES = 50 };

static struct recipe_unit units[LINES];

static void write_all(struct buf *out)
{
    recipes_begin(out);
    for (uint32_t i = 0; i < LINES; i++) {
        struct recipe r = {.count = 1 + i % RECIPE_PARTS_MAX};
        char key[16];

        snprintf(key, sizeof(key), "img/%u", i);
        for (uint32_t k = 0; k < r.count; k++) {
            r.parts[k] = (struct recipe_part){.is_object = (i + k) % 3 == 0,
                                              .text = bytes_of("text"),
                                              .key = bytes_of(key),
                                              .etag = bytes_of("\"e\""),
                                              .size = 1000 * i};
        }
        recipes_add("m.jsonl", 3 * i + 1, &r, out, &units[i]);
    }
}

static struct recipes *read_all(void)
{
    struct recipes *r;
    struct buf text = {0};
    struct fault why;

    write_all(&text);
    EXPECT_EQ(recipes_read(&text, &why, &r), STATUS_OK);
    EXPECT(text.at == NULL);
    return r;
}

TEST(what_is_written_is_found_by_its_unit)
{
    struct recipes *r = read_all();
    struct fault why;

    EXPECT_EQ(recipes_count(r), LINES);
    EXPECT_STR(units[2].key, "m.jsonl:0000000007");
    for (uint32_t i = 0; i < LINES; i++) {
        struct recipe found;
        uint64_t size = 0;

        EXPECT_EQ(recipes_find(r, bytes_of(units[i].key),
                               bytes_of(units[i].etag), &why, &found),
                  STATUS_OK);
        EXPECT_EQ(found.count, 1 + i % RECIPE_PARTS_MAX);
        for (uint32_t k = 0; k < found.count; k++) {
            EXPECT_EQ(found.parts[k].is_object, (i + k) % 3 == 0);
            EXPECT(found.parts[k].is_object
                       ? bytes_is(found.parts[k].etag, "\"e\"")
                       : bytes_is(found.parts[k].text, "text"));
            size += found.parts[k].is_object ? found.parts[k].size : 4;
        }
        EXPECT_EQ(size, units[i].size);
        EXPECT(i == 0 || strcmp(units[i - 1].key, units[i].key) < 0);
    }
    recipes_destroy(&r);
    EXPECT(r == NULL);
}

/* The etag stands for all that is delivered. */
TEST(every_change_gives_another_etag)
{
    const struct recipe_part parts[] = {
        {false, {"1", 1}, {"", 0}, {"", 0}, 0},
        {false, {"2", 1}, {"", 0}, {"", 0}, 0},
        {true, {"", 0}, {"k", 1}, {"e", 1}, 5},
        {true, {"", 0}, {"l", 1}, {"e", 1}, 5},
        {true, {"", 0}, {"k", 1}, {"f", 1}, 5},
        {true, {"", 0}, {"k", 1}, {"e", 1}, 6},
    };
    enum { COUNT = sizeof(parts) / sizeof(*parts) };
    struct recipe_unit made[COUNT];
    struct buf out = {0};

    for (size_t i = 0; i < COUNT; i++) {
        struct recipe r = {.parts = {parts[i]}, .count = 1};

        recipes_add("m", i + 1, &r, &out, &made[i]);
        for (size_t k = 0; k < i; k++) {
            EXPECT(strcmp(made[k].etag, made[i].etag) != 0);
        }
    }
    buf_fini(&out);
}

TEST(another_recipe_than_was_dealt_is_refused)
{
    static const char *const keys[] = {
        "m.jsonl:0000000002", "m.jsonl:0000000004", "m.jsonl:00000000x1",
        "0000000001",         "m.jsonl:9999999999", "",
    };
    struct recipes *r = read_all();
    struct recipe found;
    struct fault why;

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        EXPECT_EQ(recipes_find(r, bytes_of(keys[i]), bytes_of(units[0].etag),
                               &why, &found),
                  STATUS_MALFORMED);
    }
    recipes_destroy(&r);
}

TEST(long_names_are_cut_in_front)
{
    char name[2000];
    struct recipe r = {.parts = {{.text = {"x", 1}}}, .count = 1};
    struct recipe_unit unit;
    struct buf out = {0};

    memset(name, 'n', sizeof(name));
    memcpy(name + sizeof(name) - 7, ".jsonl", 7);
    recipes_add(name, 4000000000, &r, &out, &unit);
    EXPECT(strlen(unit.key) < RECIPE_NAME_SIZE);
    EXPECT(bytes_has_suffix(bytes_of(unit.key), BYTES("n.jsonl:4000000000")));
    buf_fini(&out);
}

TEST(torn_or_strange_bytes_are_refused)
{
    struct buf whole = {0};
    struct prng p;

    write_all(&whole);
    prng_init(&p, 9);
    for (size_t cut = 0; cut < whole.size; cut += 1 + cut / 40) {
        struct buf text = {0};
        struct recipes *r;
        struct fault why = {.text = ""};
        enum status s;

        buf_add(&text, whole.at, cut);
        if (cut > 30 && cut % 2 == 0) {
            text.at[30 + prng_below(&p, cut - 30)] ^= (char)0x81;
        }
        s = recipes_read(&text, &why, &r);
        EXPECT((s == STATUS_OK) == (r != NULL));
        EXPECT((s == STATUS_OK) == (why.text[0] == '\0'));
        for (uint32_t i = 0; r != NULL && i < LINES; i++) {
            struct recipe found;

            /* Found whole, or not at all. */
            (void)!recipes_find(r, bytes_of(units[i].key),
                                bytes_of(units[i].etag), &why, &found);
        }
        recipes_destroy(&r);
        buf_fini(&text);
    }
    buf_fini(&whole);
}
