/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1 response, and the framing of a chunked body: what
 * came from a peer is judged here. Pure; any thread.
 *
 * Strict where two readers could differ about where the body ends: a folded
 * line, white space before a colon, two different Content-Length, a
 * Transfer-Encoding other than "chunked" are refused. Lenient in what does
 * no harm: a line may end in LF alone, the reason may be missing. */

#ifndef STORE_HTTP_HEAD_H
#define STORE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum http_head_state {
    HTTP_HEAD_WHOLE,
    HTTP_HEAD_MORE, /* Good so far. */
    HTTP_HEAD_BAD,
};

/* A whole head. */
struct http_head {
    int code;             /* 100 to 999. */
    bool has_length;      /* There is one good Content-Length, */
    uint64_t length;      /* this one, and no Transfer-Encoding. */
    bool is_chunked;      /* Transfer-Encoding: chunked. */
    bool is_kept;         /* The peer will take another request. */
    struct bytes headers; /* "Name: value\r\n…", in the parsed bytes. */
    size_t size;          /* With the empty line. */
};

/* Parse the head at the start of @data, which grows from call to call.
 * @seen, 0 at the first call, remembers how far it was searched, so that a
 * head that comes byte by byte costs no more than one that comes whole. With
 * BAD, @why is a phrase. No limit of its own: the caller refuses @data that
 * grew beyond HTTP_HEADERS_MAX and is still MORE. */
enum http_head_state http_head_parse(struct bytes data, size_t *seen,
                                     struct http_head *out, const char **why);

/* Whether a response with @code to @method has no body whatever it says. */
bool http_head_is_bare(int code, const char *method);

enum {
    HTTP_CHUNK_LINE_MAX = 4 << 10,    /* Of a size with its extensions. */
    HTTP_CHUNK_TRAILER_MAX = 8 << 10, /* Of all that follows the last chunk. */
};

/* Where a reader of a chunked body stands. Zeroed: at its start. */
struct http_chunk {
    int state;
    uint64_t left; /* Of this chunk's data; while in the size, the size. */
    size_t line;   /* Bytes of this line; of all the trailer. */
    size_t text;   /* Bytes of this line of the trailer. */
};

enum http_chunk_state {
    HTTP_CHUNK_DATA, /* @data is a piece of the body. */
    HTTP_CHUNK_MORE, /* All of @in was taken. */
    HTTP_CHUNK_END,  /* The body has ended; what is left in @in is not its. */
    HTTP_CHUNK_BAD,  /* Not chunked, or beyond a limit. */
};

/* Take bytes from the front of @in until there is something to say. */
enum http_chunk_state http_chunk_next(struct http_chunk *c, struct bytes *in,
                                      struct bytes *data);

#endif /* STORE_HTTP_HEAD_H */
