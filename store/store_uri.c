/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_uri.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/endpoint.h"

static bool store_uri_has(const char *uri, const char *scheme)
{
    return strncmp(uri, scheme, strlen(scheme)) == 0;
}

/* Return the last part of @path, after its last '/'. */
static const char *store_uri_last(const char *path)
{
    return strrchr(path, '/') + 1;
}

static enum status store_uri_file(const char *path, enum store_use use,
                                  struct fault *why, struct store_uri *out)
{
    const char *last = store_uri_last(path);

    /* As a literal prefix these would match names that begin with a dot,
     * which nobody means. */
    if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
        return fault_set(why, STATUS_INVALID,
                         "file://%s: ends in \"%s\"; write the folder's own "
                         "name and a closing '/'",
                         path, last);
    }
    out->scheme = STORE_SCHEME_FILE;
    if (use == STORE_READ) {
        out->place = mem_copy_text(path, (size_t)(last - path));
        out->prefix = mem_copy(last);
    } else {
        out->place = mem_print("%s%s", path, last[0] != '\0' ? "/" : "");
        out->prefix = mem_copy("");
    }
    out->root = mem_print("file://%s", out->place);
    return STATUS_OK;
}

/* "bucket", "bucket/" or "bucket/some/prefix" after its scheme. */
static enum status store_uri_bucket(const char *uri, enum store_use use,
                                    struct fault *why, struct store_uri *out)
{
    const char *name = strstr(uri, "://") + 3;
    size_t size = endpoint_bucket_size(name);
    const char *prefix = name[size] == '/' ? name + size + 1 : "";
    bool is_open = use == STORE_WRITE && prefix[0] != '\0' &&
                   prefix[strlen(prefix) - 1] != '/';

    if (size == 0) {
        return fault_set(why, STATUS_INVALID,
                         "%s: no name after \"://\"; write %.*sNAME/PREFIX",
                         uri, (int)(name - uri), uri);
    }
    out->place = mem_copy_text(name, size);
    out->root = mem_print("%.*s/", (int)(name + size - uri), uri);
    out->prefix = mem_print("%s%s", prefix, is_open ? "/" : "");
    return STATUS_OK;
}

enum status store_uri_parse(const char *uri, enum store_use use,
                            struct fault *why, struct store_uri *out)
{
    *out = (struct store_uri){0};
    if (uri[0] == '/') {
        return store_uri_file(uri, use, why, out);
    }
    if (store_uri_has(uri, "file:///")) {
        return store_uri_file(uri + strlen("file://"), use, why, out);
    }
    if (store_uri_has(uri, "file:")) {
        return fault_set(why, STATUS_INVALID,
                         "%s: a file URI names no host and an absolute path: "
                         "file:///path",
                         uri);
    }
    if (store_uri_has(uri, "mem://")) {
        out->scheme = STORE_SCHEME_MEM;
        return store_uri_bucket(uri, use, why, out);
    }
    if (store_uri_has(uri, "s3://")) {
        out->scheme = STORE_SCHEME_S3;
        return store_uri_bucket(uri, use, why, out);
    }
    return fault_set(why, STATUS_INVALID,
                     "%s: not a location; write s3://bucket/prefix, "
                     "file:///path or an absolute path",
                     uri[0] != '\0' ? uri : "\"\"");
}

void store_uri_fini(struct store_uri *u)
{
    free(u->root);
    free(u->place);
    free(u->prefix);
    *u = (struct store_uri){0};
}

/* Write at most @max bytes of @from into @out, its middle replaced by "...".
 * Returns how many. */
static size_t store_uri_squeeze(struct bytes from, size_t max, char *out)
{
    size_t half = (max - 3) / 2;

    if (from.size <= max) {
        memcpy(out, from.at, from.size);
        return from.size;
    }
    memcpy(out, from.at, half);
    memcpy(out + half, "...", 3);
    memcpy(out + half + 3, from.at + from.size - half, half);
    return 2 * half + 3;
}

const char *store_uri_show(const char *root, struct bytes key,
                           char out[STORE_URI_SHOW_MAX])
{
    const size_t max = (STORE_URI_SHOW_MAX - 1) / 2;
    size_t used = store_uri_squeeze(bytes_of(root), max, out);

    if (key.size > 0) {
        used += store_uri_squeeze(key, max, out + used);
    }
    out[used] = '\0';
    return out;
}
