#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write base/utf8_printable.h and base/utf8_upper.h from this Python's own
Unicode data: make_utf8_tables.py FOLDER. Run by hand when the version of
Unicode that we follow changes."""

import sys
import textwrap
import unicodedata

TOP = """/* SPDX-License-Identifier: Apache-2.0 */
/* Made by tests/tools/make_utf8_tables.py from Unicode {version}: do not edit.
 * {what} */

#ifndef BASE_{guard}_H
#define BASE_{guard}_H

#include <stdint.h>

/* clang-format off */
"""
END = """/* clang-format on */

#endif /* BASE_{guard}_H */
"""


def fill(items):
    text = textwrap.fill(" ".join(item + "," for item in items), 76)
    return textwrap.indent(text, "    ") + "\n"


def borders():
    now = False
    for code in range(0x110000):
        if chr(code).isprintable() != now:
            now = not now
            yield "%#x" % code


def upper_tables():
    runs, special = [], []
    for code in range(0x80, 0x110000):
        upper = chr(code).upper()
        if upper == chr(code):
            continue
        if len(upper) > 1:
            parts = [code] + [ord(c) for c in upper] + [0] * (3 - len(upper))
            special.append(parts)
            continue
        add = ord(upper) - code
        last = runs[-1] if runs else None
        if last and last[3] == add and (
            code - last[1] == last[2]
            or (last[0] == last[1] and code - last[1] <= 2)
        ):
            last[2] = code - last[1]
            last[1] = code
        else:
            runs.append([code, code, 1, add])
    return runs, special


def write(path, guard, what, body):
    with open(path, "w") as out:
        out.write(TOP.format(guard=guard, what=what,
                             version=unicodedata.unidata_version))
        out.write(body)
        out.write(END.format(guard=guard))


def main():
    folder = sys.argv[1]
    write(folder + "/utf8_printable.h", "UTF8_PRINTABLE",
          "Where str.isprintable() changes, from false at 0.",
          "static const uint32_t utf8_printable[] = {\n"
          + fill(borders()) + "};\n")
    runs, special = upper_tables()
    write(folder + "/utf8_upper.h", "UTF8_UPPER",
          "What str.upper() does above ASCII.",
          "struct utf8_run {\n    uint32_t first;\n    uint32_t last;\n"
          "    uint32_t step;\n    int32_t add;\n};\n\n"
          "static const struct utf8_run utf8_upper_runs[] = {\n"
          + fill("{%#x,%#x,%d,%d}" % tuple(r) for r in runs) + "};\n\n"
          "static const uint16_t utf8_upper_special[][4] = {\n"
          + fill("{%#x,%#x,%#x,%#x}" % tuple(s) for s in special)
          + "};\n")


if __name__ == "__main__":
    main()
