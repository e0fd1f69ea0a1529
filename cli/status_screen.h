/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a job as one screen of text, from the coordinator's JSON
 * (docs/status.md). */

#ifndef CLI_STATUS_SCREEN_H
#define CLI_STATUS_SCREEN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"

struct status_screen {
    bool with_color; /* Escape codes for a terminal. */
    uint32_t rows;   /* Hosts shown at most; 0: all. Those that are behind
                        come first when not all are shown. */
};

/* Append the screen. Fields that are missing are left out. */
void status_screen_write(const struct json *report,
                         const struct status_screen *screen, struct buf *out);

#endif /* CLI_STATUS_SCREEN_H */
