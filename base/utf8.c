/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/check.h"
#include "base/utf8_printable.h"
#include "base/utf8_upper.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t utf8_least[] = {0, 0, 0x80, 0x800, 0x10000};

static size_t utf8_size_of(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first < 0xe0) {
        return 2;
    }
    if (first >= 0xe0 && first < 0xf0) {
        return 3;
    }
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t utf8_read(struct bytes text, uint32_t *out)
{
    unsigned char first;
    uint32_t code;
    size_t size;

    if (text.size == 0) {
        return 0;
    }
    first = (unsigned char)text.at[0];
    size = utf8_size_of(first);
    if (size == 0 || size > text.size) {
        return 0;
    }
    code = size == 1 ? first : first & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        unsigned char next = (unsigned char)text.at[i];

        if ((next & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (next & 0x3f);
    }
    if (code < utf8_least[size] || code > 0x10ffff) {
        return 0;
    }
    *out = code;
    return size;
}

size_t utf8_read_escaped(struct bytes text, uint32_t *out)
{
    size_t size = utf8_read(text, out);

    if (size == 0 && text.size > 0) {
        *out = 0xdc00 + (unsigned char)text.at[0];
        return 1;
    }
    return size;
}

size_t utf8_write(uint32_t code, char out[UTF8_SIZE_MAX])
{
    static const unsigned char mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t size = 1;

    CHECK(code <= 0x10ffff);
    while (size < UTF8_SIZE_MAX && code >= utf8_least[size + 1]) {
        size++;
    }
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(mark[size] | code);
    return size;
}

bool utf8_is_surrogate(uint32_t code)
{
    return code >= 0xd800 && code < 0xe000;
}

bool utf8_is_printable(uint32_t code)
{
    size_t low = 0;
    size_t high = COUNT(utf8_printable);

    /* Find how many borders are at or before @code: at an even count we are
     * among those that are not printable. */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (utf8_printable[mid] <= code) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low % 2 == 1;
}

static const uint16_t *utf8_find_special(uint32_t code)
{
    for (size_t i = 0; i < COUNT(utf8_upper_special); i++) {
        if (utf8_upper_special[i][0] == code) {
            return utf8_upper_special[i];
        }
    }
    return NULL;
}

static uint32_t utf8_upper_one(uint32_t code)
{
    for (size_t i = 0; i < COUNT(utf8_upper_runs); i++) {
        const struct utf8_run *run = &utf8_upper_runs[i];

        if (code >= run->first && code <= run->last &&
            (code - run->first) % run->step == 0) {
            return (uint32_t)((int32_t)code + run->add);
        }
    }
    return code;
}

/* O(runs); names of parameters are short and nearly always ASCII. */
size_t utf8_upper(uint32_t code, uint32_t out[UTF8_UPPER_MAX])
{
    const uint16_t *special;
    size_t count = 0;

    if (code < 0x80) {
        out[0] = code >= 'a' && code <= 'z' ? code - 'a' + 'A' : code;
        return 1;
    }
    special = utf8_find_special(code);
    if (special == NULL) {
        out[0] = utf8_upper_one(code);
        return 1;
    }
    while (count < UTF8_UPPER_MAX && special[1 + count] != 0) {
        out[count] = special[1 + count];
        count++;
    }
    return count;
}
