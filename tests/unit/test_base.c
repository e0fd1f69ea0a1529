/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/prng.h"
#include "base/status.h"

#include "tests/harness.h"

TEST(bytes_compare_is_the_order_of_keys)
{
    EXPECT(bytes_compare(BYTES("a"), BYTES("b")) < 0);
    EXPECT(bytes_compare(BYTES("a"), BYTES("a/")) < 0);
    EXPECT(bytes_compare(BYTES("\xff"), BYTES("a")) > 0);
    EXPECT(bytes_compare(BYTES(""), BYTES("")) == 0);
    EXPECT(bytes_compare(BYTES("a\0b"), BYTES("a\0c")) < 0);
}

TEST(bytes_prefix_and_suffix)
{
    EXPECT(bytes_has_prefix(BYTES("abc"), BYTES("ab")));
    EXPECT(!bytes_has_prefix(BYTES("ab"), BYTES("abc")));
    EXPECT(bytes_has_suffix(BYTES("abc"), BYTES("bc")));
    EXPECT(!bytes_has_suffix(BYTES("bc"), BYTES("abc")));
    EXPECT(bytes_has_prefix(BYTES(""), BYTES("")));
}

TEST(buf_grows_and_stays_terminated)
{
    struct buf b = {0};
    char *taken;

    EXPECT_STR(buf_text(&b), "");
    for (int i = 0; i < 1000; i++) {
        buf_print(&b, "%d,", i);
    }
    EXPECT_EQ(b.size, 3890);
    EXPECT_EQ(strlen(b.at), 3890);
    taken = buf_take(&b);
    EXPECT_EQ(b.size, 0);
    free(taken);
    buf_fini(&b);
}

TEST(fault_is_one_clean_line)
{
    struct fault f;

    EXPECT_EQ(fault_set(&f, STATUS_STORE, "key a\nb%c", 7), STATUS_STORE);
    EXPECT_STR(f.text, "key a?b?");
    EXPECT_EQ(fault_prefix(&f, STATUS_STORE, "train"), STATUS_STORE);
    EXPECT_STR(f.text, "train: key a?b?");
    EXPECT(fault_names(&f, "train") && !fault_names(&f, "trai"));
    EXPECT(!fault_names(&f, "train: key a?b?"));
    EXPECT_EQ(fault_set(NULL, STATUS_IO, "nobody listens"), STATUS_IO);
}

TEST(log_quotes_only_what_needs_it)
{
    char out[32];

    EXPECT_STR(log_quote("plain", out, sizeof(out)), "plain");
    EXPECT_STR(log_quote("two words", out, sizeof(out)), "\"two words\"");
    EXPECT_STR(log_quote("a\"b", out, sizeof(out)), "\"a\\\"b\"");
    EXPECT_STR(log_quote("", out, sizeof(out)), "\"\"");
}

TEST(prng_is_seeded_and_bounded)
{
    struct prng a;
    struct prng b;

    prng_init(&a, 7);
    prng_init(&b, 7);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = prng_below(&a, 10);

        EXPECT(value < 10);
        EXPECT_EQ(value, prng_below(&b, 10));
    }
}

TEST(exit_codes_are_part_of_the_interface)
{
    EXPECT_EQ(status_exit_code(STATUS_OK), 0);
    EXPECT_EQ(status_exit_code(STATUS_USAGE), 64);
    EXPECT_EQ(status_exit_code(STATUS_NO_COMMAND), 127);
    EXPECT_EQ(status_exit_code(STATUS_NOT_EXECUTABLE), 126);
    EXPECT_STR(status_name(STATUS_PEER_FAILED), "PEER_FAILED");
}
