/* SPDX-License-Identifier: Apache-2.0 */
/* What a person reads when something failed: one line that says what failed,
 * on what (host, channel, key, file and line), why, and what to do.
 *
 * A function that takes a fault fills it exactly when it returns something
 * else than OK. The caller owns it; callers up the stack may prefix it. */

#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/status.h"

enum { FAULT_TEXT_MAX = 1024 };

struct fault {
    char text[FAULT_TEXT_MAX]; /* One line, NUL-terminated, no newline. */
};

/* Write the line into @f and return @s, so that a caller can say
 * `return fault_set(why, STATUS_INVALID, "…")`. Bytes that would break the
 * line or the terminal (control bytes) become '?'. A NULL @f is allowed. */
__attribute__((format(printf, 3, 4))) enum status fault_set(struct fault *f,
                                                            enum status s,
                                                            const char *format,
                                                            ...);

/* Put "<prefix>: " before the line and return @s. */
__attribute__((format(printf, 3, 4))) enum status fault_prefix(
    struct fault *f, enum status s, const char *format, ...);

/* Whether the line begins with "<name>: " already. */
bool fault_names(const struct fault *f, const char *name);

#endif /* BASE_FAULT_H */
