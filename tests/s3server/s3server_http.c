/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: the head, its pieces, the body. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/s3server/s3server_srv.h"

const char *srv_header(const struct srv_request *r, const char *name)
{
    for (size_t i = 0; i < r->headers.count; i++) {
        if (strcasecmp(r->headers.at[i].name, name) == 0) {
            return r->headers.at[i].value;
        }
    }
    return NULL;
}

const char *srv_param(const struct srv_request *r, const char *name)
{
    for (size_t i = 0; i < r->params.count; i++) {
        if (strcmp(r->params.at[i].name, name) == 0) {
            return r->params.at[i].value;
        }
    }
    return NULL;
}

bool srv_is(const struct srv_request *r, const char *method)
{
    return strcmp(r->method, method) == 0;
}

bool srv_request_expects(const struct srv_request *r)
{
    const char *expect = srv_header(r, "expect");

    return expect != NULL && strcasecmp(expect, "100-continue") == 0;
}

void srv_request_fini(struct srv_request *r)
{
    buf_fini(&r->head);
    buf_fini(&r->lines);
    buf_fini(&r->path);
    buf_fini(&r->query);
    buf_fini(&r->name);
    buf_fini(&r->decoded);
    buf_fini(&r->param_at);
    buf_fini(&r->body);
    buf_fini(&r->trailers);
    free(r->signer);
}

/* Read up to the empty line. */
static bool srv_head_read(struct srv_request *r)
{
    struct srv_conn *c = r->conn;

    for (;;) {
        uint32_t ms = r->head.size == 0 ? c->s->idle_ms : SRV_READ_MS;
        char last;

        if (c->in_from == c->in_to && !srv_conn_fill(c, ms)) {
            return false;
        }
        last = c->in[c->in_from++];
        buf_add_char(&r->head, last);
        if (r->head.size == 2 && memcmp(r->head.at, "\r\n", 2) == 0) {
            buf_clear(&r->head);
        }
        if (last == '\n' && r->head.size >= 4 &&
            memcmp(r->head.at + r->head.size - 4, "\r\n\r\n", 4) == 0) {
            return true;
        }
        if (r->head.size > SRV_HEAD_MAX) {
            return false;
        }
    }
}

static char *srv_trim(char *at)
{
    size_t size;

    at += strspn(at, " \t");
    size = strlen(at);
    while (size > 0 && strchr(" \t", at[size - 1]) != NULL) {
        at[--size] = '\0';
    }
    return at;
}

static bool srv_head_line(struct srv_request *r, char *line)
{
    char *colon = strchr(line, ':');

    if (colon == NULL || colon == line || line[0] == ' ' ||
        r->headers.count == SRV_PAIRS_MAX) {
        return false;
    }
    *colon = '\0';
    r->headers.at[r->headers.count++] =
        (struct srv_pair){line, srv_trim(colon + 1)};
    return true;
}

static bool srv_head_first(struct srv_request *r, char *line)
{
    char *target = strchr(line, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;

    if (version == NULL) {
        return false;
    }
    *target++ = '\0';
    *version++ = '\0';
    if (strncmp(target, "http://", 7) == 0) { /* We are the proxy. */
        target = strchr(target + 7, '/');
    }
    if (target == NULL || target[0] != '/') {
        return false;
    }
    r->method = line;
    r->target = target;
    r->is_old_http = strcmp(version, "HTTP/1.0") == 0;
    return r->is_old_http || strcmp(version, "HTTP/1.1") == 0;
}

static bool srv_head_cut(struct srv_request *r)
{
    char *line;
    char *end;
    bool is_good = true;

    buf_add(&r->lines, r->head.at, r->head.size - 2);
    line = r->lines.at;
    if (strlen(line) != r->lines.size) {
        return false;
    }
    for (bool is_first = true; *line != '\0'; is_first = false) {
        end = strstr(line, "\r\n");
        *end = '\0';
        is_good = is_good &&
                  (is_first ? srv_head_first(r, line) : srv_head_line(r, line));
        line = end + 2;
    }
    return is_good && r->method != NULL;
}

static bool srv_query_pair(struct srv_request *r, const char *at, size_t size)
{
    const char *equal = memchr(at, '=', size);
    size_t name = equal != NULL ? (size_t)(equal - at) : size;
    bool is_good;

    if (r->params.count == SRV_PAIRS_MAX) {
        return false;
    }
    is_good = srv_percent_decode(at, name, true, &r->param_at);
    buf_add_char(&r->param_at, '\0');
    if (equal != NULL) {
        is_good = is_good && srv_percent_decode(equal + 1, size - name - 1,
                                                true, &r->param_at);
    }
    buf_add_char(&r->param_at, '\0');
    r->params.count++;
    return is_good;
}

static bool srv_query_cut(struct srv_request *r)
{
    const char *at = buf_text(&r->query);
    bool is_good = true;
    char *text;

    while (*at != '\0') {
        size_t size = strcspn(at, "&");

        is_good = is_good && (size == 0 || srv_query_pair(r, at, size));
        at += size + (at[size] == '&');
    }
    text = r->param_at.at;
    for (size_t i = 0; is_good && i < r->params.count; i++) {
        r->params.at[i].name = text;
        text += strlen(text) + 1;
        r->params.at[i].value = text;
        text += strlen(text) + 1;
    }
    r->params.count = is_good ? r->params.count : 0;
    return is_good;
}

/* Is it "bucket.anything" that the client speaks to? */
static bool srv_host_is_virtual(const struct srv_request *r)
{
    const char *host = srv_header(r, "host");
    size_t size = strlen(r->conn->s->bucket);

    return host != NULL && strncasecmp(host, r->conn->s->bucket, size) == 0 &&
           host[size] == '.';
}

static void srv_name_cut(struct srv_request *r)
{
    char *slash;

    r->bucket = r->conn->s->bucket;
    r->key = buf_text(&r->name) + (r->name.size > 0);
    if (srv_host_is_virtual(r)) {
        return;
    }
    r->bucket = r->key;
    slash = r->name.size > 1 ? strchr(r->name.at + 1, '/') : NULL;
    r->key = slash != NULL ? slash + 1 : "";
    if (slash != NULL) {
        *slash = '\0';
    }
}

static bool srv_target_cut(struct srv_request *r)
{
    size_t size = strcspn(r->target, "?");
    bool is_good;

    buf_add(&r->path, r->target, size);
    buf_add_text(&r->query, r->target + size + (r->target[size] == '?'));
    is_good = srv_percent_decode(r->target, size, false, &r->name);
    if (!srv_percent_decode(r->target, strlen(r->target), false, &r->decoded)) {
        buf_clear(&r->decoded);
    }
    is_good = srv_query_cut(r) && is_good;
    srv_name_cut(r);
    return is_good;
}

bool srv_request_head(struct srv_request *r)
{
    if (!srv_head_read(r)) {
        return false;
    }
    if (!srv_head_cut(r)) {
        r->is_malformed = true;
        buf_clear(&r->lines);
        buf_add(&r->lines, "?\0/", 4);
        r->method = r->lines.at;
        r->target = r->lines.at + 2;
        r->headers.count = 0;
    }
    r->is_malformed = !srv_target_cut(r) || r->is_malformed;
    return true;
}

/* The size line of a chunk, or a trailer. */
static bool srv_chunk_line(struct srv_conn *c, char *out, size_t room)
{
    for (size_t i = 0; i < room; i++) {
        if (!srv_conn_read(c, &out[i], 1)) {
            return false;
        }
        if (i > 0 && out[i] == '\n' && out[i - 1] == '\r') {
            out[i - 1] = '\0';
            return true;
        }
    }
    return false;
}

static bool srv_body_chunked(struct srv_request *r)
{
    char line[4096];

    for (;;) {
        size_t size;
        char *end;

        if (!srv_chunk_line(r->conn, line, sizeof(line))) {
            return false;
        }
        size = strtoull(line, &end, 16);
        if (end == line || size > SRV_BODY_MAX - r->body.size) {
            return false;
        }
        if (size == 0) {
            break;
        }
        if (!srv_conn_read(r->conn, buf_reserve(&r->body, size), size)) {
            return false;
        }
        buf_add_done(&r->body, size);
        if (!srv_chunk_line(r->conn, line, sizeof(line)) || line[0] != '\0') {
            return false;
        }
    }
    do {
        if (!srv_chunk_line(r->conn, line, sizeof(line))) {
            return false;
        }
    } while (line[0] != '\0');
    return true;
}

static bool srv_body_length(struct srv_request *r, struct srv_answer *a,
                            uint64_t *size)
{
    const char *length = srv_header(r, "content-length");

    *size = 0;
    if (length != NULL && !srv_number(length, UINT64_MAX / 2, size)) {
        srv_fail(a, SRV_E_INVALID_ARGUMENT);
        return false;
    }
    if (length == NULL && srv_is(r, "PUT")) {
        srv_fail(a, SRV_E_MISSING_LENGTH);
        return false;
    }
    if (*size > SRV_BODY_MAX) {
        srv_fail(a, SRV_E_TOO_LARGE);
        return false;
    }
    return true;
}

/* Only with a known length inside is a chunked body taken, as AWS does. */
static bool srv_body_is_chunked(const struct srv_request *r)
{
    const char *how = srv_header(r, "transfer-encoding");

    return how != NULL && strcasecmp(how, "chunked") == 0;
}

bool srv_request_body(struct srv_request *r, struct srv_answer *a)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool is_chunked = srv_body_is_chunked(r);
    uint64_t size = 0;
    bool is_read;

    a->must_close = true;
    if (is_chunked && srv_header(r, "x-amz-decoded-content-length") == NULL &&
        srv_header(r, "x-amz-content-sha256") != NULL) {
        srv_fail(a, SRV_E_NOT_IMPLEMENTED);
        srv_extra(a, "Header", "Transfer-Encoding");
        return false;
    }
    if (!is_chunked && !srv_body_length(r, a, &size)) {
        return false;
    }
    if (srv_request_expects(r) &&
        !srv_conn_write(r->conn, go_on, sizeof(go_on) - 1)) {
        return false;
    }
    if (is_chunked) {
        is_read = srv_body_chunked(r);
    } else {
        is_read = srv_conn_read(r->conn, buf_reserve(&r->body, size), size);
        buf_add_done(&r->body, is_read ? size : 0);
    }
    if (!is_read) {
        srv_fail(a, SRV_E_TIMEOUT);
        return false;
    }
    a->must_close = false;
    return true;
}
