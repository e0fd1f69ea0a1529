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
