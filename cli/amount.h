/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of bytes and of time, as people write and read them. Pure. */

#ifndef CLI_AMOUNT_H
#define CLI_AMOUNT_H

#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"

enum { AMOUNT_TEXT_MAX = 32 };

/* Read "150MB", "64 MiB", "1.5GB" or a number of bytes. USAGE: it is none of
 * that, or not in [low, high]; @flag stands in the message. */
struct amount_range {
    uint64_t low;
    uint64_t high;
};
MUST_USE enum status amount_parse(const char *flag, const char *text,
                                  struct amount_range range, struct fault *why,
                                  uint64_t *out);

/* "1.5 GB"; powers of 1000. Returns @out. */
const char *amount_bytes(uint64_t bytes, char out[AMOUNT_TEXT_MAX]);

/* "12 ms", "3.2 s", "4 min", "2 h 10 min". Returns @out. */
const char *amount_seconds(double seconds, char out[AMOUNT_TEXT_MAX]);

#endif /* CLI_AMOUNT_H */
