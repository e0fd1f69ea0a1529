/* SPDX-License-Identifier: Apache-2.0 */
/* The text: a first line, then for each recipe the line's number and the
 * recipe behind its size, all numbers as varints. In memory it stays as it
 * was read; a table says where each recipe begins. */
#include "proto/recipe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/varint.h"

#define RECIPE_HEAD "smshard-recipes 1\n"

enum {
    RECIPE_DIGITS = 10, /* Of a line's number: keys sort as numbers do. */
    RECIPE_NAME_SHOWN = 200,
    RECIPE_ETAG_BYTES = 16, /* Of the hash. */
    RECIPE_CODE_MAX = RECIPE_PARTS_MAX * (RECIPE_TEXT_MAX + 32),
};

enum recipe_kind { RECIPE_TEXT, RECIPE_OBJECT };

/* Where the recipe of a line lies. */
struct recipe_place {
    uint64_t number;
    struct bytes code;
};

struct recipes {
    struct buf text;
    struct recipe_place *places;
    uint64_t count;
    uint64_t room;
};

/* ---- Writing. -------------------------------------------------------------
 */

void recipes_begin(struct buf *out)
{
    buf_add_text(out, RECIPE_HEAD);
}

static void recipe_write(const struct recipe *r, struct buf *out)
{
    varint_write(r->count, out);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct recipe_part *part = &r->parts[i];

        varint_write(part->is_object ? RECIPE_OBJECT : RECIPE_TEXT, out);
        if (!part->is_object) {
            CHECK(part->text.size <= RECIPE_TEXT_MAX);
            varint_write_text(part->text, out);
            continue;
        }
        varint_write_text(part->key, out);
        varint_write_text(part->etag, out);
        varint_write(part->size, out);
    }
}

static void recipe_hash(struct bytes code, char out[RECIPE_HASH_SIZE])
{
    char hex[HASH_HEX_SIZE];
    uint8_t digest[HASH_SIZE];

    hash_of(code, digest);
    hash_hex(digest, hex);
    snprintf(out, RECIPE_HASH_SIZE, "\"%.*s\"", 2 * RECIPE_ETAG_BYTES, hex);
}

static uint64_t recipe_size(const struct recipe *r)
{
    uint64_t size = 0;

    for (uint32_t i = 0; i < r->count; i++) {
        size +=
            r->parts[i].is_object ? r->parts[i].size : r->parts[i].text.size;
    }
    return size;
}

void recipes_add(const char *name, uint64_t number, const struct recipe *r,
                 struct buf *out, struct recipe_unit *unit)
{
    size_t size = strlen(name);
    struct buf code = {0};

    CHECK(r->count > 0 && r->count <= RECIPE_PARTS_MAX);
    recipe_write(r, &code);
    name += size > RECIPE_NAME_SHOWN ? size - RECIPE_NAME_SHOWN : 0;
    snprintf(unit->key, sizeof(unit->key), "%s:%0*" PRIu64, name, RECIPE_DIGITS,
             number);
    recipe_hash(buf_bytes(&code), unit->etag);
    unit->size = recipe_size(r);
    varint_write(number, out);
    varint_write_text(buf_bytes(&code), out);
    buf_fini(&code);
}

/* ---- Reading. -------------------------------------------------------------
 */

static enum status recipes_malformed(struct fault *why, const char *what)
{
    return fault_set(why, STATUS_MALFORMED, "the recipes of the lines: %s",
                     what);
}

static void recipes_note(struct recipes *r, uint64_t number, struct bytes code)
{
    if (r->count == r->room) {
        r->room = r->room > 0 ? 2 * r->room : 64;
        r->places = mem_grow(r->places, r->room, sizeof(r->places[0]));
    }
    r->places[r->count++] = (struct recipe_place){number, code};
}

static enum status recipes_index(struct recipes *r, struct fault *why)
{
    struct bytes rest = buf_bytes(&r->text);
    uint64_t last = 0;

    if (!bytes_has_prefix(rest, BYTES(RECIPE_HEAD))) {
        return recipes_malformed(why, "they are of another version");
    }
    rest.at += strlen(RECIPE_HEAD);
    rest.size -= strlen(RECIPE_HEAD);
    while (rest.size > 0) {
        struct bytes code;
        uint64_t number;

        if (!varint_read(&rest, &number) ||
            !varint_read_text(&rest, RECIPE_CODE_MAX, &code)) {
            return recipes_malformed(why, "they are torn");
        }
        if (number <= last) {
            return recipes_malformed(why, "they are out of order");
        }
        recipes_note(r, number, code);
        last = number;
    }
    return STATUS_OK;
}

enum status recipes_read(struct buf *text, struct fault *why,
                         struct recipes **out)
{
    struct recipes *r = mem_new(1, sizeof(*r));
    enum status s;

    r->text = *text;
    s = recipes_index(r, why);
    if (s == STATUS_OK) {
        *text = (struct buf){0};
    } else {
        r->text = (struct buf){0};
        recipes_destroy(&r);
    }
    *out = r;
    return s;
}

void recipes_destroy(struct recipes **r)
{
    if (*r != NULL) {
        buf_fini(&(*r)->text);
        free((*r)->places);
        free(*r);
        *r = NULL;
    }
}

uint64_t recipes_count(const struct recipes *r)
{
    return r->count;
}

static bool recipe_read_part(struct bytes *in, struct recipe_part *out)
{
    uint64_t kind;

    *out = (struct recipe_part){0};
    if (!varint_read(in, &kind) || kind > RECIPE_OBJECT) {
        return false;
    }
    out->is_object = kind == RECIPE_OBJECT;
    if (!out->is_object) {
        return varint_read_text(in, RECIPE_TEXT_MAX, &out->text);
    }
    return varint_read_text(in, RECIPE_KEY_MAX, &out->key) &&
           varint_read_text(in, RECIPE_ETAG_MAX, &out->etag) &&
           varint_read(in, &out->size);
}

static bool recipe_read(struct bytes code, struct recipe *out)
{
    uint64_t count;
    bool is_right =
        varint_read(&code, &count) && count > 0 && count <= RECIPE_PARTS_MAX;

    out->count = is_right ? (uint32_t)count : 0;
    for (uint32_t i = 0; is_right && i < out->count; i++) {
        is_right = recipe_read_part(&code, &out->parts[i]);
    }
    return is_right && code.size == 0;
}

static bool recipe_number(struct bytes key, uint64_t *out)
{
    size_t at = key.size > RECIPE_DIGITS ? key.size - RECIPE_DIGITS : key.size;
    uint64_t number = 0;

    for (size_t i = at; i < key.size; i++) {
        if (key.at[i] < '0' || key.at[i] > '9') {
            return false;
        }
        number = 10 * number + (uint64_t)(key.at[i] - '0');
    }
    *out = number;
    return at < key.size && key.at[at - 1] == ':';
}

static const struct recipe_place *recipes_place(const struct recipes *r,
                                                uint64_t number)
{
    uint64_t low = 0;
    uint64_t high = r->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (r->places[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < r->count && r->places[low].number == number ? &r->places[low]
                                                             : NULL;
}

enum status recipes_find(const struct recipes *r, struct bytes key,
                         struct bytes etag, struct fault *why,
                         struct recipe *out)
{
    const struct recipe_place *place = NULL;
    char hash[RECIPE_HASH_SIZE];
    uint64_t number;

    if (recipe_number(key, &number)) {
        place = recipes_place(r, number);
    }
    if (place != NULL) {
        recipe_hash(place->code, hash);
    }
    if (place == NULL || !bytes_is(etag, hash) ||
        !recipe_read(place->code, out)) {
        return fault_set(why, STATUS_MALFORMED,
                         "%.*s: the recipe of this line is not the one that "
                         "was dealt",
                         (int)key.size, key.at);
    }
    return STATUS_OK;
}
