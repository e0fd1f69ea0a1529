/* SPDX-License-Identifier: Apache-2.0 */
/* Text from elsewhere that is to be one line of a message. */

#ifndef BASE_LINE_H
#define BASE_LINE_H

#include <stddef.h>

/* Make control bytes in @text '?', and shorten it to @size_max bytes, not in
 * the middle of a UTF-8 character. */
void line_clean(char *text, size_t size_max);

#endif /* BASE_LINE_H */
