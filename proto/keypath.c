/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/keypath.h"

#include <string.h>

static struct bytes keypath_after(struct bytes text, size_t size)
{
    return (struct bytes){text.at + size, text.size - size};
}

static enum status keypath_refuse(struct fault *why, struct bytes key,
                                  const char *reason)
{
    return fault_set(why, STATUS_INVALID,
                     "key \"%.*s\" has no place below the channel's folder: %s",
                     (int)(key.size < 300 ? key.size : 300),
                     key.at != NULL ? key.at : "", reason);
}

/* The path's start in @key, which starts with @prefix. */
static size_t keypath_start(struct bytes prefix, struct bytes key)
{
    size_t start = prefix.size;

    if (start == 0 || prefix.at[start - 1] == '/') {
        return start;
    }
    if (key.size > start && key.at[start] == '/') {
        return start + 1;
    }
    while (start > 0 && prefix.at[start - 1] != '/') {
        start--;
    }
    return start;
}

/* Return what is wrong with one part of a path, or NULL. */
static const char *keypath_part_fault(struct bytes part)
{
    if (part.size == 0) {
        return "it has an empty part";
    }
    if (bytes_is(part, "..") || bytes_is(part, ".")) {
        return "\".\" and \"..\" are not allowed as parts";
    }
    if (part.size > KEYPATH_PART_MAX) {
        return "a part is longer than 255 bytes";
    }
    if (memchr(part.at, '\0', part.size) != NULL) {
        return "it holds a NUL byte";
    }
    return NULL;
}

enum status keypath_of(struct bytes prefix, struct bytes key, struct fault *why,
                       struct bytes *out)
{
    struct bytes path;

    if (!bytes_has_prefix(key, prefix)) {
        return keypath_refuse(why, key, "it does not start with the prefix");
    }
    if (key.size > KEYPATH_KEY_MAX) {
        return keypath_refuse(why, key, "it is longer than 1024 bytes");
    }
    path = keypath_after(key, keypath_start(prefix, key));
    for (struct bytes rest = path; rest.size > 0;) {
        const char *slash = memchr(rest.at, '/', rest.size);
        size_t size = slash != NULL ? (size_t)(slash - rest.at) : rest.size;
        const char *fault = keypath_part_fault((struct bytes){rest.at, size});

        if (fault != NULL) {
            return keypath_refuse(why, key, fault);
        }
        rest = keypath_after(rest, size + (slash != NULL));
    }
    *out = path;
    return STATUS_OK;
}

bool keypath_is_folder(struct bytes key)
{
    return key.size == 0 || key.at[key.size - 1] == '/';
}
