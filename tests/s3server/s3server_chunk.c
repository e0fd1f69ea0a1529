/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in chunks of S3's own, inside HTTP's body: signed or not, with
 * trailers or without. */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

struct chunk_reader {
    const char *at;
    const char *end;
    bool is_signed;
    bool has_trailers;
    char before[65]; /* The signature before. */
    struct buf out;
};

/* The text up to CRLF, which the caller frees; NULL: no more. */
static char *chunk_line(struct chunk_reader *c)
{
    const char *end = memmem(c->at, (size_t)(c->end - c->at), "\r\n", 2);
    char *line;

    if (end == NULL) {
        return NULL;
    }
    line = mem_copy_text(c->at, (size_t)(end - c->at));
    c->at = end + 2;
    return line;
}

static bool chunk_is_signed_well(const struct srv_request *r,
                                 struct chunk_reader *c, struct bytes data,
                                 const char *given)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb924"
                                "27ae41e4649b934ca495991b7852b855";
    unsigned char raw[32];
    char hash[65];
    char *text;
    bool is_trailer = data.at == r->trailers.at;

    srv_sha256(data.at, data.size, raw);
    srv_hex(raw, 32, hash);
    text = mem_print("AWS4-HMAC-SHA256-%s\n%s\n%s\n%s\n%s%s%s",
                     is_trailer ? "TRAILER" : "PAYLOAD", r->signer->date,
                     r->signer->scope, c->before, is_trailer ? "" : empty,
                     is_trailer ? "" : "\n", hash);
    srv_sign(r->signer->key, text, c->before);
    free(text);
    return strcmp(c->before, given) == 0;
}

/* One chunk; *size is that of its data. */
static bool chunk_next(const struct srv_request *r, struct chunk_reader *c,
                       size_t *size)
{
    char *line = chunk_line(c);
    char *rest = line;
    const char *given = "";
    bool is_good;

    if (line == NULL) {
        return false;
    }
    *size = strtoull(line, &rest, 16);
    if (strncmp(rest, ";chunk-signature=", 17) == 0) {
        given = rest + 17;
    }
    is_good = rest != line && *size <= (size_t)(c->end - c->at);
    if (is_good && c->is_signed && r->signer != NULL) {
        is_good =
            chunk_is_signed_well(r, c, (struct bytes){c->at, *size}, given);
    }
    if (is_good && *size > 0) {
        buf_add(&c->out, c->at, *size);
        c->at += *size;
        is_good = c->end - c->at >= 2 && memcmp(c->at, "\r\n", 2) == 0;
        c->at += 2;
    }
    free(line);
    return is_good;
}

static bool chunk_trailers(struct srv_request *r, struct chunk_reader *c)
{
    bool is_good = true;
    bool is_last = false;

    while (is_good && !is_last && c->at < c->end) {
        char *line = chunk_line(c);

        is_good = line != NULL;
        is_last = is_good && line[0] == '\0';
        if (is_good && strncmp(line, "x-amz-trailer-signature:", 24) == 0) {
            is_good =
                !c->is_signed || r->signer == NULL ||
                chunk_is_signed_well(r, c, buf_bytes(&r->trailers), line + 24);
        } else if (is_good && !is_last) {
            buf_print(&r->trailers, "%s\n", line);
        }
        free(line);
    }
    return is_good;
}

static bool chunk_read(struct srv_request *r, struct chunk_reader *c)
{
    const char *due = srv_header(r, "x-amz-decoded-content-length");
    size_t size = 1;
    uint64_t length = 0;

    while (size > 0) {
        if (!chunk_next(r, c, &size)) {
            return false;
        }
    }
    if (!chunk_trailers(r, c)) {
        return false;
    }
    return due != NULL && srv_number(due, SRV_BODY_MAX, &length) &&
           length == c->out.size;
}

bool srv_chunk_decode(struct srv_request *r, struct srv_answer *a)
{
    const char *how = srv_header(r, "x-amz-content-sha256");
    struct chunk_reader c = {.at = buf_text(&r->body)};

    c.end = c.at + r->body.size;
    c.is_signed = strncmp(how, "STREAMING-AWS4-HMAC-SHA256-", 27) == 0;
    if (!c.is_signed &&
        strcmp(how, "STREAMING-UNSIGNED-PAYLOAD-TRAILER") != 0) {
        srv_fail(a, SRV_E_NOT_IMPLEMENTED);
        return false;
    }
    if (r->signer != NULL) {
        memcpy(c.before, r->signer->signature, sizeof(c.before));
    }
    if (!chunk_read(r, &c)) {
        srv_fail_say(a, SRV_E_SIGNATURE,
                     "The chunks of the body are not as they should be");
        buf_fini(&c.out);
        return false;
    }
    buf_fini(&r->body);
    r->body = c.out;
    return true;
}
