/* SPDX-License-Identifier: Apache-2.0 */
#include "store/percent.h"

#include <stdint.h>
#include <string.h>

static bool percent_is_plain(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

void percent_encode(struct bytes raw, bool keeps_slash, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    char *at = buf_reserve(out, 3 * raw.size);
    size_t used = 0;

    for (size_t i = 0; i < raw.size; i++) {
        unsigned char c = (unsigned char)raw.at[i];

        if (percent_is_plain(c) || (keeps_slash && c == '/')) {
            at[used++] = (char)c;
        } else {
            at[used++] = '%';
            at[used++] = digits[c >> 4];
            at[used++] = digits[c & 15];
        }
    }
    buf_add_done(out, used);
}

/* The value of a hex digit, or -1. */
static int percent_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

bool percent_decode(char *at, size_t *size)
{
    size_t to = 0;

    for (size_t i = 0; i < *size; i++) {
        char c = at[i];

        if (c == '%') {
            int high = i + 2 < *size ? percent_digit(at[i + 1]) : -1;
            int low = i + 2 < *size ? percent_digit(at[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        at[to++] = c;
    }
    *size = to;
    return true;
}
