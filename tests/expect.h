/* SPDX-License-Identifier: Apache-2.0 */
/* What a test expects; one that is not so ends the process with 1. Any
 * thread, and in code that tests share. */

#ifndef TESTS_EXPECT_H
#define TESTS_EXPECT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(cond)                                                           \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

#define EXPECT_EQ(got, want)                                                   \
    do {                                                                       \
        unsigned long long got_ = (unsigned long long)(got);                   \
        unsigned long long want_ = (unsigned long long)(want);                 \
        if (got_ != want_) {                                                   \
            fprintf(stderr, "%s:%d: %s is %llu, want %llu\n", __FILE__,        \
                    __LINE__, #got, got_, want_);                              \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

#define EXPECT_STR(got, want)                                                  \
    do {                                                                       \
        const char *got_ = (got);                                              \
        const char *want_ = (want);                                            \
        if (strcmp(got_, want_) != 0) {                                        \
            fprintf(stderr, "%s:%d: %s is\n  \"%s\", want\n  \"%s\"\n",        \
                    __FILE__, __LINE__, #got, got_, want_);                    \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

#endif /* TESTS_EXPECT_H */
