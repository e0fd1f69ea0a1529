/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring.h"

#include <signal.h>

#include "tests/worker_kit.h"

enum { ITEMS_MAX = 512, MANY = 300, BIG = (20 << 20) + 5 };

/* One listed object. */
struct item {
    char key[KIT_TEXT_MAX];
    char etag[STORE_ETAG_MAX];
    uint64_t size;
};

/* A channel whose source is listed. */
struct source {
    struct store *store;
    char uri[KIT_TEXT_MAX];
    char name[64];
    struct item *items;
    size_t count;
    size_t step; /* This host has each @step-th object, from the first. */
    size_t next;
    size_t all_next;
    /* Before item @hold: write to @fds[1], then wait for ever or, with
     * @release, until that is readable. */
    size_t hold;
    int fds[2];
    int release;
    struct bring_channel channel;
};

static bool next_item(const struct source *s, size_t *at, size_t step,
                      struct bring_item *out)
{
    if (*at >= s->count) {
        return false;
    }
    *out = (struct bring_item){
        .key = bytes_of(s->items[*at].key),
        .size = s->items[*at].size,
        .etag = bytes_of(s->items[*at].etag),
    };
    *at += step;
    return true;
}

static bool next_mine(void *self, struct bring_item *out)
{
    struct source *s = self;

    if (s->hold > 0 && s->next == s->hold) {
        EXPECT(write(s->fds[1], "x", 1) == 1);
        while (s->release == 0) {
            pause();
        }
        kit_wait(s->release);
    }
    return next_item(s, &s->next, s->step, out);
}

static bool next_of_all(void *self, struct bring_item *out)
{
    struct source *s = self;

    return next_item(s, &s->all_next, 1, out);
}

static enum status add_item(void *self, const struct store_object *o,
                            struct fault *why)
{
    struct source *s = self;
    struct item *i = &s->items[s->count++];

    (void)why;
    EXPECT(s->count <= ITEMS_MAX);
    snprintf(i->key, sizeof(i->key), "%.*s", (int)o->key.size, o->key.at);
    snprintf(i->etag, sizeof(i->etag), "%.*s", (int)o->etag.size, o->etag.at);
    i->size = o->size;
    return STATUS_OK;
}

#define S1 "mem://a/ a text of any kind\n1"
#define S2 "mem://a/ a text of any kind\n2"

static void rewind_source(struct source *s, size_t step, const char *stamp)
{
    s->step = step;
    s->next = 0;
    s->all_next = 0;
    s->channel.stamp = stamp;
    s->channel.units = 0;
    s->channel.bytes = 0;
    for (size_t i = 0; i < s->count; i += step) {
        s->channel.units++;
        s->channel.bytes += s->items[i].size;
    }
}

/* Open an empty source; @scheme is "file" or "mem". */
static void open_source(struct source *s, const char *name, const char *scheme)
{
    *s = (struct source){0};
    snprintf(s->name, sizeof(s->name), "%s", name);
    if (strcmp(scheme, "file") == 0) {
        snprintf(s->uri, sizeof(s->uri), "file://%s/store-%s/", kit_base, name);
    } else {
        snprintf(s->uri, sizeof(s->uri), "mem://%s/", name);
    }
    s->store = kit_open(s->uri);
    s->items = mem_new(ITEMS_MAX, sizeof(s->items[0]));
}

/* List it; the host has all of it. */
static void list_source(struct source *s, const char *prefix)
{
    struct fault why;

    s->count = 0;
    EXPECT_OK(store_sync_list(s->store, prefix, add_item, s, &why), why);
    s->channel = (struct bring_channel){
        .name = s->name,
        .root_uri = s->uri,
        .prefix = bytes_of(prefix),
        .items = next_mine,
        .items_self = s,
        .all = next_of_all,
        .all_self = s,
    };
    rewind_source(s, 1, S1);
}

static void close_source(struct source *s)
{
    store_close(&s->store);
    free(s->items);
}

static struct fault why;

static enum status start(const struct bring_channel *channels, uint32_t count,
                         uint32_t lanes, struct bring **out)
{
    struct bring_options options = {.data_dir = kit_path("data"),
                                    .lanes = lanes,
                                    .channels = channels,
                                    .channel_count = count};

    why.text[0] = '\0';
    return bring_start(&options, &why, out);
}

static enum status bring_all(const struct bring_channel *channels,
                             uint32_t count, uint32_t lanes)
{
    struct bring *b = NULL;
    enum status s = start(channels, count, lanes, &b);

    if (s != STATUS_OK) {
        EXPECT(b == NULL);
        return s;
    }
    kit_wait(bring_fd(b));
    for (uint32_t i = 0; i < count; i++) {
        struct bring_progress p = bring_progress(b, i);

        EXPECT(p.units <= channels[i].units);
    }
    s = bring_finish(&b, &why);
    EXPECT(b == NULL);
    return s;
}

static enum status bring_one(struct source *s)
{
    return bring_all(&s->channel, 1, 2);
}

static void expect_nothing(void)
{
    EXPECT(!kit_is_there("data/train"));
    EXPECT(!kit_is_there("data/train-manifest"));
    EXPECT(!kit_is_there("data/.smshard"));
}

static uint64_t inode_of(const char *name)
{
    struct stat st;

    EXPECT(stat(kit_path(name), &st) == 0);
    return st.st_ino;
}

static unsigned mode_of(const char *name)
{
    struct stat st;

    EXPECT(stat(kit_path(name), &st) == 0);
    return st.st_mode & 07777;
}

/* ---- The way it should go. */

static void brings_a_share_from(const char *scheme)
{
    struct source s;
    struct bring *b = NULL;
    struct buf manifest = {0};

    open_source(&s, "train", scheme);
    kit_put(s.store, "p/a.bin", 1, 100);
    kit_put(s.store, "p/b/c/deep.bin", 2, BIG);
    kit_put(s.store, "p/b/empty", 3, 0);
    kit_put(s.store, "p/not-mine", 4, 10);
    kit_put(s.store, "p/z", 5, 8 << 20);
    list_source(&s, "p/");
    EXPECT_EQ(s.count, 5);
    s.items[3] = s.items[4]; /* The share: all but not-mine. */
    s.count = 4;
    rewind_source(&s, 1, S1);
    umask(077); /* Not to be seen in the result. */

    EXPECT_OK(start(&s.channel, 1, 3, &b), why);
    kit_wait(bring_fd(b));
    EXPECT_EQ(bring_progress(b, 0).units, 4);
    EXPECT_EQ(bring_progress(b, 0).bytes, 100 + BIG + (8 << 20));
    EXPECT_OK(bring_finish(&b, &why), why);

    kit_expect_file("data/train/a.bin", 1, 100);
    kit_expect_file("data/train/b/c/deep.bin", 2, BIG);
    kit_expect_file("data/train/b/empty", 3, 0);
    kit_expect_file("data/train/z", 5, 8 << 20);
    EXPECT(!kit_is_there("data/train/not-mine"));
    EXPECT_EQ(mode_of("data/train"), 0755);
    EXPECT_EQ(mode_of("data/train/b/c"), 0755);
    EXPECT_EQ(mode_of("data/train/a.bin"), 0644);
    EXPECT_EQ(mode_of("data/train-manifest"), 0644);
    buf_print(&manifest,
              "%sp/\n%sp/a.bin\n%sp/b/c/deep.bin\n%sp/b/empty\n%sp/z\n",
              strcmp(scheme, "file") == 0 ? s.uri + strlen("file://") : "",
              s.uri, s.uri, s.uri, s.uri);
    kit_expect_text("data/train-manifest", buf_text(&manifest));
    buf_fini(&manifest);
    EXPECT(kit_is_there("data/.smshard/train.stamp"));
    EXPECT(!kit_is_there("data/.smshard/train.part"));
    EXPECT(!kit_is_there("data/.smshard/train.manifest"));
    close_source(&s);
}

TEST(brings_a_share_from_a_folder)
{
    kit_enter();
    brings_a_share_from("file");
}

TEST(brings_a_share_from_memory)
{
    kit_enter();
    brings_a_share_from("mem");
}

TEST(the_manifest_is_of_the_whole_channel)
{
    struct source s;

    kit_enter();
    open_source(&s, "train", "mem");
    kit_put(s.store, "d/in/0", 1, 1);
    kit_put(s.store, "d/in/1", 2, 1);
    kit_put(s.store, "d/in/2", 3, 1);
    list_source(&s, "d/in");
    rewind_source(&s, 2, S1);
    EXPECT_OK(bring_one(&s), why);
    EXPECT(kit_is_there("data/train/0") && kit_is_there("data/train/2"));
    EXPECT(!kit_is_there("data/train/1"));
    kit_expect_text("data/train-manifest",
                    "d/in\nmem://train/d/in/0\nmem://train/d/in/1\n"
                    "mem://train/d/in/2\n");
    close_source(&s);
}

TEST(an_empty_share_is_a_folder_and_a_manifest)
{
    struct source s;

    kit_enter();
    open_source(&s, "train", "mem");
    kit_put(s.store, "p/only", 1, 1);
    list_source(&s, "p/");
    s.next = 1; /* Not ours. */
    s.channel.units = 0;
    s.channel.bytes = 0;
    EXPECT_OK(bring_one(&s), why);
    EXPECT(kit_is_there("data/train") && !kit_is_there("data/train/only"));
    kit_expect_text("data/train-manifest", "p/\nmem://train/p/only\n");
    close_source(&s);
}

TEST(folder_markers_become_folders)
{
    struct source s;

    kit_enter();
    open_source(&s, "train", "mem");
    kit_put(s.store, "p/", 1, 0);
    kit_put(s.store, "p/a/", 1, 0);
    kit_put(s.store, "p/a/b/c/", 1, 0);
    kit_put(s.store, "p/a/b/file", 2, 3);
    list_source(&s, "p/");
    EXPECT_EQ(s.count, 4);
    EXPECT_OK(bring_one(&s), why);
    EXPECT_EQ(mode_of("data/train/a/b/c"), 0755);
    kit_expect_file("data/train/a/b/file", 2, 3);
    close_source(&s);
}

TEST(many_lanes_share_the_work)
{
    struct source s;
    struct source t;
    struct bring_channel both[2];

    kit_enter();
    open_source(&s, "train", "mem");
    open_source(&t, "test", "mem");
    for (unsigned i = 0; i < MANY; i++) {
        char key[64];

        snprintf(key, sizeof(key), "x/%u/%03u", i % 7, i);
        kit_put(s.store, key, i, i);
        kit_put(t.store, key, i + MANY, i);
    }
    list_source(&s, "x/");
    list_source(&t, "x/");
    both[0] = s.channel;
    both[1] = t.channel;
    EXPECT_OK(bring_all(both, 2, 8), why);
    for (unsigned i = 0; i < MANY; i++) {
        char name[64];

        snprintf(name, sizeof(name), "data/train/%u/%03u", i % 7, i);
        kit_expect_file(name, i, i);
        snprintf(name, sizeof(name), "data/test/%u/%03u", i % 7, i);
        kit_expect_file(name, i + MANY, i);
    }
    close_source(&s);
    close_source(&t);
}

/* ---- A second bring. */

static void make_small_source(struct source *s)
{
    open_source(s, "train", "mem");
    kit_put(s->store, "p/a", 1, 10);
    kit_put(s->store, "p/b/c", 2, 20);
    kit_put(s->store, "p/d", 3, 30);
    list_source(s, "p/");
}

static void expect_small(void)
{
    kit_expect_file("data/train/a", 1, 10);
    kit_expect_file("data/train/b/c", 2, 20);
    kit_expect_file("data/train/d", 3, 30);
    EXPECT(kit_is_there("data/train-manifest"));
    EXPECT(!kit_is_there("data/.smshard/train.part"));
    EXPECT(!kit_is_there("data/.smshard/train.old"));
}

TEST(the_same_stamp_keeps_the_files)
{
    struct source s;
    struct bring *b = NULL;
    uint64_t folder;
    uint64_t requests;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(bring_one(&s), why);
    folder = inode_of("data/train");
    requests = store_mem_requests("train");
    rewind_source(&s, 1, S1);
    EXPECT_OK(start(&s.channel, 1, 2, &b), why);
    kit_wait(bring_fd(b));
    EXPECT_EQ(bring_progress(b, 0).units, 3);
    EXPECT_EQ(bring_progress(b, 0).bytes, 60);
    EXPECT_OK(bring_finish(&b, &why), why);
    expect_small();
    EXPECT_EQ(inode_of("data/train"), folder);
    EXPECT_EQ(store_mem_requests("train"), requests);
    close_source(&s);
}

TEST(a_kept_channel_is_mended)
{
    struct source s;
    uint64_t whole;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(bring_one(&s), why);
    whole = inode_of("data/train/d");
    EXPECT(truncate(kit_path("data/train/a"), 5) == 0);
    EXPECT_OK(file_remove_tree(kit_path("data/train/b"), &why), why);
    kit_write("data/train/of-the-user", 9, 9);
    rewind_source(&s, 1, S1);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    EXPECT_EQ(inode_of("data/train/d"), whole);
    kit_expect_file("data/train/of-the-user", 9, 9);
    close_source(&s);
}

TEST(another_stamp_replaces_the_files)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(bring_one(&s), why);
    kit_put(s.store, "p/a", 7, 70);
    list_source(&s, "p/");
    rewind_source(&s, 2, S2);
    EXPECT_OK(bring_one(&s), why);
    kit_expect_file("data/train/a", 7, 70);
    kit_expect_file("data/train/d", 3, 30);
    EXPECT(!kit_is_there("data/train/b"));
    EXPECT(!kit_is_there("data/.smshard/train.old"));
    /* And what came is as good a start for the next. */
    rewind_source(&s, 1, "s3");
    EXPECT_OK(bring_one(&s), why);
    kit_expect_file("data/train/b/c", 2, 20);
    close_source(&s);
}

TEST(a_failed_bring_leaves_the_old_share)
{
    struct source s;
    uint64_t folder;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(bring_one(&s), why);
    folder = inode_of("data/train");
    rewind_source(&s, 1, S2);
    kit_put(s.store, "p/d", 4, 30);
    EXPECT_EQ(bring_one(&s), STATUS_CHANGED);
    EXPECT_EQ(inode_of("data/train"), folder);
    expect_small();
    rewind_source(&s, 1, S1);
    EXPECT_OK(bring_one(&s), why);
    EXPECT_EQ(inode_of("data/train"), folder);
    close_source(&s);
}

TEST(an_empty_folder_is_a_fine_place)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(file_make_folder(kit_path("data/train"), &why), why);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    close_source(&s);
}

/* ---- What is not ours stays. */

TEST(files_of_the_user_are_a_conflict)
{
    struct source s;
    char want[KIT_TEXT_MAX];

    kit_enter();
    make_small_source(&s);
    kit_write("data/train/of-the-user", 9, 9);
    snprintf(want, sizeof(want),
             "%s is not empty and was not brought by smshard; move it away "
             "or choose another base folder",
             kit_path("data/train"));
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    EXPECT(kit_says(why.text, want));
    kit_expect_file("data/train/of-the-user", 9, 9);
    EXPECT(!kit_is_there("data/.smshard"));
    EXPECT(!kit_is_there("data/train-manifest"));
    close_source(&s);
}

TEST(a_folder_put_in_the_place_of_ours_is_a_conflict)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(bring_one(&s), why);
    EXPECT(rename(kit_path("data/train"), kit_path("mine")) == 0);
    kit_write("data/train/of-the-user", 9, 9);
    rewind_source(&s, 1, S1);
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    rewind_source(&s, 1, S2);
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    kit_expect_file("data/train/of-the-user", 9, 9);
    close_source(&s);
}

TEST(a_broken_stamp_is_no_stamp)
{
    static const char *const stamps[] = {
        "",
        "smshard-stamp 1",
        "smshard-stamp 1\n",
        "smshard-stamp 2\nwhole 0 1 2 s1\n",
        "smshard-stamp 1\nwhole 0 18446744073709551615 2 s1",
        "smshard-stamp 1\nwhole -\n\n\n",
        "smshard-stamp 1\nwhole 0 1 2 s1 and more\n",
    };
    struct source s;

    kit_enter();
    make_small_source(&s);
    kit_write("data/train/of-the-user", 9, 9);
    for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++) {
        EXPECT_OK(file_write(kit_path("data/.smshard/train.stamp"),
                             bytes_of(stamps[i]), false, &why),
                  why);
        EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    }
    close_source(&s);
}

TEST(a_file_in_the_place_is_a_conflict)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    kit_write("data/train", 9, 9);
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    EXPECT(kit_says(why.text, "is not a folder"));
    EXPECT(unlink(kit_path("data/train")) == 0);
    kit_write("data/train-manifest/x", 9, 9);
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    EXPECT(kit_says(why.text, "train-manifest"));
    close_source(&s);
}

TEST(channels_that_want_one_place)
{
    static const struct {
        const char *first;
        const char *second;
        enum status want;
    } rows[] = {
        {"train", "train", STATUS_CONFLICT},
        {"train", "train-manifest", STATUS_CONFLICT},
        {"train-manifest", "train", STATUS_CONFLICT},
        {"train", "..", STATUS_INVALID},
        {"train", ".", STATUS_INVALID},
        {"train", "", STATUS_INVALID},
        {"train", "a/b", STATUS_INVALID},
        {"train", ".smshard", STATUS_INVALID},
    };
    struct source s;

    kit_enter();
    make_small_source(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bring_channel both[2] = {s.channel, s.channel};

        both[0].name = rows[i].first;
        both[1].name = rows[i].second;
        EXPECT_EQ(bring_all(both, 2, 1), rows[i].want);
        expect_nothing();
    }
    close_source(&s);
}

TEST(one_bring_for_a_folder)
{
    struct source s;
    struct source t;
    struct bring *b = NULL;
    int release[2];

    kit_enter();
    make_small_source(&s);
    t = s;
    t.channel.items_self = &t;
    EXPECT(pipe(s.fds) == 0 && pipe(release) == 0);
    s.hold = 1;
    s.release = release[0];
    EXPECT_OK(start(&s.channel, 1, 1, &b), why);
    kit_wait(s.fds[0]);
    EXPECT_EQ(bring_one(&t), STATUS_CONFLICT);
    EXPECT(kit_says(why.text, "another smshard"));
    EXPECT_EQ(write(release[1], "x", 1), 1);
    EXPECT_OK(bring_finish(&b, &why), why);
    expect_small();
    close_source(&s);
}

/* ---- Mounts and links. */

TEST(a_mount_point_is_filled)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    if (!kit_mount("data/train", "size=1m")) {
        close_source(&s);
        return;
    }
    EXPECT(mkdir(kit_path("data/train/lost+found"), 0700) == 0);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    EXPECT(!kit_is_there("data/train/.smshard.part"));
    rewind_source(&s, 1, S1);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    rewind_source(&s, 2, S2);
    EXPECT_OK(bring_one(&s), why);
    EXPECT(!kit_is_there("data/train/b"));
    kit_expect_file("data/train/d", 3, 30);
    EXPECT(kit_is_there("data/train/lost+found"));
    kit_unmount("data/train");
    close_source(&s);
}

TEST(a_bind_mount_is_filled)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(file_make_folder(kit_path("data/train"), &why), why);
    EXPECT_OK(file_make_folder(kit_path("elsewhere"), &why), why);
    if (mount(kit_path("elsewhere"), kit_path("data/train"), NULL, MS_BIND,
              NULL) != 0) {
        fprintf(stderr, "skipped: no right to mount\n");
        close_source(&s);
        return;
    }
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    kit_expect_file("elsewhere/a", 1, 10);
    kit_unmount("data/train");
    close_source(&s);
}

TEST(files_of_the_user_on_a_mount_are_a_conflict)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    if (!kit_mount("data/train", "size=1m")) {
        close_source(&s);
        return;
    }
    kit_write("data/train/of-the-user", 9, 9);
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    kit_expect_file("data/train/of-the-user", 9, 9);
    kit_unmount("data/train");
    close_source(&s);
}

TEST(a_link_to_a_folder_is_filled)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(file_make_folder(kit_path("elsewhere"), &why), why);
    EXPECT_OK(file_make_folder(kit_path("data"), &why), why);
    EXPECT(symlink("../elsewhere", kit_path("data/train")) == 0);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    kit_expect_file("elsewhere/b/c", 2, 20);
    rewind_source(&s, 2, S2);
    EXPECT_OK(bring_one(&s), why);
    EXPECT(!kit_is_there("elsewhere/b"));
    close_source(&s);
}

TEST(a_move_that_was_cut_short_is_done_again)
{
    struct source s;
    struct buf stamp = {0};
    char *at;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(file_make_folder(kit_path("elsewhere"), &why), why);
    EXPECT_OK(file_make_folder(kit_path("data"), &why), why);
    EXPECT(symlink("../elsewhere", kit_path("data/train")) == 0);
    EXPECT_OK(bring_one(&s), why);
    /* As a kill after the first entry would leave it. */
    EXPECT_OK(
        file_read(kit_path("data/.smshard/train.stamp"), 4096, &why, &stamp),
        why);
    at = strstr(stamp.at, "whole ");
    EXPECT(at != NULL);
    memcpy(at, "movin", 5);
    memmove(at + 6, at + 5, strlen(at + 5) + 1);
    at[5] = 'g';
    EXPECT_OK(file_write(kit_path("data/.smshard/train.stamp"),
                         bytes_of(stamp.at), false, &why),
              why);
    EXPECT_OK(file_remove_tree(kit_path("elsewhere/b"), &why), why);
    kit_write("elsewhere/.smshard.part/b/c", 9, 9);
    kit_write("elsewhere/d", 9, 30);
    rewind_source(&s, 1, S1);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    buf_fini(&stamp);
    close_source(&s);
}

/* ---- Bad objects. */

static void expect_bad_keys(const char *const *keys, const char *prefix,
                            enum status want)
{
    struct source s;

    open_source(&s, "train", "mem");
    list_source(&s, prefix);
    s.count = 0; /* In this order, not the store's. */
    for (size_t i = 0; keys[i] != NULL; i++) {
        kit_put(s.store, keys[i], 1, 3);
        snprintf(s.items[i].key, sizeof(s.items[i].key), "%s", keys[i]);
        s.items[i].size = 3;
        s.items[i].etag[0] = '\0';
        s.count++;
    }
    rewind_source(&s, 1, S1);
    EXPECT_EQ(bring_all(&s.channel, 1, 1), want);
    EXPECT(kit_says(why.text, "train: "));
    EXPECT(kit_says(why.text, keys[s.count - 1]));
    expect_nothing();
    close_source(&s);
}

TEST(keys_without_a_place_are_refused)
{
    static const struct {
        const char *keys[4];
        enum status want;
    } rows[] = {
        {{"p/../x"}, STATUS_INVALID},
        {{"p/a/../../x"}, STATUS_INVALID},
        {{"p/./x"}, STATUS_INVALID},
        {{"p//x"}, STATUS_INVALID},
        {{"p/a", "p/a/b"}, STATUS_CONFLICT},
        {{"p/a/b", "p/a"}, STATUS_CONFLICT},
        {{"p/a", "p/a/b/c"}, STATUS_CONFLICT},
        {{"p/a", "p/a/"}, STATUS_CONFLICT},
        {{"p/x", "p/x"}, STATUS_CONFLICT},
    };

    kit_enter();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_bad_keys(rows[i].keys, "p/", rows[i].want);
    }
    expect_bad_keys((const char *const[]){"d/t-1", "d/t/t-1", NULL}, "d/t",
                    STATUS_CONFLICT);
}

static void expect_failure(struct source *s, enum status want, const char *key)
{
    EXPECT_EQ(bring_one(s), want);
    EXPECT(kit_says(why.text, "train: "));
    EXPECT(kit_says(why.text, key));
    expect_nothing();
    close_source(s);
}

TEST(an_object_that_is_gone)
{
    static const char *const schemes[] = {"mem", "file"};

    kit_enter();
    for (size_t i = 0; i < 2; i++) {
        struct source s;

        open_source(&s, "train", schemes[i]);
        kit_put(s.store, "p/a", 1, 10);
        kit_put(s.store, "p/empty", 1, 0);
        list_source(&s, "p/");
        EXPECT_OK(store_sync_delete(s.store, "p/empty", &why), why);
        expect_failure(&s, STATUS_NOT_FOUND, "p/empty");
    }
}

TEST(an_object_that_was_overwritten)
{
    static const struct {
        const char *scheme;
        size_t before;
        size_t after;
        bool has_etag;
    } rows[] = {
        {"mem", 10, 10, true},   {"mem", 10, 11, true},
        {"mem", 10, 9, true},    {"mem", 0, 0, true},
        {"mem", 0, 1, true},     {"mem", 10, 11, false},
        {"mem", 10, 9, false},   {"mem", 10, 0, false},
        {"mem", 0, 4, false},    {"file", 10, 10, true},
        {"file", 10, 12, false}, {"file", BIG, BIG, true},
    };

    kit_enter();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct source s;

        open_source(&s, "train", rows[i].scheme);
        kit_put(s.store, "p/a", 1, 10);
        kit_put(s.store, "p/b", 2, rows[i].before);
        list_source(&s, "p/");
        kit_put(s.store, "p/b", 3, rows[i].after);
        if (!rows[i].has_etag) {
            s.items[1].etag[0] = '\0';
        }
        expect_failure(&s, STATUS_CHANGED, "p/b");
    }
}

TEST(an_object_without_an_etag_is_brought)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    s.items[0].etag[0] = '\0';
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    close_source(&s);
}

/* ---- A store that fails. */

/* Fail each request of a bring in turn, once with an answer that is worth
 * another try and once with one that is not. */
TEST(every_request_may_fail)
{
    uint64_t calls;
    struct source s;

    kit_enter();
    make_small_source(&s);
    kit_put(s.store, "p/big", 4, (8 << 20) + 1);
    kit_put(s.store, "p/empty", 5, 0);
    list_source(&s, "p/");
    calls = store_mem_requests("train");
    EXPECT_OK(bring_one(&s), why);
    calls = store_mem_requests("train") - calls;
    EXPECT_EQ(calls, 6);
    for (uint64_t i = 1; i <= calls; i++) {
        EXPECT_OK(file_remove_tree(kit_path("data"), &why), why);
        rewind_source(&s, 1, S1);
        store_mem_fail("train",
                       (struct store_mem_failure){
                           .in = i, .count = 1, .status = STATUS_DENIED});
        EXPECT_EQ(bring_one(&s), STATUS_DENIED);
        EXPECT(kit_says(why.text, "train: "));
        expect_nothing();
        rewind_source(&s, 1, S1);
        store_mem_fail("train",
                       (struct store_mem_failure){
                           .in = i, .count = 1, .status = STATUS_STORE});
        EXPECT_OK(bring_one(&s), why);
        expect_small();
        kit_expect_file("data/train/big", 4, (8 << 20) + 1);
    }
    store_mem_fail("train", (struct store_mem_failure){0});
    close_source(&s);
}

TEST(a_store_that_stays_away)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    store_mem_fail("train", (struct store_mem_failure){.in = 1,
                                                       .count = 1000,
                                                       .status = STATUS_STORE});
    EXPECT_EQ(bring_all(&s.channel, 1, 1), STATUS_STORE);
    EXPECT(kit_says(why.text, "p/a"));
    expect_nothing();
    store_mem_fail("train", (struct store_mem_failure){0});
    close_source(&s);
}

TEST(a_channel_that_fails_holds_back_the_others)
{
    struct source s;
    struct source t;
    struct bring_channel both[2];

    kit_enter();
    make_small_source(&s);
    open_source(&t, "test", "mem");
    kit_put(t.store, "x", 1, 1);
    list_source(&t, "");
    t.items[0].etag[0] = '!';
    both[0] = s.channel;
    both[1] = t.channel;
    EXPECT_EQ(bring_all(both, 2, 2), STATUS_CHANGED);
    EXPECT(kit_says(why.text, "test: "));
    expect_nothing();
    EXPECT(!kit_is_there("data/test"));
    close_source(&s);
    close_source(&t);
}

TEST(a_source_that_is_not_there)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    s.channel.root_uri = "ftp://nowhere/";
    EXPECT_EQ(bring_one(&s), STATUS_INVALID);
    EXPECT(kit_says(why.text, "train: "));
    expect_nothing();
    close_source(&s);
}

TEST(objects_that_do_not_come_are_missed)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    s.channel.units = 4;
    EXPECT_EQ(bring_one(&s), STATUS_INTERNAL);
    expect_nothing();
    close_source(&s);
}

/* ---- The disk. */

TEST(space_is_asked_for_before_the_first_byte)
{
    struct source s;
    uint64_t requests;

    kit_enter();
    make_small_source(&s);
    if (!kit_mount("data", "size=1m")) {
        close_source(&s);
        return;
    }
    requests = store_mem_requests("train");
    s.channel.bytes = 2 << 20;
    EXPECT_EQ(bring_one(&s), STATUS_NO_SPACE);
    EXPECT(kit_says(why.text, "train: 2109440 bytes are wanted"));
    EXPECT(kit_says(why.text, " are free below "));
    EXPECT_EQ(store_mem_requests("train"), requests);
    expect_nothing();
    s.channel.bytes = UINT64_MAX;
    EXPECT_EQ(bring_one(&s), STATUS_NO_SPACE);
    kit_unmount("data");
    close_source(&s);
}

TEST(a_disk_that_is_filled_by_others)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    kit_put(s.store, "p/big", 4, 4 << 20);
    list_source(&s, "p/");
    if (!kit_mount("data", "size=1m")) {
        close_source(&s);
        return;
    }
    s.channel.bytes = 0; /* As if there had been space when it was asked. */
    EXPECT_EQ(bring_one(&s), STATUS_NO_SPACE);
    EXPECT(kit_says(why.text, "train: p/big: "));
    EXPECT(kit_says(why.text, "4194304 bytes"));
    EXPECT(kit_says(why.text, "are free"));
    expect_nothing();
    kit_unmount("data");
    close_source(&s);
}

TEST(a_folder_that_can_not_be_written)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(file_make_folder(kit_path("data"), &why), why);
    EXPECT(chmod(kit_path("data"), 0555) == 0);
    if (geteuid() == 0) {
        EXPECT(seteuid(65534) == 0);
    }
    EXPECT_EQ(bring_one(&s), STATUS_DENIED);
    EXPECT(kit_says(why.text, kit_path("data")));
    if (getuid() == 0) {
        EXPECT(seteuid(0) == 0);
    }
    expect_nothing();
    close_source(&s);
}

/* ---- Stopped in the middle. */

TEST(a_cancelled_bring_leaves_nothing)
{
    struct source s;
    struct bring *b = NULL;
    int release[2];

    kit_enter();
    make_small_source(&s);
    EXPECT(pipe(s.fds) == 0 && pipe(release) == 0);
    s.hold = 2;
    s.release = release[0];
    EXPECT_OK(start(&s.channel, 1, 2, &b), why);
    kit_wait(s.fds[0]);
    EXPECT(kit_is_there("data/.smshard/train.part/a"));
    bring_cancel(b);
    EXPECT_EQ(write(release[1], "x", 1), 1);
    kit_wait(bring_fd(b));
    EXPECT_EQ(bring_finish(&b, &why), STATUS_STOPPED);
    EXPECT(kit_says(why.text, "stopped"));
    expect_nothing();
    close_source(&s);
}

/* Start a bring in another process and kill that after the first file. */
static void bring_and_die(struct source *s)
{
    pid_t pid;

    EXPECT(pipe(s->fds) == 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        s->hold = 2;
        _exit(bring_all(&s->channel, 1, 1) == STATUS_OK ? 0 : 1);
    }
    kit_wait(s->fds[0]);
    EXPECT(kill(pid, SIGKILL) == 0);
    EXPECT(waitpid(pid, NULL, 0) == pid);
}

TEST(a_killed_bring_is_cleared_up_by_the_next)
{
    struct source s;

    kit_enter();
    make_small_source(&s);
    bring_and_die(&s);
    EXPECT(kit_is_there("data/.smshard/train.part/a"));
    EXPECT(!kit_is_there("data/train"));
    EXPECT_OK(bring_one(&s), why);
    expect_small();

    /* Over an older share, and for another channel: as well. */
    rewind_source(&s, 1, S2);
    bring_and_die(&s);
    EXPECT(kit_is_there("data/.smshard/train.part/a"));
    snprintf(s.name, sizeof(s.name), "other");
    rewind_source(&s, 1, S2);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    kit_expect_file("data/other/a", 1, 10);
    close_source(&s);
}
