/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/memory.h"

#include "base/prng.h"
#include "tests/harness.h"

#define MIB ((uint64_t)1 << 20)

static const enum memory_mode ring[] = {MEMORY_RANKS};
static const enum memory_mode files[] = {MEMORY_FILE, MEMORY_FILE};
static const enum memory_mode mixed[] = {MEMORY_FILE, MEMORY_MOUNT,
                                         MEMORY_RANKS};

static const struct row {
    uint64_t cap;
    uint32_t ranks;
    uint32_t count;
    const enum memory_mode *channels;
    size_t slot; /* 0: refused. */
    uint32_t slots;
    uint32_t brings;
} rows[] = {
    {4096 * MIB, 8, 1, ring, 8 * MIB, 60, 0},
    {96 * MIB, 1, 1, ring, 8 * MIB, 11, 0}, /* One for a second answer. */
    {100 * MIB, 1, 1, ring, 8 * MIB, 11, 0},
    {256 * MIB, 8, 1, ring, 8 * MIB, 4, 0}, /* None. */
    {128 * MIB, 8, 1, ring, 4 * MIB, 4, 0},
    {1 * MIB, 8, 1, ring, 64 << 10, 2, 0},
    {8 * 65536, 8, 1, ring, 64 << 10, 1, 0},
    {8 * 65536 - 1, 8, 1, ring, 0, 0, 0},
    {0, 1, 1, ring, 0, 0, 0},
    {1 << 30, 1, 2, files, 64 << 10, 0, 15}, /* One for a second answer. */
    {20 * MIB, 1, 2, files, 64 << 10, 0, 1},
    {8 * MIB, 4, 2, files, 64 << 10, 0, 1},
    {8 * MIB - 1, 4, 2, files, 0, 0, 0},
    {8 * MIB, 4, 3, mixed, 0, 0, 0},
    {9 * MIB, 4, 3, mixed, 64 << 10, 3, 1},
    {1024 * MIB, 1, 0, NULL, 64 << 10, 0, 0},
    {1 << 20, 1024, 1, ring, 0, 0, 0},
};

TEST(caps_become_slots)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct memory_options o = {r->cap, r->ranks, r->count, r->channels};
        struct memory_plan p;
        struct fault why = {""};
        enum status s = memory_plan(&o, &why, &p);

        if (getenv("TEST_SAY") != NULL) {
            fprintf(stderr, "%zu: %zu %u %u %zu %s\n", i, p.slot_bytes,
                    r->count > 0 ? p.slots[r->count - 1] : 0, p.brings,
                    p.hedge_bytes, why.text);
        }
        EXPECT_EQ(s, r->slot > 0 ? STATUS_OK : STATUS_INVALID);
        EXPECT_EQ(why.text[0] != '\0', s != STATUS_OK);
        if (s == STATUS_OK) {
            EXPECT_EQ(p.slot_bytes, r->slot);
            EXPECT_EQ(p.brings, r->brings);
            EXPECT_EQ(r->count > 0 ? p.slots[r->count - 1] : 0, r->slots);
        }
    }
}

TEST(too_low_a_cap_says_what_would_do)
{
    struct memory_options o = {3 * MIB, 100, 1, ring};
    struct memory_plan p;
    struct fault why;

    EXPECT_EQ(memory_plan(&o, &why, &p), STATUS_INVALID);
    EXPECT_STR(why.text,
               "--memory: 3145728 bytes are not enough for 100 consumers "
               "(ranks and mounts, per channel) of one slot of 64 KiB each; "
               "give 7 MiB or more");
    o.cap = 7 * MIB;
    EXPECT_EQ(memory_plan(&o, &why, &p), STATUS_OK);
    o = (struct memory_options){4 * MIB, 1, 2, files};
    EXPECT_EQ(memory_plan(&o, &why, &p), STATUS_INVALID);
    EXPECT_STR(why.text,
               "--memory: 4194304 bytes are not enough for the 8 MiB that File "
               "mode reads at once; give 8 MiB or more");
    o.cap = 8 * MIB;
    EXPECT_EQ(memory_plan(&o, &why, &p), STATUS_OK);
}

/* The sum of all parts, made anew, is what is told and never above the cap. */
static uint64_t sum_of(const struct memory_options *o,
                       const struct memory_plan *p)
{
    uint64_t sum = p->hedge_bytes + (uint64_t)p->brings * MEMORY_BRING;

    for (uint32_t i = 0; i < o->channel_count; i++) {
        uint64_t each = o->channels[i] == MEMORY_RANKS ? o->ranks : 1;

        sum += each * p->slots[i] * p->slot_bytes;
    }
    return sum;
}

TEST(the_sum_is_below_the_cap_whatever_is_asked)
{
    struct prng rng;
    uint32_t refused = 0;

    prng_init(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        enum memory_mode channels[MEMORY_CHANNELS_MAX];
        struct memory_options o = {
            .cap = prng_next(&rng) >> (20 + prng_below(&rng, 40)),
            .ranks = 1 + (uint32_t)prng_below(&rng, 16),
            .channel_count = 1 + (uint32_t)prng_below(&rng, 20),
            .channels = channels};
        struct memory_plan p;

        for (uint32_t c = 0; c < o.channel_count; c++) {
            channels[c] = (enum memory_mode)prng_below(&rng, 3);
        }
        if (memory_plan(&o, NULL, &p) != STATUS_OK) {
            refused++;
            continue;
        }
        EXPECT_EQ(sum_of(&o, &p), p.bytes);
        EXPECT(p.bytes <= o.cap);
        EXPECT(p.slot_bytes >= MEMORY_SLOT_MIN);
        for (uint32_t c = 0; c < o.channel_count; c++) {
            EXPECT_EQ(p.slots[c] > 0, channels[c] != MEMORY_FILE);
        }
    }
    EXPECT(refused > 1000 && refused < 19000);
}
