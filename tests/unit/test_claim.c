/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/claim.h"

#include "tests/harness.h"

static const struct claim base = {
    .job = "mine",
    .run = "0a",
    .host = "algo-1",
    .state_uri = "file:///out/mine/_smshard/",
    .attempt = 2,
    .term = 7,
    .wall_ms = 1700000000000,
};

/* What the claim that is there has in place of ours. NULL, 0: the same. */
struct there {
    const char *job;
    const char *run;
    const char *host;
    const char *state_uri;
    uint64_t attempt;
    uint64_t term;
};

static struct claim make(const struct there *t)
{
    struct claim c = base;

    if (t->job != NULL) {
        snprintf(c.job, sizeof(c.job), "%s", t->job);
    }
    if (t->run != NULL) {
        snprintf(c.run, sizeof(c.run), "%s", t->run);
    }
    if (t->host != NULL) {
        snprintf(c.host, sizeof(c.host), "%s", t->host);
    }
    if (t->state_uri != NULL) {
        snprintf(c.state_uri, sizeof(c.state_uri), "%s", t->state_uri);
    }
    c.attempt = t->attempt != 0 ? t->attempt : c.attempt;
    c.term = t->term != 0 ? t->term : c.term;
    return c;
}

static char letter(enum claim_verdict v)
{
    return "MTLWR"[v];
}

/* One row a kind of claim; one letter a state of the other's lease, in the
 * order of enum claim_lease: unknown, absent, released, held, renewed, stale,
 * ours. M is mine, T take, L look, W watch, R refuse. */
TEST(every_combination)
{
#define OTHER "file:///out/other/_smshard/"
    static const struct {
        const char *name;
        struct there there;
        const char *want;
    } rows[] = {
        {"this very claim", {0}, "MMMMMMM"},
        {"our run, host launched again", {.attempt = 1}, "TTTTTTT"},
        {"our run, another term", {.term = 6}, "TTTTTTT"},
        {"our run, another host", {.host = "algo-2"}, "RRRRRRR"},
        {"our job, earlier term", {.run = "09", .term = 6}, "TTTTTTT"},
        {"our job, same term", {.run = "09"}, "LTTWRTT"},
        {"our job, later term", {.run = "09", .term = 8}, "LTTWRTT"},
        {"another job",
         {.job = "other", .run = "99", .state_uri = OTHER},
         "LTTWRTT"},
        {"another job, earlier term",
         {.job = "other", .run = "99", .state_uri = OTHER, .term = 1},
         "LTTWRTT"},
        {"our name, another state",
         {.run = "99", .state_uri = OTHER, .term = 1},
         "LTTWRTT"},
        {"our run id, another job",
         {.job = "other", .state_uri = OTHER},
         "LTTWRTT"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct claim there = make(&rows[i].there);
        char got[8] = "";

        for (unsigned lease = 0; lease <= CLAIM_LEASE_OURS; lease++) {
            struct fault why = {.text = ""};

            got[lease] = letter(
                claim_decide(&there, &base, (enum claim_lease)lease, &why));
            EXPECT((got[lease] == 'R') == (why.text[0] != '\0'));
        }
        if (strcmp(got, rows[i].want) != 0) {
            fprintf(stderr, "%s\n", rows[i].name);
        }
        EXPECT_STR(got, rows[i].want);
    }
}

TEST(a_refusal_names_the_holder)
{
    struct claim there = make(&(struct there){
        .job = "other", .run = "99", .state_uri = OTHER, .attempt = 1});
    struct fault why;

    EXPECT_EQ(claim_decide(&there, &base, CLAIM_LEASE_RENEWED, &why),
              CLAIM_REFUSE);
    EXPECT_STR(why.text, "held by job \"other\" (host algo-1, attempt 1), "
                         "which is alive; use another prefix or stop that job");
}

TEST(body_is_one_line_of_json_and_reads_back)
{
    struct buf out = {0};
    struct buf again = {0};
    struct claim read;
    struct fault why;

    claim_write(&base, &out);
    EXPECT_STR(buf_text(&out),
               "{\"job\":\"mine\",\"run\":\"0a\",\"host\":\"algo-1\","
               "\"state\":\"file:///out/mine/_smshard/\",\"attempt\":2,"
               "\"term\":7,\"wall_ms\":1700000000000}\n");
    EXPECT_EQ(claim_read(buf_bytes(&out), &why, &read), STATUS_OK);
    claim_write(&read, &again);
    EXPECT_STR(buf_text(&again), buf_text(&out));
    buf_fini(&again);
    buf_fini(&out);
}

TEST(bad_bodies_are_refused_by_name)
{
    static const struct {
        const char *body;
        const char *want;
    } rows[] = {
        {"", "claim:1:1: "},
        {"[]", "claim: \"job\" is not a text"},
        {"{\"job\":\"\"}", "claim: \"job\" is not a text"},
        {"{\"job\":3}", "claim: \"job\" is not a text"},
        {"{\"job\":\"a\",\"run\":\"0123456789abcdef0123456789abcdef0\"}",
         "claim: \"run\" has 33 bytes of 32"},
        {"{\"job\":\"a\\n\"}", "claim: \"job\" holds a control byte"},
        {"{\"job\":\"a\",\"run\":\"1\",\"host\":\"h\",\"state\":\"s\","
         "\"attempt\":-1}",
         "claim: \"attempt\" is not a number from 0 to 2^53"},
        {"{\"job\":\"a\",\"run\":\"1\",\"host\":\"h\",\"state\":\"s\","
         "\"attempt\":1,\"term\":9007199254740993}",
         "claim: \"term\" is not a number from 0 to 2^53"},
        {"{\"job\":\"a\",\"run\":\"1\",\"host\":\"h\",\"state\":\"s\","
         "\"attempt\":1,\"term\":1,\"wall_ms\":1.5}",
         "claim: \"wall_ms\" is not a number from 0 to 2^53"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct claim read;
        struct fault why = {.text = ""};

        EXPECT_EQ(claim_read(bytes_of(rows[i].body), &why, &read),
                  STATUS_MALFORMED);
        why.text[strnlen(rows[i].want, sizeof(why.text) - 1)] = '\0';
        EXPECT_STR(why.text, rows[i].want);
    }
}

/* Looks at a lease of 1 s. One letter each for what is there (its etag; r:
 * released, o: of our run) and for what is made of it: H held, N renewed,
 * S stale, R released, O ours. */
TEST(a_lease_that_is_watched)
{
    static const struct {
        const char *name;
        const char *there;
        const char *want;
        uint64_t at_ms[8];
    } rows[] = {
        {"silent", "aaaaa", "HHHHS", {1000, 2000, 3200, 4000, 4001}},
        {"renewed", "ab", "HN", {1000, 1200}},
        {"no store for long", "aab", "HHN", {1000, 60000, 60200}},
        {"none, then silent",
         "aaaaaa",
         "HHHHHS",
         {1000, 60000, 61000, 62000, 63000, 63001}},
        {"none now and then",
         "aaaaaa",
         "HHHHHS",
         {1000, 2200, 3401, 4601, 5201, 5202}},
        {"released", "ar", "HR", {1000, 1200}},
        {"ours by now", "ao", "HO", {1000, 1200}},
        {"time begins", "aa", "HH", {0, 1200}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct claim_watch w = {.seen = CLAIM_LEASE_UNKNOWN};
        char got[9] = "";

        for (size_t k = 0; rows[i].there[k] != '\0'; k++) {
            const char etag[2] = {rows[i].there[k], '\0'};
            struct term_lease lease = {
                .term = 1, .ttl_ms = 1000, .is_released = etag[0] == 'r'};

            snprintf(lease.run, sizeof(lease.run), "%s",
                     etag[0] == 'o' ? "0a" : "99");
            claim_watch_take(&w,
                             &(struct claim_look){.lease = &lease,
                                                  .etag = etag,
                                                  .our_run = "0a",
                                                  .now_ms = rows[i].at_ms[k]});
            got[k] = "UARHNSO"[w.seen];
        }
        if (strcmp(got, rows[i].want) != 0) {
            fprintf(stderr, "%s\n", rows[i].name);
        }
        EXPECT_STR(got, rows[i].want);
    }
}
