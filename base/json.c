/* SPDX-License-Identifier: Apache-2.0 */
/* Documents and the reading of their values. */

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json_node.h"
#include "base/mem.h"

/* Up to here, comparing each key with all before it is the quicker way. */
enum { JSON_FEW_KEYS = 16 };

/* The members of one array or object. */
struct json_block {
    struct json_block *next;
    struct json_member members[];
};

struct json_doc {
    char *name;
    char *text;
    struct json_block *blocks;
    struct json root;
};

struct json_doc *json_doc_new(const char *name, size_t text_size, char **text)
{
    struct json_doc *doc = mem_new(1, sizeof(*doc));

    doc->name = mem_copy(name);
    doc->text = mem_new(text_size, 1);
    *text = doc->text;
    return doc;
}

void json_destroy(struct json_doc **doc)
{
    if (*doc == NULL) {
        return;
    }
    while ((*doc)->blocks != NULL) {
        struct json_block *b = (*doc)->blocks;

        (*doc)->blocks = b->next;
        free(b);
    }
    free((*doc)->text);
    free((*doc)->name);
    free(*doc);
    *doc = NULL;
}

struct json_member *json_doc_keep(struct json_doc *doc,
                                  const struct json_member *from, size_t count)
{
    struct json_block *b;
    size_t size = count * sizeof(*from);

    if (count == 0) {
        return NULL;
    }
    b = mem_grow(NULL, sizeof(*b) + size, 1);
    b->next = doc->blocks;
    memcpy(b->members, from, size);
    doc->blocks = b;
    return b->members;
}

void json_doc_set_root(struct json_doc *doc, const struct json *root)
{
    doc->root = *root;
}

const struct json *json_root(const struct json_doc *doc)
{
    return doc != NULL ? &doc->root : NULL;
}

const char *json_name(const struct json_doc *doc)
{
    return doc->name;
}

static int json_compare_members(const void *a, const void *b)
{
    const struct json_member *const *x = a;
    const struct json_member *const *y = b;
    int order = bytes_compare((*x)->key, (*y)->key);

    return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* Give each run of equal keys the last value in its first member and note
 * the others in @is_dropped. */
static void json_mark_many(struct json_member *at, size_t count,
                           bool *is_dropped)
{
    struct json_member **order = mem_new(count, sizeof(struct json_member *));
    size_t first = 0;

    for (size_t i = 0; i < count; i++) {
        order[i] = &at[i];
    }
    qsort(order, count, sizeof(struct json_member *), json_compare_members);
    for (size_t i = 1; i < count; i++) {
        if (bytes_is_equal(order[i]->key, order[first]->key)) {
            order[first]->value = order[i]->value;
            is_dropped[order[i] - at] = true;
        } else {
            first = i;
        }
    }
    free(order);
}

static void json_mark_few(struct json_member *at, size_t count,
                          bool *is_dropped)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i && !is_dropped[i]; k++) {
            if (!is_dropped[k] && bytes_is_equal(at[i].key, at[k].key)) {
                at[k].value = at[i].value;
                is_dropped[i] = true;
            }
        }
    }
}

size_t json_drop_equal_keys(struct json_member *at, size_t count)
{
    bool few[JSON_FEW_KEYS] = {false};
    bool *is_dropped = few;
    size_t left = 0;

    if (count <= JSON_FEW_KEYS) {
        json_mark_few(at, count, is_dropped);
    } else {
        is_dropped = mem_new(count, sizeof(*is_dropped));
        json_mark_many(at, count, is_dropped);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_dropped[i]) {
            at[left++] = at[i];
        }
    }
    if (is_dropped != few) {
        free(is_dropped);
    }
    return left;
}

enum json_type json_type(const struct json *v)
{
    return v != NULL ? (enum json_type)v->type : JSON_NULL;
}

bool json_is(const struct json *v, enum json_type type)
{
    return v != NULL && v->type == type;
}

static bool json_has_members(const struct json *v)
{
    return json_is(v, JSON_ARRAY) || json_is(v, JSON_OBJECT);
}

uint32_t json_line(const struct json *v)
{
    return v != NULL ? v->line : 0;
}

size_t json_count(const struct json *v)
{
    return json_has_members(v) ? v->as.members.count : 0;
}

const struct json *json_at(const struct json *v, size_t i)
{
    return i < json_count(v) ? &v->as.members.at[i].value : NULL;
}

struct bytes json_key_at(const struct json *v, size_t i)
{
    return i < json_count(v) ? v->as.members.at[i].key : (struct bytes){0};
}

const struct json *json_get(const struct json *v, const char *key)
{
    struct bytes want = bytes_of(key);

    if (!json_is(v, JSON_OBJECT)) {
        return NULL;
    }
    for (size_t i = 0; i < v->as.members.count; i++) {
        if (bytes_is_equal(v->as.members.at[i].key, want)) {
            return &v->as.members.at[i].value;
        }
    }
    return NULL;
}

bool json_is_true(const struct json *v)
{
    return json_is(v, JSON_BOOL) && v->is_true;
}

struct bytes json_string(const struct json *v)
{
    return json_is(v, JSON_STRING) ? v->as.text : (struct bytes){0};
}

struct bytes json_digits(const struct json *v)
{
    return json_is(v, JSON_INT) ? v->as.text : (struct bytes){0};
}

double json_real(const struct json *v)
{
    if (json_is(v, JSON_INT)) {
        return json_read_double(v->as.text);
    }
    return json_is(v, JSON_REAL) ? v->as.real : 0;
}

bool json_int64(const struct json *v, int64_t *out)
{
    struct bytes digits = json_digits(v);
    bool is_negative = digits.size > 0 && digits.at[0] == '-';
    int64_t value = 0;

    if (digits.size == 0) {
        return false;
    }
    /* Counted downwards, since the least value has no positive twin. */
    for (size_t i = is_negative; i < digits.size; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digits.at[i] - '0', &value)) {
            return false;
        }
    }
    if (!is_negative && value == INT64_MIN) {
        return false;
    }
    *out = is_negative ? value : -value;
    return true;
}
