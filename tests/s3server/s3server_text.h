/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the S3 test server: percent-coding, base64, hex, XML, times. */

#ifndef TESTS_S3SERVER_S3SERVER_TEXT_H
#define TESTS_S3SERVER_S3SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SRV_TIME_MAX = 40 };

/* Append @size bytes decoded; false: a bad '%', or one that stands for NUL. */
bool srv_percent_decode(const char *at, size_t size, bool has_plus,
                        struct buf *out);
/* Append @text coded, but letters, digits and what is in @kept. */
void srv_percent_encode(const char *text, const char *kept, struct buf *out);

void srv_hex(const unsigned char *at, size_t size, char *out);
void srv_base64(const void *at, size_t size, struct buf *out);
/* false: not base64, or more than @room bytes. */
bool srv_unbase64(const char *text, unsigned char *out, size_t room,
                  size_t *size);

void srv_xml_escape(const char *text, struct buf *out);
void srv_xml_add(struct buf *out, const char *name, const char *value);
void srv_xml_number(struct buf *out, const char *name, uint64_t value);

const char *srv_time_iso(uint64_t ms, char out[SRV_TIME_MAX]);
const char *srv_time_http(uint64_t ms, char out[SRV_TIME_MAX]);
const char *srv_time_basic(uint64_t ms, char out[SRV_TIME_MAX]);
/* 0: not understood. */
uint64_t srv_time_of_basic(const char *text);
uint64_t srv_time_of_http(const char *text);

/* false: not all digits, or more than @most. */
bool srv_number(const char *text, uint64_t most, uint64_t *out);

/* A reader of small documents: what comes next at @at. */
struct srv_xml {
    const char *at;
    const char *end;
    bool is_bad;
    bool is_end;   /* Of an element; else its start. */
    bool is_empty; /* <a/>: its end is given next. */
    char name[64];
    struct buf text; /* Before this tag, unescaped. */
};
bool srv_xml_next(struct srv_xml *x); /* false: the end, or is_bad. */

#endif /* TESTS_S3SERVER_S3SERVER_TEXT_H */
