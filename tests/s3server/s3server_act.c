/* SPDX-License-Identifier: Apache-2.0 */
/* What a fault does: instead of the work, before it, and to what is sent. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

enum { ACT_FLOOD = 64 << 10 };

bool srv_act_is(const struct srv_request *r, enum s3server_act act)
{
    return r->fault != NULL && r->fault->f.act == act;
}

static void act_error(struct srv_answer *a, int code, const char *error,
                      const char *message)
{
    a->code = code;
    a->error = error != NULL ? error : "InternalError";
    snprintf(a->message, sizeof(a->message), "%s",
             message != NULL ? message : "a fault of the script");
}

static const char *act_message(const struct s3server_fault *f)
{
    return f->message != NULL ? f->message : "";
}

bool srv_act_instead(struct srv_request *r, struct srv_answer *a)
{
    const struct s3server_fault *f = r->fault != NULL ? &r->fault->f : NULL;

    if (f == NULL) {
        return false;
    }
    switch ((int)f->act) {
    case S3SERVER_ANSWER:
        act_error(a, f->code != 0 ? f->code : 500, f->error, f->message);
        return true;
    case S3SERVER_ANSWER_200:
        act_error(a, 200, f->error, f->message);
        return true;
    case S3SERVER_EXPIRE:
        act_error(a, 400, "ExpiredToken", "The provided token has expired.");
        return true;
    case S3SERVER_REDIRECT:
        act_error(a, f->code != 0 ? f->code : 301, "PermanentRedirect",
                  "Elsewhere.");
        srv_set(a, "x-amz-bucket-region", "%s", act_message(f));
        return true;
    case S3SERVER_REDIRECT_HOST:
        act_error(a, 307, "TemporaryRedirect", "Elsewhere, for now.");
        srv_set(a, "Location", "%s", act_message(f));
        return true;
    case S3SERVER_BODY:
        a->code = 200;
        buf_add_text(&a->body, act_message(f));
        return true;
    case S3SERVER_SPACES:
        if (f->error != NULL) {
            act_error(a, 200, f->error, f->message);
        }
        return f->error != NULL;
    case S3SERVER_CLOSE:
    case S3SERVER_RAW:
    case S3SERVER_ENDLESS_HEAD:
    case S3SERVER_ENDLESS_BODY:
        return true;
    default:
        return false;
    }
}

void srv_act_before_locked(struct srv_request *r)
{
    struct buf body = {0};
    const struct srv_version *v =
        srv_keys_now(&r->conn->s->locked.keys, r->key);

    if (!srv_act_is(r, S3SERVER_OVERWRITE) || v == NULL) {
        return;
    }
    buf_add(&body, v->blob->at, v->blob->size);
    if (body.size > 0) {
        body.at[0] = (char)~body.at[0];
    }
    (void)srv_commit_locked(r, r->key, srv_blob_new(&body), NULL);
}

/* Take the etag out of the headers. */
static void act_no_etag(struct srv_answer *a)
{
    char *at = a->headers.at != NULL ? strstr(a->headers.at, "ETag: ") : NULL;
    char *end = at != NULL ? strstr(at, "\r\n") : NULL;

    if (end != NULL) {
        memmove(at, end + 2, strlen(end + 2) + 1);
        a->headers.size -= (size_t)(end + 2 - at);
    }
}

void srv_act_change(struct srv_request *r, struct srv_answer *a)
{
    if (srv_act_is(r, S3SERVER_NO_ETAG)) {
        act_no_etag(a);
    }
}

/* ---- sending ------------------------------------------------------------ */

static const char *act_body(const struct srv_answer *a)
{
    return a->blob != NULL ? a->blob->at + a->from : buf_text(&a->body);
}

static bool act_send_head(struct srv_request *r, const struct srv_answer *a,
                          int64_t more)
{
    struct buf head = {0};
    bool is_sent;

    srv_answer_head(r, a, more, &head);
    is_sent = srv_conn_write(r->conn, head.at, head.size);
    buf_fini(&head);
    return is_sent;
}

/* Head and the first @size bytes of the body. */
static bool act_send_part(struct srv_request *r, const struct srv_answer *a,
                          int64_t more, uint64_t size)
{
    return act_send_head(r, a, more) && !srv_is(r, "HEAD") &&
           srv_conn_write(r->conn, act_body(a),
                          size < a->size ? size : a->size);
}

static void act_drip(struct srv_request *r, const struct srv_answer *a)
{
    uint64_t step = r->fault->f.bytes > 0 ? r->fault->f.bytes : 1;

    if (!act_send_head(r, a, 0) || srv_is(r, "HEAD")) {
        return;
    }
    for (uint64_t at = 0; at < a->size; at += step) {
        uint64_t left = a->size - at;

        if (!srv_conn_write(r->conn, act_body(a) + at,
                            left < step ? left : step) ||
            !srv_conn_wait(r->conn, r->fault->f.ms)) {
            return;
        }
    }
}

static void act_corrupt(struct srv_request *r, const struct srv_answer *a)
{
    char *copy = mem_copy_text(act_body(a), a->size);
    size_t at = (size_t)r->fault->f.bytes;

    if (at < a->size) {
        copy[at] = (char)~copy[at];
    }
    if (act_send_head(r, a, 0) && !srv_is(r, "HEAD")) {
        (void)srv_conn_write(r->conn, copy, a->size);
    }
    free(copy);
}

static void act_flood(struct srv_request *r, bool is_head)
{
    static const char start[] = "HTTP/1.1 200 OK\r\n";
    static const char chunked[] = "Transfer-Encoding: chunked\r\n\r\n";
    char *piece = mem_new(ACT_FLOOD + 16, 1);
    int size;

    memset(piece, 'x', ACT_FLOOD);
    if (is_head) {
        memcpy(piece, "X-Flood: ", 9);
        memcpy(piece + ACT_FLOOD - 2, "\r\n", 2);
    }
    (void)srv_conn_write(r->conn, start, sizeof(start) - 1);
    if (!is_head) {
        char line[32];

        (void)srv_conn_write(r->conn, chunked, sizeof(chunked) - 1);
        size = snprintf(line, sizeof(line), "%x\r\n", ACT_FLOOD);
        memcpy(piece + ACT_FLOOD, "\r\n", 2);
        while (srv_conn_write(r->conn, line, (size_t)size) &&
               srv_conn_write(r->conn, piece, ACT_FLOOD + 2) &&
               !atomic_load(&r->conn->s->is_stopping)) {
        }
    }
    while (is_head && srv_conn_write(r->conn, piece, ACT_FLOOD) &&
           !atomic_load(&r->conn->s->is_stopping)) {
    }
    free(piece);
}

/* A long answer that is kept alive by spaces. */
static void act_spaces(struct srv_request *r, struct srv_answer *a)
{
    static const char spaces[] = "5\r\n     \r\n";
    struct buf chunk = {0};

    if (act_send_head(r, a, INT64_MIN) && !srv_is(r, "HEAD")) {
        (void)srv_conn_write(r->conn, spaces, sizeof(spaces) - 1);
        (void)srv_conn_wait(r->conn, r->fault->f.ms);
        buf_print(&chunk, "%llx\r\n", (unsigned long long)a->size);
        buf_add(&chunk, act_body(a), a->size);
        buf_add_text(&chunk, "\r\n0\r\n\r\n");
        (void)srv_conn_write(r->conn, chunk.at, chunk.size);
    }
    buf_fini(&chunk);
}

bool srv_act_send(struct srv_request *r, struct srv_answer *a, bool *is_open)
{
    const struct s3server_fault *f = r->fault != NULL ? &r->fault->f : NULL;

    if (f == NULL) {
        return false;
    }
    *is_open = false;
    switch ((int)f->act) {
    case S3SERVER_DELAY:
        *is_open = true;
        return !srv_conn_wait(r->conn, f->ms);
    case S3SERVER_DRIP:
        act_drip(r, a);
        return true;
    case S3SERVER_STALL:
        if (act_send_part(r, a, 0, f->bytes)) {
            (void)srv_conn_wait(r->conn, -1);
        }
        return true;
    case S3SERVER_CUT:
        (void)act_send_part(r, a, 0, f->bytes);
        return true;
    case S3SERVER_RESET:
        (void)act_send_part(r, a, 0, f->bytes);
        (void)srv_conn_wait(r->conn, 50); /* So that it is read before. */
        srv_conn_reset(r->conn);
        return true;
    case S3SERVER_SHORT_LENGTH:
        (void)act_send_part(r, a, -(int64_t)f->bytes, a->size);
        return true;
    case S3SERVER_LONG_LENGTH:
        (void)act_send_part(r, a, (int64_t)f->bytes, a->size);
        return true;
    case S3SERVER_CORRUPT:
        act_corrupt(r, a);
        *is_open = !a->must_close;
        return true;
    case S3SERVER_SPACES:
        act_spaces(r, a);
        *is_open = !a->must_close;
        return true;
    case S3SERVER_RAW:
        (void)srv_conn_write(r->conn, act_message(f), strlen(act_message(f)));
        return true;
    case S3SERVER_CLOSE:
    case S3SERVER_LOSE_ANSWER:
        return true;
    case S3SERVER_ENDLESS_HEAD:
    case S3SERVER_ENDLESS_BODY:
        act_flood(r, f->act == S3SERVER_ENDLESS_HEAD);
        return true;
    default:
        return false;
    }
}
