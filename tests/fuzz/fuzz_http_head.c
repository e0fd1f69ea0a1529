/* SPDX-License-Identifier: Apache-2.0 */
/* A response as it comes: whole and byte by byte it must be the same, and no
 * byte beyond the block is read. The body is then taken as chunks. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_CUT_MAX = 512 };

static void fuzz_head_by_bytes(struct bytes text, enum http_head_state whole,
                               const struct http_head *want)
{
    enum http_head_state state = HTTP_HEAD_MORE;
    struct http_head got = {0};
    const char *why;
    size_t seen = 0;

    for (size_t cut = 1; cut <= text.size && state == HTTP_HEAD_MORE; cut++) {
        char *copy = malloc(cut);

        CHECK(copy != NULL);
        memcpy(copy, text.at, cut);
        state = http_head_parse((struct bytes){copy, cut}, &seen, &got, &why);
        free(copy);
    }
    CHECK(state == whole);
    if (whole == HTTP_HEAD_WHOLE) {
        CHECK(got.size == want->size && got.code == want->code);
        CHECK(got.length == want->length && got.is_kept == want->is_kept);
        CHECK(got.is_chunked == want->is_chunked);
    }
}

/* Returns a sum of the body's bytes, so that two ways can be compared. */
static uint64_t fuzz_chunks(struct bytes in, size_t step,
                            enum http_chunk_state *state)
{
    struct http_chunk c = {0};
    uint64_t sum = 0;

    *state = HTTP_CHUNK_MORE;
    for (size_t at = 0; at < in.size && *state == HTTP_CHUNK_MORE; at += step) {
        size_t left = in.size - at;
        struct bytes piece = {in.at + at, left < step ? left : step};
        struct bytes body;

        while ((*state = http_chunk_next(&c, &piece, &body)) ==
               HTTP_CHUNK_DATA) {
            for (size_t i = 0; i < body.size; i++) {
                sum = sum * 31 + (unsigned char)body.at[i] + 1;
            }
        }
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    enum http_chunk_state a;
    enum http_chunk_state b;
    enum http_head_state state;
    struct http_head head;
    const char *why;
    size_t seen = 0;

    state = http_head_parse(text, &seen, &head, &why);
    CHECK((state == HTTP_HEAD_BAD) == (why != NULL));
    if (state == HTTP_HEAD_WHOLE) {
        CHECK(head.code >= 100 && head.code <= 999 && head.size <= size);
        CHECK(head.headers.at >= text.at &&
              head.headers.at + head.headers.size <= text.at + head.size);
        CHECK_IMPLIES(head.is_chunked, !head.has_length);
    }
    if (size <= FUZZ_CUT_MAX) {
        fuzz_head_by_bytes(text, state, &head);
    }
    if (state == HTTP_HEAD_WHOLE) {
        text.at += head.size;
        text.size -= head.size;
    }
    CHECK(fuzz_chunks(text, text.size + 1, &a) == fuzz_chunks(text, 1, &b));
    CHECK(a == b);
    return 0;
}
