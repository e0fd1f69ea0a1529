/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limit.h"

#include <sys/resource.h>

#include "tests/harness.h"

static struct rlimit now(void)
{
    struct rlimit r;

    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &r), 0);
    return r;
}

TEST(the_limit_is_raised_and_restored)
{
    struct rlimit low = now();

    low.rlim_cur = 100;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    limit_restore_files(); /* Nothing was raised: nothing happens. */
    EXPECT_EQ(now().rlim_cur, 100);
    EXPECT_EQ(limit_raise_files(), low.rlim_max);
    EXPECT_EQ(now().rlim_cur, low.rlim_max);
    EXPECT_EQ(limit_raise_files(), low.rlim_max);
    limit_restore_files();
    EXPECT_EQ(now().rlim_cur, 100);
    EXPECT_EQ(now().rlim_max, low.rlim_max);
}
