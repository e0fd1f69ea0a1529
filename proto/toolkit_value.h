/* SPDX-License-Identifier: Apache-2.0 */
/* Private to toolkit*.c: Python values, as far as it matters how they end up
 * in an environment and in SM_TRAINING_ENV; and sorted members. */

#ifndef PROTO_TOOLKIT_VALUE_H
#define PROTO_TOOLKIT_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"

enum toolkit_kind {
    TOOLKIT_NONE,
    TOOLKIT_STR,  /* A Python str: @text is the string. */
    TOOLKIT_OTHER /* Anything else: @text is its compact JSON. */
};

struct toolkit_value {
    enum toolkit_kind kind;
    struct buf text;
};

void toolkit_value_fini(struct toolkit_value *v);

/* Make a value of a JSON value; of NULL the value None. */
struct toolkit_value toolkit_value_of(const struct json *v);

/* Make a str, a bool, an int. */
struct toolkit_value toolkit_value_str(const char *text);
struct toolkit_value toolkit_value_bool(bool b);
struct toolkit_value toolkit_value_int(unsigned long long i);

/* Append the value as compact JSON. */
void toolkit_value_write(const struct toolkit_value *v, struct buf *out);

/* Return whether Python takes @v for true. NULL is None. */
bool toolkit_is_true(const struct json *v);

/* Append @text as the bytes that Python hands to the system: the surrogates
 * that stand for bytes become them again. INVALID: another surrogate or a
 * NUL; the message starts with @what. */
MUST_USE enum status toolkit_add_os_text(struct bytes text, const char *what,
                                         struct fault *why, struct buf *out);

/* Append str.upper() of @text. */
void toolkit_add_upper(struct bytes text, struct buf *out);

/* Append os.path.join(@folder, @name). */
void toolkit_add_path(struct bytes folder, struct bytes name, struct buf *out);

/* A key with its value, of a dict in the making. */
struct toolkit_item {
    struct bytes key;
    const struct json *value;
    struct json_doc *doc; /* Owns the value; NULL: somebody else does. */
    size_t place;         /* In the text. */
};

/* Return the members of @object in the order of their keys, to be freed. */
struct toolkit_item *toolkit_sorted_members(const struct json *object);

/* Sort by key; those with one key stay in the order of the text. */
void toolkit_sort_items(struct toolkit_item *items, size_t count);

/* Append sorted items as one JSON object; of one key the last value counts. */
void toolkit_write_items(const struct toolkit_item *items, size_t count,
                         struct buf *out);

#endif /* PROTO_TOOLKIT_VALUE_H */
