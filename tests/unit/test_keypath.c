/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "proto/keypath.h"
#include "tests/harness.h"

TEST(the_rule)
{
    static const struct {
        const char *prefix;
        const char *key;
        const char *path;
    } rows[] = {
        {"data/train", "data/train/x/y", "x/y"},
        {"data/train", "data/train-1.csv", "train-1.csv"},
        {"data/train", "data/train", "train"},
        {"data/train", "data/train/", ""},
        {"data/train", "data/training/x", "training/x"},
        {"data/train/", "data/train/a/b", "a/b"},
        {"data/train/", "data/train/", ""},
        {"", "a/b", "a/b"},
        {"tr", "train", "train"},
        {"tr", "tr/x", "x"},
        {"p/", "p/dir/", "dir/"},
        {"p/", "p/...", "..."},
        {"p/", "p/..a/.b", "..a/.b"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct bytes path;
        struct fault why;

        EXPECT_EQ(keypath_of(bytes_of(rows[i].prefix), bytes_of(rows[i].key),
                             &why, &path),
                  STATUS_OK);
        EXPECT(bytes_is(path, rows[i].path));
    }
}

TEST(escapes_are_refused)
{
#define NO(key, why)                                                           \
    {                                                                          \
        {key, sizeof(key) - 1},                                                \
            "key \"" key "\" has no place below the channel's folder: " why    \
    }
    static const struct {
        struct bytes key;
        const char *fault;
    } rows[] = {
        NO("p/../x", "\".\" and \"..\" are not allowed as parts"),
        NO("p/a/..", "\".\" and \"..\" are not allowed as parts"),
        NO("p/a/../", "\".\" and \"..\" are not allowed as parts"),
        NO("p/./x", "\".\" and \"..\" are not allowed as parts"),
        NO("p//x", "it has an empty part"),
        NO("p/a//b", "it has an empty part"),
        NO("p/a//", "it has an empty part"),
        NO("q/x", "it does not start with the prefix"),
        {{"p/a\0b", 5},
         "key \"p/a\" has no place below the channel's folder: it holds a NUL "
         "byte"},
    };
    char text[1100];
    struct fault why;
    struct bytes path;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        EXPECT_EQ(keypath_of(BYTES("p/"), rows[i].key, &why, &path),
                  STATUS_INVALID);
        EXPECT_STR(why.text, rows[i].fault);
    }
    EXPECT_EQ(keypath_of(BYTES(""), BYTES("/x"), &why, &path), STATUS_INVALID);
    memset(text, 'a', sizeof(text));
    EXPECT_EQ(keypath_of(BYTES(""), (struct bytes){text, 255}, &why, &path),
              STATUS_OK);
    EXPECT_EQ(keypath_of(BYTES(""), (struct bytes){text, 256}, &why, &path),
              STATUS_INVALID);
    for (size_t i = 100; i < sizeof(text); i += 101) {
        text[i] = '/';
    }
    EXPECT_EQ(keypath_of(BYTES(""), (struct bytes){text, 1024}, &why, &path),
              STATUS_OK);
    EXPECT_EQ(keypath_of(BYTES(""), (struct bytes){text, 1025}, &why, &path),
              STATUS_INVALID);
}

static enum status check_all(const char *prefix, const char *const *keys,
                             struct fault *why)
{
    struct keypath_check *c = keypath_check_new(bytes_of(prefix));
    enum status s = STATUS_OK;

    why->text[0] = '\0';
    for (; s == STATUS_OK && *keys != NULL; keys++) {
        s = keypath_check_add(c, bytes_of(*keys), why);
    }
    if (s == STATUS_OK) {
        s = keypath_check_end(c, why);
    }
    keypath_check_destroy(&c);
    return s;
}

TEST(conflicts_name_both_keys)
{
    static const struct {
        const char *prefix;
        const char *keys[6];
        const char *fault;
    } rows[] = {
        {"p/",
         {"p/a", "p/a-b", "p/a.b", "p/a/b"},
         "keys \"p/a\" and \"p/a/b\": both want the name \"a\" below the "
         "channel's folder"},
        {"p/",
         {"p/a", "p/a/"},
         "keys \"p/a\" and \"p/a/\": both want the name \"a\" below the "
         "channel's folder"},
        {"p/", {"p/", "p/a/", "p/a/b", "p/b"}, ""},
        {"d/t",
         {"d/t", "d/t/t"},
         "keys \"d/t\" and \"d/t/t\": both want the name \"t\" below the "
         "channel's folder"},
        {"d/t", {"d/t", "d/t-1", "d/t/x", "d/t0"}, ""},
        {"d/t",
         {"d/t-1", "d/t/t-1"},
         "prefix \"d/t\" is both a folder and the start of other names, and "
         "what is in it may take their place; end the prefix with \"/\""},
        {"d/t", {"d/t-1", "d/t/t0"}, ""},
        {"p/", {"p/b", "p/a"}, "key \"p/a\" does not come after \"p/b\""},
        {"p/", {"p/a", "p/a"}, "key \"p/a\" does not come after \"p/a\""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct fault why;

        (void)!check_all(rows[i].prefix, rows[i].keys, &why);
        EXPECT_STR(why.text, rows[i].fault);
    }
}

/* Small random sets against every pair of paths. */
enum { SET_MAX = 12, KEY_MAX = 10 };

struct set {
    char keys[SET_MAX][KEY_MAX + 1];
    struct bytes paths[SET_MAX];
    size_t count;
    size_t next;
};

static bool set_next(void *walk, struct bytes *out)
{
    struct set *s = walk;

    if (s->next == s->count) {
        return false;
    }
    *out = bytes_of(s->keys[s->next++]);
    return true;
}

static int set_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Whether a file stands where @b or a folder of it would be. */
static bool covers(struct bytes a, struct bytes b)
{
    if (a.size == 0 || keypath_is_folder(a) || !bytes_has_prefix(b, a)) {
        return false;
    }
    return b.size == a.size || b.at[a.size] == '/';
}

static bool set_has_conflict(const struct set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        for (size_t j = 0; j < s->count; j++) {
            if (i != j && covers(s->paths[i], s->paths[j])) {
                return true;
            }
        }
    }
    return false;
}

static void set_make(struct prng *p, const char *prefix, struct set *s)
{
    static const char letters[] = "tt/-0\xc3";
    size_t want = 1 + prng_below(p, SET_MAX);
    size_t kept = 0;

    *s = (struct set){0};
    for (size_t tries = 0; s->count < want && tries < 60; tries++) {
        char *key = s->keys[s->count];
        size_t start = strlen(prefix);
        size_t size = start + prng_below(p, KEY_MAX - start + 1);
        struct bytes path;

        memcpy(key, prefix, start);
        for (size_t i = start; i < size; i++) {
            key[i] = letters[prng_below(p, 6)];
        }
        key[size] = '\0';
        if (keypath_of(bytes_of(prefix), bytes_of(key), NULL, &path) ==
            STATUS_OK) {
            s->count++;
        }
    }
    qsort(s->keys, s->count, sizeof(*s->keys), set_compare);
    for (size_t i = 0; i < s->count; i++) {
        if (kept == 0 || strcmp(s->keys[i], s->keys[kept - 1]) != 0) {
            memmove(s->keys[kept++], s->keys[i], sizeof(*s->keys));
        }
    }
    s->count = kept;
    for (size_t i = 0; i < s->count; i++) {
        EXPECT_EQ(keypath_of(bytes_of(prefix), bytes_of(s->keys[i]), NULL,
                             &s->paths[i]),
                  STATUS_OK);
    }
}

TEST(checks_equal_every_pair)
{
    static const char *const prefixes[] = {"", "t/", "t", "-t", "0/t", "tt"};
    struct prng p;
    size_t conflicts = 0;
    size_t unsure = 0;

    prng_init(&p, 7);
    for (size_t round = 0; round < 150000; round++) {
        const char *prefix = prefixes[round % 6];
        struct set s;
        struct set again;
        const char *keys[SET_MAX + 1] = {NULL};
        struct fault why;
        bool want;
        enum status got;

        set_make(&p, prefix, &s);
        want = set_has_conflict(&s);
        again = s;
        got = keypath_check_walk(bytes_of(prefix), set_next, &s, &again, &why);
        EXPECT_EQ(got, want ? STATUS_CONFLICT : STATUS_OK);
        for (size_t i = 0; i < s.count; i++) {
            keys[i] = s.keys[i];
        }
        got = check_all(prefix, keys, &why);
        /* The stream never lets a conflict pass; it may be unsure. */
        EXPECT(got == STATUS_CONFLICT || !want);
        conflicts += want;
        unsure += got == STATUS_CONFLICT && !want;
        if (got == STATUS_CONFLICT && !want) {
            EXPECT(strncmp(why.text, "prefix", 6) == 0);
        }
    }
    EXPECT(conflicts > 10000 && unsure > 100 && unsure < conflicts);
}
