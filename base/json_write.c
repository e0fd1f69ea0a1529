/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: one walk over a value for all styles, which differ in the words
 * and functions of a pen. The brackets that are open are kept in a list, so
 * that the depth of a document is no depth of calls. */

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/json_node.h"
#include "base/mem.h"

typedef void json_write_string_fn(struct bytes text, struct buf *out);
typedef void json_write_real_fn(double value, struct buf *out);

struct json_pen {
    const char *null_word;
    const char *true_word;
    const char *false_word;
    const char *comma;
    const char *colon;
    bool is_sorted;
    bool is_pretty;
    json_write_string_fn *string;
    json_write_real_fn *real;
};

/* A bracket that is open, and how far its members are written. */
struct json_step {
    const struct json *v;
    const struct json_member **order; /* Owned; NULL: as in the text. */
    size_t next;
};

struct json_walk {
    const struct json_pen *pen;
    struct buf *out;
    size_t depth;
    struct json_step steps[JSON_DEPTH_MAX];
};

static void json_write_real(double value, struct buf *out)
{
    if (isnan(value)) {
        buf_add_text(out, "NaN");
    } else if (isinf(value)) {
        buf_add_text(out, value < 0 ? "-Infinity" : "Infinity");
    } else {
        json_write_double(value, out);
    }
}

static const struct json_pen json_pens[] = {
    [JSON_PYTHON_COMPACT] = {"null", "true", "false", ",", ":", true, false,
                             json_write_ascii, json_write_real},
    [JSON_PYTHON_DEFAULT] = {"null", "true", "false", ", ", ": ", false, false,
                             json_write_ascii, json_write_real},
    [JSON_PRETTY] = {"null", "true", "false", ",", ": ", false, true,
                     json_write_unicode, json_write_real},
};

static const struct json_pen json_python_pen = {"None",
                                                "True",
                                                "False",
                                                ", ",
                                                ": ",
                                                false,
                                                false,
                                                json_write_python_repr,
                                                json_write_double};

static int json_compare_keys(const void *a, const void *b)
{
    const struct json_member *const *x = a;
    const struct json_member *const *y = b;

    return bytes_compare((*x)->key, (*y)->key);
}

static const struct json_member **json_sort(const struct json *v)
{
    size_t count = v->as.members.count;
    const struct json_member **order = mem_new(count, sizeof(*order));

    for (size_t i = 0; i < count; i++) {
        order[i] = &v->as.members.at[i];
    }
    qsort(order, count, sizeof(*order), json_compare_keys);
    return order;
}

static void json_new_line(struct json_walk *w)
{
    if (!w->pen->is_pretty) {
        return;
    }
    buf_add_char(w->out, '\n');
    for (size_t i = 0; i < w->depth; i++) {
        buf_add_text(w->out, "  ");
    }
}

static void json_write_scalar(const struct json_pen *pen, const struct json *v,
                              struct buf *out)
{
    switch ((enum json_type)v->type) {
    case JSON_NULL:
        buf_add_text(out, pen->null_word);
        return;
    case JSON_BOOL:
        buf_add_text(out, v->is_true ? pen->true_word : pen->false_word);
        return;
    case JSON_INT:
        buf_add_bytes(out, v->as.text);
        return;
    case JSON_REAL:
        pen->real(v->as.real, out);
        return;
    case JSON_STRING:
        pen->string(v->as.text, out);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    UNREACHABLE("brackets are opened, not written");
}

static void json_write_open(struct json_walk *w, const struct json *v)
{
    bool is_object = v->type == JSON_OBJECT;

    buf_add_char(w->out, is_object ? '{' : '[');
    CHECK(w->depth < JSON_DEPTH_MAX);
    w->steps[w->depth++] = (struct json_step){
        .v = v, .order = is_object && w->pen->is_sorted ? json_sort(v) : NULL};
}

static void json_write_value(struct json_walk *w, const struct json *v)
{
    if (v->type == JSON_ARRAY || v->type == JSON_OBJECT) {
        json_write_open(w, v);
    } else {
        json_write_scalar(w->pen, v, w->out);
    }
}

static void json_write_close(struct json_walk *w)
{
    struct json_step *step = &w->steps[--w->depth];

    if (step->v->as.members.count > 0) {
        json_new_line(w);
    }
    buf_add_char(w->out, step->v->type == JSON_OBJECT ? '}' : ']');
    free(step->order);
}

static void json_write_member(struct json_walk *w)
{
    struct json_step *step = &w->steps[w->depth - 1];
    const struct json_member *m = step->order != NULL
                                      ? step->order[step->next]
                                      : &step->v->as.members.at[step->next];

    if (step->next++ > 0) {
        buf_add_text(w->out, w->pen->comma);
    }
    json_new_line(w);
    if (step->v->type == JSON_OBJECT) {
        w->pen->string(m->key, w->out);
        buf_add_text(w->out, w->pen->colon);
    }
    json_write_value(w, &m->value);
}

static void json_write_with(const struct json_pen *pen, const struct json *v,
                            struct buf *out)
{
    static const struct json none = {.type = JSON_NULL};
    struct json_walk w = {.pen = pen, .out = out};

    json_write_value(&w, v != NULL ? v : &none);
    while (w.depth > 0) {
        const struct json_step *step = &w.steps[w.depth - 1];

        if (step->next < step->v->as.members.count) {
            json_write_member(&w);
        } else {
            json_write_close(&w);
        }
    }
}

void json_write(const struct json *v, enum json_style style, struct buf *out)
{
    json_write_with(&json_pens[style], v, out);
}

void json_write_python_str(const struct json *v, struct buf *out)
{
    if (json_is(v, JSON_STRING)) {
        buf_add_bytes(out, v->as.text);
    } else {
        json_write_with(&json_python_pen, v, out);
    }
}
