/* SPDX-License-Identifier: Apache-2.0 */
/* The words and the places of the shared memory. */
#include "proto/ring_word.h"
#include "tests/harness.h"

#include "proto/ring.h"

enum { STATES = 4, GENS = 3, OWNERS = 3 };

static const uint32_t gens[GENS] = {0, 7, UINT32_MAX};

/* Every word that there may be, and some that there may not. */
static uint32_t all_words(uint64_t out[STATES * GENS * OWNERS * 2])
{
    uint32_t count = 0;

    for (uint32_t state = 0; state <= 5; state++) {
        for (uint32_t g = 0; g < GENS; g++) {
            for (uint32_t owner = 0; owner < OWNERS; owner++) {
                out[count++] =
                    ring_word(gens[g], owner, (enum ring_state)state);
            }
        }
    }
    return count;
}

enum move { LEASE, RELEASE, FILL, READY, REDELIVER, WITHDRAW, MOVES };

static bool make_move(enum move m, _Atomic uint64_t *word, uint32_t gen,
                      uint32_t owner)
{
    switch (m) {
    case LEASE:
        return ring_lease(word, gen, owner);
    case RELEASE:
        return ring_release(word, gen, owner);
    case FILL:
        return ring_fill(word, ring_word(gen, owner, RING_FREE));
    case READY:
        return ring_ready(word, gen);
    case REDELIVER:
        return ring_redeliver(word, gen, owner);
    case WITHDRAW:
        return ring_withdraw(word, gen, owner);
    case MOVES:
    default:
        return false;
    }
}

/* From where a move goes, and to where. */
static uint64_t move_from(enum move m, uint32_t gen, uint32_t owner)
{
    static const enum ring_state from[MOVES] = {RING_READY,  RING_LEASED,
                                                RING_FREE,   RING_FILLING,
                                                RING_LEASED, RING_LEASED};
    bool has_owner = m == RELEASE || m == FILL || m == REDELIVER;

    if (m == WITHDRAW) {
        return ring_word(gen, owner, owner == 0 ? RING_READY : RING_LEASED);
    }
    return ring_word(gen, has_owner ? owner : 0, from[m]);
}

static uint64_t move_to(enum move m, uint32_t gen, uint32_t owner)
{
    switch (m) {
    case LEASE:
        return ring_word(gen, owner, RING_LEASED);
    case RELEASE:
        return ring_word(gen + 1, owner, RING_FREE);
    case FILL:
        return ring_word(gen, 0, RING_FILLING);
    case READY:
        return ring_word(gen, 0, RING_READY);
    case REDELIVER:
        return ring_word(gen + 1, 0, RING_READY);
    case WITHDRAW:
        return ring_word(gen + 1, 0, RING_FREE);
    case MOVES:
    default:
        return 0;
    }
}

static void try_move(enum move m, uint64_t start, uint32_t gen, uint32_t owner)
{
    _Atomic uint64_t word = start;
    bool is_legal =
        start == move_from(m, gen, owner) && (m != REDELIVER || owner != 0);

    EXPECT(make_move(m, &word, gen, owner) == is_legal);
    EXPECT_EQ(atomic_load(&word), is_legal ? move_to(m, gen, owner) : start);
}

TEST(every_other_move_is_refused)
{
    uint64_t words[STATES * GENS * OWNERS * 2];
    uint32_t count = all_words(words);

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < MOVES * GENS * OWNERS; j++) {
            try_move((enum move)(j % MOVES), words[i], gens[j / MOVES % GENS],
                     j / MOVES / GENS);
        }
    }
}

TEST(a_generation_goes_round)
{
    _Atomic uint64_t word = ring_word(UINT32_MAX, 0, RING_READY);
    uint32_t owner;

    EXPECT(ring_lease(&word, UINT32_MAX, 3));
    EXPECT(ring_release(&word, UINT32_MAX, 3));
    EXPECT_EQ(atomic_load(&word), ring_word(0, 3, RING_FREE));
    EXPECT(ring_look(atomic_load(&word), UINT32_MAX, 4, &owner) ==
           RING_SIGHT_RELEASED);
    EXPECT_EQ(owner, 3);
    EXPECT(!ring_release(&word, UINT32_MAX, 3)); /* Late. */
    EXPECT(ring_fill(&word, ring_word(0, 3, RING_FREE)));
}

TEST(what_became_of_a_slot)
{
    const struct {
        uint64_t word;
        enum ring_sight sight;
    } rows[] = {
        {ring_word(9, 0, RING_READY), RING_SIGHT_READY},
        {ring_word(9, 1, RING_LEASED), RING_SIGHT_LEASED},
        {ring_word(9, 64, RING_LEASED), RING_SIGHT_LEASED},
        {ring_word(10, 1, RING_FREE), RING_SIGHT_RELEASED},
        {ring_word(9, 2, RING_LEASED), RING_SIGHT_BAD}, /* Not joined. */
        {ring_word(9, 65, RING_LEASED), RING_SIGHT_BAD},
        {ring_word(9, 0, RING_LEASED), RING_SIGHT_BAD},
        {ring_word(10, 0, RING_FREE), RING_SIGHT_BAD},
        {ring_word(11, 1, RING_FREE), RING_SIGHT_BAD},
        {ring_word(9, 1, RING_FREE), RING_SIGHT_BAD},
        {ring_word(10, 0, RING_READY), RING_SIGHT_BAD},
        {ring_word(9, 1, RING_READY), RING_SIGHT_BAD},
        {ring_word(9, 0, RING_FILLING), RING_SIGHT_BAD},
        {0, RING_SIGHT_BAD},
        {UINT64_MAX, RING_SIGHT_BAD},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t owner;

        EXPECT_EQ(ring_look(rows[i].word, 9, 0x8000000000000001, &owner),
                  rows[i].sight);
    }
}

static struct ring_shape good(void)
{
    return (struct ring_shape){.mode = RING_BROADCAST,
                               .slot_count = 100,
                               .slots_max = 100,
                               .queue_count = 3,
                               .entries_max = 1024,
                               .slot_size = 4 << 20};
}

TEST(nothing_overlaps)
{
    struct ring_shape shape = good();
    struct ring_layout l;
    char *const base = NULL;

    EXPECT(ring_layout_make(&shape, &l));
    EXPECT(l.queues_at >= sizeof(struct ring_shared));
    // cppcheck-suppress nullPointerArithmetic ; offsets are looked at, no
    // memory
    EXPECT((char *)ring_queue_at(base, &l, 3) <= base + l.consumers_at);
    // cppcheck-suppress nullPointerArithmetic ; offsets are looked at, no
    // memory
    EXPECT((char *)ring_consumer_at(base, &l, RING_CONSUMERS_MAX) <=
           base + l.slots_at);
    // cppcheck-suppress nullPointerArithmetic ; offsets are looked at, no
    // memory
    EXPECT((char *)ring_slot_at(base, &l, 100) <= base + l.orders_at);
    EXPECT((uintptr_t)(ring_order_at(base, &l, 2, l.order_size - 1) + 1) <=
           l.control_size);
    EXPECT(ring_order_at(base, &l, 1, 0) ==
           ring_order_at(base, &l, 0, l.order_size - 1) + 1);
    EXPECT(ring_order_at(base, &l, 1, l.order_size) ==
           ring_order_at(base, &l, 1, 0));
    // cppcheck-suppress nullPointerArithmetic ; offsets are looked at, no
    // memory
    EXPECT((const char *)&ring_table_at(base, &l, 99)->entries[1024] <=
           base + l.tables_size);
    EXPECT_EQ(l.slots_at % 64, 0);
    EXPECT_EQ(l.data_size, 100ULL * (4 << 20));
}

TEST(shapes_that_are_none)
{
    struct ring_layout l;
    struct ring_shape s[] = {good(), good(), good(), good(), good(), good(),
                             good(), good(), good(), good(), good(), good()};

    s[0].mode = 0;
    s[1].mode = 4;
    s[2].slot_count = 0;
    s[3].slot_count = RING_SLOTS_MAX + 1;
    s[4].slots_max = 101;
    s[5].slots_max = 0;
    s[6].queue_count = 0;
    s[7].queue_count = 65;
    s[8].mode = RING_SHARE; /* With three queues. */
    s[9].entries_max = 1025;
    s[10].slot_size = 4097;
    s[11].slot_size = UINT64_MAX - 4095;
    for (size_t i = 0; i < sizeof(s) / sizeof(s[0]); i++) {
        EXPECT(!ring_layout_make(&s[i], &l));
    }
}
