/* SPDX-License-Identifier: Apache-2.0 */
/* What is read and written must read and write the same again. */

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool fuzz_write(struct bytes text, enum json_style style,
                       struct buf *out)
{
    struct json_doc *doc = NULL;
    struct fault why = {""};
    enum status s = json_parse(text, "fuzz", &why, &doc);

    if (s != STATUS_OK) {
        CHECK(doc == NULL && why.text[0] != '\0');
        CHECK(s == STATUS_MALFORMED || s == STATUS_FULL);
        return false;
    }
    json_write(json_root(doc), style, out);
    json_destroy(&doc);
    return true;
}

static void fuzz_style(struct bytes text, enum json_style style)
{
    struct buf once = {0};
    struct buf twice = {0};

    if (fuzz_write(text, style, &once)) {
        CHECK(fuzz_write(buf_bytes(&once), style, &twice));
        CHECK(bytes_is_equal(buf_bytes(&once), buf_bytes(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void fuzz_nested(struct bytes text)
{
    struct json_doc *doc = NULL;
    struct buf out = {0};

    if (json_parse_nested(text, "fuzz", NULL, &doc) == STATUS_OK) {
        json_write_python_str(json_root(doc), &out);
        buf_fini(&out);
        json_destroy(&doc);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};

    fuzz_style(text, JSON_PYTHON_COMPACT);
    fuzz_style(text, JSON_PYTHON_DEFAULT);
    fuzz_style(text, JSON_PRETTY);
    fuzz_nested(text);
    return 0;
}
