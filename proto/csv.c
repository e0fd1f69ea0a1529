/* SPDX-License-Identifier: Apache-2.0 */
/* Every field is copied into the row's own text, so that a row that comes in
 * two pieces is no special case. */

#include "proto/csv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum csv_state {
    CSV_START,  /* Of a field. */
    CSV_PLAIN,  /* In a field without quotes. */
    CSV_QUOTED, /* Between quotes. */
    CSV_QUOTE,  /* After a quote that was in quotes. */
    CSV_RETURN, /* After \r. */
};

struct csv {
    enum csv_state state;
    bool has_quotes; /* The row's first field has: it is no empty line. */
    bool is_yielded; /* The row is the caller's until the next call. */
    struct bytes left;
    size_t field; /* Where the field under way starts in @text. */
    size_t size;  /* Used of @text. */
    struct csv_row row;
    char text[CSV_ROW_MAX];
};

struct csv *csv_new(void)
{
    struct csv *c = mem_new(1, sizeof(*c));

    c->row.number = 1;
    return c;
}

void csv_destroy(struct csv **c)
{
    free(*c);
    *c = NULL;
}

void csv_give(struct csv *c, struct bytes piece)
{
    CHECK(c->left.size == 0);
    c->left = piece;
}

static enum status csv_refuse(const struct csv *c, enum status s,
                              const char *what, struct fault *why)
{
    return fault_set(why, s, "row %" PRIu64 ": %s", c->row.number, what);
}

static enum status csv_copy(struct csv *c, const char *at, size_t size,
                            struct fault *why)
{
    if (size > CSV_ROW_MAX - c->size) {
        return csv_refuse(c, STATUS_FULL, "it is too long", why);
    }
    memcpy(c->text + c->size, at, size);
    c->size += size;
    return STATUS_OK;
}

/* Copy the first @size bytes that are left, and drop them. */
static enum status csv_take(struct csv *c, size_t size, struct fault *why)
{
    enum status s = size > 0 ? csv_copy(c, c->left.at, size, why) : STATUS_OK;

    c->left.at += size;
    c->left.size -= size;
    return s;
}

static enum status csv_end_field(struct csv *c, struct fault *why)
{
    if (c->row.count == CSV_COLUMNS_MAX) {
        return csv_refuse(c, STATUS_FULL, "it has too many columns", why);
    }
    c->row.fields[c->row.count++] =
        (struct csv_field){c->text + c->field, c->size - c->field};
    c->field = c->size;
    c->state = CSV_START;
    return STATUS_OK;
}

/* Whether nothing at all stands in the row. */
static bool csv_is_blank(const struct csv *c)
{
    return c->row.count == 0 && c->size == 0 && !c->has_quotes;
}

/* A line end: the row is whole, unless it is an empty line. */
static enum status csv_end_row(struct csv *c, struct fault *why)
{
    enum status s;

    if (csv_is_blank(c)) {
        c->state = CSV_START;
        return STATUS_OK;
    }
    s = csv_end_field(c, why);
    c->is_yielded = s == STATUS_OK;
    return s;
}

static enum status csv_separator(struct csv *c, char byte, struct fault *why)
{
    switch (byte) {
    case ',':
        return csv_end_field(c, why);
    case '\n':
        return csv_end_row(c, why);
    case '\r':
        c->state = CSV_RETURN;
        return STATUS_OK;
    default:
        return csv_refuse(c, STATUS_MALFORMED,
                          "a quote stands where none can be", why);
    }
}

static bool csv_is_separator(char byte)
{
    return byte == ',' || byte == '\n' || byte == '\r';
}

/* Take what is plain text, at most to the end of the piece. */
static enum status csv_plain(struct csv *c, struct fault *why)
{
    size_t size = 0;

    while (size < c->left.size && !csv_is_separator(c->left.at[size]) &&
           c->left.at[size] != '"') {
        size++;
    }
    c->state = CSV_PLAIN;
    return csv_take(c, size, why);
}

/* Take what stands in quotes, at most to the end of the piece. */
static enum status csv_quoted(struct csv *c, struct fault *why)
{
    const char *quote = memchr(c->left.at, '"', c->left.size);
    size_t size = quote != NULL ? (size_t)(quote - c->left.at) : c->left.size;
    enum status s = csv_take(c, size, why);

    if (quote != NULL) {
        c->left.at++;
        c->left.size--;
        c->state = CSV_QUOTE;
    }
    return s;
}

/* A byte after which the field may have another state. */
static enum status csv_byte(struct csv *c, struct fault *why)
{
    char byte = c->left.at[0];

    c->left.at++;
    c->left.size--;
    if (c->state == CSV_RETURN && byte != '\n') {
        return csv_refuse(c, STATUS_MALFORMED, "a carriage return ends no line",
                          why);
    }
    if (byte == '"' && c->state == CSV_START) {
        c->state = CSV_QUOTED;
        c->has_quotes = true;
        return STATUS_OK;
    }
    if (byte == '"' && c->state == CSV_QUOTE) {
        c->state = CSV_QUOTED;
        return csv_copy(c, "\"", 1, why);
    }
    return csv_separator(c, byte, why);
}

static enum status csv_step(struct csv *c, struct fault *why)
{
    char byte = c->left.at[0];

    if (c->state == CSV_QUOTED) {
        return csv_quoted(c, why);
    }
    if ((c->state == CSV_START || c->state == CSV_PLAIN) &&
        !csv_is_separator(byte) && byte != '"') {
        return csv_plain(c, why);
    }
    return csv_byte(c, why);
}

/* The row that the caller had is his no more. */
static void csv_forget(struct csv *c)
{
    if (c->is_yielded) {
        c->row.number++;
        c->row.count = 0;
        c->size = 0;
        c->field = 0;
        c->has_quotes = false;
        c->is_yielded = false;
    }
}

enum status csv_next(struct csv *c, struct fault *why,
                     const struct csv_row **out)
{
    enum status s = STATUS_OK;

    csv_forget(c);
    while (s == STATUS_OK && !c->is_yielded && c->left.size > 0) {
        s = csv_step(c, why);
    }
    *out = c->is_yielded ? &c->row : NULL;
    return s;
}

enum status csv_end(struct csv *c, struct fault *why,
                    const struct csv_row **out)
{
    enum status s = STATUS_OK;

    CHECK(c->left.size == 0);
    csv_forget(c);
    *out = NULL;
    if (c->state == CSV_QUOTED) {
        return csv_refuse(c, STATUS_MALFORMED, "it ends inside quotes", why);
    }
    if (c->state == CSV_RETURN) {
        return csv_refuse(c, STATUS_MALFORMED, "a carriage return ends no line",
                          why);
    }
    if (!csv_is_blank(c)) {
        s = csv_end_row(c, why);
        *out = c->is_yielded ? &c->row : NULL;
    }
    return s;
}
