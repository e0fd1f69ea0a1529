/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/term.h"

#include "tests/harness.h"

enum { BEAT = 600, TTL = 2 * BEAT, REIGN = TTL - TTL / 6 };

static struct term_options options_of(uint32_t number)
{
    static const char *const hosts[] = {"h0", "h1", "h2", "h3", "h4"};
    static const char *const runs[] = {"a0", "a1", "a2", "a3", "a4"};
    uint32_t which = number < 5 ? number : 4;

    return (struct term_options){
        .host = hosts[which],
        .endpoint = "tcp://x:1",
        .run = runs[which],
        .number = number,
        .host_count = number < 5 ? 5 : 10000,
        .heartbeat_ms = BEAT,
        .nonce_seed = 1000 + number,
        .may_succeed = true,
    };
}

static struct term *make(uint32_t number)
{
    struct term_options options = options_of(number);

    return term_new(&options);
}

static struct term *make_member(uint32_t number, const char *run)
{
    struct term *t = make(number);

    term_enter_run(t, run);
    return t;
}

/* --- Golden sequences: one row an event and what must come of it. --- */

struct row {
    uint64_t now_ms;
    char event; /* t timer, r read, w written, R release, E, e: set eager. */
    enum status status;
    const char *etag;
    const char *body; /* "mine": last written; "first": before that; or: */
    const char *want; /* "r", "c" create, "u" at all events, "m:ETAG", "-". */
    uint64_t timer_ms;
    enum term_state state;
};

#define NEVER UINT64_MAX
#define LEASE(nonce, released) LEASE_OF("bb", nonce, released)
#define LEASE_OF(run, nonce, released)                                         \
    "{\"term\":5,\"run\":\"" run                                               \
    "\",\"host\":\"h9\",\"endpoint\":\"tcp://y:2\","                           \
    "\"nonce\":\"" nonce "\",\"ttl_ms\":900,\"key\":\"\",\"number\":0,"        \
    "\"released\":" released "}"
#define GOLD LEASE("cc", "false")
#define GONE LEASE("cd", "true")
#define OTHER LEASE_OF("dd", "ce", "true")

static const char *describe(const struct term_effects *fx, char out[160])
{
    if (fx->request == TERM_DO_READ) {
        return "r";
    }
    if (fx->request == TERM_DO_NOTHING) {
        return "-";
    }
    if (fx->is_unconditional) {
        return fx->is_create ? "?" : "u";
    }
    snprintf(out, 160, fx->is_create ? "c" : "m:%s", fx->etag);
    return out;
}

/* What a core has written: the last and the one before. */
struct written {
    char at[2][TERM_BODY_MAX];
    size_t size[2];
};

static void keep(struct written *w, const struct term_effects *fx)
{
    memcpy(w->at[1], w->at[0], w->size[0]);
    w->size[1] = w->size[0];
    memcpy(w->at[0], fx->body, fx->body_size);
    w->size[0] = fx->body_size;
}

static struct term_event event_of(struct term *t, const struct row *r,
                                  struct written *w)
{
    struct term_event event = {.now_ms = r->now_ms, .status = r->status};

    event.type = r->event == 'r'   ? TERM_EVENT_READ
                 : r->event == 'w' ? TERM_EVENT_WRITTEN
                 : r->event == 'R' ? TERM_EVENT_RELEASE
                                   : TERM_EVENT_TIMER;
    if (r->event == 'E' || r->event == 'e') {
        term_set_eager(t, r->event == 'E');
    }
    event.etag = r->status == STATUS_OK ? r->etag : NULL;
    if (r->body != NULL) {
        size_t which = strcmp(r->body, "first") == 0;

        event.body = which == 1 || strcmp(r->body, "mine") == 0
                         ? (struct bytes){w->at[which], w->size[which]}
                         : bytes_of(r->body);
    }
    return event;
}

static void play(struct term *t, const struct row *rows, size_t count)
{
    static struct term_effects fx;
    static struct written written;

    for (size_t i = 0; i < count && rows[i].want != NULL; i++) {
        const struct row *r = &rows[i];
        struct term_event event = event_of(t, r, &written);
        char text[160];

        term_step(t, &event, &fx);
        term_check(t);
        if (strcmp(describe(&fx, text), r->want) != 0 ||
            fx.timer_ms != r->timer_ms || term_state(t) != r->state) {
            fprintf(stderr, "row %zu: %s, timer %llu, state %d\n", i,
                    describe(&fx, text), (unsigned long long)fx.timer_ms,
                    (int)term_state(t));
            exit(1);
        }
        if (fx.request == TERM_DO_WRITE) {
            keep(&written, &fx);
        }
    }
}

#define PLAY(t, rows) play(t, rows, sizeof(rows) / sizeof(rows[0]))

#define L TERM_LOOKING
#define F TERM_FOLLOWING
#define K TERM_LEADING
#define S TERM_SUSPENDED
#define X TERM_RELEASED

TEST(takes_an_absent_lease_renews_and_releases)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {5, 't', 0, NULL, NULL, "-", NEVER, L},
        {10, 'r', STATUS_NOT_FOUND, NULL, NULL, "c", NEVER, L},
        {40, 'w', STATUS_OK, "e1", NULL, "-", 310, K},
        {40, 't', 0, NULL, NULL, "-", 310, K},
        {310, 't', 0, NULL, NULL, "m:e1", 1010, K},
        {600, 't', 0, NULL, NULL, "-", 1010, K},
        {700, 'w', STATUS_OK, "e2", NULL, "m:e2", 1310, K}, /* Late. */
        {710, 'w', STATUS_OK, "e3", NULL, "-", 1000, K},
        {900, 'R', 0, NULL, NULL, "m:e3", 1700, K},
        {901, 't', 0, NULL, NULL, "-", 1700, K},
        {950, 'w', STATUS_OK, "e4", NULL, "-", NEVER, X},
        {9999, 't', 0, NULL, NULL, "-", NEVER, X},
    };
    struct term *t = make(0);

    PLAY(t, rows);
    EXPECT(term_lease(t)->is_released);
    EXPECT_EQ(term_lease(t)->term, 1);
    EXPECT_EQ(term_lease(t)->number, 0);
    term_destroy(&t);
}

TEST(an_outsider_waits_longer_and_begins_a_run)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GOLD, "-", 300, F},
        {300, 't', 0, NULL, NULL, "r", NEVER, F},
        {310, 'r', STATUS_OK, "g2", GOLD, "-", 600, F}, /* Renewed. */
        {600, 't', 0, NULL, NULL, "r", NEVER, F},
        {610, 'r', STATUS_STORE, NULL, NULL, "-", 710, F}, /* Anew. */
        {710, 't', 0, NULL, NULL, "r", NEVER, F},
        {720, 'r', STATUS_OK, "g2", GOLD, "-", 1010, F},
        {1010, 't', 0, NULL, NULL, "r", NEVER, F},
        {2950, 'r', STATUS_OK, "g2", GOLD, "r", NEVER, L},
        {2960, 'r', STATUS_OK, "g2", GOLD, "-", 3250, L},
        {3250, 't', 0, NULL, NULL, "r", NEVER, L},
        {3260, 'r', STATUS_OK, "g2", GOLD, "-", 3385, L}, /* Its turn. */
        {3385, 't', 0, NULL, NULL, "r", NEVER, L},
        {3390, 'r', STATUS_OK, "g2", GOLD, "m:g2", NEVER, L},
        {3400, 'w', STATUS_OK, "e1", NULL, "-", 3690, K},
    };
    struct term *t = make(2);

    PLAY(t, rows);
    EXPECT_EQ(term_lease(t)->term, 6);
    EXPECT_STR(term_lease(t)->run, "a2");
    EXPECT_EQ(term_until_ms(t), 3390 + REIGN);
    term_destroy(&t);
}

TEST(the_first_standby_takes_over_and_keeps_the_run)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GOLD, "-", 300, F},
        {300, 't', 0, NULL, NULL, "r", NEVER, F},
        {310, 'r', STATUS_OK, "g2", GOLD, "-", 600, F},
        {600, 't', 0, NULL, NULL, "r", NEVER, F},
        {610, 'r', STATUS_OK, "g2", GOLD, "-", 900, F},
        {900, 't', 0, NULL, NULL, "r", NEVER, F},
        {920, 'r', STATUS_OK, "g2", GOLD, "-", 1200, F},
        {1200, 't', 0, NULL, NULL, "r", NEVER, F},
        {1205, 'r', STATUS_OK, "g2", GOLD, "-", 1210, F},
        {1210, 't', 0, NULL, NULL, "m:g2", NEVER, F}, /* At once. */
        {1215, 'w', STATUS_OK, "e1", NULL, "-", 1510, K},
    };
    struct term *t = make_member(1, "bb");

    PLAY(t, rows);
    EXPECT_EQ(term_lease(t)->term, 6);
    EXPECT_STR(term_lease(t)->run, "bb");
    EXPECT_STR(term_lease(t)->host, "h1");
    EXPECT_EQ(term_lease(t)->number, 1);
    term_destroy(&t);
}

TEST(the_next_standby_looks_again_before_it_takes)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_OK, "g1", GOLD, "-", 300, F},
        {800, 't', 0, NULL, NULL, "r", NEVER, F},
        {810, 'r', STATUS_OK, "g1", GOLD, "-", 947, F},
        {947, 't', 0, NULL, NULL, "r", NEVER, F},
        {950, 'r', STATUS_OK, "g1", GOLD, "m:g1", NEVER, L},
        {960, 'w', STATUS_CHANGED, NULL, NULL, "r", NEVER, L},
        {970, 'r', STATUS_OK, "g2", GOLD, "-", 1260, F},
    };
    struct term *t = make_member(2, "bb");

    PLAY(t, rows);
    term_destroy(&t);
}

TEST(those_far_behind_look_rarely_unless_told)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_OK, "g1", GOLD, "-", 3675, F},
        {400, 'E', 0, NULL, NULL, "r", NEVER, F},
        {410, 'r', STATUS_OK, "g2", GOLD, "-", 700, F},
        {500, 'e', 0, NULL, NULL, "-", 4075, F},
        {4075, 't', 0, NULL, NULL, "r", NEVER, F},
        {4080, 'r', STATUS_STORE, NULL, NULL, "-", 4680, F},
        {4680, 't', 0, NULL, NULL, "r", NEVER, F},
        {4700, 'r', STATUS_OK, "g2", GOLD, "m:g2", NEVER, L},
    };
    struct term *t = make_member(4, "bb");

    PLAY(t, rows);
    term_destroy(&t);
}

TEST(who_is_let_in_late_is_a_standby_from_then_on)
{
    static const struct row before[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_OK, "g1", GOLD, "-", 300, F},
        {300, 't', 0, NULL, NULL, "r", NEVER, F},
        {1000, 'r', STATUS_OK, "g1", GOLD, "r", NEVER, L},
        {1005, 'r', STATUS_OK, "g1", GOLD, "-", 1300, L},
    };
    static const struct row after[] = {
        {1010, 't', 0, NULL, NULL, "m:g1", NEVER, L},
    };
    struct term *t = make(1);

    PLAY(t, before);
    term_enter_run(t, "bb");
    PLAY(t, after);
    term_destroy(&t);
}

TEST(a_released_lease_is_taken_by_who_is_not_of_its_run)
{
    static const struct row outside[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GONE, "-", 1200, L},
        {1200, 't', 0, NULL, NULL, "r", NEVER, L},
        {1220, 'r', STATUS_OK, "g1", GONE, "m:g1", NEVER, L},
        {1230, 'w', STATUS_CHANGED, NULL, NULL, "r", NEVER, L},
        {1240, 'r', STATUS_OK, "g2", GOLD, "-", 5140, F},
    };
    static const struct row first[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GONE, "m:g1", NEVER, L},
    };
    static const struct row inside[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GONE, "-", 300, F},
        {9000, 't', 0, NULL, NULL, "r", NEVER, F},
        {9020, 'r', STATUS_OK, "g1", GONE, "-", 9300, F},
    };
    struct term *t = make(4000);

    PLAY(t, outside);
    EXPECT_STR(term_lease(t)->host, "h9");
    term_destroy(&t);
    t = make(0);
    PLAY(t, first);
    term_destroy(&t);
    t = make_member(1, "bb");
    PLAY(t, inside);
    EXPECT(term_lease(t)->is_released);
    term_destroy(&t);
}

/* Its earlier launch still counted in the run when that ended: there is
 * nobody left to begin another one with. Of a run that goes stale, and of one
 * that another has begun, it is as free as anybody. */
TEST(who_was_kept_waiting_does_not_take_what_is_released)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GOLD, "-", 300, F},
        {300, 't', 0, NULL, NULL, "r", NEVER, F},
        {310, 'r', STATUS_OK, "g2", GONE, "-", 600, F},
        {9000, 't', 0, NULL, NULL, "r", NEVER, F},
        {9020, 'r', STATUS_OK, "g2", GONE, "-", 9300, F},
        {9300, 't', 0, NULL, NULL, "r", NEVER, F},
        {9310, 'r', STATUS_OK, "g3", OTHER, "m:g3", NEVER, L},
    };
    static const struct row stale[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GOLD, "-", 300, F},
        {2720, 't', 0, NULL, NULL, "r", NEVER, F},
        {2730, 'r', STATUS_OK, "g1", GOLD, "m:g1", NEVER, L},
    };
    static const struct row late[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {20, 'r', STATUS_OK, "g1", GONE, "-", 57, L},
    };
    static const struct row later[] = {
        {57, 't', 0, NULL, NULL, "-", 300, L},
        {300, 't', 0, NULL, NULL, "r", NEVER, L},
        {310, 'r', STATUS_OK, "g1", GONE, "-", 600, F},
    };
    struct term *t = make(0);

    term_knock(t, "bb");
    PLAY(t, rows);
    term_destroy(&t);
    t = make(0);
    term_knock(t, "bb");
    PLAY(t, stale);
    term_destroy(&t);
    t = make(1); /* Told after it has seen the release. */
    PLAY(t, late);
    term_knock(t, "bb");
    PLAY(t, later);
    term_destroy(&t);
}

TEST(an_open_outcome_is_read_and_its_nonce_compared)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_NOT_FOUND, NULL, NULL, "c", NEVER, L},
        {200, 'w', STATUS_STORE, NULL, NULL, "r", NEVER, L},
        {210, 'r', STATUS_NOT_FOUND, NULL, NULL, "-", 310, L},
        {310, 't', 0, NULL, NULL, "c", NEVER, L}, /* The same body. */
        {320, 'w', STATUS_EXISTS, NULL, NULL, "r", NEVER, L},
        {330, 'r', STATUS_OK, "e1", "mine", "m:e1", 1010, K},
        /* A renewal that took place though its answer was lost. */
        {500, 'w', STATUS_TIMEOUT, NULL, NULL, "r", 1010, K},
        {510, 'r', STATUS_OK, "e2", "mine", "-", 630, K},
        {630, 't', 0, NULL, NULL, "m:e2", 1330, K},
        /* One that was sent twice below us, so that it seems refused. */
        {700, 'w', STATUS_CHANGED, NULL, NULL, "r", NEVER, S},
        {710, 'r', STATUS_OK, "e3", "mine", "-", 930, K},
        {930, 't', 0, NULL, NULL, "m:e3", 1630, K},
        /* And one that did not take place, until the reign ran out. */
        {950, 'w', STATUS_TIMEOUT, NULL, NULL, "r", 1630, K},
        {960, 'r', STATUS_IO, NULL, NULL, "-", 1060, K},
        {1060, 't', 0, NULL, NULL, "r", 1630, K},
        {1070, 'r', STATUS_OK, "e3", "first", "-", 1170, K},
        {1170, 't', 0, NULL, NULL, "m:e3", 1630, K},
        {1630, 't', 0, NULL, NULL, "-", NEVER, S},
        {1700, 'w', STATUS_IO, NULL, NULL, "r", NEVER, S},
        {1710, 'r', STATUS_IO, NULL, NULL, "-", 1810, S},
        {1810, 't', 0, NULL, NULL, "r", NEVER, S},
        /* It landed late and tells of a reign that is over: the next does. */
        {9000, 'r', STATUS_OK, "e4", "mine", "m:e4", NEVER, S},
        {9010, 'w', STATUS_OK, "e5", NULL, "-", 9300, K},
    };
    struct term *t = make(0);

    PLAY(t, rows);
    EXPECT_EQ(term_lease(t)->term, 1);
    EXPECT_EQ(term_until_ms(t), 9000 + REIGN);
    term_destroy(&t);
}

TEST(a_leader_that_was_stopped_goes_on_or_follows)
{
    static const struct row start[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {0, 'r', STATUS_NOT_FOUND, NULL, NULL, "c", NEVER, L},
        {0, 'w', STATUS_OK, "e1", NULL, "-", 300, K},
    };
    static const struct row ends[][4] = {
        {{9000, 't', 0, NULL, NULL, "m:e1", NEVER, S},
         {9010, 'w', STATUS_OK, "e2", NULL, "-", 9300, K}},
        {{9000, 't', 0, NULL, NULL, "m:e1", NEVER, S},
         {9010, 'w', STATUS_CHANGED, NULL, NULL, "r", NEVER, S},
         {9020, 'r', STATUS_OK, "g1", GOLD, "-", 9310, F}},
        {{9000, 't', 0, NULL, NULL, "m:e1", NEVER, S},
         {9010, 'w', STATUS_TIMEOUT, NULL, NULL, "r", NEVER, S},
         {9020, 'r', STATUS_OK, "e1", "first", "-", 9120, S},
         {9120, 't', 0, NULL, NULL, "m:e1", NEVER, S}},
        {{9000, 'R', 0, NULL, NULL, "m:e1", 9000 + TTL, S},
         {9010, 'w', STATUS_OK, "e2", NULL, "-", NEVER, X}},
        {{9000, 'R', 0, NULL, NULL, "m:e1", 9000 + TTL, S},
         {9010, 'w', STATUS_STORE, NULL, NULL, "r", 9000 + TTL, S},
         {9000 + TTL, 't', 0, NULL, NULL, "-", NEVER, X}},
    };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct term *t = make(0);

        PLAY(t, start);
        PLAY(t, ends[i]);
        term_destroy(&t);
    }
}

TEST(a_leader_that_is_replaced_steps_down)
{
    static const struct row start[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {0, 'r', STATUS_NOT_FOUND, NULL, NULL, "c", NEVER, L},
        {0, 'w', STATUS_OK, "e1", NULL, "-", 300, K},
        {300, 't', 0, NULL, NULL, "m:e1", 1000, K},
    };
    static const struct row ends[][3] = {
        {{350, 'w', STATUS_CHANGED, NULL, NULL, "r", NEVER, S},
         {360, 'r', STATUS_OK, "x", GOLD, "-", 650, F}},
        {{350, 'w', STATUS_NOT_FOUND, NULL, NULL, "r", NEVER, S},
         {360, 'r', STATUS_NOT_FOUND, NULL, NULL, "-", 1550, L}},
        {{350, 'w', STATUS_STORE, NULL, NULL, "r", 1000, K},
         {360, 'r', STATUS_OK, "x", GOLD, "-", 650, F}},
        {{350, 'w', STATUS_STORE, NULL, NULL, "r", 1000, K},
         {360, 'r', STATUS_OK, "x", "{]", "-", 1550, L}},
        {{350, 'R', 0, NULL, NULL, "-", 1000, K},
         {360, 'w', STATUS_OK, "e2", NULL, "m:e2", 1300, K},
         {370, 'w', STATUS_OK, "e3", NULL, "-", NEVER, X}},
    };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct term *t = make(0);

        PLAY(t, start);
        PLAY(t, ends[i]);
        term_destroy(&t);
    }
}

TEST(a_run_that_was_replaced_is_not_begun_again)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {0, 'r', STATUS_NOT_FOUND, NULL, NULL, "c", NEVER, L},
        {0, 'w', STATUS_OK, "e1", NULL, "-", 300, K},
        {300, 't', 0, NULL, NULL, "m:e1", 1000, K},
        {350, 'w', STATUS_CHANGED, NULL, NULL, "r", NEVER, S},
        {360, 'r', STATUS_OK, "g1", GONE, "m:g1", NEVER, L},
        {400, 'w', STATUS_OK, "e2", NULL, "-", 660, K},
    };
    struct term *t = make(0);

    PLAY(t, rows);
    EXPECT_EQ(term_lease(t)->term, 6);
    EXPECT_EQ(strlen(term_lease(t)->run), TERM_RUN_SIZE);
    term_destroy(&t);
}

TEST(a_lease_that_cannot_be_read_is_left_alone)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_OK, "g1", "{\"term\":0}", "-", 300, L},
        {300, 't', 0, NULL, NULL, "r", NEVER, L},
        {9000, 'r', STATUS_OK, "g1", "{\"term\":0}", "r", NEVER, L},
        {9010, 'r', STATUS_OK, "g1", "{\"term\":0}", "-", 9300, L},
    };
    static const struct row mended[] = {
        {9400, 't', 0, NULL, NULL, "r", NEVER, L},
        {9410, 'r', STATUS_OK, "g2", GOLD, "-", 9700, F},
    };
    struct term *t = make(0);

    PLAY(t, rows);
    EXPECT_STR(term_fault(t), "lease: \"run\" is not a text");
    PLAY(t, mended);
    EXPECT_STR(term_fault(t), "");
    term_destroy(&t);
}

TEST(a_lease_that_vanished_may_still_be_led)
{
    static const struct row rows[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_OK, "g1", GOLD, "-", 300, F},
        {400, 't', 0, NULL, NULL, "r", NEVER, F},
        {420, 'r', STATUS_NOT_FOUND, NULL, NULL, "-", 700, L},
        {1300, 't', 0, NULL, NULL, "r", NEVER, L},
        {1310, 'r', STATUS_NOT_FOUND, NULL, NULL, "-", 1320, L},
        {1320, 't', 0, NULL, NULL, "c", NEVER, L},
    };
    struct term *t = make_member(1, "bb");

    PLAY(t, rows);
    term_destroy(&t);
}

TEST(who_wants_no_reign_takes_none)
{
    static const struct row idle[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'R', 0, NULL, NULL, "-", NEVER, X},
        {20, 'r', STATUS_NOT_FOUND, NULL, NULL, "-", NEVER, X},
    };
    static const struct row won[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_NOT_FOUND, NULL, NULL, "c", NEVER, L},
        {20, 'R', 0, NULL, NULL, "-", 20 + TTL, L},
        {30, 'w', STATUS_OK, "e1", NULL, "m:e1", 1010, K},
        {40, 'w', STATUS_OK, "e2", NULL, "-", NEVER, X},
    };
    static const struct row lost[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_NOT_FOUND, NULL, NULL, "c", NEVER, L},
        {20, 'R', 0, NULL, NULL, "-", 20 + TTL, L},
        {30, 'w', STATUS_EXISTS, NULL, NULL, "r", 20 + TTL, L},
        {40, 'r', STATUS_OK, "g1", GOLD, "-", NEVER, X},
    };
    struct term *t = make(0);

    PLAY(t, idle);
    term_destroy(&t);
    t = make(0);
    PLAY(t, won);
    term_destroy(&t);
    t = make(0);
    PLAY(t, lost);
    term_destroy(&t);
}

TEST(without_conditions_only_the_first_host_leads)
{
    static const struct row first[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_NOT_FOUND, NULL, NULL, "u", NEVER, L},
        {20, 'w', STATUS_OK, "e1", NULL, "-", 310, K},
        {310, 't', 0, NULL, NULL, "r", 1010, K}, /* Looks, then writes. */
        {320, 'r', STATUS_OK, "e1", "mine", "u", 1010, K},
        {330, 'w', STATUS_TIMEOUT, NULL, NULL, "r", 1010, K},
        {340, 'r', STATUS_OK, "e0", "first", "-", 440, K}, /* Late copy. */
        {440, 't', 0, NULL, NULL, "u", 1010, K},
        {450, 'w', STATUS_OK, "e2", NULL, "-", 620, K},
        {620, 't', 0, NULL, NULL, "r", 1320, K},
        {630, 'r', STATUS_OK, "e2", "mine", "u", 1320, K},
        {640, 'w', STATUS_OK, "e3", NULL, "-", 930, K},
        {930, 't', 0, NULL, NULL, "r", 1630, K},
        {940, 'r', STATUS_OK, "e0", "first", "u", 1630, K}, /* Again. */
        {950, 'w', STATUS_OK, "e4", NULL, "-", 1240, K},
        {1240, 't', 0, NULL, NULL, "r", 1940, K},
        {1250, 'r', STATUS_OK, "g1", GOLD, "-", 1540, F}, /* Another launch. */
    };
    static const struct row second[] = {
        {0, 't', 0, NULL, NULL, "r", NEVER, L},
        {10, 'r', STATUS_NOT_FOUND, NULL, NULL, "-", 300, L},
        {9000, 't', 0, NULL, NULL, "r", NEVER, L},
        {9010, 'r', STATUS_OK, "g1", GOLD, "-", 9300, F},
        {9300, 't', 0, NULL, NULL, "r", NEVER, F},
        {99000, 'r', STATUS_OK, "g1", GOLD, "r", NEVER, L},
        {99010, 'r', STATUS_OK, "g2", GONE, "-", 99300, F},
    };
    struct term_options options = options_of(0);
    struct term *t;

    options.may_succeed = false;
    t = term_new(&options);
    PLAY(t, first);
    term_destroy(&t);
    options = options_of(1);
    options.may_succeed = false;
    t = term_new(&options);
    term_enter_run(t, "bb");
    PLAY(t, second);
    term_destroy(&t);
}

/* Reads of a lease that is renewed all the time, over 800 heartbeats. */
static uint32_t count_reads(uint32_t number, bool is_told)
{
    static struct term_effects fx;
    struct term *t = make_member(number, "bb");
    uint64_t now_ms = 0;
    uint32_t reads = 0;
    char etag[32];

    term_set_eager(t, is_told);
    while (now_ms < 800 * BEAT) {
        struct term_event event = {.type = TERM_EVENT_TIMER, .now_ms = now_ms};

        term_step(t, &event, &fx);
        EXPECT_EQ(fx.request, TERM_DO_READ);
        snprintf(etag, sizeof(etag), "g%u", ++reads);
        event = (struct term_event){TERM_EVENT_READ, now_ms, STATUS_OK, etag,
                                    bytes_of(GOLD)};
        term_step(t, &event, &fx);
        EXPECT_EQ(term_state(t), TERM_FOLLOWING);
        now_ms = fx.timer_ms;
    }
    term_destroy(&t);
    return reads;
}

TEST(reads_are_few_where_hosts_are_many)
{
    EXPECT_EQ(count_reads(1, false), 1600);
    EXPECT_EQ(count_reads(3, false), 1600);
    EXPECT_EQ(count_reads(4, false), 131); /* Every 6 1/8 heartbeats. */
    EXPECT(count_reads(9999, false) <= 134);
    EXPECT_EQ(count_reads(9999, true), 1600);
}

TEST(body_is_one_line_of_json_and_reads_back)
{
    static const struct term_lease lease = {
        7, "ab", "algo-1", "tcp://[::1]:9", "0f", 15000, true, "a\"\\b", 65536};
    struct term_lease read;
    struct buf out = {0};
    struct buf again = {0};
    struct fault why;

    term_lease_write(&lease, &out);
    EXPECT_STR(buf_text(&out),
               "{\"term\":7,\"run\":\"ab\",\"host\":\"algo-1\",\"endpoint\":"
               "\"tcp://[::1]:9\",\"nonce\":\"0f\",\"ttl_ms\":15000,"
               "\"key\":\"a\\\"\\\\b\",\"number\":65536,"
               "\"released\":true}\n");
    EXPECT_EQ(term_lease_read(buf_bytes(&out), &why, &read), STATUS_OK);
    EXPECT_STR(read.key, "a\"\\b");
    EXPECT_EQ(read.number, 65536);
    term_lease_write(&read, &again);
    EXPECT_STR(buf_text(&again), buf_text(&out));
    buf_fini(&again);
    buf_fini(&out);
}

TEST(bad_bodies_are_refused_by_name)
{
#define KEY41 "01234567890123456789012345678901234567890"
#define OLD "{\"run\":\"a\",\"host\":\"b\",\"endpoint\":\"c\",\"nonce\":\"d\","
#define HEAD OLD "\"key\":\"\",\"number\":1,"
    static const struct {
        const char *body;
        const char *want;
    } rows[] = {
        {OLD "\"term\":1}", "lease: \"key\" is not a text"},
        {OLD "\"key\":\"" KEY41 "\"}", "lease: \"key\" has 41 bytes of 40"},
        {HEAD "\"term\":1,\"ttl_ms\":90,\"number\":4294967296,"
              "\"released\":true}",
         "lease: \"number\" is out of range"},
        {"{", "lease:1:2: "},
        {"7", "lease: \"run\" is not a text"},
        {HEAD "\"term\":\"1\"}", "lease: \"term\" is not a number from"},
        {HEAD "\"term\":0,\"ttl_ms\":90}", "lease: \"term\" is 0"},
        {HEAD "\"term\":1,\"ttl_ms\":0}", "lease: \"ttl_ms\" is out of range"},
        {HEAD "\"term\":1,\"ttl_ms\":86400001}",
         "lease: \"ttl_ms\" is out of range"},
        {HEAD "\"term\":1,\"ttl_ms\":90}",
         "lease: \"released\" is not true or false"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct term_lease read;
        struct fault why = {.text = ""};

        EXPECT_EQ(term_lease_read(bytes_of(rows[i].body), &why, &read),
                  STATUS_MALFORMED);
        why.text[strnlen(rows[i].want, sizeof(why.text) - 1)] = '\0';
        EXPECT_STR(why.text, rows[i].want);
    }
}
