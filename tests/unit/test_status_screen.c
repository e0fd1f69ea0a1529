/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_screen.h"

#include "tests/harness.h"

/* What the screen says of the report @json. */
static const char *screen(const char *json)
{
    static struct buf text;
    struct json_doc *doc;
    struct fault why = {.text = ""};

    buf_clear(&text);
    EXPECT_EQ(json_parse(bytes_of(json), "report", &why, &doc), STATUS_OK);
    EXPECT_STR(why.text, "");
    status_screen_write(json_root(doc), &(struct status_screen){.rows = 40},
                        &text);
    json_destroy(&doc);
    return buf_text(&text);
}

/* The line of @text that begins with @start, or "". */
static const char *line_of(const char *text, const char *start)
{
    static char line[512];
    const char *at = strstr(text, start);

    line[0] = '\0';
    if (at != NULL && (at == text || at[-1] == '\n')) {
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
    }
    return line;
}

TEST(the_outcome_names_the_host)
{
    const char *lost = "{\"outcome\":{\"status\":\"LOST\",\"exit_code\":75,"
                       "\"host\":\"h1\",\"reason\":\"not heard of for 2 s\"}}";
    const char *job =
        "{\"outcome\":{\"status\":\"TIMEOUT\",\"exit_code\":75,"
        "\"host\":\"\",\"reason\":\"1 of 2 hosts did not come\"}}";
    const char *well = "{\"outcome\":{\"status\":\"OK\",\"exit_code\":0,"
                       "\"host\":\"\",\"reason\":\"\"}}";

    EXPECT_STR(line_of(screen(lost), "outcome"),
               "outcome: LOST, h1: not heard of for 2 s");
    EXPECT_STR(line_of(screen(job), "outcome"),
               "outcome: TIMEOUT, 1 of 2 hosts did not come");
    EXPECT_STR(line_of(screen(well), "outcome"), "outcome: OK");
    EXPECT_STR(line_of(screen("{\"outcome\":null}"), "outcome"), "");
}

TEST(a_store_without_conditional_writes_is_named)
{
    EXPECT_STR(line_of(screen("{\"has_conditions\":0}"), "no fail-over"),
               "no fail-over: the store has no conditional writes, and the job "
               "ends with the host that leads");
    EXPECT(strstr(screen("{\"has_conditions\":1}"), "fail-over") == NULL);
    EXPECT(strstr(screen("{\"job\":\"j\"}"), "fail-over") == NULL);
}

TEST(a_coordinator_that_recovers_says_so)
{
    EXPECT_STR(screen("{\"job\":\"j\",\"term\":3,\"leader\":\"h2\","
                      "\"phase\":\"loading\",\"since_ms\":4900,"
                      "\"outcome\":null}"),
               "the coordinator on h2 recovers the job's state since 4 s "
               "(term 3)\n");
    EXPECT_STR(screen("{\"phase\":\"recovering\",\"leader\":\"h\"}"),
               "the coordinator on h recovers the job's state since 0 s "
               "(term 0)\n");
    EXPECT_STR(screen("{\"phase\":\"broken\",\"outcome\":{\"reason\":"
                      "\"the coordinator on h can't go on: x\"}}"),
               "the coordinator on h can't go on: x\n");
}

TEST(what_the_network_has_kept_out)
{
    EXPECT_STR(line_of(screen("{\"net\":{\"accepted\":9,\"admitted\":9,"
                              "\"refused\":0,\"unproved\":0,\"ended\":7,"
                              "\"malformed\":0,\"flooded\":0,"
                              "\"expired\":0}}"),
                       "network"),
               "");
    EXPECT_STR(line_of(screen("{\"net\":{\"refused\":2,\"unproved\":0,"
                              "\"malformed\":3,\"flooded\":4}}"),
                       "network"),
               "network: 2 connections with a key that is not admitted, 3 "
               "messages not understood, 4 above a host's rate");
    EXPECT_STR(line_of(screen("{}"), "network"), "");
}

TEST(what_stores_are_asked)
{
    EXPECT_STR(line_of(screen("{}"), "stores"), "");
    EXPECT_STR(line_of(screen("{\"budget\":{\"limit_per_1000s\":0,"
                              "\"window_ms\":4000,\"window_requests\":50,"
                              "\"window_throttled\":0,\"requests\":900,"
                              "\"throttled\":0}}"),
                       "stores"),
               "stores: 12.5 requests/s, no limit");
    EXPECT_STR(line_of(screen("{\"budget\":{\"limit_per_1000s\":20500,"
                              "\"window_ms\":4000,\"window_requests\":50,"
                              "\"window_throttled\":3,\"requests\":900,"
                              "\"throttled\":8}}"),
                       "stores"),
               "stores: 12.5 requests/s, limit 20.5, 3 told to slow down (8 "
               "so far)");
}

#define STREAM(channel, rank, store, consumer)                                 \
    "{\"channel\":\"" channel "\",\"rank\":" rank ",\"mode\":\"Ring\","        \
    "\"epoch\":1,\"units\":1200,\"units_done\":1184,\"bytes\":99,"             \
    "\"bytes_per_s\":1048576,\"waits_for_store\":" store                       \
    ",\"waits_for_consumer\":" consumer ",\"placed\":\"node 1\"}"

TEST(who_waits_for_whom)
{
    const char *job = "{\"hosts\":[{\"name\":\"algo-1\",\"streams\":[" STREAM(
        "train", "0", "3", "96") "," STREAM("train", "1", "85",
                                            "2") "," STREAM("val", "null", "4",
                                                            "5") "]}]}";
    const char *text = screen(job);
    const char *first = strstr(text, "train           1 Ring");

    EXPECT_STR(line_of(text, "streams"),
               "streams: 3 with 3.0 MiB/s, 1 bound by the store, 1 by their "
               "consumer");
    EXPECT(first != NULL);
    EXPECT(strstr(first, "2        1200        1184    1.0 MiB/s  store     "
                         "85%  node 1\n") != NULL);
    EXPECT(strstr(first, "consumer  96%  node 1\n") != NULL); /* Behind it. */
    EXPECT(strstr(text, "val           all Ring") != NULL);
    EXPECT(strstr(text, "nobody         node 1\n") != NULL);
    EXPECT_STR(line_of(screen("{\"hosts\":[{\"streams\":[]}]}"), "streams"),
               "");
    EXPECT_STR(line_of(screen("{}"), "streams"), "");
}

TEST(of_a_mount_it_shows_bytes)
{
    const char *text =
        screen("{\"hosts\":[{\"name\":\"h\",\"streams\":[{\"channel\":\"c\","
               "\"rank\":null,\"mode\":\"FastFile\",\"epoch\":0,\"units\":0,"
               "\"units_done\":0,\"bytes\":44040192,\"bytes_per_s\":0,"
               "\"waits_for_store\":0,\"waits_for_consumer\":100,"
               "\"placed\":\"any node\"}]}]}");

    EXPECT(strstr(text, "all FastFile      1    42.0 MiB           -        "
                        "0 B/s  consumer 100%  any node\n") != NULL);
}

#define LEDGER(deal, mode)                                                     \
    "{\"hosts\":[{\"name\":\"h\",\"channels\":[],\"streams\":[{\"channel\":"   \
    "\"c\",\"mode\":\"" mode "\"}]}],\"ledgers\":[{\"channel\":\"c\","         \
    "\"deal\":\"" deal "\",\"epochs\":1,\"positions\":8,\"committed\":2}]}"

TEST(files_are_committed_in_the_end)
{
    const char *end = "2/8 committed, 0 leases";
    const char *files = "2/8 committed (files: once the command has ended), ";

    EXPECT(strstr(screen(LEDGER("static", "FastFile")), files) != NULL);
    EXPECT(strstr(screen(LEDGER("static", "Ring")), end) != NULL);
    EXPECT(strstr(screen(LEDGER("dynamic", "FastFile")), end) != NULL);
    EXPECT(strstr(screen("{\"hosts\":[{\"channels\":[{\"name\":\"c\"}]}],"
                         "\"ledgers\":[{\"channel\":\"c\",\"deal\":\"static\","
                         "\"positions\":8,\"committed\":2}]}"),
                  files) != NULL);
}

TEST(epochs_without_end_have_no_number)
{
    const char *some = "{\"ledgers\":[{\"channel\":\"t\",\"epoch\":1,"
                       "\"epochs\":3,\"positions\":4,\"committed\":1}]}";
    const char *endless = "{\"ledgers\":[{\"channel\":\"t\",\"epoch\":1,"
                          "\"epochs\":1000000,\"positions\":4}]}";

    EXPECT(strstr(screen(some), "epoch 2 of 3, 1/4 committed") != NULL);
    EXPECT(strstr(screen(endless), "epoch 2, 0/4 committed") != NULL);
}
