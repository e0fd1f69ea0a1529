/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges as a flow delivers them: however an object is cut, its records come,
 * each once and whole, and in the order of the ranges. */
#include "worker/bounds.h"

#include "base/check.h"
#include "tests/fetch_kit.h"
#include "tests/framing_kit.h"
#include "tests/framing_made.h"

enum { SLOT = 8192, SLOTS = 5, UNITS_MAX = 24, ROUNDS = 25 };

/* The ranges of one object, and what came of them. */
static struct {
    enum framing format;
    uint64_t size; /* Of the object. */
    uint64_t cuts[UNITS_MAX + 1];
    uint64_t count;
    uint64_t next;
    uint64_t seen; /* Ranges that came to their end. */
    uint64_t ends[UNITS_MAX];
    struct buf bytes;
    uint64_t failed;
    bool pauses; /* Every second time none is to be had. */
} world;

static enum status next(void *self, struct flow_unit *out)
{
    uint64_t i = world.next;

    (void)self;
    if (i == world.count) {
        return STATUS_STOPPED;
    }
    world.pauses = !world.pauses;
    if (world.pauses && i % 3 == 1) {
        return STATUS_EMPTY;
    }
    *out = (struct flow_unit){
        .position = i,
        .mark = i * 5,
        .key = bytes_of("o"),
        .offset = world.cuts[i],
        .size = world.cuts[i + 1] - world.cuts[i],
        .framing = world.format,
        .object_size = world.size,
    };
    out->is_whole = out->size == world.size;
    world.next++;
    return STATUS_OK;
}

static void put_object(struct bytes body)
{
    struct buf prefix = {0};
    struct store *s;
    struct fault why;

    EXPECT_EQ(store_open("mem://a/", STORE_WRITE, &why, &s, &prefix),
              STATUS_OK);
    EXPECT_EQ(store_sync_put(
                  s, &(struct store_sync_put){.key = "o", .body = body}, &why),
              STATUS_OK);
    store_close(&s);
    buf_fini(&prefix);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Ranges of any size but none. */
static void cut(struct prng *p, enum framing format, uint64_t size)
{
    uint64_t cuts[UNITS_MAX] = {0};
    uint64_t count = prng_below(p, UNITS_MAX);

    buf_clear(&world.bytes);
    world.format = format;
    world.size = size;
    world.count = 0;
    world.next = 0;
    world.seen = 0;
    world.failed = 0;
    for (uint64_t i = 1; i < count; i++) {
        cuts[i] = prng_below(p, size);
    }
    qsort(cuts, count, sizeof(cuts[0]), compare);
    world.cuts[0] = 0;
    for (uint64_t i = 0; i <= count; i++) {
        uint64_t at = i < count ? cuts[i] : size;

        if (at > world.cuts[world.count]) {
            world.cuts[++world.count] = at;
        }
    }
}

static void see(const struct flow_slot *slot)
{
    for (uint32_t i = 0; i < slot->entry_count; i++) {
        const struct flow_entry *e = &slot->entries[i];

        EXPECT_EQ(e->position, world.seen);
        EXPECT_EQ(e->mark, 5 * e->position);
        world.failed += e->status != STATUS_OK;
        EXPECT((e->status != STATUS_OK) <= (slot->why != NULL));
        buf_add(&world.bytes, slot->data + e->at, e->size);
        if (e->is_last) {
            world.ends[world.seen++] = world.bytes.size;
        }
    }
}

/* What the ranges that came are back to, when the owner begins anew. */
static void forget(struct flow *f)
{
    flow_step(f);
    flow_reset(f);
    flow_check(f);
    world.next = world.seen;
    world.bytes.size = world.seen > 0 ? world.ends[world.seen - 1] : 0;
}

static void read_ranges(struct flow *f, struct prng *p)
{
    struct flow_slot slot;
    enum status s = STATUS_EMPTY;

    while (s != STATUS_STOPPED) {
        struct pollfd fd = {.fd = flow_fd(f), .events = POLLIN};

        flow_step(f);
        flow_check(f);
        s = flow_take(f, &slot);
        if (s == STATUS_OK) {
            see(&slot);
            flow_release(f, slot.slot);
        } else if (s == STATUS_EMPTY) {
            poll(&fd, 1, 1);
        }
        if (s != STATUS_STOPPED && prng_chance(p, 1, 40)) {
            forget(f);
        }
    }
    EXPECT_EQ(world.seen, world.count);
    flow_begin(f);
}

/* Each range on its own holds whole records, and all of them are the object's.
 */
static void compare_records(struct bytes object)
{
    struct framing_kit k = {.format = world.format, .object = object};
    struct buf whole = {0};
    struct buf ranges = {0};
    struct fault why = {.text = ""};
    uint64_t from = 0;

    EXPECT_EQ(world.failed, 0);
    EXPECT(bytes_is_equal(buf_bytes(&world.bytes), object));
    if (world.format != FRAMING_RAW && /* A range of it is no record. */
        framing_kit_read(&k, 0, object.size, &why, &whole) == STATUS_OK) {
        for (uint64_t i = 0; i < world.count; i++) {
            if (world.ends[i] > from) {
                EXPECT_EQ(
                    framing_kit_read(&k, from, world.ends[i], &why, &ranges),
                    STATUS_OK);
            }
            from = world.ends[i];
        }
        EXPECT(bytes_is_equal(buf_bytes(&whole), buf_bytes(&ranges)));
    }
    buf_fini(&whole);
    buf_fini(&ranges);
}

static struct flow *make_flow(struct fetch *fetch, struct slots *slots)
{
    return flow_new(&(struct flow_options){.fetch = fetch,
                                           .slots = slots,
                                           .lane = FETCH_ANY,
                                           .slots_max = SLOTS,
                                           .fills_last = true,
                                           .next = next});
}

static void play(enum framing format, uint64_t seed)
{
    struct slots_options so = {.count = SLOTS, .size = SLOT, .node = -1};
    struct buf object = {0};
    struct slots *slots;
    struct fetch *fetch;
    struct flow *f;
    struct fault why;
    struct prng p;

    prng_init(&p, seed);
    EXPECT_EQ(slots_new(&so, &why, &slots), STATUS_OK);
    fetch = kit_fetch_of("mem://a/", 2, 0);
    f = make_flow(fetch, slots);
    for (int i = 0; i < ROUNDS; i++) {
        random_object(&p, format, i % 5 == 0 ? 150 : 20, &object);
        if (object.size == 0) {
            continue;
        }
        put_object(buf_bytes(&object));
        cut(&p, format, object.size);
        read_ranges(f, &p);
        compare_records(buf_bytes(&object));
    }
    flow_destroy(&f);
    EXPECT_EQ(slots_free(slots), SLOTS);
    fetch_stop(&fetch);
    slots_destroy(&slots);
    buf_fini(&object);
    buf_fini(&world.bytes);
}

TEST(lines_come_once)
{
    play(FRAMING_LINES, 1);
}

TEST(recordio_comes_once)
{
    play(FRAMING_RECORDIO, 2);
}

TEST(tfrecords_come_once)
{
    play(FRAMING_TFRECORD, 3);
}

TEST(samples_of_tars_come_once)
{
    play(FRAMING_TAR, 4);
}

TEST(raw_ranges_are_left_as_they_are)
{
    play(FRAMING_RAW, 5);
    for (uint64_t i = 0; i < world.count; i++) {
        EXPECT_EQ(world.ends[i], world.cuts[i + 1]);
    }
}

/* One line of the whole object: its first range has it, the others nothing. */
TEST(a_record_that_is_longer_than_ranges_comes_once)
{
    struct slots_options so = {.count = SLOTS, .size = SLOT, .node = -1};
    enum { LONG = 300000 };
    char *line = mem_new(LONG, 1);
    struct slots *slots;
    struct fetch *fetch;
    struct flow *f;
    struct fault why;
    struct prng p;

    prng_init(&p, 8);
    memset(line, 'x', LONG);
    put_object((struct bytes){line, LONG});
    EXPECT_EQ(slots_new(&so, &why, &slots), STATUS_OK);
    fetch = kit_fetch_of("mem://a/", 1, 0);
    f = make_flow(fetch, slots);
    cut(&p, FRAMING_LINES, LONG);
    EXPECT(world.count > 3);
    read_ranges(f, &p);
    for (uint64_t i = 0; i < world.count; i++) {
        EXPECT_EQ(world.ends[i], LONG);
    }
    flow_destroy(&f);
    fetch_stop(&fetch);
    slots_destroy(&slots);
    buf_fini(&world.bytes);
    free(line);
}

TEST(what_cannot_be_looked_into_fails_in_its_place)
{
    struct slots_options so = {.count = SLOTS, .size = SLOT, .node = -1};
    struct slots *slots;
    struct fetch *fetch;
    struct flow *f;
    struct fault why;
    struct prng p;

    prng_init(&p, 9);
    kit_put_objects("mem://a/", NULL, 0);
    EXPECT_EQ(slots_new(&so, &why, &slots), STATUS_OK);
    fetch = kit_fetch_of("mem://a/", 1, 0);
    f = make_flow(fetch, slots);
    for (int i = 0; i < 5; i++) {
        cut(&p, FRAMING_LINES, 50000);
        world.failed = 0;
        read_ranges(f, &p);
        EXPECT(world.failed >= world.count);
        EXPECT_EQ(world.bytes.size, 0);
    }
    flow_destroy(&f);
    EXPECT_EQ(slots_free(slots), SLOTS);
    fetch_stop(&fetch);
    slots_destroy(&slots);
    buf_fini(&world.bytes);
}
