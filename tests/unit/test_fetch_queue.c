/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fetch_queue.h"

#include "base/prng.h"
#include "tests/harness.h"

enum { ITEMS = 300, STEPS = 20000 };

static struct fetch_wait items[ITEMS];
static bool is_in[ITEMS];

/* What has to be first, found by looking at all. */
static struct fetch_wait *soonest(void)
{
    struct fetch_wait *best = NULL;

    for (int i = 0; i < ITEMS; i++) {
        if (is_in[i] && fetch_wait_is_sooner(&items[i], best)) {
            best = &items[i];
        }
    }
    return best;
}

static void step(struct fetch_queue *q, struct prng *p, uint64_t sequence)
{
    uint64_t i = prng_below(p, ITEMS);
    uint64_t due = prng_below(p, 50);

    if (!is_in[i]) {
        items[i].due = due;
        items[i].sequence = sequence;
        fetch_queue_add(q, &items[i]);
        is_in[i] = true;
    } else if (prng_chance(p, 1, 2)) {
        fetch_queue_move(q, &items[i], due);
    } else {
        fetch_queue_remove(q, &items[i]);
        is_in[i] = false;
    }
}

TEST(the_first_is_the_soonest)
{
    struct fetch_queue q = {.heap = NULL};
    uint32_t count = 0;
    struct prng p;

    prng_init(&p, 9);
    EXPECT(fetch_queue_first(&q) == NULL);
    for (uint64_t i = 0; i < STEPS; i++) {
        step(&q, &p, i);
        EXPECT(fetch_queue_first(&q) == soonest());
    }
    fetch_queue_check(&q);
    while (fetch_queue_first(&q) != NULL) {
        struct fetch_wait *w = fetch_queue_first(&q);

        EXPECT(w == soonest());
        fetch_queue_remove(&q, w);
        is_in[w - items] = false;
        fetch_queue_check(&q);
        count++;
    }
    EXPECT(count > ITEMS / 4);
    EXPECT(soonest() == NULL);
    fetch_queue_fini(&q);
}

TEST(of_those_due_at_once_the_first_comes_first)
{
    struct fetch_queue q = {.heap = NULL};

    for (uint64_t i = 0; i < ITEMS; i++) {
        items[i] = (struct fetch_wait){.due = 7, .sequence = i};
        fetch_queue_add(&q, &items[i]);
    }
    for (uint64_t i = 0; i < ITEMS; i++) {
        EXPECT_EQ(fetch_queue_first(&q)->sequence, i);
        fetch_queue_remove(&q, fetch_queue_first(&q));
    }
    EXPECT(!fetch_wait_is_sooner(NULL, NULL));
    EXPECT(!fetch_wait_is_sooner(NULL, &items[0]));
    fetch_queue_fini(&q);
}
