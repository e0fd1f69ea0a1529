/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool bytes_is_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && bytes_compare(a, b) == 0;
}

bool bytes_has_prefix(struct bytes a, struct bytes prefix)
{
    a.size = a.size < prefix.size ? a.size : prefix.size;
    return bytes_is_equal(a, prefix);
}

bool bytes_has_suffix(struct bytes a, struct bytes suffix)
{
    if (a.size < suffix.size) {
        return false;
    }
    return bytes_is_equal(
        (struct bytes){a.at + (a.size - suffix.size), suffix.size}, suffix);
}

bool bytes_is(struct bytes a, const char *text)
{
    return bytes_is_equal(a, bytes_of(text));
}
