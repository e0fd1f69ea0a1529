/* SPDX-License-Identifier: Apache-2.0 */
/* Small allocations of the control plane: settings, names, lists of hosts.
 *
 * When the system refuses one of these, the process says so and ends; every
 * other process of the job treats that as the death of a host, which it must
 * survive anyway. What is large or grows with the data (catalogs, deals,
 * slots) is allocated by its owner with malloc and answered with
 * STATUS_FULL. All of it is freed with free(). */

#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Return @count zeroed elements of @size bytes. Never NULL. */
void *mem_new(size_t count, size_t size);

/* Return @old, resized to @count elements of @size bytes. Never NULL. */
void *mem_grow(void *old, size_t count, size_t size);

/* Return a NUL-terminated copy of @size bytes at @at. Never NULL. */
char *mem_copy_text(const char *at, size_t size);

/* Return a copy of the string @text. Never NULL. */
char *mem_copy(const char *text);

/* Return a new string made like sprintf makes it. Never NULL. */
__attribute__((format(printf, 1, 2))) char *mem_print(const char *format, ...);

#endif /* BASE_MEM_H */
