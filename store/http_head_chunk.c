/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of a chunked body: one byte a step outside of the data. */
#include "store/http_head.h"

enum {
    CHUNK_SIZE,     /* Before and in the hexadecimal digits. */
    CHUNK_REST,     /* In what follows them in their line. */
    CHUNK_DATA,     /* @left bytes are to come. */
    CHUNK_DATA_END, /* In the line end after them. */
    CHUNK_TRAILER,  /* In the lines after the last chunk. */
    CHUNK_END,
    CHUNK_BAD,
};

static int chunk_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int chunk_after_size(struct http_chunk *c)
{
    c->line = 0;
    c->text = 0;
    return c->left == 0 ? CHUNK_TRAILER : CHUNK_DATA;
}

static int chunk_size(struct http_chunk *c, char byte)
{
    int digit = chunk_digit(byte);

    if (digit >= 0) {
        if (c->left > (UINT64_MAX >> 4)) {
            return CHUNK_BAD;
        }
        c->left = c->left << 4 | (uint64_t)digit;
        c->line++;
        return c->line < HTTP_CHUNK_LINE_MAX ? CHUNK_SIZE : CHUNK_BAD;
    }
    if (c->line == 0) {
        return CHUNK_BAD;
    }
    if (byte == '\n') {
        return chunk_after_size(c);
    }
    return byte == ';' || byte == '\r' || byte == ' ' || byte == '\t'
               ? CHUNK_REST
               : CHUNK_BAD;
}

static int chunk_rest(struct http_chunk *c, char byte)
{
    if (byte == '\n') {
        return chunk_after_size(c);
    }
    c->line++;
    return c->line < HTTP_CHUNK_LINE_MAX ? CHUNK_REST : CHUNK_BAD;
}

static int chunk_data_end(struct http_chunk *c, char byte)
{
    if (byte == '\r' && c->line == 0) {
        c->line = 1;
        return CHUNK_DATA_END;
    }
    c->line = 0;
    return byte == '\n' ? CHUNK_SIZE : CHUNK_BAD;
}

static int chunk_trailer(struct http_chunk *c, char byte)
{
    c->line++;
    if (c->line > HTTP_CHUNK_TRAILER_MAX) {
        return CHUNK_BAD;
    }
    if (byte == '\n') {
        if (c->text == 0) {
            return CHUNK_END;
        }
        c->text = 0;
    } else if (byte != '\r') {
        c->text++;
    }
    return CHUNK_TRAILER;
}

static int chunk_byte(struct http_chunk *c, char byte)
{
    switch (c->state) {
    case CHUNK_SIZE:
        return chunk_size(c, byte);
    case CHUNK_REST:
        return chunk_rest(c, byte);
    case CHUNK_DATA_END:
        return chunk_data_end(c, byte);
    default:
        return chunk_trailer(c, byte);
    }
}

static struct bytes chunk_take(struct http_chunk *c, struct bytes *in)
{
    size_t size = c->left < in->size ? (size_t)c->left : in->size;
    struct bytes data = {in->at, size};

    in->at += size;
    in->size -= size;
    c->left -= size;
    if (c->left == 0) {
        c->state = CHUNK_DATA_END;
    }
    return data;
}

enum http_chunk_state http_chunk_next(struct http_chunk *c, struct bytes *in,
                                      struct bytes *data)
{
    *data = (struct bytes){"", 0};
    while (c->state != CHUNK_END && c->state != CHUNK_BAD) {
        if (in->size == 0) {
            return HTTP_CHUNK_MORE;
        }
        if (c->state == CHUNK_DATA) {
            *data = chunk_take(c, in);
            return HTTP_CHUNK_DATA;
        }
        c->state = chunk_byte(c, in->at[0]);
        in->at++;
        in->size--;
    }
    return c->state == CHUNK_END ? HTTP_CHUNK_END : HTTP_CHUNK_BAD;
}
