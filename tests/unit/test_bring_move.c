/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_move.h"

#include "tests/worker_kit.h"
#include "worker/bring_object.h"

#define URI "mem://move/"

enum { OBJECTS = 40, LARGE = 2 * BRING_PART_BYTES + 4711 };

static struct {
    struct store *store;
    struct fetch_source source;
    struct fetch *fetch;
    struct bring_move *move;
    struct bring_channel channel;
    struct bring_target target;
    struct bring_object object;
    enum status status[OBJECTS]; /* As they came. */
    uint64_t order[OBJECTS];
    uint32_t count;
    char why[FAULT_TEXT_MAX];
} w;

static enum status tell_fetch(void *self, struct fault *why, struct fetch **out)
{
    EXPECT(self == &w);
    EXPECT(why != NULL);
    *out = w.fetch;
    return w.fetch != NULL ? STATUS_OK : STATUS_DENIED;
}

/* Large ones have an odd number's size below OBJECTS / 2. */
static uint64_t size_of(uint64_t i)
{
    return i % 2 == 1 && i < OBJECTS / 2 ? LARGE + i : 100 * i;
}

static void begin(uint32_t parts, uint32_t requests)
{
    struct fetch_options options = {.sources = &w.source,
                                    .source_count = 1,
                                    .lane_count = 2,
                                    .requests = requests};
    struct fault why;

    kit_enter();
    memset(&w, 0, sizeof(w));
    w.store = kit_open(URI);
    w.source = (struct fetch_source){"train", URI};
    w.channel = (struct bring_channel){
        .name = "train", .root_uri = URI, .prefix = BYTES("p/")};
    w.target.channel = &w.channel;
    w.target.staging = kit_path("to");
    EXPECT_OK(file_make_folder(w.target.staging, &why), why);
    EXPECT_OK(fetch_start(&options, &why, &w.fetch), why);
    w.move =
        bring_move_new(&(struct bring_move_options){tell_fetch, &w, parts});
    for (uint64_t i = 0; i < OBJECTS; i++) {
        w.status[i] = STATUS_EMPTY;
    }
}

static void end(void)
{
    bring_move_destroy(&w.move);
    EXPECT(w.move == NULL);
    fetch_stop(&w.fetch);
    store_close(&w.store);
}

static const char *name_of(uint64_t i)
{
    static char name[32];

    snprintf(name, sizeof(name), "to/o%llu", (unsigned long long)i);
    return name;
}

static void put(uint64_t i)
{
    char key[32];

    snprintf(key, sizeof(key), "p/o%llu", (unsigned long long)i);
    kit_put(w.store, key, i, size_of(i));
}

static void want(uint64_t i, uint64_t due)
{
    memset(&w.object, 0, sizeof(w.object));
    w.object.key_size = (size_t)snprintf(w.object.key, sizeof(w.object.key),
                                         "p/o%llu", (unsigned long long)i);
    w.object.size = size_of(i);
    bring_move_add(w.move, &(struct bring_want){.tag = i,
                                                .due = due,
                                                .target = &w.target,
                                                .object = &w.object});
}

static void take(void)
{
    struct bring_moved moved;

    while (bring_move_take(w.move, &moved)) {
        EXPECT(moved.tag < OBJECTS && w.status[moved.tag] == STATUS_EMPTY);
        w.status[moved.tag] = moved.status;
        w.order[w.count++] = moved.tag;
        if (moved.status != STATUS_OK) {
            snprintf(w.why, sizeof(w.why), "%s", moved.why->text);
        }
    }
}

/* Until none is under way. */
static void finish(void)
{
    take();
    while (bring_move_count(w.move) > 0) {
        struct pollfd fd = {.fd = bring_move_fd(w.move), .events = POLLIN};

        EXPECT(poll(&fd, 1, -1) == 1);
        bring_move_step(w.move);
        take();
    }
}

static void expect_whole(uint64_t i)
{
    EXPECT_EQ(w.status[i], STATUS_OK);
    kit_expect_file(name_of(i), i, size_of(i));
}

TEST(all_come_whole_whatever_the_memory)
{
    static const uint32_t parts[] = {1, 2, 5};

    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
        struct fault why;

        begin(parts[p], 0);
        for (uint64_t i = 0; i < OBJECTS; i++) {
            put(i);
            while (!bring_move_has_room(w.move, i)) {
                struct pollfd fd = {.fd = bring_move_fd(w.move),
                                    .events = POLLIN};

                EXPECT(poll(&fd, 1, -1) == 1);
                bring_move_step(w.move);
            }
            want(i, i);
        }
        finish();
        EXPECT_EQ(w.count, OBJECTS);
        for (uint64_t i = 0; i < OBJECTS; i++) {
            expect_whole(i);
        }
        end();
        EXPECT_OK(file_remove_tree(kit_base, &why), why);
        snprintf(kit_base, sizeof(kit_base), "/tmp/test-worker-XXXXXX");
    }
}

TEST(one_that_fails_takes_no_other_with_it)
{
    begin(2, 0);
    for (uint64_t i = 0; i < 6; i++) {
        if (i != 2 && i != 3) {
            put(i);
        }
        want(i, i);
    }
    finish();
    for (uint64_t i = 0; i < 6; i++) {
        if (i == 2 || i == 3) {
            EXPECT_EQ(w.status[i], STATUS_NOT_FOUND);
        } else {
            expect_whole(i);
        }
    }
    EXPECT(kit_says(w.why, "train: "));
    end();
}

TEST(another_value_in_mid_stream_is_no_file)
{
    begin(1, 1);
    put(1);
    put(2);
    want(1, 1);
    while (atomic_load(&w.target.bytes) == 0) { /* Its first part is here. */
        struct pollfd fd = {.fd = bring_move_fd(w.move), .events = POLLIN};

        EXPECT(poll(&fd, 1, -1) == 1);
        bring_move_step(w.move);
    }
    kit_put(w.store, "p/o1", 99, size_of(1));
    want(2, 2);
    finish();
    EXPECT_EQ(w.status[1], STATUS_CHANGED);
    EXPECT(kit_says(w.why, "train: mem://move/p/o1: "));
    expect_whole(2);
    end();
}

TEST(what_is_cancelled_ends_and_others_go_on)
{
    begin(1, 1);
    for (uint64_t i = 1; i < 8; i++) {
        put(i);
        want(i, i);
    }
    for (uint64_t i = 1; i < 6; i++) {
        bring_move_cancel(w.move, i);
        bring_move_cancel(w.move, i); /* No more than once. */
    }
    bring_move_cancel(w.move, 100);
    finish();
    EXPECT_EQ(w.count, 7);
    for (uint64_t i = 1; i < 6; i++) {
        EXPECT_EQ(w.status[i], STATUS_STOPPED);
    }
    expect_whole(6);
    expect_whole(7);
    bring_move_cancel(w.move, 6); /* It is over. */
    end();
}

TEST(what_is_due_sooner_goes_first)
{
    struct pollfd fd = {.events = POLLIN};

    begin(1, 1);
    for (uint64_t i = 20; i < 24; i++) {
        put(i);
    }
    put(1);
    want(1, 10);
    fd.fd = bring_move_fd(w.move);
    EXPECT(poll(&fd, 1, -1) == 1); /* It was looked at, */
    bring_move_step(w.move);       /* and its first part has the memory. */
    EXPECT(!bring_move_has_room(w.move, 10));
    EXPECT(bring_move_has_room(w.move, 9));
    want(20, 5);
    want(21, 3);
    want(22, 40);
    bring_move_hurry(w.move, 22, 1);
    bring_move_hurry(w.move, 21, 8); /* Not sooner: without effect. */
    bring_move_hurry(w.move, 100, 1);
    finish();
    EXPECT_EQ(w.count, 4);
    EXPECT_EQ(w.order[0], 22);
    EXPECT_EQ(w.order[1], 21);
    EXPECT_EQ(w.order[2], 20);
    expect_whole(1);
    expect_whole(20);
    end();
}

TEST(without_lanes_each_fails)
{
    begin(1, 1);
    put(1);
    fetch_stop(&w.fetch);
    want(1, 1);
    want(2, 2);
    finish();
    EXPECT_EQ(w.status[1], STATUS_DENIED);
    EXPECT_EQ(w.status[2], STATUS_DENIED);
    EXPECT_EQ(bring_move_fd(w.move), -1);
    end();
}

TEST(it_may_end_at_any_time)
{
    begin(2, 2);
    for (uint64_t i = 0; i < 8; i++) {
        put(i);
        want(i, i);
    }
    bring_move_step(w.move);
    end();
}
