/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/mount_tree.h"

#include "base/mem.h"
#include "base/prng.h"
#include "tests/harness.h"

enum { KEYS_MAX = 200, KEY_ROOM = 64 };

static char keys[KEYS_MAX][KEY_ROOM];
static uint32_t key_count;

static void key_at(void *self, uint64_t i, struct mount_object *io)
{
    (void)self;
    EXPECT(i < key_count);
    /* The view has to be in the room, as a cursor's would be. */
    snprintf(io->room, sizeof(io->room), "%s", keys[i]);
    io->key = bytes_of(io->room);
    io->etag = BYTES("e");
    io->size = 1000 + i;
}

static struct mount_index an_index(void)
{
    return (struct mount_index){.count = key_count, .at = key_at};
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void sort_keys(void)
{
    uint32_t kept = 0;

    qsort(keys, key_count, KEY_ROOM, compare_keys);
    for (uint32_t i = 0; i < key_count; i++) {
        if (i == 0 || strcmp(keys[i], keys[i - 1]) != 0) {
            memmove(keys[kept++], keys[i], KEY_ROOM);
        }
    }
    key_count = kept;
}

static void set_keys(const char *const *from)
{
    for (key_count = 0; from[key_count] != NULL; key_count++) {
        snprintf(keys[key_count], KEY_ROOM, "%s", from[key_count]);
    }
    sort_keys();
}

/* What is in a folder, as `name`, `name/` …, each with a blank behind. */
static const char *listing(const struct mount_tree *t, uint64_t folder)
{
    static char out[8192];
    struct mount_walk w;
    struct mount_entry e;

    out[0] = '\0';
    if (mount_walk_begin(t, folder, 0, &w) != STATUS_OK) {
        return "none";
    }
    while (mount_walk_next(&w, &e)) {
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%.*s%s ",
                 (int)e.name.size, e.name.at, e.node.is_folder ? "/" : "");
    }
    return out;
}

static uint64_t ino_of(const struct mount_tree *t, const char *path)
{
    uint64_t ino = MOUNT_TREE_ROOT;
    struct mount_node node;

    while (*path != '\0') {
        size_t size = strcspn(path, "/");

        if (mount_tree_lookup(t, ino, (struct bytes){path, size}, &node) !=
            STATUS_OK) {
            return 0;
        }
        ino = node.ino;
        path += size + (path[size] == '/');
    }
    return ino;
}

struct row {
    const char *prefix;
    const char *const *keys;
    const char *folder;
    const char *expected;
};

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct row rows[] = {
    {"", KEYS("a", "b/c", "b/d"), "", "a b/ "},
    {"", KEYS("a", "b/c", "b/d"), "b", "c d "},
    {"", KEYS("a", "b/c", "b/d"), "c", "none"},
    {"p/", KEYS("p/a", "p/b/c"), "", "a b/ "},
    {"p", KEYS("p/a", "p/b/c"), "", "a b/ "},
    {"p", KEYS("p"), "", "p "},
    {"x/p", KEYS("x/p", "x/p-1/a", "x/p/b"), "", "b p p-1/ "},
    {"x/p", KEYS("x/p-1/a", "x/p/p-1/b"), "", "p-1/ "},
    {"x/p", KEYS("x/p-1/a", "x/p/p-1/b"), "p-1", "a b "},
    {"x/p", KEYS("x/p-1/a", "x/p/p/b", "x/p2"), "", "p-1/ p/ p2 "},
    {"x/p", KEYS("x/p-1/a", "x/p/p/b", "x/p2"), "p", "b "},
    {"", KEYS("a-b", "a/c", "a0"), "", "a-b a/ a0 "},
    {"", KEYS("a/", "b/", "b/c/"), "", "a/ b/ "},
    {"", KEYS("a/", "b/", "b/c/"), "a", ""},
    {"", KEYS("a/", "b/", "b/c/"), "b", "c/ "},
    {"p/", KEYS("p/", "p/a"), "", "a "},
    {"p/", KEYS("p/", "p//x", "p/../y", "p/./z", "p/ok"), "", "ok "},
};

TEST(folders_are_ranges)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mount_index index;
        struct mount_tree *t;

        set_keys(rows[i].keys);
        index = an_index();
        t = mount_tree_new(&index, bytes_of(rows[i].prefix));
        EXPECT_STR(listing(t, ino_of(t, rows[i].folder)), rows[i].expected);
        mount_tree_destroy(&t);
    }
}

TEST(files_and_folders_are_told_apart)
{
    struct mount_index index;
    struct mount_tree *t;
    struct mount_node node;

    set_keys(KEYS("a", "b/c", "b/d/", "e/"));
    index = an_index();
    t = mount_tree_new(&index, BYTES(""));
    EXPECT_EQ(mount_tree_lookup(t, 1, BYTES("a"), &node), STATUS_OK);
    EXPECT(!node.is_folder && node.object == 0 && node.size == 1000);
    EXPECT_EQ(mount_tree_lookup(t, node.ino, BYTES("a"), &node),
              STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_lookup(t, 1, BYTES("b"), &node), STATUS_OK);
    EXPECT(node.is_folder);
    EXPECT_EQ(mount_tree_get(t, node.ino, &node), STATUS_OK);
    EXPECT(node.is_folder);
    EXPECT_EQ(mount_tree_lookup(t, node.ino, BYTES("d"), &node), STATUS_OK);
    EXPECT(node.is_folder);
    EXPECT_EQ(mount_tree_lookup(t, 1, BYTES("e"), &node), STATUS_OK);
    EXPECT_EQ(mount_tree_lookup(t, 1, BYTES("b/c"), &node), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_lookup(t, 1, BYTES(".."), &node), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_lookup(t, 1, BYTES(""), &node), STATUS_NOT_FOUND);
    mount_tree_destroy(&t);
}

TEST(numbers_from_elsewhere_are_refused)
{
    struct mount_index index;
    struct mount_tree *t;
    struct mount_node node;
    struct mount_walk w;

    set_keys(KEYS("a", "b/c", "e/"));
    index = an_index();
    t = mount_tree_new(&index, BYTES(""));
    EXPECT_EQ(mount_tree_get(t, 0, &node), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_get(t, UINT64_MAX, &node), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_get(t, 3 << 10, &node), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_get(t, 4 << 10, &node), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_get(t, 1 << 10 | 1, &node), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_tree_get(t, 2 << 10 | 1, &node), STATUS_OK);
    EXPECT_EQ(mount_walk_begin(t, 1, 4, &w), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_walk_begin(t, 2 << 10 | 1, 1, &w), STATUS_NOT_FOUND);
    EXPECT_EQ(mount_walk_begin(t, 1 << 10, 0, &w), STATUS_NOT_FOUND);
    mount_tree_destroy(&t);
}

TEST(no_object_is_an_empty_folder)
{
    struct mount_index index;
    struct mount_tree *t;

    key_count = 0;
    index = an_index();
    t = mount_tree_new(&index, BYTES("a/b"));
    EXPECT_STR(listing(t, MOUNT_TREE_ROOT), "");
    EXPECT_EQ(ino_of(t, "x"), 0);
    mount_tree_destroy(&t);
}

/* ---- random trees against a plain list of paths ---------------------------
 */

static struct bytes prefix;
static char paths[KEYS_MAX][KEY_ROOM];

static void a_key(struct prng *p, char out[KEY_ROOM])
{
    static const char *const parts[] = {"a", "b", "a-", "a0", "ab", "b-c"};
    int at = snprintf(out, KEY_ROOM, "%s", prefix.at);

    for (uint64_t i = 1 + prng_below(p, 3); i > 0; i--) {
        const char *slash = prng_chance(p, 1, 2) ? "/" : "";

        if (at == 0 || out[at - 1] == '/') {
            slash = "";
        }
        at += snprintf(out + at, (size_t)(KEY_ROOM - at), "%s%s", slash,
                       parts[prng_below(p, 6)]);
    }
    if (prng_chance(p, 1, 10)) {
        snprintf(out + at, (size_t)(KEY_ROOM - at), "/");
    }
}

static bool is_below(const char *path, const char *file)
{
    size_t size = strlen(file);

    return strncmp(path, file, size) == 0 &&
           (path[size] == '/' || path[size] == '\0');
}

/* Whether the path of @key can be beside those of the first @count. */
static bool is_free(const char *key, uint32_t count, char path[KEY_ROOM])
{
    struct bytes view;

    if (keypath_of(prefix, bytes_of(key), NULL, &view) != STATUS_OK ||
        view.size == 0) {
        return false;
    }
    snprintf(path, KEY_ROOM, "%.*s", (int)view.size, view.at);
    for (uint32_t i = 0; i < count; i++) {
        if ((!keypath_is_folder(bytes_of(paths[i])) &&
             is_below(path, paths[i])) ||
            (!keypath_is_folder(view) && is_below(paths[i], path))) {
            return false;
        }
    }
    return true;
}

static void random_keys(struct prng *p, uint32_t count)
{
    struct bytes view;

    key_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        a_key(p, keys[key_count]);
        key_count += is_free(keys[key_count], key_count, paths[key_count]);
    }
    sort_keys();
    for (uint32_t i = 0; i < key_count; i++) {
        EXPECT_EQ(keypath_of(prefix, bytes_of(keys[i]), NULL, &view),
                  STATUS_OK);
        snprintf(paths[i], KEY_ROOM, "%.*s", (int)view.size, view.at);
    }
}

/* What the plain list says is in @folder ("" or with its slash). */
static uint32_t plain_listing(const char *folder, char out[][KEY_ROOM])
{
    size_t size = strlen(folder);
    uint32_t count = 0;

    for (uint32_t i = 0; i < key_count; i++) {
        const char *rest = paths[i] + size;
        uint32_t j = 0;

        if (strncmp(paths[i], folder, size) != 0 || rest[0] == '\0') {
            continue;
        }
        snprintf(out[count], KEY_ROOM, "%.*s",
                 (int)(strcspn(rest, "/") + (strchr(rest, '/') != NULL)), rest);
        while (strcmp(out[j], out[count]) != 0) {
            j++;
        }
        count += j == count;
    }
    qsort(out, count, KEY_ROOM, compare_keys);
    return count;
}

static void expect_entry(const struct mount_tree *t, uint64_t folder,
                         const struct mount_entry *e, const char *name)
{
    size_t size = strcspn(name, "/");
    struct mount_node node;

    EXPECT(bytes_is_equal(e->name, (struct bytes){name, size}));
    EXPECT_EQ(e->node.is_folder, name[size] == '/');
    EXPECT_EQ(mount_tree_lookup(t, folder, e->name, &node), STATUS_OK);
    EXPECT_EQ(node.ino, e->node.ino);
    EXPECT_EQ(node.object, e->node.object);
    EXPECT_EQ(node.size, e->node.size);
    EXPECT_EQ(mount_tree_get(t, node.ino, &node), STATUS_OK);
    EXPECT_EQ(node.is_folder, e->node.is_folder);
    EXPECT_EQ(node.size, e->node.size);
}

/* All of a folder, begun again behind every @step entries. */
static void expect_folder(const struct mount_tree *t, const char *folder,
                          uint32_t step)
{
    char expected[KEYS_MAX][KEY_ROOM];
    uint32_t count = plain_listing(folder, expected);
    uint64_t ino = ino_of(t, folder);
    struct mount_entry e = {.place = 0};
    struct mount_walk w;

    EXPECT_EQ(mount_walk_begin(t, ino, 0, &w), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (i % step == step - 1) {
            EXPECT_EQ(mount_walk_begin(t, ino, e.place, &w), STATUS_OK);
        }
        EXPECT(mount_walk_next(&w, &e));
        expect_entry(t, ino, &e, expected[i]);
    }
    EXPECT(!mount_walk_next(&w, &e));
    EXPECT(!mount_walk_next(&w, &e));
}

static void expect_tree(const struct mount_tree *t, uint32_t step)
{
    expect_folder(t, "", step);
    for (uint32_t i = 0; i < key_count; i++) {
        for (size_t size = 0; paths[i][size] != '\0'; size++) {
            char folder[KEY_ROOM];

            snprintf(folder, sizeof(folder), "%.*s", (int)size + 1, paths[i]);
            if (paths[i][size] == '/') {
                expect_folder(t, folder, step);
            }
        }
    }
}

TEST(random_trees_are_as_a_plain_list_says)
{
    static const char *const prefixes[] = {"", "p/", "a", "p/a", "p/a/b"};
    struct prng p;

    for (uint64_t seed = 0; seed < 600; seed++) {
        struct mount_index index;
        struct mount_tree *t;

        prng_init(&p, seed);
        prefix = bytes_of(prefixes[seed % 5]);
        random_keys(&p, 1 + (uint32_t)prng_below(&p, 30));
        index = an_index();
        t = mount_tree_new(&index, prefix);
        expect_tree(t, 1 + (uint32_t)prng_below(&p, 4));
        mount_tree_destroy(&t);
    }
}
