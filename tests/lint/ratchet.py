# SPDX-License-Identifier: Apache-2.0
"""What is known to break a rule, and may only get better.

tests/lint/ratchet.txt has a line `RULE PATH:NAME VALUE` for each item. A
finding within its value is let through; one that grew is a finding still;
one that got better or is gone must be written down so. The list itself may
not grow from one commit to the next. No file is an empty list.
"""

import collections
import re
import subprocess

from source import finding

PATH = "tests/lint/ratchet.txt"
LINE = re.compile(r"(\S+) ([^:\s]+:\S+) (\d+)")


def parse(text):
    """Return key → (line, value), and findings for lines not understood."""
    items, wrong = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        match = LINE.fullmatch(line)
        if match:
            items[match.group(1) + " " + match.group(2)] = (
                number, int(match.group(3)))
        elif line and not line.startswith("#"):
            wrong.append(finding("ratchet", PATH, number, "-",
                                 "the line is not RULE PATH:NAME VALUE"))
    return items, wrong


def read():
    try:
        with open(PATH, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def git(*words):
    return subprocess.run(["git", *words], capture_output=True, text=True,
                          check=False).stdout


def earlier():
    """The list as it was: at HEAD if it is changed now, else before the
    commit that changed it last. None: there was none."""
    commits = git("log", "-2", "--format=%H", "--", PATH).split()
    for commit in commits:
        text = git("show", f"{commit}:{PATH}")
        if text and text != read():
            return parse(text)[0]
    return None


def check_growth(items):
    before = earlier()
    for key, (line, value) in items.items():
        if before is not None and value > before.get(key, (0, 0))[1]:
            yield finding("ratchet", PATH, line, key,
                          f"{key} {value}: the list only shrinks")


def check_item(key, listed, found):
    line, value = listed
    if not found:
        yield finding("ratchet", PATH, line, key,
                      f"{key} is gone: remove the line")
        return
    now = max((f.value for f in found if f.value is not None),
              default=len(found))
    if now > value:
        yield from (f._replace(message=f"{f.message} (ratchet: {value})")
                    for f in found)
    elif now < value:
        yield finding("ratchet", PATH, line, key,
                      f"{key} got better: write {now}, not {value}")


def filter_findings(findings):
    """Yield what is not let through by the list, and what is wrong with it."""
    items, wrong = parse(read())
    yield from wrong
    yield from check_growth(items)
    grouped = collections.defaultdict(list)
    for f in findings:
        grouped[f"{f.rule} {f.path}:{f.name}"].append(f)
    for key, found in grouped.items():
        if key not in items:
            yield from found
    for key, listed in items.items():
        yield from check_item(key, listed, grouped.get(key))
