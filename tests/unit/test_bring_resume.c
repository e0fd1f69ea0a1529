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
    size_t found;

    kit_enter();
    make_source(&s);
    bring_and_die(&s, 30);
    rewind_source(&s, 1, S1);
    bring_and_die(&s, HELD);
    found = lines_of("data/.smshard/train.part/2/book", "whole");
    EXPECT(found >= 10);
    EXPECT_EQ(bring_counted(&s, S1), OBJECTS - found);
    expect_all();
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
