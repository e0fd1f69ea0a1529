# SPDX-License-Identifier: Apache-2.0
"""What the rules read: the files of the tree, and C text without comments.

A finding is one broken rule at one place. Findings of the same rule, path and
name are one item of the ratchet (ratchet.py); its value is the largest number
that was measured, or how many there are where nothing is measured.
"""

import collections
import os
import re
import subprocess

Finding = collections.namedtuple(
    "Finding", "rule path line name value message")

LITERAL = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)', re.M)


def finding(rule, path, line, name, message, value=None):
    return Finding(rule, path, line, name, value, message)


def spaces(text):
    return re.sub(r"[^\n]", " ", text)


def blank_literal(match):
    text = match.group()
    if text[0] in "\"'":
        return text[0] + spaces(text[1:-1]) + text[-1]
    return spaces(text)


class Source:
    """One file. Lines and offsets of `code` and `bare` are those of `text`."""

    def __init__(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            self.text = file.read()
        self.path = path
        self.folder = path.split("/")[0] if "/" in path else ""
        self.stem, self.kind = os.path.splitext(os.path.basename(path))
        self.is_c = self.kind in (".c", ".h")
        if self.is_c:
            # Without comments and what literals say; then no directives too.
            self.code = LITERAL.sub(blank_literal, self.text)
            self.bare = DIRECTIVE.sub(
                lambda match: spaces(match.group()), self.code)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def includes(self):
        """Yield (line, is_ours, header)."""
        for match in INCLUDE.finditer(self.text):
            yield (self.line_of(match.start()), match.group(1) == '"',
                   match.group(2))


def load_tree():
    """Every file that git knows or would add, as path → Source."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        check=True, capture_output=True, text=True).stdout.split("\0")
    return {name: Source(name) for name in sorted(set(names))
            if os.path.isfile(name) and is_code(name)}


def is_code(name):
    base = os.path.basename(name)
    if name.startswith("tests/data/") or name.startswith("tests/fuzz/corpus/"):
        return False
    if base.endswith((".c", ".h", ".sh", ".py")):
        return True
    if base in ("Makefile", "Dockerfile"):
        return True
    with open(name, "rb") if os.path.isfile(name) else open(os.devnull) as f:
        return f.read(2) == b"#!"
