/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/settings.h"
#include "proto/suggest.h"
#include "tests/harness.h"

TEST(defaults_are_what_the_table_says)
{
    struct settings s;

    settings_init(&s);
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        enum setting id = (enum setting)i;

        EXPECT_STR(settings_text(&s, id), settings_row(id)->fallback);
        EXPECT_STR(settings_origin(&s, id), "default");
    }
    EXPECT_EQ(settings_number(&s, SETTING_JOIN_TIMEOUT), 900000);
    EXPECT_EQ(settings_number(&s, SETTING_LOG), 2);
    settings_fini(&s);
}

TEST(flag_variable_and_document_are_one_name)
{
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting_row *row = settings_row((enum setting)i);
        char variable[64] = "SMSHARD_";
        char document[64] = "";
        size_t used = 0;
        enum setting found = SETTINGS_COUNT;

        for (const char *p = row->flag; *p != '\0'; p++) {
            char up = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);

            variable[8 + (p - row->flag)] = *p == '-' ? '_' : up;
            if (*p != '-') {
                document[used++] = p == row->flag || p[-1] == '-' ? up : *p;
            }
        }
        EXPECT_STR(row->variable, variable);
        EXPECT_STR(row->document, document);
        EXPECT(settings_find_flag(row->flag, &found) && (int)found == i);
        EXPECT(settings_find_document(bytes_of(document), &found) &&
               (int)found == i);
    }
}

static const struct {
    enum setting id;
    const char *text;
    const char *fault; /* NULL: allowed. */
    unsigned long long number;
} values[] = {
    {SETTING_RANKS, "0", NULL, 0},
    {SETTING_RANKS, "64", NULL, 64},
    {SETTING_RANKS, "65",
     "job.json:3: Ranks \"65\" is not a whole number from 0 to 64", 0},
    {SETTING_RANKS, "-1",
     "job.json:3: Ranks \"-1\" is not a whole number from 0 to 64", 0},
    {SETTING_RANKS, "",
     "job.json:3: Ranks \"\" is not a whole number from 0 to 64", 0},
    {SETTING_RANKS, "8x",
     "job.json:3: Ranks \"8x\" is not a whole number from 0 to 64", 0},
    {SETTING_RANKS, "18446744073709551616",
     "job.json:3: Ranks \"18446744073709551616\" is not a whole number "
     "from 0 to 64",
     0},
    {SETTING_PORT, "65535", NULL, 65535},
    {SETTING_PORT, "65536",
     "job.json:3: Port \"65536\" is not a whole number from 0 to 65535", 0},
    {SETTING_GRACE, "90", NULL, 90000},
    {SETTING_GRACE, "90s", NULL, 90000},
    {SETTING_GRACE, "15m", NULL, 900000},
    {SETTING_GRACE, "1h", NULL, 3600000},
    {SETTING_GRACE, "500ms", NULL, 500},
    {SETTING_GRACE, "3601",
     "job.json:3: Grace \"3601\" is not a time from 0s to 1h, such as "
     "500ms, 90s, 15m or 2h",
     0},
    {SETTING_GRACE, "5 s",
     "job.json:3: Grace \"5 s\" is not a time from 0s to 1h, such as "
     "500ms, 90s, 15m or 2h",
     0},
    {SETTING_HEARTBEAT, "49ms",
     "job.json:3: Heartbeat \"49ms\" is not a time from 50ms to 1m, such "
     "as 500ms, 90s, 15m or 2h",
     0},
    {SETTING_JOIN_TIMEOUT, "9999999999999999999h",
     "job.json:3: JoinTimeout \"9999999999999999999h\" is not a time from "
     "1ms to 24h, such as 500ms, 90s, 15m or 2h",
     0},
    {SETTING_LOG, "warn", NULL, 1},
    {SETTING_LOG, "loud",
     "job.json:3: Log \"loud\" is not one of error, warn, info, debug", 0},
    {SETTING_LOG, "warn info",
     "job.json:3: Log \"warn info\" is not one of error, warn, info, debug", 0},
    {SETTING_LOG, "",
     "job.json:3: Log \"\" is not one of error, warn, info, debug", 0},
};

TEST(values_and_their_limits)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        struct settings s;
        struct fault why = {""};
        enum status got;

        settings_init(&s);
        got =
            settings_set(&s, values[i].id, values[i].text, "job.json:3", &why);
        EXPECT_STR(why.text, values[i].fault != NULL ? values[i].fault : "");
        EXPECT_EQ(got, values[i].fault != NULL ? STATUS_INVALID : STATUS_OK);
        if (got == STATUS_OK) {
            EXPECT_EQ(settings_number(&s, values[i].id), values[i].number);
            EXPECT_STR(settings_origin(&s, values[i].id), "job.json:3");
        } else {
            EXPECT_STR(settings_origin(&s, values[i].id), "default");
        }
        settings_fini(&s);
    }
}

TEST(suggestions)
{
    static const char *const words[] = {"JoinTimeout", "HostTimeout", "Ranks",
                                        "Port"};
    static const struct {
        const char *word;
        const char *want;
    } rows[] = {
        {"JoinTimout", "JoinTimeout"},
        {"jointimeout", "JoinTimeout"},
        {"HosTtimeout", "HostTimeout"},
        {"Rank", "Ranks"},
        {"Prot", "Port"},
        {"Bananas", "-"},
        {"", "-"},
        {"x", "-"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *got = suggest_nearest(bytes_of(rows[i].word), words, 4);

        EXPECT_STR(got != NULL ? got : "-", rows[i].want);
    }
}
