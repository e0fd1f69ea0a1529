/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tests/s3server/s3server_srv.h"

static const struct {
    int code;
    const char *name;
    const char *text;
} srv_errors[] = {
#define X(id, code, name, text) {code, name, text},
    SRV_ERRORS(X)
#undef X
};

void srv_fail(struct srv_answer *a, enum srv_error e)
{
    a->code = srv_errors[e].code;
    a->error = srv_errors[e].name;
    snprintf(a->message, sizeof(a->message), "%s", srv_errors[e].text);
}

void srv_fail_say(struct srv_answer *a, enum srv_error e, const char *format,
                  ...)
{
    va_list list;

    srv_fail(a, e);
    va_start(list, format);
    vsnprintf(a->message, sizeof(a->message), format, list);
    va_end(list);
}

void srv_extra(struct srv_answer *a, const char *name, const char *value)
{
    srv_xml_add(&a->extra, name, value);
}

void srv_set(struct srv_answer *a, const char *name, const char *format, ...)
{
    char value[4096];
    va_list list;

    va_start(list, format);
    vsnprintf(value, sizeof(value), format, list);
    va_end(list);
    buf_print(&a->headers, "%s: %s\r\n", name, value);
}

static const char srv_xml_first[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

void srv_xml_start(struct srv_answer *a, const char *root)
{
    srv_set(a, "Content-Type", "application/xml");
    buf_print(&a->body,
              "%s<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
              srv_xml_first, root);
}

static void srv_answer_error(const struct srv_request *r, struct srv_answer *a)
{
    char now[SRV_TIME_MAX];

    buf_clear(&a->body);
    srv_set(a, "Content-Type", "application/xml");
    buf_print(&a->body, "%s<Error>", srv_xml_first);
    srv_xml_add(&a->body, "Code", a->error);
    srv_xml_add(&a->body, "Message", a->message);
    buf_add_bytes(&a->body, buf_bytes(&a->extra));
    if (strcmp(a->error, "RequestTimeTooSkewed") == 0) {
        srv_xml_add(&a->body, "ServerTime", srv_time_iso(r->now_ms, now));
        srv_xml_number(&a->body, "MaxAllowedSkewMilliseconds", SRV_SKEW_MS);
    }
    if (r->key != NULL && r->key[0] != '\0') {
        srv_xml_add(&a->body, "Key", r->key);
    }
    if (r->bucket != NULL && r->bucket[0] != '\0') {
        srv_xml_add(&a->body, "BucketName", r->bucket);
    }
    buf_add_text(&a->body, "<RequestId>0123456789ABCDEF</RequestId>"
                           "<HostId>aG9zdA==</HostId></Error>");
}

void srv_answer_finish(const struct srv_request *r, struct srv_answer *a)
{
    if (a->code == 0) {
        a->code = 200;
    }
    if (a->error != NULL) {
        srv_answer_error(r, a);
        srv_blob_drop(a->blob);
        a->blob = NULL;
    }
    if (a->blob == NULL) {
        a->from = 0;
        a->size = a->body.size;
    }
}

void srv_answer_fini(struct srv_answer *a)
{
    srv_blob_drop(a->blob);
    buf_fini(&a->extra);
    buf_fini(&a->headers);
    buf_fini(&a->body);
}

static const char *srv_reason(int code)
{
    static const struct {
        int code;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {416, "Requested Range Not Satisfiable"},
        {500, "Internal Server Error"},
        {503, "Slow Down"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code) {
            return reasons[i].text;
        }
    }
    return "Other";
}

/* @more is added to the length; INT64_MIN: a chunked body. */
void srv_answer_head(const struct srv_request *r, const struct srv_answer *a,
                     int64_t more, struct buf *out)
{
    char now[SRV_TIME_MAX];
    int64_t size = (int64_t)a->size + (more == INT64_MIN ? 0 : more);

    buf_print(out, "HTTP/1.1 %d %s\r\n", a->code, srv_reason(a->code));
    buf_print(out, "Date: %s\r\n", srv_time_http(r->now_ms, now));
    buf_add_text(out, "x-amz-request-id: 0123456789ABCDEF\r\n"
                      "x-amz-id-2: aG9zdA==\r\nServer: AmazonS3\r\n");
    buf_add_bytes(out, buf_bytes(&a->headers));
    if (more == INT64_MIN) {
        buf_add_text(out, "Transfer-Encoding: chunked\r\n");
    } else if (a->code != 204 && a->code != 304) {
        buf_print(out, "Content-Length: %" PRId64 "\r\n", size > 0 ? size : 0);
    }
    if (a->must_close) {
        buf_add_text(out, "Connection: close\r\n");
    }
    buf_add_text(out, "\r\n");
}

static bool srv_keeps(const struct srv_request *r)
{
    const char *how = srv_header(r, "connection");

    return !r->is_old_http && (how == NULL || strcasecmp(how, "close") != 0);
}

bool srv_answer_send(struct srv_request *r, struct srv_answer *a)
{
    struct buf head = {0};
    bool is_open = true;
    const char *body;
    bool has_body = !srv_is(r, "HEAD") && a->code != 204 && a->code != 304;

    a->must_close = a->must_close || !srv_keeps(r);
    if (srv_act_send(r, a, &is_open)) {
        return is_open;
    }
    body = a->blob != NULL ? a->blob->at + a->from : a->body.at;
    srv_answer_head(r, a, 0, &head);
    /* One write for what is small: one packet. */
    if (has_body && a->size <= 8192) {
        buf_add(&head, body, a->size);
        has_body = false;
    }
    is_open = srv_conn_write(r->conn, head.at, head.size) &&
              (!has_body || srv_conn_write(r->conn, body, a->size));
    buf_fini(&head);
    return is_open && !a->must_close;
}
