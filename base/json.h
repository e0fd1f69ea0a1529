/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as Python's json module reads and writes it.
 *
 * The contract is defined by a Python program, so values must survive as
 * Python keeps them: integers of any length, NaN and Infinity, floats printed
 * as the shortest text that reads back, lone surrogates, the last of two equal
 * keys. No library at hand does that, so this one is ours; it has no
 * recursion, bounded depth, and is fuzzed.
 *
 * A document owns its nodes; nodes and views from it die with it. Strings are
 * UTF-8, with lone surrogates kept as their three-byte form. Not shared
 * between threads while it is being made; read-only after. */

#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { JSON_DEPTH_MAX = 512 };

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,  /* No fraction, no exponent; kept as its digits. */
    JSON_REAL, /* A double, NaN and the infinities too. */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json;     /* One value. */
struct json_doc; /* Owns the values of one text. */

/* Read @text into a new document, freed with json_destroy(). @name stands in
 * messages ("job.json:3:7: …"). Leading and trailing white space is allowed,
 * as is a UTF-8 byte order mark.
 * MALFORMED: not JSON, with line and column; FULL: deeper than allowed. */
MUST_USE enum status json_parse(struct bytes text, const char *name,
                                struct fault *why, struct json_doc **out);

/* Read @text, which came out of a JSON string, as Python's json.loads() does
 * with a str: lone surrogates are allowed, a byte order mark is not, and an
 * integer of more than 4,300 digits is MALFORMED. Otherwise json_parse(). */
MUST_USE enum status json_parse_nested(struct bytes text, const char *name,
                                       struct fault *why,
                                       struct json_doc **out);

void json_destroy(struct json_doc **doc);

const struct json *json_root(const struct json_doc *doc);

/* The name given to json_parse(). */
const char *json_name(const struct json_doc *doc);

/* Everything below takes NULL for "no such value" and answers false, 0, NULL
 * or an empty view. */
enum json_type json_type(const struct json *v); /* JSON_NULL for NULL. */
bool json_is(const struct json *v, enum json_type type);

/* The line on which the value starts, from 1; 0 for NULL. */
uint32_t json_line(const struct json *v);

/* Members of an object or elements of an array, in the order of the text.
 * Of two equal keys the last value stands at the first one's place. */
size_t json_count(const struct json *v);
const struct json *json_at(const struct json *v, size_t i);
struct bytes json_key_at(const struct json *v, size_t i);

/* The member @key of an object. */
const struct json *json_get(const struct json *v, const char *key);

bool json_is_true(const struct json *v);
struct bytes json_string(const struct json *v); /* May hold NUL bytes. */
struct bytes json_digits(const struct json *v); /* Of an INT: "-12". */
double json_real(const struct json *v);         /* Of a REAL or an INT. */

/* Read an INT that fits. false: it is none, or does not fit. */
bool json_int64(const struct json *v, int64_t *out);

enum json_style {
    JSON_PYTHON_COMPACT, /* sort_keys, separators (",", ":"), ASCII only. */
    JSON_PYTHON_DEFAULT, /* As json.dumps(v): ", " and ": ", ASCII only. */
    JSON_PRETTY,         /* Two spaces a level, UTF-8, order of the text. */
};

/* Append @v to @out. Python sorts keys by code point. */
void json_write(const struct json *v, enum json_style style, struct buf *out);

/* Append what Python's str() makes of @v: strings as they are, True, None,
 * lists and dicts as repr does, floats as repr ("nan", "inf"). */
void json_write_python_str(const struct json *v, struct buf *out);

/* Append what Python's repr() makes of the string @text: quotes chosen and
 * escapes written as Python does (Unicode 14), for any code point. */
void json_write_python_repr(struct bytes text, struct buf *out);

/* Append @text as json.dumps() writes a string, ASCII only. A byte that is not
 * UTF-8 becomes \udcXX, as Python reads names and variables of the system. */
void json_write_ascii(struct bytes text, struct buf *out);

/* Append what Python's repr() makes of a float; json.dumps differs only in
 * NaN and the infinities. */
void json_write_double(double value, struct buf *out);

/* Append @text as a JSON string with its quotes, UTF-8 kept. Bytes that are
 * not UTF-8 become U+FFFD. For hand-made JSON: plan, status, lease. */
void json_write_string(struct bytes text, struct buf *out);

#endif /* BASE_JSON_H */
