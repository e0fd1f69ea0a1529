/* SPDX-License-Identifier: Apache-2.0 */
#include "base/line.h"

#include "tests/harness.h"

TEST(line_is_clean_and_short)
{
    static const struct {
        const char *text;
        size_t size_max;
        const char *want;
    } rows[] = {
        {"", 0, ""},
        {"plain", 5, "plain"},
        {"plain", 4, "plai"},
        {"a\nb\x1b[1m\x7f", 99, "a?b?[1m?"},
        {"a\xc3\xa4z", 2, "a"},
        {"a\xc3\xa4z", 3, "a\xc3\xa4"},
        {"\xe2\x82\xac", 2, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[32];

        snprintf(text, sizeof(text), "%s", rows[i].text);
        line_clean(text, rows[i].size_max);
        EXPECT_STR(text, rows[i].want);
    }
}
