/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fetch.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/fetch_kit.h"

enum { OBJECTS = 40, REQUESTS = 400, RANGE_MAX = 3000, FOREVER = 60000 };

static size_t sizes[OBJECTS];
static uint8_t room[REQUESTS][RANGE_MAX];

static void put_objects(const char *uri)
{
    struct prng p;

    prng_init(&p, 11);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        sizes[i] = 1 + prng_below(&p, 20000);
    }
    kit_put_objects(uri, sizes, OBJECTS);
}

/* A range somewhere in an object, by chance. */
struct range {
    uint32_t object;
    uint64_t offset;
    size_t size;
};

static struct range a_range(struct prng *p)
{
    struct range r = {.object = (uint32_t)prng_below(p, OBJECTS)};

    r.offset = prng_below(p, sizes[r.object]);
    r.size = 1 + prng_below(p, sizes[r.object] - r.offset);
    r.size = r.size < RANGE_MAX ? r.size : RANGE_MAX;
    return r;
}

static void submit(struct fetch_port *p, uint64_t tag, const struct range *r,
                   uint64_t due)
{
    char key[32];
    struct fetch_request request = {
        .tag = tag,
        .lane = FETCH_ANY,
        .key = {key, (size_t)snprintf(key, sizeof(key), "o/%u", r->object)},
        .offset = r->offset,
        .size = r->size,
        .into = room[tag],
        .due = due,
    };

    fetch_submit(p, &request);
}

static void expect_right(const struct fetch_event *e, const struct range *r)
{
    if (e->status != STATUS_OK) {
        fprintf(stderr, "%s\n", e->why.text);
    }
    EXPECT_EQ(e->status, STATUS_OK);
    EXPECT(kit_is_right(room[e->tag], r->object, r->offset, r->size));
}

static void read_all(struct fetch *f, uint64_t seed)
{
    struct fetch_port *port = fetch_open(f);
    struct range ranges[REQUESTS];
    struct fetch_event e;
    struct prng p;

    prng_init(&p, seed);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        ranges[i] = a_range(&p);
        submit(port, i, &ranges[i], prng_below(&p, 5));
    }
    for (int i = 0; i < REQUESTS; i++) {
        EXPECT(fetch_wait(port, FOREVER, &e));
        expect_right(&e, &ranges[e.tag]);
        ranges[e.tag].size = 0; /* Once each. */
    }
    EXPECT(!fetch_take(port, &e));
    EXPECT(!fetch_wait(port, -1, &e));
    fetch_close(&port);
}

TEST(ranges_come_as_asked)
{
    for (uint32_t lanes = 1; lanes <= 3; lanes++) {
        struct fetch *f;

        put_objects("mem://a/");
        f = kit_fetch_of("mem://a/", lanes, 0);
        read_all(f, lanes);
        EXPECT_EQ(fetch_stats(f).requests, REQUESTS);
        EXPECT_EQ(fetch_stats(f).failed, 0);
        EXPECT_EQ(fetch_stats(f).inflight, 0);
        EXPECT_EQ(fetch_stats(f).waiting, 0);
        fetch_stop(&f);
    }
}

TEST(a_directory_too)
{
    char folder[] = "/tmp/test_fetch.XXXXXX";
    char uri[64];
    struct fetch *f;

    EXPECT(mkdtemp(folder) != NULL);
    snprintf(uri, sizeof(uri), "file://%s/", folder);
    put_objects(uri);
    f = kit_fetch_of(uri, 2, 0);
    read_all(f, 5);
    fetch_stop(&f);
    EXPECT_EQ(file_remove_tree(folder, NULL), STATUS_OK);
}

/* Bound to a core that there is, and to one that there is not: both read. */
TEST(lanes_have_their_place)
{
    static const uint32_t cores[] = {0, FETCH_CORES_MAX - 1};
    struct fetch_lane lanes[] = {{&cores[0], 1}, {&cores[1], 1}, {NULL, 0}};
    struct fetch_source source = {"train", "mem://a/"};
    struct fetch_options o = {.sources = &source,
                              .source_count = 1,
                              .lanes = lanes,
                              .lane_count = 3,
                              .requests_max = 2};
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;
    struct fault why;

    put_objects("mem://a/");
    EXPECT_EQ(fetch_start(&o, &why, &f), STATUS_OK);
    read_all(f, 1);
    port = fetch_open(f);
    for (uint32_t i = 0; i < 30; i++) {
        fetch_submit(port, &(struct fetch_request){.tag = i,
                                                   .lane = i % 3,
                                                   .key = BYTES("o/1"),
                                                   .size = 1,
                                                   .into = room[i]});
    }
    for (int i = 0; i < 30; i++) {
        EXPECT(fetch_wait(port, FOREVER, &e));
        EXPECT_EQ(e.status, STATUS_OK);
        EXPECT(kit_is_right(room[e.tag], 1, 0, 1));
    }
    EXPECT(fetch_stats(f).target <= 2);
    fetch_close(&port);
    fetch_stop(&f);
}

static enum status ask(struct fetch *f, const char *key, const char *etag,
                       struct range r, struct fetch_event *e)
{
    struct fetch_port *port = fetch_open(f);
    struct fetch_request request = {.tag = 7,
                                    .lane = 0,
                                    .key = bytes_of(key),
                                    .etag = bytes_of(etag),
                                    .offset = r.offset,
                                    .size = r.size,
                                    .into = room[0]};

    fetch_submit(port, &request);
    EXPECT(fetch_wait(port, FOREVER, e));
    EXPECT_EQ(e->tag, 7);
    fetch_close(&port);
    return e->status;
}

TEST(what_can_not_be_read_says_why)
{
    struct range some = {0, 0, 1};
    struct range beyond = {0, 0, 2000};
    struct range outside = {0, 30000, 10};
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    sizes[0] = 100;
    kit_put_objects("mem://a/", sizes, 1);
    f = kit_fetch_of("mem://a/", 1, 0);
    EXPECT_EQ(ask(f, "o/none", "", some, &e), STATUS_NOT_FOUND);
    EXPECT(strncmp(e.why.text, "train: mem://a/o/none: ", 23) == 0);
    EXPECT_EQ(ask(f, "o/none", "other", some, &e), STATUS_NOT_FOUND);
    EXPECT_STR(e.why.text,
               "train: mem://a/o/none: it was deleted since it was listed; "
               "start the job again, and let nobody write to its source");
    EXPECT_EQ(ask(f, "o/0", "other", some, &e), STATUS_CHANGED);
    EXPECT_STR(e.why.text,
               "train: mem://a/o/0: it was overwritten or shortened since it "
               "was listed; start the job again, and let nobody write to its "
               "source");
    EXPECT_EQ(ask(f, "o/0", "", beyond, &e), STATUS_INVALID);
    EXPECT_STR(e.why.text, "train: mem://a/o/0: has 100 bytes, and a range up "
                           "to 2000 was asked for");
    EXPECT_EQ(ask(f, "o/0", "", outside, &e), STATUS_INVALID);
    EXPECT_EQ(ask(f, "", "", some, &e), STATUS_INVALID);
    EXPECT_EQ(ask(f, "o/0", "", some, &e), STATUS_OK);
    EXPECT_STR(e.why.text, "");
    EXPECT_EQ(fetch_stats(f).failed, 6);
    fetch_stop(&f);
}

/* It has the etag that was listed, but less than was listed with it. */
TEST(a_pinned_object_that_is_short_has_changed)
{
    struct range beyond = {0, 0, 2000};
    struct fetch_look look = {.size = 0};
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    sizes[0] = 100;
    kit_put_objects("mem://a/", sizes, 1);
    f = kit_fetch_of("mem://a/", 1, 0);
    port = fetch_open(f);
    fetch_submit(port,
                 &(struct fetch_request){.key = BYTES("o/0"), .look = &look});
    EXPECT(fetch_wait(port, FOREVER, &e) && e.status == STATUS_OK);
    fetch_close(&port);
    EXPECT_EQ(ask(f, "o/0", look.etag, beyond, &e), STATUS_CHANGED);
    EXPECT(e.is_short);
    fetch_stop(&f);
}

TEST(a_source_that_is_none_is_said_at_the_start)
{
    struct fetch_source sources[] = {{"val", "mem://a/"},
                                     {"train", "mem://a/part"}};
    struct fetch_options o = {
        .sources = sources, .source_count = 2, .lane_count = 2};
    struct fetch *f;
    struct fault why;

    EXPECT_EQ(fetch_start(&o, &why, &f), STATUS_INVALID);
    EXPECT(f == NULL && strncmp(why.text, "train: mem://a/part: ", 21) == 0);
    sources[1].root_uri = "file:///nonexistent/of/course/";
    EXPECT_EQ(fetch_start(&o, &why, &f), STATUS_NOT_FOUND);
    sources[1].root_uri = "odd://x/";
    EXPECT(fetch_start(&o, &why, &f) != STATUS_OK);
    fetch_stop(&f);
}

/* Where the store does not try again for itself, the lane does. */
TEST(what_may_pass_is_tried_again)
{
    struct range some = {0, 0, 1};
    struct fetch_event e;
    uint64_t before;
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 0);
    store_mem_fail("a", (struct store_mem_failure){
                            .in = 1, .count = 2, .status = STATUS_STORE});
    EXPECT_EQ(ask(f, "o/1", "", some, &e), STATUS_OK);
    EXPECT(kit_is_right(room[0], 1, 0, 1));
    store_mem_fail("a", (struct store_mem_failure){
                            .in = 1, .count = 99, .status = STATUS_STORE});
    before = store_mem_requests("a");
    EXPECT_EQ(ask(f, "o/1", "", some, &e), STATUS_STORE);
    EXPECT_EQ(store_mem_requests("a") - before, 4);
    store_mem_fail("a", (struct store_mem_failure){
                            .in = 1, .count = 99, .status = STATUS_DENIED});
    before = store_mem_requests("a");
    EXPECT_EQ(ask(f, "o/1", "", some, &e), STATUS_DENIED);
    EXPECT_EQ(store_mem_requests("a") - before, 1);
    fetch_stop(&f);
}

/* One at a time: they come in the order in which they are due. */
TEST(the_soonest_goes_first)
{
    struct fetch_port *port;
    struct fetch *f;
    struct fetch_event e;
    struct range ranges[REQUESTS];
    uint64_t due[REQUESTS];
    uint64_t last = 0;
    uint32_t behind = 0;
    struct prng p;

    prng_init(&p, 3);
    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 1);
    port = fetch_open(f);
    /* The lane is busy meanwhile: with what it tries again. */
    store_mem_fail("a", (struct store_mem_failure){
                            .in = 1, .count = 2, .status = STATUS_STORE});
    for (uint64_t i = 0; i < REQUESTS; i++) {
        ranges[i] = a_range(&p);
        due[i] = i == 0 ? 1 : 2 + prng_below(&p, 1000);
        submit(port, i, &ranges[i], due[i]);
    }
    for (uint64_t i = 1; i < REQUESTS; i += 3) {
        due[i] = 2 + prng_below(&p, 1000);
        fetch_hurry(port, i, due[i]);
    }
    fetch_hurry(port, 77777, 1);
    for (int i = 0; i < REQUESTS; i++) {
        EXPECT(fetch_wait(port, FOREVER, &e));
        expect_right(&e, &ranges[e.tag]);
        behind += due[e.tag] < last;
        last = due[e.tag];
    }
    EXPECT_EQ(behind, 0);
    fetch_close(&port);
    fetch_stop(&f);
}

/* What somebody waits for does not wait for those that are under way. */
TEST(now_is_now)
{
    struct range some = {1, 0, 1};
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 1);
    port = fetch_open(f);
    store_mem_fail("a", (struct store_mem_failure){
                            .in = 1, .count = 1, .status = STATUS_STORE});
    submit(port, 0, &some, 5);
    submit(port, 1, &some, 6);
    while (store_mem_requests("a") < OBJECTS + 1) {
        /* Until the first has failed: for the pause it is under way. */
    }
    submit(port, 2, &some, FETCH_NOW);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.tag, 2);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.tag, 0);
    fetch_close(&port);
    fetch_stop(&f);
}

static void read_two(struct fetch *f, uint64_t seed)
{
    struct fetch_port *ports[2] = {fetch_open(f), fetch_open(f)};
    struct range ranges[REQUESTS];
    struct fetch_event e;
    struct prng p;

    prng_init(&p, seed);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        ranges[i] = a_range(&p);
        submit(ports[i % 2], i, &ranges[i], i);
    }
    for (uint64_t i = 0; i < REQUESTS; i += 1 + prng_below(&p, 8)) {
        fetch_cancel(ports[i % 2], i);
    }
    for (uint64_t i = prng_below(&p, REQUESTS); i > 0; i--) {
        if (fetch_wait(ports[0], FOREVER, &e) && e.status != STATUS_STOPPED) {
            EXPECT(e.tag % 2 == 0);
            expect_right(&e, &ranges[e.tag]);
        }
    }
    fetch_close(&ports[prng_below(&p, 2)]);
    fetch_close(&ports[0]);
    fetch_close(&ports[1]);
    memset(room, 0, sizeof(room)); /* Nobody else writes there now. */
}

TEST(cancelled_and_closed_at_any_moment)
{
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 2, 0);
    for (uint64_t seed = 0; seed < 30; seed++) {
        read_two(f, seed);
    }
    EXPECT_EQ(fetch_stats(f).inflight, 0);
    EXPECT_EQ(fetch_stats(f).waiting, 0);
    fetch_stop(&f);
}

TEST(cancelled_all_get_their_event)
{
    struct range some = {1, 0, 1};
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 2);
    port = fetch_open(f);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        submit(port, i, &some, i);
        fetch_cancel(port, i);
    }
    for (int i = 0; i < REQUESTS; i++) {
        EXPECT(fetch_wait(port, FOREVER, &e));
        EXPECT(e.status == STATUS_OK || e.status == STATUS_STOPPED);
        EXPECT_EQ(e.why.text[0] != '\0', e.status != STATUS_OK);
    }
    EXPECT(!fetch_take(port, &e));
    fetch_close(&port);
    fetch_stop(&f);
}

/* Of a group, only the last one tells; or one that fails. */
TEST(a_group_tells_once)
{
    struct fetch_group group = {.count = 0};
    struct fetch_request r = {.lane = FETCH_ANY,
                              .key = BYTES("o/1"),
                              .size = 1,
                              .group = &group,
                              .into = room[0]};
    struct pollfd fd = {.events = POLLIN};
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 1);
    port = fetch_open(f);
    fd.fd = fetch_fd(port);
    for (r.tag = 0; r.tag < 50; r.tag++) {
        r.due = r.tag + 1;
        fetch_submit(port, &r);
    }
    EXPECT_EQ(poll(&fd, 1, FOREVER), 1);
    for (int i = 0; i < 50; i++) { /* All are there, unless it ran ahead. */
        EXPECT(fetch_wait(port, FOREVER, &e));
    }
    EXPECT_EQ(group.count, 0);
    EXPECT(!fetch_take(port, &e));
    r.key = BYTES("o/none");
    fetch_submit(port, &r);
    EXPECT_EQ(poll(&fd, 1, FOREVER), 1);
    fetch_close(&port);
    EXPECT_EQ(group.count, 0);
    fetch_stop(&f);
}

TEST(the_descriptor_tells)
{
    struct range some = {1, 0, 1};
    struct fetch_port *port;
    struct pollfd fd = {.events = POLLIN};
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 0);
    port = fetch_open(f);
    fd.fd = fetch_fd(port);
    EXPECT_EQ(poll(&fd, 1, 0), 0);
    submit(port, 0, &some, 0);
    EXPECT_EQ(poll(&fd, 1, FOREVER), 1);
    EXPECT(fetch_take(port, &e));
    EXPECT(!fetch_take(port, &e));
    EXPECT_EQ(poll(&fd, 1, 0), 0);
    fetch_close(&port);
    fetch_stop(&f);
}

/* ---- beside memory ------------------------------------------------------ */

TEST(a_look_tells_without_reading)
{
    struct fetch_look look = {0};
    struct fetch_request r = {
        .lane = FETCH_ANY, .key = BYTES("o/7"), .look = &look};
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 0);
    port = fetch_open(f);
    fetch_submit(port, &r);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_OK);
    EXPECT(look.size == sizes[7] && look.etag[0] != '\0');
    /* And what it told pins a range. */
    r = (struct fetch_request){.lane = FETCH_ANY,
                               .key = BYTES("o/7"),
                               .etag = bytes_of(look.etag),
                               .size = 1,
                               .sum = CRC_64NVME,
                               .into = room[0]};
    fetch_submit(port, &r);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_OK);
    EXPECT_EQ(e.size, sizes[7]);
    EXPECT_EQ(e.sum, crc_add(CRC_64NVME, 0, room[0], 1));
    r.key = BYTES("o/none");
    r.look = &look;
    r.size = 0;
    r.into = NULL;
    fetch_submit(port, &r);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT_EQ(e.status, STATUS_NOT_FOUND);
    fetch_close(&port);
    fetch_stop(&f);
}

/* Parts of one file by several lanes, in any order. */
TEST(lanes_write_to_a_file)
{
    enum { FILE_PART = 100 };
    char name[] = "/tmp/test_fetch.XXXXXX";
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;
    uint8_t *got;
    int fd = mkstemp(name);

    EXPECT(fd >= 0 && unlink(name) == 0);
    put_objects("mem://a/");
    got = mem_new(sizes[3], 1);
    f = kit_fetch_of("mem://a/", 3, 0);
    port = fetch_open(f);
    for (uint32_t i = 0; i * FILE_PART < sizes[3]; i++) {
        size_t left = sizes[3] - i * FILE_PART;

        fetch_submit(port, &(struct fetch_request){
                               .tag = i,
                               .lane = FETCH_ANY,
                               .key = BYTES("o/3"),
                               .offset = i * FILE_PART,
                               .size = left < FILE_PART ? left : FILE_PART,
                               .into = room[i],
                               .has_file = true,
                               .fd = fd,
                           });
    }
    while (fetch_wait(port, FOREVER, &e)) {
        EXPECT_EQ(e.status, STATUS_OK);
        EXPECT_EQ(e.write_error, 0);
    }
    EXPECT_EQ(pread(fd, got, sizes[3], 0), (ssize_t)sizes[3]);
    EXPECT(kit_is_right(got, 3, 0, sizes[3]));
    fetch_close(&port);
    fetch_stop(&f);
    free(got);
    close(fd);
}

TEST(a_file_that_can_not_be_written_is_told)
{
    struct fetch_request r = {.lane = FETCH_ANY,
                              .key = BYTES("o/3"),
                              .size = 1,
                              .into = room[0],
                              .has_file = true,
                              .fd = -1};
    struct fetch_port *port;
    struct fetch_event e;
    struct fetch *f;

    put_objects("mem://a/");
    f = kit_fetch_of("mem://a/", 1, 0);
    port = fetch_open(f);
    fetch_submit(port, &r);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT(e.status != STATUS_OK && e.write_error == EBADF);
    r.has_file = false; /* And a range that is not there, too. */
    r.offset = sizes[3] - 1;
    r.size = 2;
    fetch_submit(port, &r);
    EXPECT(fetch_wait(port, FOREVER, &e));
    EXPECT(e.status == STATUS_INVALID && e.is_short);
    EXPECT_EQ(e.write_error, 0);
    fetch_close(&port);
    fetch_stop(&f);
}
