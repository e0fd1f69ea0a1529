/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { BUF_ROOM_MIN = 64 };

void buf_fini(struct buf *b)
{
    free(b->at);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    if (b->at != NULL) {
        b->at[0] = '\0';
    }
}

char *buf_reserve(struct buf *b, size_t size)
{
    size_t need = b->size + size + 1;

    CHECK(need > size);
    if (need > b->room) {
        size_t room = b->room < BUF_ROOM_MIN ? BUF_ROOM_MIN : b->room * 2;

        b->room = room > need ? room : need;
        b->at = mem_grow(b->at, b->room, 1);
    }
    return b->at + b->size;
}

void buf_add_done(struct buf *b, size_t size)
{
    CHECK(b->at != NULL && b->size + size < b->room);
    b->size += size;
    b->at[b->size] = '\0';
}

void buf_add(struct buf *b, const void *at, size_t size)
{
    char *to = buf_reserve(b, size);

    if (size > 0) {
        memcpy(to, at, size);
    }
    buf_add_done(b, size);
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_bytes(struct buf *b, struct bytes bytes)
{
    buf_add(b, bytes.at, bytes.size);
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_print(struct buf *b, const char *format, ...)
{
    va_list args;
    va_list again;
    int size;

    va_start(args, format);
    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(size >= 0);
    vsnprintf(buf_reserve(b, (size_t)size), (size_t)size + 1, format, again);
    va_end(again);
    buf_add_done(b, (size_t)size);
}

struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->at, b->size};
}

const char *buf_text(const struct buf *b)
{
    return b->at != NULL ? b->at : "";
}

char *buf_take(struct buf *b)
{
    char *text = b->at != NULL ? b->at : mem_new(1, 1);

    *b = (struct buf){0};
    return text;
}
