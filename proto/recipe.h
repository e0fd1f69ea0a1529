/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes: what is delivered for each line of an augmented manifest. The
 * coordinator reads the manifest and looks each object up; what it finds is
 * written down once for all hosts, beside the catalog, whose units the lines
 * are.
 *
 * A unit's key is the manifest's name and the line's number, its size that of
 * all parts, its etag the hash of its recipe: so the catalog's name stands for
 * the texts and for the etags of the objects, too, and a recipe that is not
 * the one that was dealt is found when it is looked up.
 *
 * No I/O. Recipes that were read are read-only; their readers may share them.
 */

#ifndef PROTO_RECIPE_H
#define PROTO_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    RECIPE_PARTS_MAX = 16,
    RECIPE_TEXT_MAX = 16 << 20, /* Of one part: JSON may grow by escapes. */
    RECIPE_KEY_MAX = 1024,
    RECIPE_ETAG_MAX = 127,
    RECIPE_NAME_SIZE = 256, /* Of a unit's key, with its NUL. */
    RECIPE_HASH_SIZE = 35,  /* Of a unit's etag, with quotes and NUL. */
};

struct recipe_part {
    bool is_object;
    struct bytes text; /* Else these: */
    struct bytes key;
    struct bytes etag;
    uint64_t size;
};

struct recipe {
    struct recipe_part parts[RECIPE_PARTS_MAX];
    uint32_t count; /* At least 1. */
};

/* ---- Writing ------------------------------------------------------------- */

/* Begin the text of all recipes. */
void recipes_begin(struct buf *out);

/* What the catalog is to know of a line. */
struct recipe_unit {
    char key[RECIPE_NAME_SIZE];
    char etag[RECIPE_HASH_SIZE];
    uint64_t size;
};

/* Append the recipe of the line @number of the manifest called @name. Numbers
 * grow. */
void recipes_add(const char *name, uint64_t number, const struct recipe *r,
                 struct buf *out, struct recipe_unit *unit);

/* ---- Reading ------------------------------------------------------------- */

struct recipes;

/* Read what was written; the bytes of *@text become the recipes' with OK.
 * MALFORMED. */
MUST_USE enum status recipes_read(struct buf *text, struct fault *why,
                                  struct recipes **out);
void recipes_destroy(struct recipes **r);

uint64_t recipes_count(const struct recipes *r);

/* Find the recipe of the unit @key, whose etag is @etag, into @out: views that
 * live as long as @r. MALFORMED: it is not there, or not the one that the
 * catalog knows. */
MUST_USE enum status recipes_find(const struct recipes *r, struct bytes key,
                                  struct bytes etag, struct fault *why,
                                  struct recipe *out);

#endif /* PROTO_RECIPE_H */
