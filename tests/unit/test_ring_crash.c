/* SPDX-License-Identifier: Apache-2.0 */
/* Consumers are killed at every moment at which they touch what is shared:
 * nothing is lost, nothing is committed twice, no byte is another. ROUNDS=200
 * by default; SEED to begin with. */
#include "base/prng.h"
#include "tests/ring_kit.h"
#include "worker/client/smshard_state.h"

enum { CRASH_UNITS = 60 };

struct crash {
    struct prng random;
    uint64_t rounds;
    uint32_t seats[RK_CHILDREN]; /* Which child is on it. */
    uint64_t killed;
    uint64_t killed_at[SMSHARD_POINTS];
};

static uint64_t crash_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static uint64_t crash_below(struct crash *c, uint64_t n)
{
    return prng_below(&c->random, n);
}

/* A moment that comes once is met the first time. */
static uint64_t crash_occurrence(struct crash *c, uint64_t point)
{
    bool is_once = point <= SMSHARD_AT_MAPPED || point == SMSHARD_AT_TOLD ||
                   point == SMSHARD_AT_CLOSE;

    return is_once ? 1 : 1 + crash_below(c, 12);
}

/* Whoever was killed gets a successor that is not. */
static bool crash_replace(struct crash *c, uint64_t point, uint32_t consumers)
{
    bool is_running = false;

    for (uint32_t i = 0; i < consumers; i++) {
        uint32_t child = c->seats[i];

        EXPECT(rk.codes[child] <= 0 || rk.codes[child] == 1000 + SIGKILL);
        if (rk.codes[child] > 0) {
            c->killed++;
            c->killed_at[point]++;
            c->seats[i] = rk_spawn("member=%u hold=1", i);
        }
        is_running = is_running || rk.codes[c->seats[i]] != 0;
    }
    return is_running;
}

static void crash_play(struct crash *c, uint64_t point, uint32_t consumers)
{
    for (uint32_t i = 0; i < consumers; i++) {
        bool dies = i == 0 || crash_below(c, 2) == 0;

        c->seats[i] =
            rk_spawn("member=%u hold=%u kill=%d at=%u", i,
                     (unsigned)(1 + crash_below(c, 3)), dies ? (int)point : -1,
                     (unsigned)crash_occurrence(c, point));
    }
    do {
        rk_step(5);
        rk_reap();
    } while (crash_replace(c, point, consumers));
    for (int i = 0; i < 3; i++) {
        rk_step(0);
    }
}

/* A unit that is alone in one slot is given back once. */
static void crash_expect(void)
{
    for (uint64_t i = 0; i < rk.units && rk.options.mode != RING_BROADCAST;
         i++) {
        bool is_alone = rk_unit_size(i) > RK_SLOT / FLOW_SMALL_PART &&
                        rk_unit_size(i) <= RK_SLOT;

        EXPECT(!is_alone || atomic_load(&rk.log->units[i].released) <= 1);
        EXPECT(atomic_load(&rk.log->units[i].seen) >= 1);
    }
    rk_expect_all();
}

static void crash_round(struct crash *c, uint64_t round)
{
    static const enum ring_mode modes[] = {RING_EXCLUSIVE, RING_SHARE,
                                           RING_BROADCAST};
    enum ring_mode mode = modes[round % 3];
    uint32_t consumers =
        mode == RING_EXCLUSIVE ? 1 : 2 + (uint32_t)crash_below(c, 3);

    memset(&rk, 0, sizeof(rk));
    rk_begin(mode, consumers, CRASH_UNITS);
    rk.ends_early = mode != RING_SHARE && crash_below(c, 2) == 0;
    rk_open_host();
    crash_play(c, round / 3 % SMSHARD_POINTS, consumers);
    crash_expect();
    rk_end();
}

TEST(killed_at_every_moment)
{
    struct crash c = {.rounds = crash_number("ROUNDS", 200)};

    prng_init(&c.random, crash_number("SEED", 1));
    for (uint64_t i = 0; i < c.rounds; i++) {
        crash_round(&c, i);
    }
    for (int i = 0; i < SMSHARD_POINTS; i++) {
        printf("moment %d: %llu\n", i, (unsigned long long)c.killed_at[i]);
    }
    printf("%llu rounds, %llu killed\n", (unsigned long long)c.rounds,
           (unsigned long long)c.killed);
    EXPECT(c.killed > c.rounds / 2);
}
