/* SPDX-License-Identifier: Apache-2.0 */
#include "base/line.h"

#include <string.h>

void line_clean(char *text, size_t size_max)
{
    size_t size = strlen(text);

    if (size > size_max) {
        size = size_max;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) {
            size--;
        }
        text[size] = '\0';
    }
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
}
