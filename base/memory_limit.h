/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory this process may use (memory_limit_os.c). */

#ifndef BASE_MEMORY_LIMIT_H
#define BASE_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes: the machine's, or less where a control group says so. Any thread. */
uint64_t memory_limit(void);

/* The least of the limits in files `memory.max` (version 2) of @group and all
 * groups above it below @root, or @most. For tests. */
uint64_t memory_limit_below(const char *root, const char *group, uint64_t most);

#endif /* BASE_MEMORY_LIMIT_H */
