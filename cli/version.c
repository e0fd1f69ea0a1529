/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/version.h"

const char *version_text(void)
{
    return SMSHARD_VERSION;
}
