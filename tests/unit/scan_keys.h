/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of many shapes, for the tests of listing. All start with "p/". */

#ifndef TESTS_UNIT_SCAN_KEYS_H
#define TESTS_UNIT_SCAN_KEYS_H

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "store/store.h"

static inline int keys_compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

enum shape {
    NUMBERS,
    SHARDS,
    DATES,
    FOLDERS,
    UUIDS,
    WORDS,
    SLASHES,
    HIGH,
    ANY,
    LONG,
    SAME,
    TEXT,
    SHAPES
};

static inline size_t shape_key(enum shape shape, struct prng *p, uint32_t i,
                               char out[STORE_KEY_MAX + 1])
{
    static const char *const words[] = {"train",  "val", "test", "a",
                                        "images", "x-y", "Zoo",  "_tmp"};
    static const char *const texts[] = {"日本",   "é", "ü",
                                        "中文字", "ñ", "🙂"};
    uint64_t r = prng_next(p);
    size_t size = 0;
    size_t want;

    switch (shape) {
    case NUMBERS:
        return (size_t)snprintf(out, STORE_KEY_MAX, "p/%u", i);
    case SHARDS:
        return (size_t)snprintf(out, STORE_KEY_MAX, "p/shard-%06u.tar", i);
    case DATES:
        return (size_t)snprintf(
            out, STORE_KEY_MAX, "p/%d/%02d/%02d/%02d/f%03u.bin",
            2020 + (int)(r % 5), 1 + (int)(r / 5 % 12), 1 + (int)(r / 60 % 31),
            (int)(r / 1860 % 24), i % 1000);
    case FOLDERS:
        return (size_t)snprintf(out, STORE_KEY_MAX, "p/%s/dir%02d/img_%05u.jpg",
                                words[r % 3], (int)(r / 3 % 40), i);
    case UUIDS:
        return (size_t)snprintf(out, STORE_KEY_MAX, "p/%08x-%04x-%08x",
                                (unsigned)r, (unsigned)(r >> 40) & 0xffff, i);
    case WORDS:
        return (size_t)snprintf(out, STORE_KEY_MAX, "p/%s%s%s%u", words[r % 8],
                                words[r / 8 % 8], words[r / 64 % 8], i);
    case SLASHES:
        size = (size_t)snprintf(out, STORE_KEY_MAX, "p/");
        for (want = 1 + r % 8; want > 0; want--) {
            out[size++] = "//a."[prng_below(p, 4)];
        }
        return size + (size_t)snprintf(out + size, 32, "%u", i % 97);
    case HIGH:
        size = (size_t)snprintf(out, STORE_KEY_MAX, "p/");
        for (want = 1 + r % 6; want > 0; want--) {
            out[size++] = (char)(0xfa + prng_below(p, 6));
        }
        return size;
    case ANY:
        size = (size_t)snprintf(out, STORE_KEY_MAX, "p/");
        for (want = 1 + r % 9; want > 0; want--) {
            out[size++] = (char)(1 + prng_below(p, 255));
        }
        return size;
    case LONG:
        memset(out, 'q', STORE_KEY_MAX);
        memcpy(out, "p/", 2);
        for (size = STORE_KEY_MAX - 9; size < STORE_KEY_MAX; size++) {
            out[size] = (char)('0' + prng_below(p, 10));
        }
        return size;
    case SAME:
        memset(out, 'q', STORE_KEY_MAX);
        memcpy(out, "p/", 2);
        return 3 + r % (STORE_KEY_MAX - 3);
    case TEXT:
        return (size_t)snprintf(out, STORE_KEY_MAX, "p/%s%s%s", texts[r % 6],
                                texts[r / 6 % 6], texts[r / 36 % 6]) +
               (size_t)snprintf(out + strlen(out), 16, "%u", i % 50);
    case SHAPES:
        break;
    }
    return 0;
}

#endif /* TESTS_UNIT_SCAN_KEYS_H */
