/* SPDX-License-Identifier: Apache-2.0 */
/* Reads JSON texts from stdin, each ended by a NUL byte, and writes for each
 * one line for each way to write it: compact, default, Python's str(); or
 * `error` and why. tests/integration/json_python.py compares them with
 * Python's own. With the argument `nested` the texts are read as
 * json_parse_nested() does. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static bool is_nested;

static void echo_add(struct buf *line, struct buf *out)
{
    /* A raw newline is only in a str(); keep one line a value. */
    for (size_t i = 0; i < line->size; i++) {
        if (line->at[i] == '\n') {
            buf_add_char(out, '\x01');
        } else {
            buf_add_char(out, line->at[i]);
        }
    }
    buf_add_char(out, '\n');
    buf_clear(line);
}

static void echo_text(struct bytes text, struct buf *out)
{
    struct json_doc *doc = NULL;
    struct buf line = {0};
    struct fault why;
    enum status s = is_nested ? json_parse_nested(text, "t", &why, &doc)
                              : json_parse(text, "t", &why, &doc);

    if (s != STATUS_OK) {
        buf_print(out, "error %s\n", why.text);
        return;
    }
    json_write(json_root(doc), JSON_PYTHON_COMPACT, &line);
    echo_add(&line, out);
    json_write(json_root(doc), JSON_PYTHON_DEFAULT, &line);
    echo_add(&line, out);
    json_write_python_str(json_root(doc), &line);
    echo_add(&line, out);
    json_write(json_root(doc), JSON_PRETTY, &line);
    echo_add(&line, out);
    buf_fini(&line);
    json_destroy(&doc);
}

int main(int argc, char **argv)
{
    struct buf in = {0};
    struct buf out = {0};
    size_t got;
    size_t from = 0;

    is_nested = argc > 1 && strcmp(argv[1], "nested") == 0;
    while ((got = fread(buf_reserve(&in, 65536), 1, 65536, stdin)) > 0) {
        buf_add_done(&in, got);
    }
    for (size_t i = 0; i < in.size; i++) {
        if (in.at[i] == '\0') {
            echo_text((struct bytes){in.at + from, i - from}, &out);
            from = i + 1;
        }
    }
    fwrite(out.at, 1, out.size, stdout);
    buf_fini(&out);
    buf_fini(&in);
    return 0;
}
