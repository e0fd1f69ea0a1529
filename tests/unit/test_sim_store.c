/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_store.h"

#include "tests/harness.h"

enum { EFFECT, ANSWER };

static struct {
    struct sim_clock *clock;
    struct sim_store *store;
    struct prng luck;
    struct sim_weather weather;
    enum status status; /* Of the last answer; */
    char etag[SIM_ETAG_MAX];
    char body[4096];
    size_t size;
    uint32_t effects; /* that took place. */
} t;

static void begin(void)
{
    memset(&t, 0, sizeof(t));
    prng_init(&t.luck, 5);
    t.clock = sim_clock_new();
    t.store = sim_store_new(&(struct sim_store_options){
        t.clock, &t.luck, &t.weather, EFFECT, ANSWER});
}

static void end(void)
{
    sim_store_check(t.store);
    sim_store_destroy(&t.store);
    sim_clock_destroy(&t.clock);
}

/* Let all happen that is under way. */
static void settle(void)
{
    struct sim_store_call effect;
    struct sim_event e;

    while (sim_clock_next(t.clock, &e) == STATUS_OK) {
        struct sim_store_call *c;

        if (e.kind == EFFECT) {
            sim_store_effect(t.store, &e, &effect);
            t.effects += effect.took_effect;
            continue;
        }
        c = sim_store_answer(t.store, &e);
        t.status = c->status;
        t.size = c->size < sizeof(t.body) ? c->size : sizeof(t.body);
        if (c->body != NULL) {
            memcpy(t.body, c->body, t.size);
        }
        memcpy(t.etag, c->etag, sizeof(t.etag));
        sim_store_done(c);
    }
}

static enum status put(const char *key, enum sim_store_when when,
                       const char *etag, const char *body)
{
    sim_store_ask(t.store, &(struct sim_store_request){.op = SIM_STORE_PUT,
                                                       .key = key,
                                                       .when = when,
                                                       .etag = etag,
                                                       .body = bytes_of(body)});
    settle();
    return t.status;
}

static enum status ask(enum sim_store_op op, const char *key, const char *after)
{
    sim_store_ask(t.store, &(struct sim_store_request){
                               .op = op, .key = key, .after = after});
    settle();
    return t.status;
}

TEST(conditions_hold)
{
    char first[SIM_ETAG_MAX];

    begin();
    EXPECT_EQ(ask(SIM_STORE_GET, "a", NULL), STATUS_NOT_FOUND);
    EXPECT_EQ(put("a", SIM_IF_MATCH, "\"0\"", "x"), STATUS_NOT_FOUND);
    EXPECT_EQ(put("a", SIM_IF_ABSENT, NULL, "one"), STATUS_OK);
    memcpy(first, t.etag, sizeof(first));
    EXPECT_EQ(put("a", SIM_IF_ABSENT, NULL, "two"), STATUS_EXISTS);
    EXPECT_EQ(ask(SIM_STORE_GET, "a", NULL), STATUS_OK);
    EXPECT(t.size == 3 && memcmp(t.body, "one", 3) == 0);
    EXPECT_STR(t.etag, first);
    EXPECT_EQ(put("a", SIM_IF_MATCH, first, "two"), STATUS_OK);
    EXPECT_EQ(put("a", SIM_IF_MATCH, first, "three"), STATUS_CHANGED);
    EXPECT_EQ(put("a", SIM_ALWAYS, NULL, "one"), STATUS_OK);
    EXPECT_STR(t.etag, first); /* Equal bytes, equal etag. */
    EXPECT_EQ(ask(SIM_STORE_DELETE, "a", NULL), STATUS_OK);
    EXPECT_EQ(ask(SIM_STORE_DELETE, "a", NULL), STATUS_OK);
    EXPECT_EQ(put("a", SIM_IF_ABSENT, NULL, "four"), STATUS_OK);
    end();
}

TEST(a_list_is_sorted_and_goes_on_after_a_key)
{
    begin();
    EXPECT_EQ(put("b/2", SIM_ALWAYS, NULL, "x"), STATUS_OK);
    EXPECT_EQ(put("b/1", SIM_ALWAYS, NULL, "x"), STATUS_OK);
    EXPECT_EQ(put("a", SIM_ALWAYS, NULL, "x"), STATUS_OK);
    EXPECT_EQ(put("c", SIM_ALWAYS, NULL, "x"), STATUS_OK);
    EXPECT_EQ(ask(SIM_STORE_LIST, "b/", NULL), STATUS_OK);
    EXPECT(t.size == 8 && memcmp(t.body, "b/1\0b/2", 8) == 0);
    EXPECT_EQ(ask(SIM_STORE_LIST, "b/", "b/1"), STATUS_OK);
    EXPECT(t.size == 4 && memcmp(t.body, "b/2", 4) == 0);
    end();
}

TEST(what_failed_did_not_happen_and_what_got_lost_did)
{
    struct bytes there;

    begin();
    t.weather.store_fail = 1000;
    EXPECT(put("a", SIM_ALWAYS, NULL, "x") != STATUS_OK);
    EXPECT_EQ(t.effects, 0);
    EXPECT_EQ(sim_store_peek(t.store, "a", &there), STATUS_NOT_FOUND);
    t.weather = (struct sim_weather){.store_lost = 1000};
    EXPECT(put("a", SIM_ALWAYS, NULL, "x") != STATUS_OK);
    EXPECT_EQ(t.effects, 1);
    EXPECT_EQ(sim_store_peek(t.store, "a", &there), STATUS_OK);
    t.weather = (struct sim_weather){.store_late = 1000};
    EXPECT(put("b", SIM_ALWAYS, NULL, "x") != STATUS_OK);
    EXPECT_EQ(t.effects, 2);
    EXPECT_EQ(sim_store_peek(t.store, "b", &there), STATUS_OK);
    end();
}

TEST(a_stale_read_sees_what_was_before)
{
    begin();
    EXPECT_EQ(put(SIM_STORE_LEASE, SIM_ALWAYS, NULL, "old"), STATUS_OK);
    EXPECT_EQ(put(SIM_STORE_LEASE, SIM_ALWAYS, NULL, "new!"), STATUS_OK);
    t.weather.store_stale = 1000;
    EXPECT_EQ(ask(SIM_STORE_GET, SIM_STORE_LEASE, NULL), STATUS_OK);
    EXPECT(t.size == 3 && memcmp(t.body, "old", 3) == 0);
    t.weather = (struct sim_weather){.store_short = 1000};
    EXPECT_EQ(ask(SIM_STORE_GET, SIM_STORE_LEASE, NULL), STATUS_OK);
    EXPECT(t.size < 4);
    end();
}

TEST(a_store_that_is_away_fails_for_whom_it_is)
{
    begin();
    sim_store_go_away(t.store, 1, UINT64_MAX);
    EXPECT_EQ(put("a", SIM_ALWAYS, NULL, "x"), STATUS_OK);
    sim_store_go_away(t.store, SIM_NODES_MAX, UINT64_MAX);
    EXPECT(put("a", SIM_ALWAYS, NULL, "x") != STATUS_OK);
    sim_store_calm(t.store);
    EXPECT_EQ(put("a", SIM_ALWAYS, NULL, "x"), STATUS_OK);
    sim_store_be_busy(t.store, UINT64_MAX, 1000);
    EXPECT(put("a", SIM_ALWAYS, NULL, "x") != STATUS_OK);
    end();
}
