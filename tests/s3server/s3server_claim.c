/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says of its body: Content-MD5, checksums. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

static const char claim_prefix[] = "x-amz-checksum-";

/* The kind that a header's name ends with, or SRV_SUM_KINDS. */
static enum srv_sum_kind claim_kind(const char *name, size_t size)
{
    for (int kind = 0; kind < SRV_SUM_KINDS; kind++) {
        const char *known = srv_sum_name((enum srv_sum_kind)kind);

        if (strlen(known) == size && strncasecmp(known, name, size) == 0) {
            return (enum srv_sum_kind)kind;
        }
    }
    return SRV_SUM_KINDS;
}

struct claim {
    enum srv_sum_kind kind;
    char *value; /* NULL: none. Owned. */
    bool has_many;
};

static void claim_add(struct claim *c, const char *name, size_t size,
                      const char *value)
{
    enum srv_sum_kind kind = SRV_SUM_KINDS;

    if (size > sizeof(claim_prefix) &&
        strncasecmp(name, claim_prefix, sizeof(claim_prefix) - 1) == 0) {
        kind = claim_kind(name + sizeof(claim_prefix) - 1,
                          size - sizeof(claim_prefix) + 1);
    }
    if (kind == SRV_SUM_KINDS) {
        return;
    }
    c->has_many = c->value != NULL;
    free(c->value);
    c->kind = kind;
    c->value = mem_copy(value);
}

static void claim_find(const struct srv_request *r, struct claim *c)
{
    const char *line = buf_text(&r->trailers);

    for (size_t i = 0; i < r->headers.count; i++) {
        const struct srv_pair *h = &r->headers.at[i];

        claim_add(c, h->name, strlen(h->name), h->value);
    }
    while (*line != '\0') {
        size_t name = strcspn(line, ":");
        size_t size = strcspn(line, "\n");

        if (name < size) {
            char *value = mem_copy_text(line + name + 1, size - name - 1);

            claim_add(c, line, name, value + strspn(value, " "));
            free(value);
        }
        line += size + 1;
    }
}

bool srv_claim_is_named(const struct srv_request *r)
{
    for (size_t i = 0; i < r->headers.count; i++) {
        const char *name = r->headers.at[i].name;

        if (strncasecmp(name, claim_prefix, 15) == 0 ||
            strncasecmp(name, "x-amz-sdk-checksum-", 19) == 0) {
            return true;
        }
    }
    return false;
}

static bool claim_check_md5(const struct srv_request *r, struct srv_answer *a)
{
    const char *named = srv_header(r, "content-md5");
    unsigned char raw[16];
    size_t size;

    if (named == NULL) {
        return true;
    }
    if (!srv_unbase64(named, raw, sizeof(raw), &size) || size != 16) {
        srv_fail(a, SRV_E_INVALID_DIGEST);
        return false;
    }
    if (memcmp(raw, r->sums.md5, 16) != 0) {
        srv_fail_say(a, SRV_E_BAD_DIGEST,
                     "The Content-MD5 you specified did not match what we "
                     "received.");
        return false;
    }
    return true;
}

static bool claim_check(const struct srv_request *r, const struct claim *c,
                        struct srv_answer *a)
{
    unsigned char mine[SRV_SUM_MAX];
    unsigned char raw[SRV_SUM_MAX];
    size_t width = srv_sum_size(c->kind);
    size_t size;

    if (!srv_unbase64(c->value, raw, sizeof(raw), &size) || size != width) {
        srv_fail_say(a, SRV_E_INVALID_REQUEST,
                     "Value for x-amz-checksum-%s header is invalid.",
                     srv_sum_name(c->kind));
        return false;
    }
    srv_sum(c->kind, buf_text(&r->body), r->body.size, mine);
    if (memcmp(raw, mine, width) != 0) {
        srv_fail_say(a, SRV_E_BAD_DIGEST,
                     "The %s you specified did not match the calculated "
                     "checksum.",
                     srv_sum_element(c->kind));
        return false;
    }
    return true;
}

bool srv_claim_check(const struct srv_request *r, struct srv_answer *a,
                     enum srv_sum_kind *kind)
{
    struct claim c = {0};
    bool is_good = true;

    *kind = SRV_SUM_KINDS;
    if (!claim_check_md5(r, a)) {
        return false;
    }
    if (srv_has_quirk(r, S3SERVER_NO_CHECKSUMS) && srv_claim_is_named(r)) {
        srv_fail_say(a, SRV_E_INVALID_ARGUMENT,
                     "x-amz-checksum headers are not supported");
        return false;
    }
    claim_find(r, &c);
    if (c.has_many) {
        srv_fail_say(a, SRV_E_INVALID_REQUEST,
                     "Expecting a single x-amz-checksum- header.");
        is_good = false;
    } else if (c.value != NULL) {
        is_good = claim_check(r, &c, a);
        *kind = c.kind;
    } else if (srv_header(r, "x-amz-sdk-checksum-algorithm") != NULL) {
        srv_fail_say(a, SRV_E_INVALID_REQUEST,
                     "x-amz-sdk-checksum-algorithm specified, but no "
                     "checksum was found.");
        is_good = false;
    }
    free(c.value);
    return is_good;
}
