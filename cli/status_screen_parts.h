/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of status_screen*.c, among themselves. */

#ifndef CLI_STATUS_SCREEN_PARTS_H
#define CLI_STATUS_SCREEN_PARTS_H

#include <stdint.h>

#include "cli/status_screen.h"

/* 0: it is not there, or is no such number. */
uint64_t status_number(const struct json *v, const char *key);

/* Append a text; of its control characters a '?'. */
void status_screen_text(const struct json *v, const char *key, struct buf *out);

/* What is streamed, where something is (status_screen_streams.c). */
void status_streams(const struct json *hosts,
                    const struct status_screen *screen, struct buf *out);

#endif /* CLI_STATUS_SCREEN_PARTS_H */
