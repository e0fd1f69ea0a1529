/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/flow.h"

#include "base/check.h"
#include "tests/fetch_kit.h"

enum {
    OBJECTS = 60,
    SLOT = 8192,
    MAX_ROOM = 192 << 10, /* Of a slot, in any test. */
    SLOTS = 7,
    EPOCHS = 3,
    FOREVER = 60000,
};

static size_t sizes[OBJECTS];
static bool is_gone[OBJECTS];

/* Who yields units, and what the consumer has seen of them. */
static struct source {
    uint64_t epoch;
    uint64_t next;
    uint64_t end;     /* Of each epoch. */
    uint64_t pause;   /* EMPTY at this position. */
    uint64_t seen;    /* The unit whose bytes come now, */
    uint64_t seen_at; /* and how many came. */
    uint64_t failed;
    char key[32];
    char etag[STORE_ETAG_MAX];
} source;

static enum status next(void *self, struct flow_unit *out)
{
    struct source *s = self;
    static uint8_t text[5 * SLOT];
    uint64_t object = s->next % OBJECTS;

    if (s->next == s->end) {
        return STATUS_STOPPED;
    }
    if (s->next == s->pause) {
        return STATUS_EMPTY;
    }
    snprintf(s->key, sizeof(s->key), "o/%s%u", is_gone[object] ? "gone" : "",
             (unsigned)object);
    *out = (struct flow_unit){.epoch = s->epoch,
                              .position = s->next,
                              .mark = s->next * 7,
                              .key = bytes_of(s->key),
                              .etag = bytes_of(s->etag),
                              .size = sizes[object]};
    out->is_whole = true;
    if (object % 5 == 2 && !is_gone[object]) { /* It need not be fetched. */
        kit_fill(text, object, 0, sizes[object]);
        out->key = bytes_of("o/none");
        out->text = (const char *)text;
    }
    s->next++;
    return STATUS_OK;
}

static void put_objects(uint64_t seed)
{
    struct prng p;

    prng_init(&p, seed);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        uint64_t kind = prng_below(&p, 10);

        sizes[i] = prng_below(&p, kind == 0   ? 1
                                  : kind <= 5 ? 700
                                  : kind <= 8 ? 2 * SLOT
                                              : 5 * SLOT);
        is_gone[i] = sizes[i] > 0 && prng_below(&p, 12) == 0;
    }
    kit_put_objects("mem://a/", sizes, OBJECTS);
}

static struct slots *make_slots(uint32_t count)
{
    struct slots_options o = {.count = count, .size = SLOT, .node = -1};
    struct slots *slots;
    struct fault why;

    EXPECT_EQ(slots_new(&o, &why, &slots), STATUS_OK);
    return slots;
}

static struct flow *make_flow(struct fetch *fetch, struct slots *slots,
                              bool fills_last)
{
    struct flow_options o = {.fetch = fetch,
                             .slots = slots,
                             .lane = FETCH_ANY,
                             .slots_max = SLOTS,
                             .fills_last = fills_last,
                             .next = next,
                             .next_self = &source};

    return flow_new(&o);
}

static void see_entry(const struct flow_slot *slot, const struct flow_entry *e)
{
    uint64_t object = e->position % OBJECTS;

    EXPECT_EQ(e->epoch, source.epoch);
    EXPECT_EQ(e->position, source.seen);
    EXPECT_EQ(e->mark, 7 * e->position);
    EXPECT_EQ(e->unit_size, sizes[object]);
    EXPECT_EQ(e->is_first, source.seen_at == 0);
    EXPECT(e->at + e->size <= slot->size && slot->size <= MAX_ROOM);
    if (e->status != STATUS_OK) {
        EXPECT(is_gone[object] && slot->why != NULL);
        EXPECT(e->status == STATUS_NOT_FOUND && e->size == 0 && e->is_last);
        source.failed++;
    } else {
        EXPECT(!is_gone[object]);
        EXPECT_EQ(e->offset, source.seen_at);
        EXPECT(kit_is_right(slot->data + e->at, object, e->offset, e->size));
        source.seen_at += e->size;
        EXPECT_EQ(e->is_last, source.seen_at == sizes[object]);
    }
    if (e->is_last) {
        source.seen++;
        source.seen_at = 0;
    }
}

static void see(const struct flow_slot *slot)
{
    EXPECT(slot->entry_count > 0);
    for (uint32_t i = 0; i < slot->entry_count; i++) {
        see_entry(slot, &slot->entries[i]);
    }
}

/* The next slot, or the epoch's end; flow_step() runs as an owner would. */
static enum status take(struct flow *f, struct flow_slot *out)
{
    struct pollfd fd = {.fd = flow_fd(f), .events = POLLIN};
    enum status s;

    for (;;) {
        flow_step(f);
        flow_check(f);
        s = flow_take(f, out);
        flow_check(f);
        if (s != STATUS_EMPTY) {
            return s;
        }
        EXPECT(poll(&fd, 1, FOREVER) == 1);
    }
}

static void begin_epoch(uint64_t epoch, uint64_t end)
{
    source.epoch = epoch;
    source.next = 0;
    source.seen = 0;
    source.end = end;
}

/* Slots come back in any order, some of them late. */
struct held {
    uint32_t slots[SLOTS];
    uint32_t count;
};

static void release_some(struct flow *f, struct held *h, struct prng *p,
                         uint32_t most)
{
    while (h->count > most) {
        uint32_t i = (uint32_t)prng_below(p, h->count);

        flow_release(f, h->slots[i]);
        h->slots[i] = h->slots[--h->count];
    }
}

static void read_epoch(struct flow *f, struct prng *p, uint64_t *number)
{
    struct held h = {.count = 0};
    struct flow_slot slot;

    while (take(f, &slot) == STATUS_OK) {
        EXPECT_EQ(slot.number, (*number)++);
        see(&slot);
        h.slots[h.count++] = slot.slot;
        release_some(f, &h, p, (uint32_t)prng_below(p, SLOTS - 1));
    }
    EXPECT_EQ(source.seen, source.end);
    release_some(f, &h, p, 0);
}

TEST(units_come_in_order_and_whole)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct slots *slots = make_slots(SLOTS);
        uint64_t number = 0;
        struct fetch *fetch;
        struct flow *f;
        struct prng p;

        prng_init(&p, seed);
        put_objects(seed);
        fetch = kit_fetch_of("mem://a/", 1 + seed % 2, 0);
        source = (struct source){.pause = UINT64_MAX};
        f = make_flow(fetch, slots, true);
        for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
            begin_epoch(epoch, 100);
            read_epoch(f, &p, &number);
            flow_begin(f);
        }
        EXPECT_EQ(flow_stats(f).units + flow_stats(f).failed, EPOCHS * 100);
        EXPECT_EQ(flow_stats(f).failed, source.failed);
        flow_destroy(&f);
        EXPECT_EQ(slots_free(slots), SLOTS);
        fetch_stop(&fetch);
        slots_destroy(&slots);
    }
}

/* The owner goes back to what it saw last, at any moment. */
TEST(a_reset_begins_again_anywhere)
{
    struct slots *slots = make_slots(SLOTS);
    struct fetch *fetch;
    struct flow_slot slot;
    struct flow *f;
    struct prng p;

    prng_init(&p, 5);
    put_objects(99);
    fetch = kit_fetch_of("mem://a/", 2, 0);
    source = (struct source){.pause = UINT64_MAX, .end = 100000};
    f = make_flow(fetch, slots, true);
    for (int i = 0; i < 200; i++) {
        for (uint64_t n = prng_below(&p, 4); n > 0; n--) {
            EXPECT_EQ(take(f, &slot), STATUS_OK);
            see(&slot);
            flow_release(f, slot.slot);
        }
        flow_step(f);
        flow_reset(f);
        flow_check(f);
        source.next = source.seen;
        source.seen_at = 0;
    }
    flow_destroy(&f);
    EXPECT_EQ(slots_free(slots), SLOTS);
    fetch_stop(&fetch);
    slots_destroy(&slots);
}

TEST(small_units_share_a_slot)
{
    struct slots *slots = make_slots(SLOTS);
    struct fetch *fetch;
    struct flow_slot slot;
    struct flow *f;

    for (uint32_t i = 0; i < OBJECTS; i++) {
        sizes[i] = 100;
    }
    kit_put_objects("mem://a/", sizes, OBJECTS);
    fetch = kit_fetch_of("mem://a/", 1, 0);
    source = (struct source){.pause = 80, .end = 90};
    f = make_flow(fetch, slots, true);
    EXPECT_EQ(take(f, &slot), STATUS_OK);
    EXPECT_EQ(slot.entry_count, SLOT / 128);
    EXPECT_EQ(slot.size, SLOT - 28);
    see(&slot);
    /* Nothing more was to be had: what is there comes. */
    EXPECT_EQ(take(f, &slot), STATUS_OK);
    EXPECT_EQ(slot.entry_count, 80 - SLOT / 128);
    see(&slot);
    source.pause = UINT64_MAX;
    EXPECT_EQ(take(f, &slot), STATUS_OK);
    EXPECT_EQ(slot.entry_count, 10);
    see(&slot);
    EXPECT_EQ(take(f, &slot), STATUS_STOPPED);
    EXPECT_EQ(flow_stats(f).held, 3);
    flow_destroy(&f); /* The consumer's slots go back, too. */
    EXPECT_EQ(slots_free(slots), SLOTS);

    source = (struct source){.pause = 20, .end = 40};
    f = make_flow(fetch, slots, false);
    flow_step(f); /* As far as the pause. */
    EXPECT_EQ(flow_take(f, &slot), STATUS_EMPTY);
    EXPECT_EQ(source.next, 20);
    source.pause = UINT64_MAX;
    EXPECT_EQ(take(f, &slot), STATUS_OK);
    EXPECT_EQ(slot.entry_count, 40);
    flow_destroy(&f);
    fetch_stop(&fetch);
    slots_destroy(&slots);
}

/* Units without bytes take no slot's room, and come in their place. */
TEST(empty_units_come_too)
{
    struct slots *slots = make_slots(1);
    struct fetch *fetch;
    struct flow_slot slot;
    struct flow *f;

    memset(sizes, 0, sizeof(sizes));
    sizes[3] = 5;
    kit_put_objects("mem://a/", sizes, OBJECTS);
    fetch = kit_fetch_of("mem://a/", 1, 0);
    source = (struct source){.pause = UINT64_MAX, .end = 2000};
    f = make_flow(fetch, slots, true);
    EXPECT_EQ(take(f, &slot), STATUS_OK);
    EXPECT_EQ(slot.entry_count, FLOW_ENTRIES_MAX);
    see(&slot);
    flow_release(f, slot.slot);
    EXPECT_EQ(take(f, &slot), STATUS_OK);
    EXPECT_EQ(slot.entry_count, 2000 - FLOW_ENTRIES_MAX);
    see(&slot);
    flow_destroy(&f);
    fetch_stop(&fetch);
    slots_destroy(&slots);
}

/* What is there now is not what was listed. */
TEST(a_unit_that_was_overwritten_is_not_delivered)
{
    struct slots *slots = make_slots(2);
    struct fetch *fetch;
    struct flow_slot slot;
    struct flow *f;

    sizes[0] = 100;
    sizes[1] = 3 * SLOT;
    kit_put_objects("mem://a/", sizes, 2);
    fetch = kit_fetch_of("mem://a/", 1, 0);
    source = (struct source){.pause = UINT64_MAX, .end = 2, .etag = "other"};
    f = make_flow(fetch, slots, true);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(take(f, &slot), STATUS_OK);
        EXPECT_EQ(slot.entry_count, 1);
        EXPECT_EQ(slot.entries[0].status, STATUS_CHANGED);
        EXPECT(strstr(slot.why->text, i == 0 ? "o/0" : "o/1") != NULL);
        flow_release(f, slot.slot);
    }
    EXPECT_EQ(take(f, &slot), STATUS_STOPPED);
    flow_destroy(&f);
    fetch_stop(&fetch);
    slots_destroy(&slots);
}

/* A large unit whose object became shorter: what was handed over stays, and
 * then comes the word that there is no more. */
TEST(a_large_unit_that_breaks_off)
{
    struct slots *slots = make_slots(2);
    uint64_t entries = 0;
    struct fetch *fetch;
    struct flow_slot slot;
    struct flow *f;

    for (uint32_t i = 0; i < OBJECTS; i++) {
        sizes[i] = 3 * SLOT;
    }
    kit_put_objects("mem://a/", sizes, 2);
    sizes[0] = 9 * SLOT; /* As it was listed. */
    fetch = kit_fetch_of("mem://a/", 1, 0);
    source = (struct source){.pause = UINT64_MAX, .end = 2};
    f = make_flow(fetch, slots, true);
    do {
        EXPECT_EQ(take(f, &slot), STATUS_OK);
        EXPECT_EQ(slot.entry_count, 1);
        EXPECT_EQ(slot.entries[0].position, 0);
        EXPECT_EQ(slot.entries[0].is_first, entries == 0);
        entries += slot.entries[0].status == STATUS_OK;
        flow_release(f, slot.slot);
    } while (!slot.entries[0].is_last);
    EXPECT(entries <= 3);
    EXPECT_EQ(slot.entries[0].status, STATUS_INVALID);
    source.seen = 1;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(take(f, &slot), STATUS_OK);
        see(&slot);
        flow_release(f, slot.slot);
    }
    EXPECT_EQ(take(f, &slot), STATUS_STOPPED);
    EXPECT_EQ(flow_stats(f).failed, 1);
    EXPECT_EQ(flow_stats(f).units, 1);
    flow_destroy(&f);
    fetch_stop(&fetch);
    slots_destroy(&slots);
}

/* "o/0", which came in @count parts of a MiB, the last one of @tail bytes. */
static void upload_object(uint32_t count, size_t tail)
{
    uint8_t *body = mem_new(1 << 20, 1);
    struct store_part *parts = mem_new(count, sizeof(*parts));
    struct store_request r = {.op = STORE_UPLOAD_BEGIN, .key = BYTES("o/0")};
    struct buf prefix = {0};
    struct store_event e;
    struct store *s;
    struct fault why;
    char upload[STORE_UPLOAD_MAX];

    EXPECT_EQ(store_open("mem://a/", STORE_WRITE, &why, &s, &prefix),
              STATUS_OK);
    EXPECT_EQ(store_sync(s, &r, &e), STATUS_OK);
    memcpy(upload, e.upload, sizeof(upload));
    r = (struct store_request){.op = STORE_UPLOAD_PART,
                               .key = BYTES("o/0"),
                               .upload = upload,
                               .body = body};
    for (uint32_t i = 0; i < count; i++) {
        r.part = i + 1;
        r.size = i + 1 < count ? 1 << 20 : tail;
        kit_fill(body, 0, (uint64_t)i << 20, r.size);
        EXPECT_EQ(store_sync(s, &r, &e), STATUS_OK);
        memcpy(parts[i].etag, e.etag, sizeof(e.etag));
        parts[i].size = r.size;
    }
    r = (struct store_request){.op = STORE_UPLOAD_END,
                               .key = BYTES("o/0"),
                               .upload = upload,
                               .part_count = count,
                               .parts = parts};
    EXPECT_EQ(store_sync(s, &r, &e), STATUS_OK);
    memcpy(source.etag, e.etag, sizeof(e.etag));
    sizes[0] = ((size_t)(count - 1) << 20) + tail;
    store_close(&s);
    buf_fini(&prefix);
    free(parts);
    free(body);
}

/* Where it is known in what parts an object is stored, no request is for the
 * end of one and the begin of the next. */
TEST(parts_as_they_are_stored)
{
    enum { TAIL = 300000 };
    struct slots_options o = {.count = SLOTS, .size = MAX_ROOM, .node = -1};
    struct slots *slots;
    struct fetch *fetch;
    struct flow_slot slot;
    struct flow *f;
    struct fault why;
    uint64_t requests = 0;

    source = (struct source){.pause = UINT64_MAX, .end = 1};
    upload_object(4, TAIL);
    EXPECT_EQ(slots_new(&o, &why, &slots), STATUS_OK);
    fetch = kit_fetch_of("mem://a/", 1, 0);
    f = make_flow(fetch, slots, true);
    while (take(f, &slot) == STATUS_OK) {
        const struct flow_entry *e = &slot.entries[0];

        see(&slot);
        EXPECT_EQ(e->offset >> 20, (e->offset + e->size - 1) >> 20);
        requests++;
        flow_release(f, slot.slot);
    }
    EXPECT_EQ(requests, 6 + 6 + 6 + 2);
    EXPECT_EQ(flow_stats(f).units, 1);
    flow_destroy(&f);
    fetch_stop(&fetch);
    slots_destroy(&slots);
}

/* Two flows with one slot between them: each gets it in turn. */
TEST(flows_share_slots)
{
    struct slots *slots = make_slots(1);
    struct pollfd fd = {.fd = slots_wait_fd(slots), .events = POLLIN};
    struct fetch *fetch;
    struct flow_slot slot;
    struct flow *a;
    struct flow *b;
    uint64_t count;

    memset(sizes, 0, sizeof(sizes));
    sizes[0] = SLOT;
    kit_put_objects("mem://a/", sizes, 1);
    fetch = kit_fetch_of("mem://a/", 1, 0);
    source = (struct source){.pause = UINT64_MAX, .end = 1};
    a = make_flow(fetch, slots, true);
    b = make_flow(fetch, slots, true);
    EXPECT_EQ(take(a, &slot), STATUS_OK);
    source.next = 0;
    flow_step(b);
    EXPECT_EQ(source.next, 0); /* No unit is asked for without a slot. */
    EXPECT_EQ(flow_take(b, &slot), STATUS_EMPTY);
    EXPECT_EQ(poll(&fd, 1, 0), 0);
    flow_release(a, 0);
    EXPECT_EQ(poll(&fd, 1, 0), 1);
    EXPECT(read(fd.fd, &count, sizeof(count)) == sizeof(count));
    EXPECT_EQ(take(b, &slot), STATUS_OK);
    flow_destroy(&a);
    flow_destroy(&b);
    EXPECT_EQ(slots_free(slots), 1);
    fetch_stop(&fetch);
    slots_destroy(&slots);
}
