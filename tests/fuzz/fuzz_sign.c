/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a key, a parameter and a header hold: the target says them again
 * when it is decoded, a header stays one line, and the order in which
 * parameters are given changes nothing.
 *
 * An input is a byte of flags, then path, parameters and headers, cut at
 * newlines: "\1key\nname\nvalue\nvalue of a header…". */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/percent.h"
#include "store/sign.h"

enum { PAIRS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes cut(struct bytes *rest)
{
    const char *end =
        rest->size > 0 ? memchr(rest->at, '\n', rest->size) : NULL;
    struct bytes head = {rest->at,
                         end != NULL ? (size_t)(end - rest->at) : rest->size};
    size_t used = head.size + (end != NULL);

    *rest = (struct bytes){rest->at + used, rest->size - used};
    return head;
}

/* What is decoded is no longer than its text, and at most three bytes of
 * that make one. */
static void check_decoding(struct bytes text)
{
    char *at = mem_copy_text(text.at, text.size);
    size_t size = text.size;

    if (percent_decode(at, &size)) {
        CHECK(size <= text.size && text.size <= 3 * size);
    }
    free(at);
}

static void check_coded(struct bytes coded, struct bytes raw)
{
    char *at = mem_copy_text(coded.at, coded.size);
    size_t size = coded.size;

    CHECK(percent_decode(at, &size));
    CHECK(bytes_is_equal((struct bytes){at, size}, raw));
    free(at);
}

static void check_path(const struct sign_result *got, struct bytes path)
{
    struct bytes target = buf_bytes(&got->target);
    const char *end = memchr(target.at, '?', target.size);

    target.size = end != NULL ? (size_t)(end - target.at) : target.size;
    check_coded(target, path.size > 0 ? path : BYTES("/"));
}

static void check_lines(const struct sign_result *got, size_t want)
{
    const char *at = buf_text(&got->headers);
    size_t lines = 0;

    CHECK(strlen(at) == got->headers.size);
    for (const char *end; *at != '\0'; at = end + 2, lines++) {
        end = strpbrk(at, "\r\n");
        CHECK(end != NULL && end[0] == '\r' && end[1] == '\n');
        CHECK(memchr(at, ':', (size_t)(end - at)) != NULL);
    }
    CHECK(lines == want);
}

static void check_order(struct signer *s, struct sign_request r,
                        const struct sign_result *got)
{
    struct sign_pair query[PAIRS];
    struct sign_result again = {0};

    for (size_t i = 0; i < r.query_count; i++) {
        query[i] = r.query[r.query_count - 1 - i];
    }
    r.query = query;
    sign_headers(s, &r, &again);
    CHECK(bytes_is_equal(buf_bytes(&again.target), buf_bytes(&got->target)));
    CHECK(strcmp(again.signature, got->signature) == 0);
    sign_result_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct signer *s;
    struct bytes rest = {(const char *)data, size};
    unsigned flags = size > 0 ? data[0] : 0;
    struct sign_pair query[PAIRS];
    struct sign_pair headers[PAIRS];
    struct sign_result got = {0};
    struct sign_request r = {
        .method = "GET",
        .host = BYTES("b.example.com"),
        .query = query,
        .headers = headers,
        .payload = SIGN_EMPTY,
        .key = {"AKEXAMPLE", "secret", flags & 1 ? "token" : NULL},
        .region = "us-east-1",
        .service = flags & 2 ? "s3express" : "s3",
        .is_normalized = (flags & 4) != 0,
        .is_encoded_twice = (flags & 8) != 0,
    };

    if (size < 1) {
        return 0;
    }
    s = s != NULL ? s : signer_new();
    check_decoding(rest);
    rest = (struct bytes){rest.at + 1, rest.size - 1};
    r.path = cut(&rest);
    for (; rest.size > 0 && r.query_count < (flags >> 4 & 7); r.query_count++) {
        query[r.query_count].name = cut(&rest);
        query[r.query_count].value = cut(&rest);
    }
    while (rest.size > 0 && r.header_count < PAIRS) {
        /* Uncut, the rest has line breaks. */
        bool is_rest = (flags & 1) || r.header_count == PAIRS - 1;
        struct bytes value = is_rest ? rest : cut(&rest);

        rest.size = is_rest ? 0 : rest.size;
        headers[r.header_count++] = (struct sign_pair){BYTES("X-Any"), value};
    }
    sign_headers(s, &r, &got);
    check_path(&got, r.path);
    check_lines(&got, 4 + r.header_count + (flags & 1));
    check_order(s, r, &got);
    sign_presign(s, &r, 60, &got);
    check_lines(&got, 1 + r.header_count);
    sign_result_fini(&got);
    return 0;
}
