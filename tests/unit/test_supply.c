/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supply.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/harness.h"

static bool is_readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, 0) == 1;
}

static void put(struct supply *s, uint32_t rank, uint64_t position,
                uint64_t size)
{
    char key[32];
    int n =
        snprintf(key, sizeof(key), "key-%llu", (unsigned long long)position);

    supply_put(s, rank,
               &(struct supply_unit){
                   .position = position,
                   .lease = 7,
                   .key = {key, (size_t)n},
                   .etag = BYTES("e"),
                   .size = size,
               });
}

static void tell(struct supply *s, enum supply_word word,
                 const struct supply_unit *unit)
{
    supply_tell(s, &(struct supply_told){
                       .word = word,
                       .position = unit->position,
                       .lease = unit->lease,
                       .size = unit->size,
                       .is_repeat = unit->is_repeat,
                   });
}

TEST(units_come_in_order_and_words_go_back)
{
    struct supply *s = supply_new(&(struct supply_options){1, 2, 1000});
    struct supply_unit unit;
    struct supply_told told;

    EXPECT(supply_has_room(s, 0));
    put(s, 0, 1, 10);
    EXPECT(supply_has_room(s, 0));
    put(s, 0, 2, 20);
    EXPECT(!supply_has_room(s, 0));
    EXPECT(is_readable(supply_fd(s)));
    supply_heed(s);
    EXPECT(!is_readable(supply_fd(s)));

    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_OK);
    EXPECT_EQ(unit.position, 1);
    EXPECT(bytes_is(unit.key, "key-1") && bytes_is(unit.etag, "e"));
    EXPECT(!is_readable(supply_told_fd(s)));
    tell(s, SUPPLY_DONE, &unit);
    EXPECT(is_readable(supply_told_fd(s)));
    EXPECT(supply_told(s, &told));
    EXPECT_EQ(told.word, SUPPLY_DONE);
    EXPECT_EQ(told.position, 1);
    EXPECT_EQ(told.lease, 7);
    EXPECT(!supply_told(s, &told));
    supply_told_heed(s);
    EXPECT(!is_readable(supply_told_fd(s)));
    EXPECT(supply_has_room(s, 0));
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_OK);
    EXPECT_EQ(unit.position, 2);
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_EMPTY);
    supply_destroy(&s);
}

/* A unit larger than all that may lie there is put alone. */
TEST(bytes_are_bounded_but_for_one_unit)
{
    struct supply *s = supply_new(&(struct supply_options){2, 100, 50});
    struct supply_unit unit;

    put(s, 1, 1, 5000);
    EXPECT(!supply_has_room(s, 1));
    EXPECT(supply_has_room(s, 0));
    EXPECT_EQ(supply_take(s, 1, &unit), STATUS_OK);
    EXPECT(!supply_has_room(s, 1));
    supply_tell(
        s, &(struct supply_told){.word = SUPPLY_SKIP, .rank = 1, .size = 5000});
    EXPECT(supply_has_room(s, 1));
    supply_destroy(&s);
}

TEST(an_end_is_told_once_and_the_last_for_good)
{
    struct supply *s = supply_new(&(struct supply_options){1, 9, 900});
    struct supply_unit unit;

    put(s, 0, 1, 1);
    supply_put_end(s, 0, 3, false);
    put(s, 0, 2, 1);
    supply_put_end(s, 0, 4, true);
    EXPECT(!supply_has_room(s, 0));
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_OK);
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_STOPPED);
    EXPECT_EQ(unit.epoch, 3);
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_OK);
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_STOPPED);
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_NOT_FOUND);
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_NOT_FOUND);
    supply_destroy(&s);
}

TEST(a_repeat_only_makes_room)
{
    struct supply *s = supply_new(&(struct supply_options){1, 1, 900});
    struct supply_unit unit = {.size = 5, .is_repeat = true};
    struct supply_told told;

    supply_put(s, 0, &unit);
    EXPECT(!supply_has_room(s, 0));
    EXPECT_EQ(supply_take(s, 0, &unit), STATUS_OK);
    EXPECT(unit.is_repeat);
    tell(s, SUPPLY_DONE, &unit);
    EXPECT(is_readable(supply_told_fd(s))); /* There is room. */
    EXPECT(!supply_told(s, &told));
    EXPECT(supply_has_room(s, 0));
    supply_destroy(&s);
}

TEST(a_stop_is_heard_whenever_one_listens)
{
    struct supply *s = supply_new(&(struct supply_options){1, 1, 900});

    EXPECT(!supply_is_stopped(s));
    supply_stop(s);
    supply_heed(s);
    EXPECT(is_readable(supply_fd(s)));
    EXPECT(supply_is_stopped(s));
    supply_destroy(&s);
}

enum { UNITS = 20000, RANKS = 3 };

/* The deliverer: takes all of every rank, and waits only when it must. */
static void *deliver(void *self)
{
    struct supply *s = self;
    uint64_t next[RANKS] = {0};
    uint32_t over = 0;

    while (over < RANKS) {
        struct pollfd p = {supply_fd(s), POLLIN, 0};

        poll(&p, 1, -1);
        supply_heed(s);
        for (uint32_t r = 0; r < RANKS; r++) {
            struct supply_unit unit;
            enum status status;

            while ((status = supply_take(s, r, &unit)) == STATUS_OK) {
                EXPECT_EQ(unit.position, next[r]++);
                supply_tell(s, &(struct supply_told){.word = SUPPLY_DONE,
                                                     .rank = r,
                                                     .position = unit.position,
                                                     .size = unit.size});
            }
            over += status == STATUS_STOPPED;
        }
    }
    return NULL;
}

/* As many as there is room for, and the end behind the last. */
static void put_all(struct supply *s, uint32_t rank, uint64_t *count)
{
    while (*count < UNITS && supply_has_room(s, rank)) {
        put(s, rank, (*count)++, rank * 100);
        if (*count == UNITS) {
            supply_put_end(s, rank, 0, true);
        }
    }
}

TEST(two_threads_lose_nothing)
{
    struct supply *s = supply_new(&(struct supply_options){RANKS, 16, 1000});
    uint64_t put_count[RANKS] = {0};
    uint64_t told_count[RANKS] = {0};
    uint64_t left = (uint64_t)RANKS * UNITS;
    pthread_t thread;

    pthread_create(&thread, NULL, deliver, s);
    while (left > 0) {
        struct supply_told told;

        supply_told_heed(s);
        for (uint32_t r = 0; r < RANKS; r++) {
            put_all(s, r, &put_count[r]);
        }
        while (supply_told(s, &told)) {
            EXPECT_EQ(told.position, told_count[told.rank]++);
            left--;
        }
        if (left > 0) {
            struct pollfd p = {supply_told_fd(s), POLLIN, 0};

            poll(&p, 1, -1);
        }
    }
    pthread_join(thread, NULL);
    EXPECT_EQ(supply_stats(s).done, (uint64_t)RANKS * UNITS);
    supply_destroy(&s);
}
