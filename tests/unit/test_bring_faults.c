/* SPDX-License-Identifier: Apache-2.0 */
/* Bad objects, a store that fails, a full disk, an end in the middle. */
#include <signal.h>

#include "tests/bring_kit.h"

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
    expect_none_in_place();
    EXPECT_OK(file_remove_tree(kit_path("data"), &why), why);
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

/* What somebody else listed is as old as it is, which is what to say. */
TEST(an_object_that_is_not_as_an_inventory_has_it)
{
    static const struct {
        const char *scheme;
        enum status want;
        const char *how;
    } rows[] = {
        {"mem", STATUS_CHANGED, "p/b: it is another now than in the inventory"},
        {"file", STATUS_NOT_FOUND, "p/b: it is gone, and is named by the inv"},
        {"mem", STATUS_NOT_FOUND, "p/b: it is gone, and is named by the inv"},
    };

    kit_enter();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct source s;

        open_source(&s, "train", rows[i].scheme);
        kit_put(s.store, "p/a", 1, 10);
        kit_put(s.store, "p/b", 2, 10);
        list_source(&s, "p/");
        s.channel.named_by = "the inventory of 2026-01-31T12:00:00Z";
        if (rows[i].want == STATUS_CHANGED) {
            kit_put(s.store, "p/b", 3, 10);
        } else {
            EXPECT_OK(store_sync_delete(s.store, "p/b", &why), why);
        }
        expect_failure(&s, rows[i].want, rows[i].how);
        EXPECT(kit_says(why.text, "of 2026-01-31T12:00:00Z; have a newer"));
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
    EXPECT_EQ(calls, 7); /* Two parts, and a look before them. */
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
    expect_none_in_place();
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
    /* The large one, or one beside it. */
    EXPECT(kit_says(why.text, "train: p/"));
    EXPECT(kit_says(why.text, "the disk is full: the object has "));
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
    EXPECT(kit_is_there(KIT_STAGED "a"));
    bring_cancel(b);
    EXPECT_EQ(write(release[1], "x", 1), 1);
    kit_wait(bring_fd(b));
    EXPECT_EQ(bring_finish(&b, &why), STATUS_STOPPED);
    EXPECT(kit_says(why.text, "stopped"));
    expect_nothing();
    kit_close_pipes(s.fds, release);
    close_source(&s);
}
