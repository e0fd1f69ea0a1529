/* SPDX-License-Identifier: Apache-2.0 */
/* Private to json*.c: what a value is made of. */

#ifndef BASE_JSON_NODE_H
#define BASE_JSON_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

struct json_member;

struct json {
    uint32_t line;
    uint8_t type; /* enum json_type. */
    bool is_true; /* BOOL */
    union {
        struct bytes text; /* STRING, and the digits of an INT. */
        double real;
        struct {
            struct json_member *at;
            size_t count;
        } members; /* ARRAY and OBJECT. */
    } as;
};

/* An element of an array has an empty key. */
struct json_member {
    struct bytes key;
    struct json value;
};

/* Keep the last value of each key, at the place of its first. Returns how
 * many members are left. */
size_t json_drop_equal_keys(struct json_member *at, size_t count);

/* Make a document without a value. @text_size bytes for its strings are at
 * @text; they are the document's. */
struct json_doc *json_doc_new(const char *name, size_t text_size, char **text);

/* Return a copy of @count members that lives as long as @doc; NULL for none. */
struct json_member *json_doc_keep(struct json_doc *doc,
                                  const struct json_member *from, size_t count);

/* Set the value of the whole document. */
void json_doc_set_root(struct json_doc *doc, const struct json *root);

/* Return the value of the number @text, as JSON spells it: correctly rounded
 * and whatever the locale is. */
double json_read_double(struct bytes text);

/* As json_write_string(), but a surrogate stays, as an escape. */
void json_write_unicode(struct bytes text, struct buf *out);

#endif /* BASE_JSON_NODE_H */
