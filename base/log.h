/* SPDX-License-Identifier: Apache-2.0 */
/* One line on stderr for each state change:
 *
 *     2026-01-31T12:00:00.123Z algo-2 info share.ready channel=train units=7
 *
 * time, node, level, a stable event name, then key=value. A value with a
 * space, quote or control byte is quoted. Levels: error (a person must act),
 * warn, info (state changes), debug. Nothing is logged per object, and no
 * credential, token or key ever is.
 *
 * Threads: any; each line is written with one write(2). */

#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/status.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Set the node's name (copied, 255 bytes at most) and the least urgent level
 * that is written. Call it before the second thread starts. The default is
 * "-" and LOG_WARN. */
void log_init(const char *node, enum log_level level);

/* Read a level's name into @out. INVALID: there is no such level. */
MUST_USE enum status log_parse_level(const char *name, enum log_level *out);

/* Return whether a line of @level would be written. */
bool log_is_on(enum log_level level);

/* Write one line. @format yields the `key=value` part and may be "". */
__attribute__((format(printf, 3, 4))) void log_event(enum log_level level,
                                                     const char *event,
                                                     const char *format, ...);

/* Write @text as a log value into @out: as it is, or quoted if it must be.
 * Returns @out. */
const char *log_quote(const char *text, char *out, unsigned out_size);

#endif /* BASE_LOG_H */
