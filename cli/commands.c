/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <stdio.h>

int command_fail(enum status s, const struct fault *why)
{
    const char *text = why->text[0] != '\0' ? why->text : status_text(s);

    fprintf(stderr, "smshard: %s\n", text);
    return status_exit_code(s);
}
