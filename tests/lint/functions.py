# SPDX-License-Identifier: Apache-2.0
"""Rules about functions: function-size, parameters, nesting.

A small scanner of braces, good for formatted C: it looks at what stands
before each `{` and knows functions, control blocks, and all the rest
(initialisers, compound literals, types, plain blocks).
"""

import collections
import re

from source import finding

LINES_MOST = 70
PARAMETERS_MOST = 5
NESTING_MOST = 3

TOKEN = re.compile(r'\w+|"|[^\w\s]')
Function = collections.namedtuple(
    "Function", "name line lines parameters nesting")


class Scanner:
    def __init__(self, source):
        self.source = source
        self.tokens = [(match.group(), match.start())
                       for match in TOKEN.finditer(source.bare)]
        self.opens = {}  # Index of a `)` → index of its `(`.

    def word(self, at):
        return self.tokens[at][0] if at >= 0 else ""

    def line(self, at):
        return self.source.line_of(self.tokens[at][1])

    def head(self, at):
        """The index of the word before the parentheses that end before at;
        attributes are stepped over. None: no parentheses there."""
        if self.word(at - 1) != ")":
            return None
        head = self.opens.get(at - 1, 0) - 1
        return self.head(head) if self.word(head) == "__attribute__" else head

    def kind(self, at, is_inside):
        """What the `{` at index at opens."""
        head = self.head(at)
        if not is_inside:
            if self.word(at - 1) == '"':
                return "linkage"
            is_named = head is not None and re.match(r"\w", self.word(head))
            return "function" if is_named else "other"
        if self.word(at - 1) in ("else", "do"):
            return "control"
        is_control = head is not None and re.match(
            r"(?!(return|sizeof|case)$)[A-Za-z_]", self.word(head))
        return "control" if is_control else "other"

    def parameters(self, head):
        """How many parameters the list has that opens after index head."""
        at, depth, commas = head + 1, 0, 0
        first = at + 1
        while True:
            word = self.word(at)
            depth += word in "([{"
            depth -= word in ")]}"
            if depth == 0:
                break
            commas += word == "," and depth == 1
            at += 1
        is_void = at == first + 1 and self.word(first) == "void"
        return 0 if at == first or is_void else commas + 1

    def functions(self):
        parens, braces = [], []
        start, deepest = None, 0
        for at, (word, _) in enumerate(self.tokens):
            if word == "(":
                parens.append(at)
            elif word == ")" and parens:
                self.opens[at] = parens.pop()
            elif word == "{":
                braces.append(self.kind(at, start is not None))
                if braces[-1] == "function":
                    start, deepest = self.head(at), 0
                deepest = max(deepest, braces.count("control"))
            elif word == "}" and braces and braces.pop() == "function":
                line = self.line(start)
                yield Function(self.name(start), line,
                               self.line(at) - line + 1,
                               self.parameters(start), deepest)
                start = None

    def name(self, head):
        """TEST(x) defines a function too; it is called test_x."""
        if self.word(head) == "TEST":
            return "test_" + self.word(head + 2)
        return self.word(head)


def check_function(path, f):
    rows = (
        ("function-size", f.lines, LINES_MOST, "lines"),
        ("parameters", f.parameters, PARAMETERS_MOST, "parameters"),
        ("nesting", f.nesting, NESTING_MOST, "levels deep"),
    )
    for rule, value, most, unit in rows:
        if value > most:
            yield finding(rule, path, f.line, f.name,
                          f"{f.name}: {value} {unit}; at most {most}", value)


def check(tree):
    for source in tree.values():
        if source.is_c:
            for function in Scanner(source).functions():
                yield from check_function(source.path, function)
