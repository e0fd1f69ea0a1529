/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch from a server that breaks off, stalls, lies and throttles: what comes
 * is right, or an error with a name. */
#include "worker/fetch.h"

#include "store/hedge.h"
#include "tests/fetch_kit.h"
#include "tests/s3_kit.h"
#include "worker/flow.h"

enum { OBJECTS = 12, SIZE = 100000, PARTS = 60, FOREVER = 100000 };

static uint8_t room[PARTS][SIZE];

static struct fetch *begin(uint32_t lanes, uint32_t requests)
{
    uint8_t *body = mem_new(SIZE, 1);

    kit_start(&(struct s3server_options){.quirks = 0});
    for (uint32_t i = 0; i < OBJECTS; i++) {
        char key[32];

        snprintf(key, sizeof(key), "o/%u", i);
        kit_fill(body, i, 0, SIZE);
        s3server_put(kit_server, key, body, SIZE);
    }
    free(body);
    return kit_fetch_of("s3://bucket/", lanes, requests);
}

static void end(struct fetch **f)
{
    fetch_stop(f);
    kit_stop();
}

static void submit(struct fetch_port *p, uint64_t tag, const char *etag)
{
    char key[32];
    struct fetch_request request = {
        .tag = tag,
        .lane = FETCH_ANY,
        .key = {key, (size_t)snprintf(key, sizeof(key), "o/%u",
                                      (uint32_t)(tag % OBJECTS))},
        .etag = bytes_of(etag),
        .offset = 10 * tag,
        .size = SIZE - 20 * tag,
        .into = room[tag],
        .due = tag + 1,
    };

    fetch_submit(p, &request);
}

static void fault(uint32_t skip, enum s3server_act act, uint64_t bytes)
{
    s3server_fault(kit_server, &(struct s3server_fault){.method = "GET",
                                                        .skip = skip,
                                                        .count = 1,
                                                        .act = act,
                                                        .bytes = bytes});
}

static bool is_right(uint64_t tag)
{
    return kit_is_right(room[tag], tag % OBJECTS, 10 * tag, SIZE - 20 * tag);
}

static void read_all(struct fetch *f)
{
    struct fetch_port *port = fetch_open(f);
    struct fetch_event e;

    for (uint64_t i = 0; i < PARTS; i++) {
        submit(port, i, "");
    }
    for (int i = 0; i < PARTS; i++) {
        EXPECT(fetch_wait(port, FOREVER, &e));
        EXPECT_EQ(e.status, STATUS_OK);
        EXPECT(is_right(e.tag));
    }
    fetch_close(&port);
}

TEST(faults_in_mid_stream_give_no_wrong_byte)
{
    static const enum s3server_act acts[] = {
        S3SERVER_CUT,         S3SERVER_RESET,       S3SERVER_CLOSE,
        S3SERVER_WRONG_RANGE, S3SERVER_LONG_LENGTH, S3SERVER_SHORT_LENGTH,
        S3SERVER_ANSWER};
    struct fetch *f = begin(2, 0);
    struct prng p;

    prng_init(&p, 17);
    for (uint32_t i = 0; i < 24; i++) {
        fault((uint32_t)prng_below(&p, PARTS), acts[i % 7],
              prng_below(&p, SIZE / 2));
    }
    read_all(f);
    EXPECT_EQ(fetch_stats(f).failed, 0);
    EXPECT_EQ(fetch_stats(f).bytes,
              PARTS * SIZE - 20 * (PARTS * (PARTS - 1) / 2));
    EXPECT(s3server_requests(kit_server, "GET", NULL) > PARTS);
    end(&f);
}

TEST(an_object_that_changes_is_named)
{
    struct fetch *f = begin(1, 0);
    struct fetch_port *port = fetch_open(f);
    struct fetch_event e;

    submit(port, 3, "0123456789abcdef0123456789abcdef");
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_CHANGED);
    EXPECT(strncmp(e.why.text, "train: s3://bucket/o/3: ", 24) == 0);
    /* Cut in the middle, and then it is another one. */
    fault(0, S3SERVER_CUT, 5000);
    fault(0, S3SERVER_OVERWRITE, 0);
    submit(port, 4, "");
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_CHANGED);
    fetch_close(&port);
    end(&f);
}

/* Nobody waits for a server that says nothing. */
TEST(a_stalled_answer_is_given_up_at_once)
{
    struct fetch *f = begin(1, 4);
    struct fetch_port *port = fetch_open(f);
    struct fetch_event e;

    s3server_fault(kit_server, &(struct s3server_fault){.key = "o/1",
                                                        .act = S3SERVER_STALL,
                                                        .bytes = 100});
    s3server_fault(kit_server, &(struct s3server_fault){.key = "o/2",
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 1000000});
    for (uint64_t i = 0; i < 4; i++) {
        submit(port, i, "");
    }
    for (int i = 0; i < 2; i++) { /* 0 and 3, in any order. */
        EXPECT(fetch_wait(port, FOREVER, &e));
        EXPECT_EQ(e.status, STATUS_OK);
    }
    fetch_cancel(port, 1);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.tag, 1);
    EXPECT_EQ(e.status, STATUS_STOPPED);
    EXPECT(strstr(e.why.text, "cancelled") != NULL);
    fetch_close(&port); /* With the other one under way. */
    memset(room, 0, sizeof(room));
    port = fetch_open(f);
    submit(port, 5, "");
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_OK);
    EXPECT(is_right(5));
    fetch_close(&port);
    end(&f);
}

TEST(closed_at_any_moment)
{
    struct fetch *f = begin(2, 0);
    struct prng p;

    prng_init(&p, 23);
    for (int round = 0; round < 30; round++) {
        struct fetch_port *port = fetch_open(f);
        struct fetch_event e;

        for (uint64_t i = 0; i < PARTS; i++) {
            submit(port, i, "");
        }
        for (uint64_t i = prng_below(&p, 12); i > 0; i--) {
            EXPECT(fetch_wait(port, FOREVER, &e));
            EXPECT(e.status == STATUS_STOPPED ||
                   (e.status == STATUS_OK && is_right(e.tag)));
            fetch_cancel(port, prng_below(&p, PARTS));
        }
        fetch_close(&port);
        memset(room, 0, sizeof(room));
    }
    EXPECT_EQ(fetch_stats(f).inflight, 0);
    end(&f);
}

/* A store that throttles is asked for less at once. */
TEST(a_throttled_store_lowers_the_pace)
{
    struct fetch *f = begin(1, 0);

    read_all(f);
    s3server_fault(kit_server, &(struct s3server_fault){.method = "GET",
                                                        .count = 1,
                                                        .act = S3SERVER_ANSWER,
                                                        .code = 503,
                                                        .error = "SlowDown"});
    read_all(f);
    EXPECT_EQ(fetch_stats(f).failed, 0);
    end(&f);
}

/* An answer that does not come is asked for twice, and the stats say so. */
TEST(a_late_answer_is_asked_for_twice)
{
    struct fetch *f = begin(1, 1);
    struct store *s = kit_open();
    struct store_request head = {.op = STORE_HEAD, .key = BYTES("o/0")};
    struct fetch_port *port;
    struct store_event found;
    struct fetch_event e;

    read_all(f);
    EXPECT_EQ(kit_ask(s, head, &found), STATUS_OK);
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 1000000});
    port = fetch_open(f);
    submit(port, 0, found.etag);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_OK);
    EXPECT(is_right(0));
    EXPECT_EQ(fetch_stats(f).hedged, 1);
    EXPECT_EQ(fetch_stats(f).hedges_won, 1);
    EXPECT_EQ(hedge_used(), 0);
    fetch_close(&port);
    store_close(&s);
    end(&f);
}

/* No memory for a second answer: then there is none. */
TEST(without_room_nothing_is_asked_for_twice)
{
    struct fetch *f = begin(1, 1);
    struct store *s = kit_open();
    struct store_request head = {.op = STORE_HEAD, .key = BYTES("o/0")};
    struct fetch_port *port;
    struct store_event found;
    struct fetch_event e;

    hedge_set_room(SIZE - 1);
    read_all(f);
    EXPECT_EQ(kit_ask(s, head, &found), STATUS_OK);
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 1000});
    port = fetch_open(f);
    submit(port, 0, found.etag);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_OK);
    EXPECT_EQ(fetch_stats(f).hedged, 0);
    fetch_close(&port);
    store_close(&s);
    end(&f);
}

static enum status next_once(void *self, struct flow_unit *out)
{
    bool *was_given = self;

    if (*was_given) {
        return STATUS_STOPPED;
    }
    *was_given = true;
    *out =
        (struct flow_unit){.key = BYTES("o/1"), .size = SIZE, .is_whole = true};
    return STATUS_OK;
}

/* Of a whole object the store keeps a checksum: on the way to a ring or a FIFO
 * it is looked at, too. */
TEST(a_damaged_unit_is_not_delivered)
{
    struct slots_options o = {.count = 2, .size = 256 << 10, .node = -1};
    struct fetch *f = begin(1, 0);
    struct flow_slot slot;
    struct slots *slots;
    struct flow *flow;
    struct fault why;
    bool was_given = false;
    enum status s;

    s3server_fault(kit_server, &(struct s3server_fault){.method = "GET",
                                                        .act = S3SERVER_CORRUPT,
                                                        .bytes = 1234});
    EXPECT_EQ(slots_new(&o, &why, &slots), STATUS_OK);
    flow = flow_new(&(struct flow_options){.fetch = f,
                                           .slots = slots,
                                           .lane = FETCH_ANY,
                                           .slots_max = 2,
                                           .fills_last = true,
                                           .next = next_once,
                                           .next_self = &was_given});
    while ((s = flow_take(flow, &slot)) == STATUS_EMPTY) {
        flow_step(flow);
    }
    EXPECT_EQ(s, STATUS_OK);
    EXPECT_EQ(slot.entries[0].status, STATUS_STORE);
    EXPECT(strstr(slot.why->text, "checksum") != NULL);
    flow_destroy(&flow);
    slots_destroy(&slots);
    end(&f);
}
