/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/job_parse.h"

struct bytes manifest_key(struct bytes uri)
{
    const char *end = uri.at + uri.size;
    const char *at = uri.size > 0 ? memmem(uri.at, uri.size, "://", 3) : NULL;

    if (at == NULL) {
        return uri;
    }
    at = memchr(at + 3, '/', (size_t)(end - at - 3));
    if (at == NULL) {
        return (struct bytes){end, 0};
    }
    return (struct bytes){at + 1, (size_t)(end - at - 1)};
}

static int manifest_compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static enum status manifest_read_prefix(const struct json *root,
                                        const char *name, struct fault *why,
                                        struct manifest *out)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "prefix", JOB_LAYER_DOCUMENT};
    const struct json *head = json_at(root, 0);
    const struct json *prefix = json_get(head, "prefix");
    struct bytes text = json_string(prefix);
    enum status s;

    job_origin_of(name, head, origin);
    if (!json_is(prefix, JSON_STRING) || json_count(head) != 1) {
        at.label = NULL;
        return job_refuse(why, &at, "a manifest starts with {\"prefix\": URI}");
    }
    job_origin_of(name, prefix, origin);
    s = job_check_uri(text, &at, why);
    if (s == STATUS_OK) {
        out->prefix = mem_copy_text(text.at, text.size);
    }
    return s;
}

static enum status manifest_read_suffix(const struct json *v, const char *name,
                                        size_t prefix_size, struct fault *why,
                                        struct bytes *out)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, NULL, JOB_LAYER_DOCUMENT};
    struct bytes text = json_string(v);

    job_origin_of(name, v, origin);
    if (text.size == 0 || memchr(text.at, '\0', text.size) != NULL) {
        return job_refuse(why, &at,
                          "what follows the prefix is not a string, is empty "
                          "or holds a NUL byte");
    }
    if (prefix_size + text.size > MANIFEST_KEY_MAX) {
        return job_refuse(why, &at, "\"%.*s…\" makes a key over %d bytes",
                          (int)(text.size < 80 ? text.size : 80), text.at,
                          MANIFEST_KEY_MAX);
    }
    *out = text;
    return STATUS_OK;
}

static void manifest_sort(struct manifest *m)
{
    uint64_t kept = 1;

    qsort(m->suffixes, m->count, sizeof(*m->suffixes), manifest_compare);
    for (uint64_t i = 1; i < m->count; i++) {
        if (!bytes_is_equal(m->suffixes[i], m->suffixes[kept - 1])) {
            m->suffixes[kept++] = m->suffixes[i];
        }
    }
    m->repeated = m->count - kept;
    m->count = kept;
}

static enum status manifest_read(const struct json *root, const char *name,
                                 struct fault *why, struct manifest *out)
{
    size_t count = json_count(root);
    size_t prefix_size;
    enum status s;

    if (!json_is(root, JSON_ARRAY) || count < 2) {
        return fault_set(why, STATUS_INVALID,
                         "%s:1: a manifest is a list of {\"prefix\": URI} and "
                         "at least one suffix",
                         name);
    }
    s = manifest_read_prefix(root, name, why, out);
    if (s != STATUS_OK) {
        return s;
    }
    prefix_size = manifest_key(bytes_of(out->prefix)).size;
    out->suffixes = malloc((count - 1) * sizeof(*out->suffixes));
    if (out->suffixes == NULL) {
        return fault_set(why, STATUS_FULL, "%s: no memory for %zu suffixes",
                         name, count - 1);
    }
    for (; s == STATUS_OK && out->count < count - 1; out->count++) {
        s = manifest_read_suffix(json_at(root, out->count + 1), name,
                                 prefix_size, why, &out->suffixes[out->count]);
    }
    if (s == STATUS_OK) {
        manifest_sort(out);
    }
    return s;
}

enum status manifest_parse(struct bytes text, const char *name,
                           struct fault *why, struct manifest *out)
{
    enum status s;

    *out = (struct manifest){0};
    s = json_parse(text, name, why, &out->doc);
    if (s == STATUS_OK) {
        s = manifest_read(json_root(out->doc), name, why, out);
    }
    if (s != STATUS_OK) {
        manifest_fini(out);
    }
    return s;
}

void manifest_fini(struct manifest *m)
{
    free(m->prefix);
    free(m->suffixes);
    json_destroy(&m->doc);
    *m = (struct manifest){0};
}

void manifest_uri(const struct manifest *m, uint64_t i, struct buf *out)
{
    buf_add_text(out, m->prefix);
    buf_add_bytes(out, m->suffixes[i]);
}

void manifest_write_prefix(struct bytes uri, struct buf *out)
{
    buf_add_bytes(out, manifest_key(uri));
    buf_add_char(out, '\n');
}

void manifest_write_object(struct bytes root, struct bytes key, struct buf *out)
{
    buf_add_bytes(out, root);
    buf_add_bytes(out, key);
    buf_add_char(out, '\n');
}
