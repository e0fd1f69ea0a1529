/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the platform's config files smshard wrote itself, because there
 * was no platform: those are of the job that wrote them, and the next job
 * below the same base folder makes its own. Known by their hashes, kept beside
 * our other state, so that one that a person edits is a person's. */

#ifndef CLI_OWN_FILES_H
#define CLI_OWN_FILES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

/* Note that we wrote @text as the file @name. @data is <base>/input/data.
 * DENIED, NO_SPACE, IO. */
MUST_USE enum status own_files_note(const char *data, const char *name,
                                    struct bytes text, struct fault *why);

/* Whether the file @name that holds @text is one that we wrote. */
bool own_files_has(const char *data, const char *name, struct bytes text);

#endif /* CLI_OWN_FILES_H */
