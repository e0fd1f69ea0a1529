/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limit.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "base/check.h"

/* The soft limit before it was raised; 0: it was not. */
static _Atomic uint64_t limit_before;

uint64_t limit_raise_files(void)
{
    struct rlimit r;
    uint64_t none = 0;

    CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0);
    if (r.rlim_cur < r.rlim_max) {
        struct rlimit raised = {r.rlim_max, r.rlim_max};

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            atomic_compare_exchange_strong(&limit_before, &none, r.rlim_cur);
            return raised.rlim_cur;
        }
    }
    return r.rlim_cur;
}

void limit_restore_files(void)
{
    uint64_t before = limit_before;
    struct rlimit r;

    if (before != 0 && getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = before;
        (void)!setrlimit(RLIMIT_NOFILE, &r);
    }
}
