/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors this process may have open (limit_os.c). */

#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdint.h>

/* Raise the soft limit to the hard one and return what it is now. Programs
 * that use select() break with a high one: children get the old one back by
 * limit_restore_files(). Any thread; again is harmless. */
uint64_t limit_raise_files(void);

/* Set the soft limit back to what it was before it was first raised. May be
 * called between fork() and exec. */
void limit_restore_files(void);

#endif /* BASE_LIMIT_H */
