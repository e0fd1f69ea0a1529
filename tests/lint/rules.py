#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check the rules of the house that are about text; run from the root.

Prints `PATH:LINE: RULE: what is wrong` for each finding; exit code 1 if any.
"""

import sys

sys.dont_write_bytecode = True

import functions  # noqa: E402
import layout  # noqa: E402
import ratchet  # noqa: E402
import source  # noqa: E402
import words  # noqa: E402


def main():
    tree = source.load_tree()
    findings = [f for rules in (layout, words, functions)
                for f in rules.check(tree)]
    left = sorted(ratchet.filter_findings(findings),
                  key=lambda f: (f.path, f.line, f.rule))
    for f in left:
        print(f"{f.path}:{f.line}: {f.rule}: {f.message}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
