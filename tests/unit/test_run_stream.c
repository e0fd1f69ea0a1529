/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/hedge.h"
#include "tests/fetch_kit.h"

enum { OBJECTS = 8, OBJECT = 3000 };

#define MEMORY ((uint64_t)64 << 20)

static char folder[200];
static const char *etag = "";
static struct job_channel channels[2];
static struct run_streams streams;

static struct catalog *list_objects(void)
{
    size_t sizes[OBJECTS];
    struct catalog_builder *b;
    struct catalog *catalog;
    struct fault why;

    EXPECT_EQ(catalog_builder_new(&b), STATUS_OK);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        char key[] = {'o', '/', (char)('0' + i), 0};

        sizes[i] = OBJECT;
        EXPECT_EQ(
            catalog_builder_add(
                b,
                &(struct catalog_object){bytes_of(key), OBJECT, bytes_of(etag)},
                &why),
            STATUS_OK);
    }
    EXPECT_EQ(catalog_builder_finish(&b, &catalog), STATUS_OK);
    kit_put_objects("mem://a/", sizes, OBJECTS);
    return catalog;
}

static void add(uint32_t i, enum job_mode mode)
{
    static char names[][8] = {"train", "valid"};
    struct wire_share share = {.number = i,
                               .channel = bytes_of(names[i]),
                               .root_uri = BYTES("mem://a/"),
                               .prefix = BYTES("o/"),
                               .positions = OBJECTS,
                               .is_dynamic = true};
    struct fault why;

    channels[i].name = names[i];
    channels[i].epochs = 1;
    channels[i].mode = mode;
    EXPECT_EQ(
        run_streams_add(&streams,
                        &(struct run_stream_from){.share = &share,
                                                  .channel = &channels[i],
                                                  .catalog = list_objects(),
                                                  .ranks = 2},
                        &why),
        STATUS_OK);
}

/* The data lie @below the folder of the test. */
static enum status try(const char *below, struct fault *why)
{
    static const int nodes[RING_HOST_RANKS] = {-1, -1};
    char *data = mem_print("%s%s", folder, below);
    enum status s = run_streams_start(&streams,
                                      &(struct run_streams_options){
                                          .data_dir = data,
                                          .memory = MEMORY,
                                          .lane_count = 1,
                                          .nodes = nodes,
                                          .beat_ms = 100,
                                          .lease_ms = 1000,
                                          .gap_ms = 10,
                                      },
                                      why);

    free(data);
    return s;
}

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/test_run_stream.XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
}

static void start(const char *below)
{
    struct fault why = {.text = ""};

    make_folder();
    EXPECT_EQ(try(below, &why), STATUS_OK);
}

static void end(void)
{
    struct fault why;

    run_streams_fini(&streams);
    EXPECT_EQ(file_remove_tree(folder, &why), STATUS_OK);
}

TEST(second_answers_are_within_the_cap)
{
    add(0, JOB_PIPE);
    start("");
    EXPECT(streams.memory.bytes <= MEMORY);
    EXPECT(hedge_has_room(streams.memory.hedge_bytes));
    EXPECT(!hedge_has_room(streams.memory.hedge_bytes + 1));
    end();
}

/* What records are put together in is not beside the cap. */
TEST(so_is_what_records_are_made_in)
{
    uint32_t slots;

    add(0, JOB_PIPE);
    channels[0].wrapper = JOB_WRAP_RECORDIO;
    start("");
    slots = slots_count(streams.each[0].slots[0]);
    EXPECT(slots >= 1 && slots <= (streams.memory.slots[0] + 3) / 4);
    end();
}

TEST(the_rings_socket_lies_with_the_data)
{
    add(0, JOB_RING);
    start("");
    EXPECT(strncmp(run_streams_socket(&streams), folder, strlen(folder)) == 0);
    end();
}

/* A socket's path is short: where the data lie too far down, it gets a folder
 * of its own, which goes with it. */
TEST(or_in_a_folder_that_goes_with_it)
{
    char below[120] = "/";
    char *own;

    memset(below + 1, 'x', sizeof(below) - 2);
    add(0, JOB_RING);
    start(below);
    own = mem_copy(run_streams_socket(&streams));
    EXPECT(strncmp(own, folder, strlen(folder)) != 0);
    EXPECT_EQ(access(own, F_OK), 0);
    end();
    *strrchr(own, '/') = '\0';
    EXPECT(!file_is_there(own));
    free(own);
}

/* One channel fails; what was consumed of another one before counts. */
TEST(who_fails_does_not_silence_others)
{
    const struct supply_unit unit = {.size = 1};
    const struct supply_told fails = {
        .word = SUPPLY_FAIL, .status = STATUS_STORE, .reason = "no more"};
    const struct supply_told told = {.word = SUPPLY_SKIP, .size = 1};
    struct fault why;

    add(0, JOB_PIPE);
    add(1, JOB_PIPE);
    start("");
    run_streams_stop(&streams); /* The deliverers are played here. */
    supply_tell(streams.each[0].supply, &fails);
    supply_put(streams.each[0].supply, 0, &unit);
    supply_put(streams.each[1].supply, 0, &unit);
    supply_tell(streams.each[0].supply, &told);
    supply_tell(streams.each[1].supply, &told);
    EXPECT_EQ(run_streams_step(&streams, &why), STATUS_STORE);
    EXPECT_STR(why.text, "channel train: no more");
    EXPECT_EQ(course_stats(streams.each[1].course).skipped, 1);
    EXPECT_EQ(run_streams_step(&streams, &why), STATUS_OK);
    EXPECT_EQ(course_stats(streams.each[0].course).skipped, 1);
    end();
}

/* Too few descriptors is an error, at whatever point they end. */
TEST(descriptors_may_end_anywhere)
{
    struct rlimit before;
    uint32_t failed = 0;
    enum status s = STATUS_OS;

    make_folder();
    EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
    for (rlim_t few = 3; s != STATUS_OK && few < 200; few++) {
        struct rlimit now = {few, before.rlim_max};
        struct fault why = {.text = ""};

        add(0, JOB_PIPE);
        add(1, JOB_RING);
        EXPECT(setrlimit(RLIMIT_NOFILE, &now) == 0);
        s = try("", &why);
        EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        EXPECT(s == STATUS_OK || why.text[0] != '\0');
        failed += s != STATUS_OK;
        run_streams_fini(&streams);
    }
    EXPECT_EQ(s, STATUS_OK);
    EXPECT(failed > 10);
    end();
}

/* ---- What is delivered. ---------------------------------------------------
 */

enum { EPOCHS = 2 };

static uint64_t epoch;
static uint64_t committed;

/* The coordinator: one lease for all of an epoch. */
static void coordinate(void)
{
    static struct work work;
    static struct grant grant;
    struct holder *h = streams.each[0].holder;

    if (!holder_work(h, clock_now_ms(&clock_os), &work)) {
        return;
    }
    for (uint32_t i = 0; i < work.done_count; i++) {
        committed += work.done[i].end - work.done[i].first;
    }
    epoch += epoch + 1 < EPOCHS && committed == OBJECTS * (epoch + 1);
    grant = (struct grant){
        .epoch = epoch,
        .seq = work.seq,
        .acked_seq = work.seq,
        .gate = UINT64_MAX,
        .leases = {{.number = epoch + 1, .end = OBJECTS, .want_end = OBJECTS}},
        .lease_count = 1};
    holder_take(h, &grant);
}

static enum status turn(struct fault *why)
{
    coordinate();
    return run_streams_step(&streams, why);
}

static int open_fifo(uint64_t number)
{
    char *path = mem_print("%s/train_%u", folder, (unsigned)number);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    EXPECT(fd >= 0);
    free(path);
    return fd;
}

static void expect_epoch(uint64_t number)
{
    static uint8_t all[OBJECTS * OBJECT];
    struct pollfd fifo = {.fd = open_fifo(number), .events = POLLIN};
    struct fault why = {.text = ""};
    struct order order;
    size_t size = 0;

    while (size < sizeof(all)) {
        ssize_t n = read(fifo.fd, all + size, sizeof(all) - size);

        EXPECT_EQ(turn(&why), STATUS_OK);
        size += n > 0 ? (size_t)n : 0;
        (void)poll(&fifo, 1, 1);
    }
    close(fifo.fd);
    order_init_shuffled(&order, OBJECTS, 7, number, BYTES("train"));
    for (uint64_t i = 0; i < OBJECTS; i++) {
        EXPECT(
            kit_is_right(all + i * OBJECT, order_unit(&order, i), 0, OBJECT));
    }
}

/* The order is one of seed and epoch, and another in each. */
TEST(each_epoch_has_its_order)
{
    channels[0].has_shuffle = true;
    channels[0].shuffle_seed = 7;
    add(0, JOB_PIPE);
    channels[0].epochs = EPOCHS;
    start("");
    for (uint64_t e = 0; e < EPOCHS; e++) {
        expect_epoch(e);
    }
    end();
}

/* What was listed is what is read. */
TEST(an_object_that_was_overwritten_ends_the_channel)
{
    struct fault why = {.text = ""};
    enum status s;
    int fd;

    alarm(60);
    etag = "other";
    add(0, JOB_PIPE);
    start("");
    fd = open_fifo(0);
    do {
        s = turn(&why);
    } while (s == STATUS_OK);
    EXPECT_EQ(s, STATUS_CHANGED);
    EXPECT(strstr(why.text, "o/0: it was overwritten") != NULL);
    close(fd);
    end();
}
