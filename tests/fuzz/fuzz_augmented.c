/* SPDX-License-Identifier: Apache-2.0 */
/* The input is an augmented manifest; what its lines give is made recipes,
 * which are read back. The same bytes are then read as recipes, too. */

#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "proto/augmented.h"
#include "proto/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fuzz_attributes[] = {"image-ref", "label"};

static void fuzz_find(const struct recipes *r, const struct recipe_unit *unit)
{
    struct recipe found;
    struct fault why;

    CHECK(recipes_find(r, bytes_of(unit->key), bytes_of(unit->etag), &why,
                       &found) == STATUS_OK);
    CHECK(found.count == 2 && found.parts[0].is_object);
}

static void fuzz_recipe(const struct augmented_line *line, uint64_t number,
                        struct buf *out, struct recipe_unit *unit)
{
    struct recipe r = {.count = 2};

    r.parts[0] = (struct recipe_part){.is_object = true,
                                      .key = line->values[0].text,
                                      .size = line->values[0].text.size};
    r.parts[1].text = line->values[1].text;
    if (r.parts[0].key.size > RECIPE_KEY_MAX) {
        r.parts[0].key.size = RECIPE_KEY_MAX;
    }
    recipes_add("m", number, &r, out, unit);
}

static void fuzz_lines(struct bytes rest)
{
    struct augmented wanted = {"m", fuzz_attributes, 2};
    struct augmented_line line = {0};
    struct recipes *r;
    struct recipe_unit unit = {.size = 0};
    struct buf out = {0};
    struct bytes text;
    struct fault why = {.text = ""};
    uint64_t number = 0;
    uint64_t count = 0;

    recipes_begin(&out);
    while (augmented_next(&rest, &number, &text)) {
        enum status s = augmented_read(&wanted, text, number, &why, &line);

        CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
        why.text[0] = '\0';
        if (s == STATUS_OK) {
            fuzz_recipe(&line, number, &out, &unit);
            count++;
        }
    }
    CHECK(recipes_read(&out, &why, &r) == STATUS_OK);
    CHECK(recipes_count(r) == count);
    if (count > 0) {
        fuzz_find(r, &unit);
    }
    recipes_destroy(&r);
    augmented_line_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct buf copy = {0};
    struct recipes *r;
    struct fault why = {.text = ""};

    fuzz_lines(text);
    buf_add_bytes(&copy, text);
    if (recipes_read(&copy, &why, &r) != STATUS_OK) {
        CHECK(why.text[0] != '\0');
    }
    recipes_destroy(&r);
    buf_fini(&copy);
    return 0;
}
