/* SPDX-License-Identifier: Apache-2.0 */
/* What clang-tidy can not see across files: a function that sets a fault
 * returns the very status that it was given, never OK by surprise. tidy.sh
 * puts this header before every file but the one that defines them. */

#ifndef TESTS_LINT_ANALYZER_H
#define TESTS_LINT_ANALYZER_H

#if __has_include("base/fault.h")
#include "base/fault.h"

#define fault_set(f, s, ...) ((void)fault_set(f, s, __VA_ARGS__), (s))
#define fault_prefix(f, s, ...) ((void)fault_prefix(f, s, __VA_ARGS__), (s))
#endif

#endif /* TESTS_LINT_ANALYZER_H */
