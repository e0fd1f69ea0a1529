/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_places.h"

#include "tests/harness.h"

static struct http_place place(int family, int name)
{
    return (struct http_place){family, 1, {(unsigned char)name}};
}

static void learn(struct http_places *p, const char *names, uint64_t now_ms)
{
    struct http_place answer[HTTP_PLACES_MAX];
    size_t count = 0;

    for (; names[count] != '\0'; count++) {
        /* Capitals are of the other family. */
        answer[count] = place(names[count] < 'a' ? 2 : 1, names[count]);
    }
    http_places_learn(p, answer, count, now_ms);
}

static char next(struct http_places *p, uint64_t now_ms)
{
    return (char)http_places_next(p, now_ms).at[0];
}

static void ban(struct http_places *p, char name, uint64_t now_ms)
{
    struct http_place at = place(name < 'a' ? 2 : 1, name);

    http_places_ban(p, &at, now_ms);
}

TEST(addresses_take_turns)
{
    struct http_places p = {0};
    char got[8] = "";

    learn(&p, "abc", 0);
    for (int i = 0; i < 7; i++) {
        got[i] = next(&p, 0);
    }
    EXPECT_STR(got, "abcabca");
}

TEST(the_other_family_is_for_need)
{
    struct http_places p = {0};

    learn(&p, "aBb", 0);
    EXPECT_EQ(next(&p, 0), 'a');
    EXPECT_EQ(next(&p, 0), 'b');
    EXPECT_EQ(next(&p, 0), 'a');
    ban(&p, 'a', 0);
    ban(&p, 'b', 0);
    EXPECT_EQ(http_places_good(&p, 0), 1);
    EXPECT_EQ(next(&p, 0), 'B');
}

TEST(one_that_failed_rests)
{
    struct http_places p = {0};

    learn(&p, "ab", 0);
    ban(&p, 'a', 100);
    EXPECT_EQ(next(&p, 100), 'b');
    EXPECT_EQ(next(&p, 100 + HTTP_PLACE_BAN_MS - 1), 'b');
    EXPECT_EQ(next(&p, 100 + HTTP_PLACE_BAN_MS), 'a');
    learn(&p, "ab", 200); /* Hearing of it again does not help it. */
    ban(&p, 'a', 300);
    learn(&p, "ab", 400);
    EXPECT_EQ(next(&p, 400), 'b');
    EXPECT_EQ(http_places_good(&p, 400), 1);
}

TEST(where_all_failed_the_first_one_is_tried)
{
    struct http_places p = {0};

    learn(&p, "abc", 0);
    ban(&p, 'b', 1);
    ban(&p, 'a', 2);
    ban(&p, 'c', 3);
    EXPECT_EQ(http_places_good(&p, 3), 0);
    EXPECT_EQ(next(&p, 3), 'b');
    ban(&p, 'x', 3); /* Unknown. */
}

TEST(addresses_come_and_go)
{
    struct http_places p = {0};

    learn(&p, "ab", 0);
    learn(&p, "c", HTTP_PLACE_KEEP_MS - 1);
    EXPECT_EQ(p.count, 3);
    learn(&p, "c", HTTP_PLACE_KEEP_MS);
    EXPECT_EQ(p.count, 1);
    EXPECT_EQ(next(&p, HTTP_PLACE_KEEP_MS), 'c');
}

TEST(more_than_there_is_room_for)
{
    struct http_places p = {0};

    for (int i = 0; i < 2 * HTTP_PLACES_MAX; i++) {
        struct http_place one = place(1, i);

        http_places_learn(&p, &one, 1, 0);
    }
    EXPECT_EQ(p.count, HTTP_PLACES_MAX);
}
