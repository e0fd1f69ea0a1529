/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side and a consumer's on one memory, without processes. */
#define SMSHARD_HOOKS
#include "tests/harness.h"
#include "tests/ring_client.h"

enum { SLOTS = 6, SLOT = 4096, PARTS = 3 };

static struct ring_queue *queue;
static struct rc_memory memory;
static struct flow_entry entries[SLOTS];

void smshard_hook(enum smshard_point point)
{
    (void)point;
}

static void begin(enum ring_mode mode)
{
    struct ring_queue_options o = {.shape = {.mode = mode,
                                             .slot_count = SLOTS,
                                             .slots_max = SLOTS,
                                             .queue_count = 1,
                                             .entries_max = 1,
                                             .slot_size = SLOT},
                                   .consumers = mode == RING_SHARE ? 2 : 1};

    queue = ring_queue_new(&o);
    rc_init(&memory, ring_queue_layout(queue));
    ring_queue_use(queue, memory.control, memory.tables, 1);
}

static void end(void)
{
    ring_queue_check(queue);
    ring_queue_destroy(&queue);
    rc_fini(&memory);
}

/* Part @part of @parts of a unit, into the slot @slot; not to its end, so that
 * the parts are not joined to one sample. */
static enum status publish(uint32_t slot, uint32_t part, uint32_t parts)
{
    struct flow_slot f = {
        .slot = slot, .entries = &entries[slot], .entry_count = 1};

    entries[slot] = (struct flow_entry){.size = 64,
                                        .offset = part * 64ULL,
                                        .is_first = part == 0,
                                        .is_last = part + 1 == parts};
    return ring_queue_publish(queue, &f);
}

static struct smshard *join(void)
{
    struct ring_joined joined;

    EXPECT(ring_queue_join(queue, RING_ANY, &joined) == STATUS_OK);
    return rc_open(&memory, &joined);
}

static void give(struct smshard *s, const struct smshard_sample *sample)
{
    EXPECT(smshard_give(s, sample) == SMSHARD_OK);
}

/* How many outcomes of a kind there are now. */
static uint32_t outcomes(enum ring_outcome_kind kind)
{
    struct ring_outcome o;
    uint32_t count = 0;

    while (ring_queue_take(queue, &o)) {
        EXPECT(o.kind == kind);
        count++;
    }
    return count;
}

/* A consumer that has all three parts gives one back and dies. */
static void die_after_giving(enum ring_mode mode, uint32_t part)
{
    struct smshard_sample samples[PARTS];
    struct smshard *s;

    begin(mode);
    s = join();
    for (uint32_t i = 0; i < PARTS; i++) {
        EXPECT(publish(i, i, PARTS) == STATUS_OK);
        EXPECT(smshard_walk(s, &samples[i]) == SMSHARD_OK);
    }
    give(s, &samples[part]);
    EXPECT(ring_queue_collect(queue) == STATUS_OK);
    EXPECT_EQ(outcomes(RING_CONSUMED), 1);
    EXPECT(ring_queue_leave(queue, 0) == STATUS_OK);
    EXPECT_EQ(outcomes(RING_TORN), PARTS - 1);
    rc_close(&s);
    end();
}

TEST(a_unit_given_back_in_part_is_torn_whole)
{
    for (uint32_t part = 0; part < PARTS; part++) {
        die_after_giving(RING_EXCLUSIVE, part);
        die_after_giving(RING_SHARE, part);
    }
}

TEST(further_parts_of_a_torn_unit_are_lost)
{
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_EXCLUSIVE);
    s = join();
    EXPECT(publish(0, 0, 3) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    give(s, &sample);
    EXPECT(ring_queue_leave(queue, 0) == STATUS_OK);
    EXPECT(publish(1, 1, 3) == STATUS_LOST);
    EXPECT(publish(1, 2, 3) == STATUS_LOST);
    EXPECT(publish(1, 0, 1) == STATUS_OK);
    rc_close(&s);
    end();
}

TEST(a_whole_unit_is_delivered_again)
{
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_SHARE);
    s = join();
    for (uint32_t i = 0; i < PARTS; i++) {
        EXPECT(publish(i, i, PARTS) == STATUS_OK);
        EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    }
    EXPECT(ring_queue_leave(queue, 0) == STATUS_OK);
    rc_close(&s);
    s = join();
    for (uint32_t i = 0; i < PARTS; i++) {
        EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
        EXPECT_EQ(sample.offset, i * 64);
    }
    EXPECT_EQ(ring_queue_stats(queue).redelivered, PARTS);
    rc_close(&s);
    end();
}

TEST(only_who_has_the_first_part_gets_the_next)
{
    struct smshard_sample sample;
    struct smshard *first;
    struct smshard *second;

    begin(RING_SHARE);
    first = join();
    second = join();
    EXPECT(publish(0, 0, 2) == STATUS_OK);
    EXPECT(smshard_walk(first, &sample) == SMSHARD_OK);
    EXPECT(publish(1, 1, 2) == STATUS_OK);
    EXPECT(publish(2, 0, 1) == STATUS_OK);
    EXPECT(smshard_walk(second, &sample) == SMSHARD_OK);
    EXPECT(sample.is_first != 0 && sample.is_last != 0);
    EXPECT(smshard_walk(second, &sample) == SMSHARD_TIMEOUT);
    EXPECT(smshard_walk(first, &sample) == SMSHARD_OK);
    EXPECT_EQ(sample.offset, 64);
    rc_close(&first);
    rc_close(&second);
    end();
}

TEST(a_unit_that_is_given_up_holds_nobody_up)
{
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_SHARE);
    s = join();
    EXPECT(publish(0, 0, 2) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_TIMEOUT);
    EXPECT(publish(1, 0, 1) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT(sample.is_last != 0);
    rc_close(&s);
    end();
}

TEST(an_end_is_told_once_and_the_end_of_all_for_ever)
{
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_EXCLUSIVE);
    EXPECT(ring_queue_end_epoch(queue, 4) == STATUS_OK);
    EXPECT(ring_queue_end_epoch(queue, 3) == STATUS_INVALID);
    s = join();
    EXPECT(smshard_walk(s, &sample) == SMSHARD_END);
    EXPECT_EQ(sample.epoch, 4);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_TIMEOUT);
    EXPECT(ring_queue_leave(queue, 0) == STATUS_OK);
    rc_close(&s);
    s = join();
    EXPECT(smshard_walk(s, &sample) == SMSHARD_TIMEOUT);
    EXPECT(ring_queue_end(queue) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OVER);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OVER);
    rc_close(&s);
    end();
}

/* ---- What the owner may not do, and what others are told. ------------------
 */

TEST(slots_that_can_not_be_are_refused)
{
    static const struct {
        size_t at;
        size_t size;
        uint32_t count;
        enum status want;
    } rows[] = {
        {0, SLOT, 1, STATUS_OK},
        {SLOT, 0, 1, STATUS_OK},
        {64, SLOT - 64, 1, STATUS_OK},
        {0, SLOT + 1, 1, STATUS_INVALID},
        {64, SLOT - 63, 1, STATUS_INVALID},
        {SLOT + 1, 0, 1, STATUS_INVALID},
        {64, SIZE_MAX, 1, STATUS_INVALID},
        {0, 8, 0, STATUS_INVALID},
        {0, 8, 2, STATUS_INVALID},
    };
    struct flow_entry two[2];
    uint32_t out = 0;

    begin(RING_EXCLUSIVE);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct flow_slot f = {
            .slot = out, .entries = two, .entry_count = rows[i].count};

        two[0] = (struct flow_entry){.at = rows[i].at,
                                     .size = rows[i].size,
                                     .is_first = true,
                                     .is_last = true};
        two[1] = two[0];
        EXPECT_EQ(ring_queue_publish(queue, &f), rows[i].want);
        out += rows[i].want == STATUS_OK;
    }
    EXPECT_EQ(ring_queue_stats(queue).out, out);
    end();
}

TEST(each_news_rings_the_bell)
{
    begin(RING_EXCLUSIVE);
    EXPECT(!ring_queue_has_news(queue));
    EXPECT(publish(0, 0, 1) == STATUS_OK);
    EXPECT(ring_queue_has_news(queue));
    EXPECT(!ring_queue_has_news(queue));
    ring_queue_ask_back(queue);
    EXPECT(ring_queue_has_news(queue));
    EXPECT(ring_queue_end_epoch(queue, 0) == STATUS_OK);
    EXPECT(ring_queue_has_news(queue));
    EXPECT(ring_queue_end(queue) == STATUS_OK);
    EXPECT(ring_queue_has_news(queue));
    end();
}

TEST(what_is_held_is_asked_for_until_more_comes)
{
    const struct ring_shared *shared;

    begin(RING_EXCLUSIVE);
    shared = memory.control;
    ring_queue_ask_back(queue);
    EXPECT_EQ(atomic_load(&shared->wants_back), 1);
    EXPECT(publish(0, 0, 1) == STATUS_OK);
    EXPECT_EQ(atomic_load(&shared->wants_back), 0);
    end();
}

/* Shared, an epoch has not ended while somebody may have any of it. */
TEST(a_shared_epoch_ends_with_its_last_slot)
{
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_SHARE);
    s = join();
    EXPECT(publish(0, 0, 1) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT(ring_queue_end_epoch(queue, 0) == STATUS_EMPTY);
    EXPECT(ring_queue_end(queue) == STATUS_EMPTY);
    give(s, &sample);
    EXPECT(ring_queue_end_epoch(queue, 0) == STATUS_OK);
    EXPECT(ring_queue_end_epoch(queue, 0) == STATUS_INVALID);
    rc_close(&s);
    end();
}

/* An end that nobody was there to hear is told to the first who comes, and
 * not to those after. */
TEST(an_unheard_end_is_told_to_one)
{
    struct smshard_sample sample;
    struct smshard *first;
    struct smshard *second;

    begin(RING_SHARE);
    EXPECT(ring_queue_end_epoch(queue, 4) == STATUS_OK);
    first = join();
    EXPECT(smshard_walk(first, &sample) == SMSHARD_END);
    EXPECT_EQ(sample.epoch, 4);
    second = join();
    EXPECT_EQ(second->ended, 5);
    EXPECT(smshard_walk(second, &sample) == SMSHARD_TIMEOUT);
    EXPECT(smshard_walk(first, &sample) == SMSHARD_TIMEOUT);
    rc_close(&first);
    rc_close(&second);
    end();
}

/* Who dies with an end before it has not heard it. */
TEST(an_end_that_was_not_read_is_told_to_the_next)
{
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_EXCLUSIVE);
    s = join();
    EXPECT(publish(0, 0, 1) == STATUS_OK);
    EXPECT(ring_queue_end_epoch(queue, 0) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT(ring_queue_collect(queue) == STATUS_OK);
    EXPECT(ring_queue_leave(queue, 0) == STATUS_OK);
    rc_close(&s);
    s = join();
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_END);
    EXPECT(ring_queue_collect(queue) == STATUS_OK);
    EXPECT(ring_queue_leave(queue, 0) == STATUS_OK);
    rc_close(&s);
    s = join(); /* And once read, to nobody. */
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_TIMEOUT);
    rc_close(&s);
    end();
}

/* ---- What is found in the shared memory. -----------------------------------
 */

static struct ring_consumer *place_of(uint32_t consumer)
{
    return ring_consumer_at(memory.control, &memory.layout, consumer);
}

TEST(a_cursor_that_can_not_be_gives_the_memory_up)
{
    for (int is_ahead = 0; is_ahead < 2; is_ahead++) {
        struct smshard_sample sample;
        struct smshard *s;

        begin(RING_EXCLUSIVE);
        s = join();
        EXPECT(publish(0, 0, 1) == STATUS_OK);
        EXPECT(publish(1, 0, 1) == STATUS_OK);
        EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
        EXPECT(ring_queue_collect(queue) == STATUS_OK);
        atomic_store(&place_of(0)->cursor, is_ahead == 1 ? 3 : 0);
        EXPECT(ring_queue_collect(queue) == STATUS_CHANGED);
        EXPECT(publish(2, 0, 1) == STATUS_CHANGED);
        rc_close(&s);
        end();
    }
}

TEST(an_old_one_has_to_leave_before_another_comes)
{
    struct rc_memory fresh;
    struct ring_joined joined;
    struct smshard *s;

    begin(RING_EXCLUSIVE);
    s = join();
    rc_init(&fresh, ring_queue_layout(queue));
    ring_queue_use(queue, fresh.control, fresh.tables, 2);
    EXPECT(ring_queue_join(queue, RING_ANY, &joined) == STATUS_FULL);
    ring_queue_leave_old(queue);
    EXPECT(ring_queue_join(queue, RING_ANY, &joined) == STATUS_OK);
    rc_close(&s);
    end();
    rc_fini(&fresh);
}

/* Nobody is woken for one that was killed while it waited. */
TEST(what_a_dead_one_has_left_is_cleared)
{
    struct smshard *s;
    struct ring_shared *shared;

    begin(RING_EXCLUSIVE);
    shared = memory.control;
    s = join();
    atomic_store(&shared->waiters, 1);
    atomic_store(&place_of(0)->is_armed, 1);
    EXPECT(ring_queue_leave(queue, 0) == STATUS_OK);
    EXPECT_EQ(atomic_load(&shared->waiters), 0);
    rc_close(&s);
    s = join();
    EXPECT_EQ(atomic_load(&place_of(0)->is_armed), 0);
    rc_close(&s);
    end();
}

/* ---- What a consumer does not believe. -------------------------------------
 */

TEST(only_what_was_given_out_is_taken_back)
{
    static const struct {
        uint32_t word;
        uint32_t value;
    } rows[] = {
        {0, SLOTS},     {1, 7},          {2, 1}, {3, 0},
        {3, SLOTS + 1}, {3, UINT32_MAX}, {4, 0}, {4, 2},
    };
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_EXCLUSIVE);
    s = join();
    EXPECT(publish(0, 0, 1) == STATUS_OK);
    EXPECT(publish(1, 0, 1) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    give(s, &sample);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT_EQ(sample.token[0], 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smshard_sample forged = sample;

        forged.token[rows[i].word] = rows[i].value;
        EXPECT(smshard_give(s, &forged) == SMSHARD_INVALID);
    }
    sample.token[3] = SLOTS; /* More than there are behind it. */
    EXPECT(smshard_give(s, &sample) == SMSHARD_INVALID);
    sample.token[3] = 1;
    give(s, &sample);
    EXPECT(smshard_give(s, &sample) == SMSHARD_INVALID);
    rc_close(&s);
    end();
}

TEST(a_unit_that_can_not_be_read_is_passed_over)
{
    struct flow_slot f = {.entries = entries, .entry_count = 1};
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_EXCLUSIVE);
    s = join();
    entries[0] = (struct flow_entry){
        .is_first = true, .is_last = true, .status = STATUS_NOT_FOUND};
    EXPECT(ring_queue_publish(queue, &f) == STATUS_OK);
    EXPECT(smshard_walk(s, &sample) == SMSHARD_TIMEOUT);
    EXPECT_EQ(s->stats.skipped, 1);
    EXPECT_EQ(s->stats.samples, 0);
    EXPECT(ring_queue_collect(queue) == STATUS_OK);
    EXPECT_EQ(outcomes(RING_CONSUMED), 1);
    rc_close(&s);
    end();
}

TEST(a_table_or_a_head_that_can_not_be)
{
    for (int row = 0; row < 3; row++) {
        struct smshard_sample sample;
        struct smshard *s;
        struct ring_table *table;

        begin(RING_EXCLUSIVE);
        s = join();
        EXPECT(publish(0, 0, 1) == STATUS_OK);
        table = memory.tables;
        if (row == 0) {
            table->entries[0].size = SLOT + 1;
        } else if (row == 1) {
            table->entries[0].at = 64;
            table->entries[0].size = SLOT - 63;
        } else {
            EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
            atomic_store(
                &ring_queue_at(memory.control, &memory.layout, 0)->head,
                s->cursor - 1);
        }
        EXPECT(smshard_walk(s, &sample) == SMSHARD_RESET);
        rc_close(&s);
        end();
    }
}

/* Parts are one sample as long as no byte is between them. */
TEST(parts_with_a_gap_are_not_joined)
{
    static const size_t sizes[] = {SLOT, SLOT / 2, 64};
    struct smshard_sample sample;
    struct smshard *s;

    begin(RING_EXCLUSIVE);
    s = join();
    for (uint32_t i = 0; i < 3; i++) {
        struct flow_slot f = {
            .slot = i, .entries = &entries[i], .entry_count = 1};

        entries[i] = (struct flow_entry){
            .size = sizes[i], .is_first = i == 0, .is_last = i == 2};
        EXPECT(ring_queue_publish(queue, &f) == STATUS_OK);
    }
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT_EQ(sample.size, SLOT + SLOT / 2);
    EXPECT_EQ(sample.token[3], 2);
    EXPECT(!s->has_unit); /* It goes on. */
    EXPECT(smshard_walk(s, &sample) == SMSHARD_OK);
    EXPECT_EQ(sample.size, 64);
    EXPECT(s->has_unit && s->units == 1);
    rc_close(&s);
    end();
}
