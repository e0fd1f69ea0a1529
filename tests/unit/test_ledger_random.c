/* SPDX-License-Identifier: Apache-2.0 */
/* Random histories of a ledger against the plainest model: a state for each
 * position. What is decided is judged by the entries; a second ledger replays
 * them, a third begins at a snapshot, and all three must agree. Some histories
 * go on in a new ledger with other hosts, from the committed set alone. */

#include "base/prng.h"
#include "coordinator/ledger.h"
#include "tests/harness.h"

enum {
    POSITIONS = 160,
    EPOCHS = 3,
    HOSTS = 5,
    RANKS = 3, /* Of a host, at most. */
    LEASES = 20000,
    LEASE_MS = 50,
    CALM_TURNS = 20000,
};

enum lease_state { LIVE = 1, FINISHED, DROPPED };

struct lease {
    enum lease_state state;
    uint32_t host;
    uint32_t rank;
    struct range range;
    uint64_t epoch;
};

struct world {
    struct prng p;
    struct ledger *l;
    struct ledger *replay;
    struct ledger *late; /* From a snapshot; NULL: none was taken yet. */
    struct ledger_options options;
    uint32_t host_ranks[HOSTS];
    uint32_t host_weights[HOSTS];
    uint64_t shares[HOSTS * RANKS + 1];
    uint32_t rank_host[HOSTS * RANKS];
    uint32_t ranks;
    uint64_t now_ms;

    /* The model. */
    uint64_t holder[POSITIONS]; /* 0: free, or over. */
    bool is_skipped[POSITIONS];
    bool is_done[POSITIONS]; /* Committed. */
    uint32_t commits[EPOCHS][POSITIONS];
    uint64_t skips[EPOCHS];
    bool is_cut_short[EPOCHS];
    bool is_stopping;
    uint64_t epoch;
    struct lease *leases;
    uint64_t lease_count;
    uint64_t rank_top[HOSTS * RANKS];
};

/* ---- A ledger and its options -------------------------------------------- */

static void choose_hosts(struct world *w)
{
    w->options.host_count = 1 + (uint32_t)prng_below(&w->p, HOSTS);
    w->ranks = 0;
    for (uint32_t i = 0; i < w->options.host_count; i++) {
        w->host_ranks[i] = (uint32_t)prng_below(&w->p, RANKS + 1);
        w->host_ranks[i] += i == 0 && w->host_ranks[i] == 0;
        w->host_weights[i] = 1 + (uint32_t)prng_below(&w->p, 200);
        for (uint32_t k = 0; k < w->host_ranks[i]; k++) {
            w->rank_host[w->ranks++] = i;
        }
    }
    for (uint32_t i = 1; i < w->ranks; i++) {
        w->shares[i] =
            w->shares[i - 1] +
            prng_below(&w->p, w->options.positions - w->shares[i - 1] + 1);
    }
    w->shares[w->ranks] = w->options.positions;
}

static void choose(struct world *w, uint64_t kind)
{
    struct ledger_options *o = &w->options;

    o->positions = prng_below(&w->p, POSITIONS + 1);
    o->epochs = EPOCHS;
    o->first_epoch = prng_below(&w->p, 2);
    o->lease_ms = LEASE_MS;
    o->run_ms = 1 + prng_below(&w->p, 100);
    o->run_units = prng_below(&w->p, 20);
    o->skips = prng_below(&w->p, 5);
    choose_hosts(w);
    o->host_ranks = w->host_ranks;
    o->host_weights = w->host_weights;
    o->step_units = kind == 1 ? 1 + prng_below(&w->p, POSITIONS / 3) : 0;
    o->shares = kind == 2 ? w->shares : NULL;
}

static void begin(struct world *w)
{
    w->l = ledger_new(&w->options);
    w->replay = ledger_new(&w->options);
    w->late = NULL;
    w->lease_count = 0;
    w->is_stopping = false;
    memset(w->holder, 0, sizeof(w->holder));
    memset(w->is_skipped, 0, sizeof(w->is_skipped));
    memset(w->rank_top, 0, sizeof(w->rank_top));
    for (uint32_t i = 0; i < w->options.host_count; i++) {
        ledger_enter(w->l, i, w->now_ms);
    }
}

static void end(struct world *w)
{
    ledger_destroy(&w->l);
    ledger_destroy(&w->replay);
    ledger_destroy(&w->late);
}

/* ---- Judging entries ------------------------------------------------------
 */

static void judge_grant(struct world *w, const struct ledger_entry *e)
{
    struct lease *lease = &w->leases[e->lease];

    EXPECT_EQ(e->lease, w->lease_count + 1);
    EXPECT(w->lease_count + 1 < LEASES && e->rank < w->ranks);
    EXPECT(!w->is_stopping);
    EXPECT(ledger_is_live(w->l, w->rank_host[e->rank]));
    EXPECT(e->range.first < e->range.end);
    EXPECT(e->range.end <= w->options.positions);
    *lease = (struct lease){LIVE, w->rank_host[e->rank], e->rank, e->range,
                            w->epoch};
    w->lease_count++;
    for (uint64_t i = e->range.first; i < e->range.end; i++) {
        EXPECT(w->holder[i] == 0 && !w->is_done[i] && !w->is_skipped[i]);
        w->holder[i] = e->lease;
    }
    if (w->options.shares != NULL) {
        EXPECT(e->range.first >= w->shares[e->rank]);
        EXPECT(e->range.end <= w->shares[e->rank + 1]);
    }
    if (w->options.step_units > 0) {
        EXPECT_EQ(e->range.first / w->options.step_units,
                  (e->range.end - 1) / w->options.step_units);
        EXPECT(e->range.first < ledger_gate(w->l) + 1 * w->options.step_units);
    }
    if (w->options.run_units > 0 && w->options.shares == NULL &&
        w->options.step_units == 0) {
        EXPECT(e->range.end - e->range.first <= w->options.run_units);
    }
}

static void judge_end_of_lease(struct world *w, uint64_t number)
{
    struct lease *lease = &w->leases[number];
    bool holds = false;

    for (uint64_t i = lease->range.first; i < lease->range.end; i++) {
        holds = holds || w->holder[i] == number;
    }
    if (!holds) {
        lease->state =
            lease->range.first < lease->range.end ? FINISHED : DROPPED;
    }
}

static void judge_commit(struct world *w, const struct ledger_entry *e)
{
    EXPECT_EQ(w->leases[e->lease].state, LIVE);
    for (uint64_t i = e->range.first; i < e->range.end; i++) {
        EXPECT_EQ(w->holder[i], e->lease);
        w->holder[i] = 0;
        if (e->type == LEDGER_COMMIT) {
            w->is_done[i] = true;
            w->commits[w->epoch][i]++;
        } else {
            w->is_skipped[i] = true;
            w->skips[w->epoch]++;
        }
    }
    judge_end_of_lease(w, e->lease);
}

static void judge_cut(struct world *w, const struct ledger_entry *e)
{
    struct lease *lease = &w->leases[e->lease];

    EXPECT_EQ(lease->state, LIVE);
    EXPECT_EQ(e->range.end, lease->range.end);
    lease->range.end = e->range.first;
    for (uint64_t i = e->range.first; i < e->range.end; i++) {
        EXPECT_EQ(w->holder[i], e->lease);
        w->holder[i] = 0;
    }
    judge_end_of_lease(w, e->lease);
}

static void judge_drop(struct world *w, const struct ledger_entry *e)
{
    struct lease *lease = &w->leases[e->lease];

    EXPECT_EQ(lease->state, LIVE);
    lease->state = DROPPED;
    for (uint64_t i = lease->range.first; i < lease->range.end; i++) {
        w->holder[i] = w->holder[i] == e->lease ? 0 : w->holder[i];
    }
}

static void judge_epoch(struct world *w)
{
    for (uint64_t i = 0; i < w->options.positions; i++) {
        EXPECT_EQ(w->holder[i], 0);
        EXPECT(w->is_done[i] || w->is_skipped[i] || w->is_stopping);
        w->is_done[i] = false;
        w->is_skipped[i] = false;
    }
    w->is_stopping = false;
    w->epoch++;
    memset(w->rank_top, 0, sizeof(w->rank_top));
}

static void judge(struct world *w, const struct ledger_entry *e)
{
    switch (e->type) {
    case LEDGER_GRANT:
        judge_grant(w, e);
        break;
    case LEDGER_COMMIT:
    case LEDGER_SKIP:
        judge_commit(w, e);
        break;
    case LEDGER_CUT:
        judge_cut(w, e);
        break;
    case LEDGER_DROP:
        judge_drop(w, e);
        break;
    case LEDGER_ENTER:
        for (uint32_t i = 0; i < w->ranks; i++) {
            w->rank_top[i] = w->rank_host[i] == e->rank ? 0 : w->rank_top[i];
        }
        break;
    case LEDGER_STOP:
        w->is_stopping = true;
        w->is_cut_short[w->epoch] = true;
        break;
    case LEDGER_EPOCH:
        judge_epoch(w);
        break;
    case LEDGER_BASE:
    case LEDGER_ENTRY_TYPES:
        EXPECT(e->type == LEDGER_BASE);
    }
}

static void expect_equal(const struct ledger *a, const struct ledger *b)
{
    struct buf of_a = {0};
    struct buf of_b = {0};

    ledger_write(a, &of_a);
    ledger_write(b, &of_b);
    EXPECT(bytes_is_equal(buf_bytes(&of_a), buf_bytes(&of_b)));
    buf_fini(&of_a);
    buf_fini(&of_b);
}

static void replay_one(struct ledger *l, const struct ledger_entry *e)
{
    struct ledger_entry again;
    struct buf out = {0};
    struct bytes in;
    struct fault why;

    ledger_entry_write(e, &out);
    in = buf_bytes(&out);
    EXPECT_EQ(ledger_entry_read(&in, &why, &again), STATUS_OK);
    EXPECT_EQ(in.size, 0);
    EXPECT_EQ(ledger_apply(l, &again, &why), STATUS_OK);
    buf_fini(&out);
}

static void take_snapshot(struct world *w)
{
    struct buf out = {0};
    struct bytes in;
    struct fault why;

    ledger_destroy(&w->late);
    w->late = ledger_new(&w->options);
    ledger_write(w->l, &out);
    in = buf_bytes(&out);
    EXPECT_EQ(ledger_read(w->late, &in, &why), STATUS_OK);
    EXPECT_EQ(in.size, 0);
    buf_fini(&out);
}

/* After each step: judge, replay, compare. */
static void settle(struct world *w)
{
    size_t count;
    const struct ledger_entry *entries = ledger_take_entries(w->l, &count);

    for (size_t i = 0; i < count; i++) {
        replay_one(w->replay, &entries[i]);
        if (w->late != NULL) {
            replay_one(w->late, &entries[i]);
        }
        judge(w, &entries[i]);
    }
    ledger_check(w->l);
    ledger_check(w->replay);
    EXPECT_EQ(ledger_epoch(w->l), w->epoch);
    EXPECT_EQ(ledger_is_stopping(w->l), w->is_stopping);
    for (uint64_t i = 0; count > 0 && i < w->options.positions; i++) {
        EXPECT_EQ(ranges_has(ledger_committed(w->l), i), w->is_done[i]);
        EXPECT_EQ(ranges_has(ledger_skipped(w->l), i), w->is_skipped[i]);
    }
    if (count > 0) {
        expect_equal(w->l, w->replay);
    }
    if (count > 0 && w->late != NULL) {
        ledger_check(w->late);
        expect_equal(w->l, w->late);
    }
    if (prng_chance(&w->p, 1, 150)) {
        take_snapshot(w);
    }
}

/* ---- What happens ---------------------------------------------------------
 */

static void ask(struct world *w, uint32_t rank)
{
    uint64_t most = prng_chance(&w->p, 1, 3) ? 1 + prng_below(&w->p, 9) : 0;
    struct ledger_want want = {rank, most, w->now_ms};
    struct ledger_lease lease;

    if (ledger_want(w->l, &want, &lease) == STATUS_OK) {
        EXPECT_EQ(lease.rank, rank);
        EXPECT_EQ(lease.left, lease.range.end - lease.range.first);
        EXPECT(most == 0 || lease.left <= most);
        settle(w);
        EXPECT_EQ(lease.is_late, lease.range.first < w->rank_top[rank]);
        if (lease.range.end > w->rank_top[rank]) {
            w->rank_top[rank] = lease.range.end;
        }
    }
}

static struct range any_range(struct world *w, struct range in)
{
    uint64_t length = in.end - in.first + 2; /* Often a bit outside. */
    uint64_t first = in.first + prng_below(&w->p, length);

    return (struct range){first, first + prng_below(&w->p, length)};
}

static bool is_inside(struct range in, struct range r)
{
    return r.first < r.end && r.first >= in.first && r.end <= in.end;
}

/* Any word about any lease, most often by its host and about a late one. */
static void say(struct world *w)
{
    uint64_t back = prng_below(&w->p, prng_chance(&w->p, 1, 4) ? 60 : 12);
    uint64_t number = w->lease_count > back ? w->lease_count - back : 1;
    const struct lease lease = w->leases[number];
    struct ledger_word word = {lease.host, number, {0}, w->now_ms};
    bool is_held;
    enum status s;

    word.range = any_range(w, lease.range);
    if (prng_chance(&w->p, 1, 20)) {
        word.host = (uint32_t)prng_below(&w->p, w->options.host_count);
    }
    is_held =
        w->lease_count > 0 && lease.state == LIVE && lease.host == word.host;
    switch (prng_below(&w->p, 8)) {
    case 0:
        s = ledger_give_back(w->l, &word);
        break;
    case 1:
        word.range.end = word.range.first + 1;
        s = ledger_skip(w->l, &word);
        break;
    default:
        s = ledger_commit(w->l, &word);
        if (is_held) {
            EXPECT_EQ(s, is_inside(lease.range, word.range) ? STATUS_OK
                                                            : STATUS_INVALID);
        }
    }
    if (!is_held && (w->lease_count == 0 || lease.state != FINISHED)) {
        EXPECT_EQ(s, STATUS_LOST);
    }
}

static void happen(struct world *w)
{
    uint32_t host = (uint32_t)prng_below(&w->p, w->options.host_count);

    switch (prng_below(&w->p, 40)) {
    case 0:
        ledger_lose(w->l, host, w->now_ms);
        break;
    case 1:
        ledger_enter(w->l, host, w->now_ms);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        w->now_ms += prng_below(&w->p, 15);
        ledger_tick(w->l, w->now_ms);
        EXPECT(ledger_timer_ms(w->l) > w->now_ms);
        break;
    case 6:
        if (prng_chance(&w->p, 1, 40)) {
            ledger_stop(w->l);
        }
        break;
    default:
        if (prng_chance(&w->p, 1, 2)) {
            say(w);
        } else if (prng_chance(&w->p, 1, 2)) {
            ledger_hear(w->l, host, w->now_ms);
        } else {
            ask(w, (uint32_t)prng_below(&w->p, w->ranks));
        }
    }
    settle(w);
}

/* Everybody lives and works: it must come to its end. */
static void commit_all(struct world *w, uint32_t host)
{
    struct ledger_lease lease = {0};

    while (ledger_next_lease(w->l, host, lease.number, &lease)) {
        struct ledger_word word = {host, lease.number, lease.range, w->now_ms};

        EXPECT_EQ(ledger_commit(w->l, &word), STATUS_OK);
        settle(w);
    }
}

static void calm(struct world *w)
{
    for (int turn = 0; !ledger_is_over(w->l); turn++) {
        EXPECT(turn < CALM_TURNS);
        w->now_ms += 3;
        for (uint32_t i = 0; i < w->options.host_count; i++) {
            ledger_hear(w->l, i, w->now_ms);
        }
        for (uint32_t i = 0; i < w->ranks; i++) {
            ask(w, i);
        }
        for (uint32_t i = 0; i < w->options.host_count; i++) {
            commit_all(w, i);
        }
        ledger_tick(w->l, w->now_ms);
        settle(w);
    }
    EXPECT_EQ(ledger_lease_count(w->l), 0);
    EXPECT_EQ(ledger_leased(w->l), 0);
}

/* Another coordinator goes on with what was replayed. */
static void fail_over(struct world *w)
{
    ledger_destroy(&w->l);
    w->l = w->replay;
    ledger_resume(w->l, w->now_ms);
    w->replay = w->late;
    w->late = NULL;
    if (w->replay == NULL) {
        take_snapshot(w);
        w->replay = w->late;
        w->late = NULL;
    }
    settle(w);
}

/* All is gone but the committed set; it goes on with other hosts. */
static void resize(struct world *w)
{
    struct ranges *committed = ranges_new();
    struct range range;

    for (uint64_t at = 0; ranges_next(ledger_committed(w->l), at, &range);
         at = range.end) {
        ranges_add(committed, range);
    }
    w->skips[w->epoch] -= ranges_size(ledger_skipped(w->l));
    end(w);
    w->options.first_epoch = w->epoch;
    choose_hosts(w);
    begin(w);
    for (uint64_t at = 0; ranges_next(committed, at, &range); at = range.end) {
        ledger_base(w->l, range);
    }
    ranges_destroy(&committed);
    settle(w);
    ledger_tick(w->l, w->now_ms);
    settle(w);
}

static void run(uint64_t seed, uint64_t kind)
{
    struct world *w = calloc(1, sizeof(*w));
    uint64_t first_epoch;

    prng_init(&w->p, seed);
    w->leases = calloc(LEASES, sizeof(*w->leases));
    choose(w, kind);
    first_epoch = w->options.first_epoch;
    w->epoch = first_epoch;
    begin(w);
    for (int i = 0; i < 600; i++) {
        happen(w);
        if (prng_chance(&w->p, 1, 200)) {
            fail_over(w);
        } else if (prng_chance(&w->p, 1, 200)) {
            resize(w);
        }
    }
    calm(w);
    for (uint64_t e = first_epoch; e < EPOCHS; e++) {
        uint64_t commits = 0;

        for (uint64_t i = 0; i < w->options.positions; i++) {
            EXPECT(w->commits[e][i] <= 1);
            commits += w->commits[e][i];
        }
        if (w->options.positions > 0 && !w->is_cut_short[e]) {
            EXPECT_EQ(commits + w->skips[e], w->options.positions);
        }
    }
    end(w);
    free(w->leases);
    free(w);
}

TEST(dynamic)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        run(seed, 0);
    }
}

TEST(stepped)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        run(seed, 1);
    }
}

TEST(static_shares)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        run(seed, 2);
    }
}
