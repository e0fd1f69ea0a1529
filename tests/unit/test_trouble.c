/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trouble.h"

#include "tests/unit/log_kit.h"

static char letter_of(enum trouble_turn turn)
{
    return turn == TROUBLE_BEGINS ? 'b' : turn == TROUBLE_ENDS ? 'e' : '-';
}

/* One letter a try: w well, f failed; and what is to be said: - nothing,
 * b begins, e ends. A second passes between two. */
TEST(once_when_it_begins_and_once_when_it_ends)
{
    static const char tries[] = "wwfffwwfwffw";
    static const char want[] = "--b--e-beb-e";
    static const uint64_t tries_of[] = {3, 1, 2};
    struct trouble t = {0};
    size_t ends = 0;

    for (size_t i = 0; i < sizeof(want) - 1; i++) {
        struct trouble_news news =
            trouble_take(&t, tries[i] == 'w', 5000 + 1000 * i);

        EXPECT_EQ(letter_of(news.turn), want[i]);
        if (news.turn == TROUBLE_ENDS) {
            EXPECT_EQ(news.tries, tries_of[ends]);
            EXPECT_EQ(news.lasted_ms, 1000 * tries_of[ends]);
            ends++;
        }
    }
    EXPECT_EQ(ends, 3);
}

TEST(what_is_said)
{
    char path[] = "/tmp/test_trouble.XXXXXX";
    int fd = mkstemp(path);
    struct fault why = {.text = "no \"way\""};
    int old;

    EXPECT(fd >= 0);
    close(fd);
    old = log_catch(path);
    trouble_log(&(struct trouble_news){TROUBLE_NOTHING_NEW, 9, 9}, "x", "get",
                &why);
    trouble_log(&(struct trouble_news){.turn = TROUBLE_BEGINS}, "x", "get",
                &why);
    trouble_log(&(struct trouble_news){TROUBLE_ENDS, 17, 12034}, "x", "get",
                NULL);
    log_release(old);
    EXPECT_EQ(log_count(path, "\n"), 2);
    EXPECT_EQ(log_count(path, "warn x.trouble request=get reason="), 1);
    EXPECT_EQ(
        log_count(path, "info x.mended request=get lasted=12.034s failures=17"),
        1);
    unlink(path);
}
