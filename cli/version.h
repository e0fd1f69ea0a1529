/* SPDX-License-Identifier: Apache-2.0 */
/* The program's version, set by the Makefile. */

#ifndef CLI_VERSION_H
#define CLI_VERSION_H

/* "0.1.0". Never NULL. */
const char *version_text(void);

#endif /* CLI_VERSION_H */
