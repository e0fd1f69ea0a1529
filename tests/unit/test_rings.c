/* SPDX-License-Identifier: Apache-2.0 */
/* Rings fed by a real fetch and read by real processes. */
#include "worker/rings.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fetch_kit.h"
#define SMSHARD_HOOKS
#include "worker/client/smshard_state.h"

enum {
    OBJECTS = 60,
    SLOT = 64 << 10,
    SLOTS = 6,
    RANKS = 2,
    EPOCHS = 3,
    CHILDREN_MAX = 4,
};

void smshard_hook(enum smshard_point point)
{
    (void)point;
}

static size_t sizes[OBJECTS];

/* What the main loop knows of a rank: every epoch has all objects for it. */
struct line {
    uint64_t epoch;
    uint64_t next;
    bool is_ended;
    bool is_over;
    uint32_t done[EPOCHS][OBJECTS];
    uint32_t skips;
};

static struct bench {
    char folder[64];
    struct fetch *fetch;
    struct slots *slots[RANKS];
    struct supply *supply;
    struct rings *rings;
    struct line lines[RANKS];
    char failure[SUPPLY_REASON_MAX];
    pid_t children[CHILDREN_MAX];
    uint32_t child_count;
    uint32_t running;
    int codes[CHILDREN_MAX];
} b;

static void choose_sizes(bool is_large)
{
    struct prng p;

    prng_init(&p, 5);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        uint64_t most = is_large || i % 9 == 0 ? 5 * SLOT : 9000;

        sizes[i] = (size_t)prng_below(&p, most);
    }
    sizes[3] = 0;
}

static void choose_small_sizes(void)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        sizes[i] = 100;
    }
}

static void open_bench(struct rings_channel channel)
{
    struct slots_options so = {
        .kind = SLOTS_SHARED, .count = SLOTS, .size = SLOT, .node = -1};
    struct fault why = {.text = ""};

    kit_put_objects("mem://a/", sizes, OBJECTS);
    snprintf(b.folder, sizeof(b.folder), "/tmp/test_rings.XXXXXX");
    EXPECT(mkdtemp(b.folder) != NULL);
    for (uint32_t i = 0; i < RANKS; i++) {
        EXPECT_EQ(slots_new(&so, &why, &b.slots[i]), STATUS_OK);
    }
    b.fetch = kit_fetch_of("mem://a/", 1, 0);
    b.supply = supply_new(&(struct supply_options){RANKS, 20, 1 << 20});
    channel.name = "train";
    channel.supply = b.supply;
    channel.slots = b.slots;
    channel.rank_count = RANKS;
    if (channel.mode == 0) {
        channel.mode = RING_SHARE;
        channel.consumers = RING_CONSUMERS_MAX;
    }
    EXPECT_EQ(
        rings_start(&(struct rings_options){b.folder, b.fetch, &channel, 1},
                    &why, &b.rings),
        STATUS_OK);
}

static void close_bench(void)
{
    rings_stop(&b.rings);
    supply_destroy(&b.supply);
    for (uint32_t i = 0; i < RANKS; i++) {
        slots_destroy(&b.slots[i]);
    }
    fetch_stop(&b.fetch);
}

/* Put what there is room for. */
static void put_units(uint32_t rank)
{
    struct line *l = &b.lines[rank];

    while (!l->is_ended && l->next < OBJECTS &&
           supply_has_room(b.supply, rank)) {
        char key[32];

        snprintf(key, sizeof(key), "o/%u", (unsigned)l->next);
        supply_put(b.supply, rank,
                   &(struct supply_unit){
                       .epoch = l->epoch,
                       .position = l->next,
                       .lease = 1,
                       .key = bytes_of(key),
                       .size = sizes[l->next],
                       .is_whole = true,
                   });
        l->next++;
    }
    if (!l->is_ended && l->next == OBJECTS) {
        l->is_ended = true;
        l->is_over = l->epoch + 1 == EPOCHS;
        supply_put_end(b.supply, rank, l->epoch, l->is_over);
    }
}

static void take_words(void)
{
    struct supply_told told;

    while (supply_told(b.supply, &told)) {
        struct line *l = &b.lines[told.rank];

        if (told.word == SUPPLY_DONE) {
            l->done[told.epoch][told.position]++;
        } else if (told.word == SUPPLY_SKIP) {
            l->done[told.epoch][told.position]++;
            l->skips++;
        } else if (told.word == SUPPLY_BEGIN) {
            l->epoch++;
            l->next = 0;
            l->is_ended = false;
        } else {
            EXPECT_EQ(told.word, SUPPLY_FAIL);
            snprintf(b.failure, sizeof(b.failure), "%s", told.reason);
        }
    }
}

static void look_after_children(void)
{
    for (uint32_t i = 0; i < b.child_count; i++) {
        int status;

        if (b.children[i] > 0 &&
            waitpid(b.children[i], &status, WNOHANG) == b.children[i]) {
            b.children[i] = 0;
            b.codes[i] = WIFEXITED(status) ? WEXITSTATUS(status)
                                           : 128 + WTERMSIG(status);
            b.running--;
        }
    }
}

/* The main loop, until all children have ended. */
static void serve(void)
{
    while (b.running > 0) {
        struct pollfd p = {supply_told_fd(b.supply), POLLIN, 0};

        poll(&p, 1, 2);
        supply_told_heed(b.supply);
        take_words();
        for (uint32_t r = 0; r < RANKS; r++) {
            put_units(r);
        }
        look_after_children();
    }
    take_words();
}

/* ---- Consumers. -----------------------------------------------------------
 */

enum { CODE_OPEN = 50, CODE_DATA, CODE_RELEASE, CODE_LOST };

static struct smshard *open_ring(int rank)
{
    struct smshard_options o = SMSHARD_OPTIONS;
    struct smshard *s = NULL;
    char why[200];

    o.socket = rings_path(b.rings);
    o.channel = "train";
    o.rank = rank;
    if (smshard_open(&o, why, sizeof(why), &s) != SMSHARD_OK) {
        _exit(CODE_OPEN);
    }
    return s;
}

/* Reads to the end of all; with @dies_at, as many samples, and dies with the
 * last in hand. */
static void consume(int rank, uint64_t dies_at)
{
    struct smshard *s = open_ring(rank);
    struct smshard_sample sample;
    uint64_t count = 0;
    int status = SMSHARD_OK;

    while (status != SMSHARD_OVER) {
        status = smshard_next(s, 30000, &sample);
        if (status == SMSHARD_END || status == SMSHARD_OVER) {
            continue;
        }
        if (status != SMSHARD_OK) {
            fprintf(stderr, "consumer: %d, %s\n", status, smshard_error(s));
            _exit(CODE_LOST);
        }
        if (!kit_is_right(sample.data, sample.position, sample.offset,
                          sample.size)) {
            _exit(CODE_DATA);
        }
        if (++count == dies_at) {
            kill(getpid(), SIGKILL);
        }
        if (smshard_release(s, &sample) != SMSHARD_OK) {
            _exit(CODE_RELEASE);
        }
    }
    smshard_close(&s);
    _exit(0);
}

static void fork_consumer(int rank, uint64_t dies_at)
{
    pid_t child = fork();

    if (child == 0) {
        consume(rank, dies_at);
    }
    b.children[b.child_count++] = child;
    b.running++;
}

static void expect_all_once(void)
{
    for (uint32_t r = 0; r < RANKS; r++) {
        for (uint64_t e = 0; e < EPOCHS; e++) {
            for (uint32_t i = 0; i < OBJECTS; i++) {
                EXPECT_EQ(b.lines[r].done[e][i], 1);
            }
        }
    }
}

TEST(each_rank_has_its_units_in_all_epochs)
{
    choose_sizes(false);
    open_bench((struct rings_channel){0});
    fork_consumer(0, 0);
    fork_consumer(1, 0);
    serve();
    EXPECT_EQ(b.codes[0], 0);
    EXPECT_EQ(b.codes[1], 0);
    expect_all_once();
    EXPECT_EQ(rings_stats(b.rings).units, (uint64_t)RANKS * EPOCHS * OBJECTS);
    close_bench();
}

TEST(what_a_dead_process_held_is_another_ones)
{
    choose_sizes(false);
    open_bench((struct rings_channel){0});
    fork_consumer(0, 25);
    fork_consumer(0, 40);
    fork_consumer(0, 0);
    fork_consumer(1, 0);
    serve();
    EXPECT_EQ(b.codes[2], 0);
    EXPECT_EQ(b.codes[3], 0);
    expect_all_once();
    close_bench();
}

/* Most units lie in several slots: what has lost its first part is read
 * again. */
TEST(large_units_survive_a_death_whole)
{
    for (uint64_t dies_at = 2; dies_at < 5; dies_at++) {
        memset(&b, 0, sizeof(b));
        choose_sizes(true);
        open_bench((struct rings_channel){0});
        fork_consumer(0, dies_at);
        fork_consumer(0, 0);
        fork_consumer(1, 0);
        serve();
        EXPECT_EQ(b.codes[0], 128 + SIGKILL);
        EXPECT_EQ(b.codes[1], 0);
        EXPECT_EQ(b.codes[2], 0);
        expect_all_once();
        close_bench();
    }
}

/* A process that has read enough releases what it had, and ends; by then the
 * worker may have been told to. */
TEST(what_was_released_last_counts)
{
    struct smshard_sample sample;
    struct smshard *s;
    uint64_t units = 0;
    struct pollfd p;

    choose_small_sizes();
    open_bench((struct rings_channel){0});
    put_units(0);
    s = open_ring(0);
    EXPECT_EQ(smshard_next(s, 30000, &sample), SMSHARD_OK);
    supply_stop(b.supply);
    p = (struct pollfd){supply_fd(b.supply), POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    do {
        EXPECT_EQ(smshard_release(s, &sample), SMSHARD_OK);
        units++;
    } while (smshard_next(s, 0, &sample) == SMSHARD_OK);
    rings_stop(&b.rings);
    take_words();
    for (uint32_t i = 0; i < units; i++) {
        EXPECT_EQ(b.lines[0].done[0][i], 1);
    }
    smshard_close(&s);
    close_bench();
}

static void remove_object(const char *key)
{
    struct buf prefix = {0};
    struct store *s;
    struct fault why;

    EXPECT_EQ(store_open("mem://a/", STORE_WRITE, &why, &s, &prefix),
              STATUS_OK);
    EXPECT_EQ(store_sync_delete(s, key, &why), STATUS_OK);
    store_close(&s);
    buf_fini(&prefix);
}

TEST(an_object_that_is_gone_ends_the_channel)
{
    choose_small_sizes();
    open_bench((struct rings_channel){0});
    remove_object("o/3"); /* Nobody reads: it comes within the slots. */
    while (b.failure[0] == '\0') {
        struct pollfd p = {supply_told_fd(b.supply), POLLIN, 0};

        put_units(0);
        poll(&p, 1, 2);
        supply_told_heed(b.supply);
        take_words();
    }
    EXPECT(strstr(b.failure, "o/3") != NULL);
    close_bench();
}

TEST(or_is_skipped_where_the_job_says_so)
{
    choose_sizes(false);
    open_bench((struct rings_channel){.skips = true});
    remove_object("o/7");
    fork_consumer(0, 0);
    fork_consumer(1, 0);
    serve();
    EXPECT_EQ(b.codes[0], 0);
    EXPECT_EQ(b.codes[1], 0);
    expect_all_once();
    EXPECT_EQ(b.lines[0].skips, EPOCHS);
    close_bench();
}

TEST(what_a_dead_process_held_is_skipped_where_the_job_says_so)
{
    choose_sizes(true); /* Torn units, too. */
    open_bench((struct rings_channel){.skips = true, .drops = true});
    fork_consumer(0, 20);
    fork_consumer(0, 0);
    fork_consumer(1, 0);
    serve();
    EXPECT_EQ(b.codes[0], 128 + SIGKILL);
    EXPECT_EQ(b.codes[1], 0);
    expect_all_once();
    EXPECT(b.lines[0].skips >= 1);
    EXPECT(b.lines[0].skips <= SLOTS);
    EXPECT_EQ(rings_stats(b.rings).dropped, b.lines[0].skips);
    EXPECT_EQ(rings_stats(b.rings).again, 0);
    close_bench();
}

/* Who has had the end may have gone before its last release was seen. */
static void stop_rings(void)
{
    rings_stop(&b.rings);
    take_words();
}

/* Each sees all; a unit counts when the last has released it. */
TEST(all_members_of_a_broadcast_have_each_unit)
{
    choose_sizes(true);
    open_bench((struct rings_channel){.mode = RING_BROADCAST, .consumers = 2});
    fork_consumer(0, 0);
    fork_consumer(0, 0);
    fork_consumer(1, 0);
    fork_consumer(1, 0);
    serve();
    for (uint32_t i = 0; i < b.child_count; i++) {
        EXPECT_EQ(b.codes[i], 0);
    }
    stop_rings();
    expect_all_once();
    close_bench();
}

/* The others go on without one that is dropped. */
TEST(a_broadcast_goes_on_without_a_dead_member)
{
    choose_sizes(true);
    open_bench((struct rings_channel){
        .mode = RING_BROADCAST, .consumers = 2, .drops = true});
    fork_consumer(0, 5);
    fork_consumer(0, 0);
    fork_consumer(1, 0);
    fork_consumer(1, 0);
    serve();
    EXPECT_EQ(b.codes[0], 128 + SIGKILL);
    EXPECT_EQ(b.codes[1], 0);
    stop_rings();
    expect_all_once();
    EXPECT_EQ(b.lines[0].skips, 0);
    close_bench();
}
