/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static void *mem_must(void *at, size_t count, size_t size)
{
    if (at == NULL) {
        fprintf(stderr, "smshard: out of memory (%zu x %zu bytes)\n", count,
                size);
        abort();
    }
    return at;
}

void *mem_new(size_t count, size_t size)
{
    CHECK(size > 0);
    return mem_must(calloc(count > 0 ? count : 1, size), count, size);
}

void *mem_grow(void *old, size_t count, size_t size)
{
    CHECK(count > 0 && size > 0);
    CHECK(count <= SIZE_MAX / size);
    return mem_must(realloc(old, count * size), count, size);
}

char *mem_copy_text(const char *at, size_t size)
{
    char *copy = mem_new(size + 1, 1);

    if (size > 0) {
        memcpy(copy, at, size);
    }
    return copy;
}

char *mem_copy(const char *text)
{
    return mem_copy_text(text, strlen(text));
}

char *mem_print(const char *format, ...)
{
    va_list args;
    va_list again;
    char *text;
    int size;

    va_start(args, format);
    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(size >= 0);
    text = mem_new((size_t)size + 1, 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}
