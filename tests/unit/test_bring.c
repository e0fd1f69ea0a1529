/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bring_kit.h"

enum { MANY = 300 };

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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
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

/* An inode's number comes again: the folder that was born at another time is
 * another one. */
TEST(a_folder_that_was_born_later_is_not_ours)
{
    struct buf stamp = {0};
    struct source s;
    char *born;

    kit_enter();
    make_small_source(&s);
    EXPECT_OK(bring_one(&s), why);
    EXPECT_OK(
        file_read(kit_path("data/.smshard/train.stamp"), 4096, &why, &stamp),
        why);
    born = strstr(stamp.at, "whole ");
    for (int i = 0; i < 3; i++) { /* Behind kind, device and inode. */
        EXPECT(born != NULL);
        born = strchr(born, ' ') + 1;
    }
    *born = *born == '1' ? '2' : '1';
    EXPECT_OK(file_write(kit_path("data/.smshard/train.stamp"),
                         buf_bytes(&stamp), false, &why),
              why);
    rewind_source(&s, 1, S1);
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    buf_fini(&stamp);
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
    kit_close_pipes(s.fds, release);
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
    EXPECT(!kit_is_there("data/train/.smshard.part"));
    rewind_source(&s, 1, S1);
    EXPECT_OK(bring_one(&s), why);
    expect_small();
    EXPECT(!kit_is_there("data/.smshard/train.part"));
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
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
    EXPECT(!kit_is_there("data/.smshard/train.part"));
    buf_fini(&stamp);
    close_source(&s);
}
