/* SPDX-License-Identifier: Apache-2.0 */
/* A bring that goes on with what one before it has left: what is whole is not
 * asked for again, and what is not is never taken for whole. */
#include "worker/bring_resume.h"

#include <signal.h>

#include "tests/bring_kit.h"

enum { OBJECTS = 60, HELD = 50, PART = 8 << 20, SIZE = 1000 };

static void make_source(struct source *s)
{
    char key[32];

    open_source(s, "train", "mem");
    for (unsigned i = 0; i < OBJECTS; i++) {
        snprintf(key, sizeof(key), "p/%u/%02u", i % 3, i);
        kit_put(s->store, key, i, SIZE + i);
    }
    list_source(s, "p/");
    EXPECT_EQ(s->count, OBJECTS);
}

static void expect_all(void)
{
    char name[64];

    for (unsigned i = 0; i < OBJECTS; i++) {
        snprintf(name, sizeof(name), "data/train/%u/%02u", i % 3, i);
        kit_expect_file(name, i, SIZE + i);
    }
    EXPECT(!kit_is_there("data/.smshard/train.part"));
}

/* Bring in another process, and kill that before it takes object @hold. */
static void bring_and_die(struct source *s, size_t hold)
{
    pid_t pid;

    EXPECT(pipe(s->fds) == 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        s->hold = hold;
        _exit(bring_all(&s->channel, 1, 1) == STATUS_OK ? 0 : 1);
    }
    kit_wait(s->fds[0]);
    EXPECT(kill(pid, SIGKILL) == 0);
    EXPECT(waitpid(pid, NULL, 0) == pid);
    close(s->fds[0]);
    close(s->fds[1]);
    EXPECT(!kit_is_there("data/train"));
}

/* The lines of a book, without its head; @word: that begin with it. */
static size_t lines_of(const char *name, const char *word)
{
    struct buf text = {0};
    size_t count = 0;
    char want[32];

    EXPECT_OK(file_read(kit_path(name), 1 << 20, &why, &text), why);
    snprintf(want, sizeof(want), " %s ", word);
    for (const char *at = text.at; (at = strstr(at, want)) != NULL; at++) {
        count++;
    }
    buf_fini(&text);
    return count;
}

/* Bring all of it, and return how many requests that took. */
static uint64_t bring_counted(struct source *s, const char *stamp)
{
    uint64_t requests = store_mem_requests("train");

    rewind_source(s, 1, stamp);
    EXPECT_OK(bring_one(s), why);
    return store_mem_requests("train") - requests;
}

TEST(what_a_killed_bring_has_brought_is_not_asked_for)
{
    struct source s;
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    found = lines_of(KIT_BOOK, "whole");
    EXPECT(found >= 10 && found <= HELD); /* The rest was under way. */
    EXPECT_EQ(bring_counted(&s, S1), OBJECTS - found);
    expect_all();
    EXPECT_EQ(bring_counted(&s, S1), 0); /* And now it is kept. */
    close_source(&s);
}

TEST(it_is_found_before_it_counts_as_progress)
{
    struct source s;
    struct bring *b = NULL;
    struct bring_progress p;
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    found = lines_of(KIT_BOOK, "whole");
    rewind_source(&s, 1, S1);
    EXPECT_OK(start(&s.channel, 1, 1, &b), why);
    kit_wait(bring_fd(b));
    p = bring_progress(b, 0);
    EXPECT_OK(bring_finish(&b, &why), why);
    EXPECT(p.units == OBJECTS && p.bytes == s.channel.bytes);
    EXPECT(p.found >= found * SIZE && p.found < found * (SIZE + OBJECTS));
    close_source(&s);
}

TEST(two_kills_in_a_row)
{
    struct source s;
    size_t before;
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, 30);
    before = lines_of(KIT_BOOK, "whole");
    rewind_source(&s, 1, S1);
    bring_and_die(&s, HELD);
    found = lines_of("data/.smshard/train.part/2/book", "whole");
    EXPECT(found >= 10 && found >= before);
    EXPECT_EQ(bring_counted(&s, S1), OBJECTS - found);
    expect_all();
    close_source(&s);
}

/* The second is killed as soon as it has moved the first one over. */
TEST(what_was_moved_over_is_not_forgotten)
{
    struct source s;
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    found = lines_of(KIT_BOOK, "whole");
    rewind_source(&s, 1, S1);
    bring_and_die(&s, 1);
    EXPECT(kit_is_there("data/.smshard/train.part/2/files/0/00"));
    EXPECT_EQ(bring_counted(&s, S1), OBJECTS - found);
    close_source(&s);
}

TEST(what_has_changed_is_brought_again)
{
    struct source s;
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    found = lines_of(KIT_BOOK, "whole");
    kit_put(s.store, "p/0/00", 777, SIZE);     /* Of the same size, */
    kit_put(s.store, "p/0/03", 778, SIZE + 9); /* and not. */
    list_source(&s, "p/");
    EXPECT_EQ(bring_counted(&s, S2), OBJECTS - found + 2);
    kit_expect_file("data/train/0/00", 777, SIZE);
    kit_expect_file("data/train/0/03", 778, SIZE + 9);
    kit_expect_file("data/train/0/06", 6, SIZE + 6);
    close_source(&s);
}

/* It has the first third now; the others are not among its files. */
TEST(what_is_another_hosts_now_is_gone)
{
    struct source s;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    s.count = OBJECTS / 3;
    rewind_source(&s, 1, S2);
    EXPECT_OK(bring_one(&s), why);
    kit_expect_file("data/train/0/00", 0, SIZE);
    EXPECT(!kit_is_there("data/train/1"));
    EXPECT(!kit_is_there("data/.smshard/train.part"));
    close_source(&s);
}

/* What is there has the etag that is listed, but not the size. */
TEST(a_size_that_is_not_listed_is_not_taken)
{
    struct source s;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    s.items[0].size++;
    rewind_source(&s, 1, S2);
    EXPECT_EQ(bring_one(&s), STATUS_CHANGED);
    EXPECT(kit_says(why.text, s.items[0].key));
    close_source(&s);
}

/* Two objects that want one place are refused, whichever of them an earlier
 * bring has left. */
TEST(what_is_there_does_not_take_anothers_place)
{
    struct source s;
    char key[32];

    kit_enter();
    open_source(&s, "train", "mem");
    kit_put(s.store, "d/t/t-1", 1, SIZE);
    for (unsigned i = 0; i < OBJECTS; i++) {
        snprintf(key, sizeof(key), "d/t/u%02u", i);
        kit_put(s.store, key, i, SIZE);
    }
    list_source(&s, "d/t");
    bring_and_die(&s, HELD);
    EXPECT(kit_is_there(KIT_STAGED "t-1"));
    kit_put(s.store, "d/t-1", 2, SIZE);
    list_source(&s, "d/t");
    EXPECT_EQ(bring_one(&s), STATUS_CONFLICT);
    EXPECT(kit_says(why.text, "t-1"));
    close_source(&s);
}

/* Same name and size, but not the file that the book means. */
TEST(a_file_that_was_put_there_is_not_taken)
{
    struct source s;
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    found = lines_of(KIT_BOOK, "whole");
    kit_write("false", 99, SIZE);
    EXPECT(rename(kit_path("false"), kit_path(KIT_STAGED "0/00")) == 0);
    EXPECT(truncate(kit_path(KIT_STAGED "0/03"), 1) == 0);
    EXPECT(unlink(kit_path(KIT_STAGED "0/06")) == 0);
    EXPECT_EQ(bring_counted(&s, S1), OBJECTS - found + 3);
    expect_all();
    close_source(&s);
}

TEST(a_torn_book_says_less)
{
    struct source s;
    struct buf text = {0};
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    EXPECT_OK(file_read(kit_path(KIT_BOOK), 1 << 20, &why, &text), why);
    EXPECT(truncate(kit_path(KIT_BOOK), (off_t)(text.size - 3)) == 0);
    found = lines_of(KIT_BOOK, "whole");
    EXPECT_EQ(bring_counted(&s, S1), OBJECTS - found + 1);
    expect_all();
    buf_fini(&text);
    close_source(&s);
}

TEST(no_book_no_files)
{
    static const char *const texts[] = {"", "none of ours\n",
                                        "00000000 book 1 a b c\n"};
    struct source s;

    kit_enter();
    make_source(&s);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        EXPECT_OK(file_remove_tree(kit_path("data"), &why), why);
        rewind_source(&s, 1, S1);
        bring_and_die(&s, HELD);
        EXPECT_OK(
            file_write(kit_path(KIT_BOOK), bytes_of(texts[i]), false, &why),
            why);
        EXPECT_EQ(bring_counted(&s, S1), OBJECTS);
        expect_all();
    }
    close_source(&s);
}

/* What can't be gone on with does not take room while the rest is brought. */
TEST(what_is_of_no_use_goes_at_once)
{
    struct source s;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    EXPECT_OK(file_write(kit_path(KIT_BOOK), BYTES("junk"), false, &why), why);
    rewind_source(&s, 1, S1);
    bring_and_die(&s, 1);
    EXPECT(!kit_is_there("data/.smshard/train.part/1"));
    EXPECT(kit_is_there("data/.smshard/train.part/2"));
    close_source(&s);
}

/* ---- Parts of a large object. */

static void make_large(struct source *s)
{
    open_source(s, "train", "mem");
    kit_put(s->store, "p/large", 1, 5 * PART + 17);
    list_source(s, "p/");
}

TEST(parts_that_are_there_are_not_asked_for)
{
    struct source s;
    size_t found;

    kit_enter();
    make_large(&s);
    /* A look and two parts, and then the store is gone. */
    store_mem_fail("train", (struct store_mem_failure){.in = 4,
                                                       .count = 1000,
                                                       .status = STATUS_STORE});
    EXPECT_EQ(bring_one(&s), STATUS_STORE);
    expect_none_in_place();
    store_mem_fail("train", (struct store_mem_failure){0});
    found = lines_of(KIT_BOOK, "part");
    EXPECT_EQ(found, 2);
    EXPECT_EQ(lines_of(KIT_BOOK, "whole"), 0);
    EXPECT_EQ(bring_counted(&s, S1), 1 + 6 - found);
    kit_expect_file("data/train/large", 1, 5 * PART + 17);
    close_source(&s);
}

TEST(parts_outlast_two_failures)
{
    struct source s;

    kit_enter();
    make_large(&s);
    for (unsigned last = 4; last >= 2; last -= 2) { /* Then the look alone. */
        rewind_source(&s, 1, S1);
        store_mem_fail("train",
                       (struct store_mem_failure){
                           .in = last, .count = 1000, .status = STATUS_STORE});
        EXPECT_EQ(bring_one(&s), STATUS_STORE);
        store_mem_fail("train", (struct store_mem_failure){0});
    }
    EXPECT_EQ(bring_counted(&s, S1), 1 + 6 - 2);
    kit_expect_file("data/train/large", 1, 5 * PART + 17);
    close_source(&s);
}

TEST(parts_of_a_value_that_is_gone_are_none)
{
    struct source s;

    kit_enter();
    make_large(&s);
    store_mem_fail("train", (struct store_mem_failure){.in = 4,
                                                       .count = 1000,
                                                       .status = STATUS_STORE});
    EXPECT_EQ(bring_one(&s), STATUS_STORE);
    store_mem_fail("train", (struct store_mem_failure){0});
    kit_put(s.store, "p/large", 2, 5 * PART + 17);
    list_source(&s, "p/");
    EXPECT_EQ(bring_counted(&s, S2), 1 + 6);
    kit_expect_file("data/train/large", 2, 5 * PART + 17);
    close_source(&s);
}

static uint64_t inode_of(const char *name)
{
    struct stat st;

    EXPECT(stat(kit_path(name), &st) == 0);
    return st.st_ino;
}

/* A book as another version might write it: parts of another size, or sums of
 * another kind than the store keeps. */
static void write_foreign_book(const struct source *s, uint64_t part_bytes,
                               enum crc_kind kind)
{
    struct bring_book_line line = {
        .kind = BRING_BOOK_OPEN,
        .size = s->items[0].size,
        .inode = inode_of(KIT_STAGED "large"),
        .etag = bytes_of(s->items[0].etag),
        .key = BYTES("p/large"),
        .part_bytes = part_bytes,
        .kind_of_sum = kind,
    };
    struct bring_book_head head = {.root_uri = s->uri, .prefix = BYTES("p/")};
    struct buf boot = {0};
    struct buf text = {0};

    EXPECT_OK(file_read("/proc/sys/kernel/random/boot_id", 64, &why, &boot),
              why);
    boot.at[boot.size - 1] = '\0';
    head.boot = boot.at;
    bring_book_write_head(&head, &text);
    bring_book_write(&line, &text);
    line.kind = BRING_BOOK_PART;
    for (; line.part < 4; line.part++) {
        bring_book_write(&line, &text);
    }
    EXPECT_OK(file_write(kit_path(KIT_BOOK), buf_bytes(&text), false, &why),
              why);
    buf_fini(&boot);
    buf_fini(&text);
}

TEST(parts_of_another_kind_are_none)
{
    static const struct {
        uint64_t part_bytes;
        enum crc_kind kind;
        uint64_t requests;
    } rows[] = {
        {PART, CRC_NONE, 1 + 2}, /* Else this test would show nothing. */
        {PART / 2, CRC_NONE, 1 + 6},
        {PART, CRC_32C, 1 + 6},
    };
    struct source s;

    kit_enter();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make_large(&s);
        store_mem_fail("train",
                       (struct store_mem_failure){
                           .in = 4, .count = 1000, .status = STATUS_STORE});
        EXPECT_EQ(bring_one(&s), STATUS_STORE);
        store_mem_fail("train", (struct store_mem_failure){0});
        write_foreign_book(&s, rows[i].part_bytes, rows[i].kind);
        EXPECT_EQ(bring_counted(&s, S1), rows[i].requests);
        EXPECT_OK(file_remove_tree(kit_path("data"), &why), why);
        close_source(&s);
    }
}

/* ---- When nothing is left. */

TEST(what_can_not_go_well_leaves_nothing)
{
    struct source s;

    kit_enter();
    make_source(&s);
    store_mem_fail("train", (struct store_mem_failure){
                                .in = 30, .count = 1, .status = STATUS_DENIED});
    EXPECT_EQ(bring_one(&s), STATUS_DENIED);
    expect_nothing();
    close_source(&s);
}

TEST(another_channel_clears_up)
{
    struct source s;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, HELD);
    snprintf(s.name, sizeof(s.name), "other");
    rewind_source(&s, 1, S2);
    EXPECT_OK(bring_one(&s), why);
    EXPECT(!kit_is_there("data/.smshard/train.part"));
    kit_expect_file("data/other/0/00", 0, SIZE);
    close_source(&s);
}

/* What is there needs no room: a disk for one of them is enough. */
TEST(room_is_asked_for_what_is_missing)
{
    struct source s;

    kit_enter();
    open_source(&s, "train", "mem");
    kit_put(s.store, "p/a", 1, 6 << 20);
    kit_put(s.store, "p/b", 2, 1 << 20);
    list_source(&s, "p/");
    if (!kit_mount("data", "size=9m")) {
        close_source(&s);
        return;
    }
    store_mem_fail("train", (struct store_mem_failure){.in = 2,
                                                       .count = 1000,
                                                       .status = STATUS_STORE});
    EXPECT_EQ(bring_all(&s.channel, 1, 1), STATUS_STORE);
    store_mem_fail("train", (struct store_mem_failure){0});
    EXPECT_EQ(lines_of(KIT_BOOK, "whole"), 1);
    EXPECT_EQ(bring_counted(&s, S1), 1);
    kit_expect_file("data/train/a", 1, 6 << 20);
    kit_unmount("data");
    close_source(&s);
}
