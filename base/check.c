/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_fail(const char *what, const char *file, int line,
                          const char *func)
{
    fprintf(stderr, "CHECK failed: %s (%s:%d, %s)\n", what, file, line, func);
    abort();
}
