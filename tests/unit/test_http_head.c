/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and chunks as table rows, each also cut after every byte. */
#include "store/http_head.h"

#include "tests/harness.h"

#define OK11 "HTTP/1.1 200 OK\r\n"

struct row {
    const char *text;
    enum http_head_state state;
    int code;
    long length; /* -1: none. */
    bool is_chunked;
    bool is_kept;
};

#define WHOLE HTTP_HEAD_WHOLE
#define MORE HTTP_HEAD_MORE
#define BAD HTTP_HEAD_BAD

static const struct row rows[] = {
    {OK11 "\r\n", WHOLE, 200, -1, false, true},
    {"HTTP/1.1 200\r\n\r\n", WHOLE, 200, -1, false, true},
    {"HTTP/1.1 206 \r\n\r\n", WHOLE, 206, -1, false, true},
    {"HTTP/1.0 200 OK\r\n\r\n", WHOLE, 200, -1, false, false},
    {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", WHOLE, 200, -1, false,
     true},
    {"HTTP/1.1 200 OK\n\n", WHOLE, 200, -1, false, true},
    {"HTTP/1.1 200 OK\nContent-Length: 3\n\r\n", WHOLE, 200, 3, false, true},
    {OK11 "Content-Length: 0\r\n\r\n", WHOLE, 200, 0, false, true},
    {OK11 "CONTENT-LENGTH:\t12 \r\n\r\n", WHOLE, 200, 12, false, true},
    {OK11 "Content-Length: 5, 5\r\n\r\n", WHOLE, 200, 5, false, true},
    {OK11 "Content-Length: 5\r\nContent-Length: 05\r\n\r\n", WHOLE, 200, 5,
     false, true},
    {OK11 "Connection: x, close\r\n\r\n", WHOLE, 200, -1, false, false},
    {OK11 "Transfer-Encoding: Chunked\r\n\r\n", WHOLE, 200, -1, true, true},
    /* Both: the chunks count, and nothing after them is believed. */
    {OK11 "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", WHOLE, 200,
     -1, true, false},
    {OK11 "X-Empty:\r\nX-Odd: \xff\xfe\r\n\r\n", WHOLE, 200, -1, false, true},

    {OK11 "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length: 5, 6\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length: -5\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length: +5\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length: 0x5\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length: 5 5\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length:\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length: 5,,5\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Content-Length: 18446744073709551616\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Transfer-Encoding: gzip, chunked\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Transfer-Encoding: identity\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     BAD, 0, 0, 0, 0},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "A: b\r\n folded\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 " A: b\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "A : b\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 ": b\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "no colon\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "A: b\rc\r\n\r\n", BAD, 0, 0, 0, 0},
    {OK11 "A: \x01\r\n\r\n", BAD, 0, 0, 0, 0},
    {"HTTP/2 200 OK\r\n\r\n", BAD, 0, 0, 0, 0},
    {"HTTP/1.x 200 OK\r\n\r\n", BAD, 0, 0, 0, 0},
    {"HTTP/1.1 099 No\r\n\r\n", BAD, 0, 0, 0, 0},
    {"HTTP/1.1 20 OK\r\n\r\n", BAD, 0, 0, 0, 0},
    {"HTTP/1.1 2000 OK\r\n\r\n", BAD, 0, 0, 0, 0},
    {"HTTP/1.1  200 OK\r\n\r\n", BAD, 0, 0, 0, 0},
    {"SSH-2.0-x", BAD, 0, 0, 0, 0},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", BAD, 0, 0, 0, 0},

    {"", MORE, 0, 0, 0, 0},
    {"HTT", MORE, 0, 0, 0, 0},
    {OK11, MORE, 0, 0, 0, 0},
    {OK11 "A: b\r\n", MORE, 0, 0, 0, 0},
    {OK11 "A: b\r\n\r", MORE, 0, 0, 0, 0},
};

static void expect_row(const struct row *row, enum http_head_state state,
                       const struct http_head *h, const char *why)
{
    if (state != row->state) {
        fprintf(stderr, "%s\n", row->text);
    }
    EXPECT_EQ(state, row->state);
    EXPECT((state == HTTP_HEAD_BAD) == (why != NULL));
    if (state != HTTP_HEAD_WHOLE) {
        return;
    }
    EXPECT_EQ(h->code, row->code);
    EXPECT_EQ(h->has_length, row->length >= 0);
    EXPECT_EQ(h->length, row->length >= 0 ? row->length : 0);
    EXPECT_EQ(h->is_chunked, row->is_chunked);
    EXPECT_EQ(h->is_kept, row->is_kept);
    EXPECT_EQ(h->size, strlen(row->text));
}

TEST(rows)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_head h;
        const char *why;
        size_t seen = 0;
        enum http_head_state state =
            http_head_parse(bytes_of(rows[i].text), &seen, &h, &why);

        expect_row(&rows[i], state, &h, why);
    }
}

/* A good head is MORE at every cut, and comes out the same byte by byte, in a
 * block that ends where the bytes do. */
TEST(every_cut)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size = strlen(rows[i].text);
        enum http_head_state state = HTTP_HEAD_MORE;
        const char *why = NULL;
        struct http_head h;
        size_t seen = 0;

        for (size_t cut = 1; cut <= size; cut++) {
            char *copy = malloc(cut);

            EXPECT(copy != NULL);
            EXPECT_EQ(state, HTTP_HEAD_MORE);
            memcpy(copy, rows[i].text, cut);
            state = http_head_parse((struct bytes){copy, cut}, &seen, &h, &why);
            free(copy);
            if (state == HTTP_HEAD_BAD) {
                break;
            }
        }
        expect_row(&rows[i], state, &h, why);
    }
}

TEST(what_follows_is_not_its)
{
    struct bytes data = BYTES(OK11 "A: b\r\nC:d\r\n\r\nbody\r\n\r\n");
    struct http_head h;
    const char *why;
    size_t seen = 0;

    EXPECT_EQ(http_head_parse(data, &seen, &h, &why), HTTP_HEAD_WHOLE);
    EXPECT_EQ(h.size, data.size - 8);
    EXPECT(bytes_is(h.headers, "A: b\r\nC:d\r\n"));
}

TEST(a_nul_is_refused)
{
    struct bytes data = BYTES(OK11 "A: b\0c\r\n\r\n");
    struct bytes name = BYTES(OK11 "A\0: b\r\n\r\n");
    struct http_head h;
    const char *why;
    size_t seen = 0;

    EXPECT_EQ(http_head_parse(data, &seen, &h, &why), HTTP_HEAD_BAD);
    seen = 0;
    EXPECT_EQ(http_head_parse(name, &seen, &h, &why), HTTP_HEAD_BAD);
}

TEST(codes_without_a_body)
{
    EXPECT(http_head_is_bare(100, "GET"));
    EXPECT(http_head_is_bare(204, "GET"));
    EXPECT(http_head_is_bare(304, "GET"));
    EXPECT(http_head_is_bare(200, "HEAD"));
    EXPECT(!http_head_is_bare(200, "GET"));
    EXPECT(!http_head_is_bare(416, "GET"));
}

/* ---- chunks ------------------------------------------------------------- */

static const struct {
    const char *text;
    enum http_chunk_state state;
    const char *body;
    size_t left; /* Bytes behind its end. */
} chunks[] = {
    {"0\r\n\r\n", HTTP_CHUNK_END, "", 0},
    {"3\r\nabc\r\n0\r\n\r\n", HTTP_CHUNK_END, "abc", 0},
    {"3\nabc\n0\n\n", HTTP_CHUNK_END, "abc", 0},
    {"003 ;x=\"y\"\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", HTTP_CHUNK_END,
     "abc0123456789", 0},
    {"1\r\na\r\n0\r\nT: x\r\nU: y\r\n\r\nHTTP", HTTP_CHUNK_END, "a", 4},
    {"3\r\nab", HTTP_CHUNK_MORE, "ab", 0},
    {"3\r\nabc\r\n0\r\n", HTTP_CHUNK_MORE, "abc", 0},
    {"", HTTP_CHUNK_MORE, "", 0},
    {"\r\n", HTTP_CHUNK_BAD, "", 0},
    {"g\r\n", HTTP_CHUNK_BAD, "", 0},
    {"-1\r\n", HTTP_CHUNK_BAD, "", 0},
    {"3\r\nabcd\r\n", HTTP_CHUNK_BAD, "abc", 0},
    {"3\r\nabc\r\r\n", HTTP_CHUNK_BAD, "abc", 0},
    {"10000000000000000\r\n", HTTP_CHUNK_BAD, "", 0},
};

static enum http_chunk_state chunk_all(struct http_chunk *c, struct bytes *in,
                                       char *body, size_t *size)
{
    enum http_chunk_state state;
    struct bytes data;

    while ((state = http_chunk_next(c, in, &data)) == HTTP_CHUNK_DATA) {
        EXPECT(data.size > 0);
        memcpy(body + *size, data.at, data.size);
        *size += data.size;
    }
    return state;
}

TEST(chunk_rows)
{
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        struct bytes in = bytes_of(chunks[i].text);
        struct http_chunk c = {0};
        char body[64] = "";
        size_t size = 0;

        EXPECT_EQ(chunk_all(&c, &in, body, &size), chunks[i].state);
        EXPECT_STR(body, chunks[i].body);
        if (chunks[i].state == HTTP_CHUNK_END) {
            EXPECT_EQ(in.size, chunks[i].left);
        }
    }
}

TEST(chunks_byte_by_byte)
{
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        struct bytes all = bytes_of(chunks[i].text);
        enum http_chunk_state state = HTTP_CHUNK_MORE;
        struct http_chunk c = {0};
        char body[64] = "";
        size_t size = 0;

        for (size_t at = 0; at < all.size && state == HTTP_CHUNK_MORE; at++) {
            struct bytes in = {all.at + at, 1};

            state = chunk_all(&c, &in, body, &size);
        }
        EXPECT_EQ(state, chunks[i].state);
        EXPECT_STR(body, chunks[i].body);
    }
}

/* What is repeated without end runs into a limit. */
TEST(chunk_limits)
{
    static const struct {
        const char *start;
        const char *again;
    } endless[] = {{"0", "0"}, {"1;", "x"}, {"0\r\n", "T: x\r\n"}};

    for (size_t i = 0; i < 3; i++) {
        struct bytes in = bytes_of(endless[i].start);
        struct http_chunk c = {0};
        char body[64];
        size_t size = 0;
        int count = 0;

        while (chunk_all(&c, &in, body, &size) == HTTP_CHUNK_MORE) {
            in = bytes_of(endless[i].again);
            count++;
            EXPECT(count <= HTTP_CHUNK_TRAILER_MAX);
        }
        EXPECT(count > 100);
        EXPECT_EQ(chunk_all(&c, &in, body, &size), HTTP_CHUNK_BAD);
    }
}
