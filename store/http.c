/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"

void http_destroy(struct http *h)
{
    if (h->ops != NULL) {
        h->ops->destroy(h->self);
    }
    *h = (struct http){NULL, NULL};
}

static bool http_is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool http_header(struct bytes headers, const char *name, struct bytes *value)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < headers.size;) {
        const char *line = headers.at + i;
        const char *end = memchr(line, '\n', headers.size - i);
        size_t length = end != NULL ? (size_t)(end - line) : headers.size - i;

        i += length + 1;
        length -= length > 0 && line[length - 1] == '\r';
        if (length <= size || line[size] != ':' ||
            strncasecmp(line, name, size) != 0) {
            continue;
        }
        *value = (struct bytes){line + size + 1, length - size - 1};
        while (value->size > 0 && http_is_space(value->at[0])) {
            value->at++;
            value->size--;
        }
        while (value->size > 0 && http_is_space(value->at[value->size - 1])) {
            value->size--;
        }
        return true;
    }
    *value = (struct bytes){"", 0};
    return false;
}

const char *http_result_name(enum http_result result)
{
    static const char *const names[] = {
        [HTTP_DONE] = "done",
        [HTTP_RESOLVE] = "resolve",
        [HTTP_CONNECT] = "connect",
        [HTTP_TLS] = "tls",
        [HTTP_STALE] = "stale",
        [HTTP_LOST] = "lost",
        [HTTP_SHORT] = "short",
        [HTTP_TIMEOUT] = "timeout",
        [HTTP_MALFORMED] = "malformed",
        [HTTP_TOO_LARGE] = "too large",
        [HTTP_OS] = "os",
    };

    CHECK(result <= HTTP_OS);
    return names[result];
}
