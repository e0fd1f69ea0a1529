#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare base/json with Python's own json module: json_python.py PROGRAM
[SEED], where PROGRAM is the built tests/tools/json_echo.c. Texts are made at
random, well formed and damaged; what is read, how each style writes it, what
str() makes of it, and what is refused must be the same."""

import json
import math
import random
import struct
import subprocess
import sys
import unicodedata

VALUES = 4000
DAMAGED = 8000
FLOATS = 20000

ODD = ["", "x", "'", '"', "'\"", "\\", "\n\r\t\b\f",
       "\x00\x1f\x7f\x80\xa0\xad", "é", "ß", "\u2028", "\ufeff", "\uffff",
       "😀", "\ud800", "\udc80",
       "\ue000", "\U000e0001", "\U0010ffff", "中文", "\u0378", "\u00ff"]

# Of another version of Unicode repr() may differ on code points new in it.
SAME_UNICODE = unicodedata.unidata_version == "14.0.0"


def random_text(rng):
    if rng.random() < 0.5:
        return "".join(rng.choice(ODD) for _ in range(rng.randrange(4)))
    tops = [128, 0x300] + ([0x3000, 0x10000, 0x110000] if SAME_UNICODE else [])
    points = [rng.choice(tops)
              for _ in range(rng.randrange(6))]
    return "".join(chr(rng.randrange(top)) for top in points)


def random_float(rng):
    pick = rng.randrange(6)
    if pick == 0:
        return struct.unpack("<d", rng.randbytes(8))[0]
    if pick == 1:
        return rng.randrange(10**6) / 10 ** rng.randrange(12)
    if pick == 2:
        return math.ldexp(1.0, rng.randrange(-1074, 1024))
    if pick == 3:
        return rng.choice([math.inf, -math.inf, math.nan, 0.0, -0.0, 5e-324])
    if pick == 4:
        return float("%de%d" % (rng.randrange(10**rng.randrange(1, 18)),
                                rng.randrange(-30, 30)))
    return rng.gauss(0, 1)


def random_value(rng, depth):
    pick = rng.randrange(10 if depth > 0 else 7)
    if pick == 0:
        return rng.choice([None, True, False])
    if pick <= 2:
        digits = rng.choice([1, 3, 10, 18, 19, 20, 60])
        return rng.randrange(10**digits) * rng.choice([1, -1])
    if pick == 3:
        return random_float(rng)
    if pick <= 6:
        return random_text(rng)
    count = rng.choice([0, 1, 2, 3, 3, 25])
    if pick <= 8:
        return {random_text(rng): random_value(rng, depth - 1)
                for _ in range(count)}
    return [random_value(rng, depth - 1) for _ in range(count)]


def spell(rng, value):
    indent = rng.choice([None, None, 1, "\t"])
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    if rng.random() < 0.2:
        text = text.replace("{", '{"x": 1, "": [2], ', 1).replace(", }", "}")
    return rng.choice(["", " ", "\n"]) + text + rng.choice(["", "\r\n"])


def damage(rng, text):
    pieces = ["", ",", "[", "]", "{", "}", '"', "'", "0", "-", ".", "e", "E+",
              "1.", "-0", "01", ":", "\\", "\\u12", "\\ud800\\udc00", "\\x",
              "NaN", "nan", "-Infinity", "Inf", "tru", "null", "\x01", "\t",
              "é", "\ufeff", "\x0b", "//", "\xa0"]
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(pieces) + text[at + rng.randrange(3):]
    return text


def lines_of(value):
    pretty = json.dumps(value, indent=2, ensure_ascii=False)
    pretty = "".join(c if not 0xd800 <= ord(c) < 0xe000
                     else "\\u%04x" % ord(c) for c in pretty)
    return [json.dumps(value, sort_keys=True, separators=(",", ":")),
            json.dumps(value), str(value), pretty]


def want(text):
    """The four lines json_echo should write, or None for an error."""
    try:
        text = text.encode("utf-8", "surrogatepass").decode("utf-8-sig")
        return lines_of(json.loads(text))
    except ValueError:
        return None


def want_nested(text):
    try:
        return lines_of(json.loads(text))
    except ValueError:
        return None


def run(program, texts, mode):
    data = b"".join(t.encode("utf-8", "surrogatepass") + b"\0" for t in texts)
    out = subprocess.run([program] + mode, input=data, capture_output=True,
                         check=True).stdout
    return out.split(b"\n")


def compare(texts, wants, lines):
    bad = 0
    at = 0
    for text, wanted in zip(texts, wants):
        if lines[at].startswith(b"error "):
            got, at = None, at + 1
        else:
            got = [line.decode("utf-8", "surrogatepass").replace("\x01", "\n")
                   for line in lines[at:at + 4]]
            at += 4
        if got is not None and wanted is not None:
            wanted = [w.replace("\x01", "\n") for w in wanted]
        if got != wanted:
            bad += 1
            print("text   %a\npython %a\nours   %a" % (text, wanted, got),
                  file=sys.stderr)
    return bad


def every_code_point():
    """What repr() and the escapes do with each, where Unicode is ours."""
    if not SAME_UNICODE:
        return []
    return [json.dumps(["".join(map(chr, range(at, at + 2048)))])
            for at in range(0, 0x110000, 2048)]


def nested_texts(rng):
    """Texts of str that no file can hold, and the limit of digits."""
    texts = ['"\ud800"', '["\udcff\\udc00"]', '"\ud83d\\ude00"', "\ufeff1",
             "1" * 4300, "-" + "1" * 4300, "[0.%s]" % ("1" * 5000)]
    if hasattr(sys, "get_int_max_str_digits"):
        texts += ["1" * 4301, "[%s1]" % ("1" * 4300)]
    for _ in range(300):
        value = random_value(rng, 2)
        texts.append(json.dumps(value, ensure_ascii=False))
    return [t for t in texts if "\0" not in t]


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rng = random.Random(seed)
    texts = [spell(rng, random_value(rng, 3)) for _ in range(VALUES)]
    small = [t for t in texts if len(t) < 200]
    texts += [damage(rng, rng.choice(small)) for _ in range(DAMAGED)]
    texts += [json.dumps([random_float(rng)]) for _ in range(FLOATS)]
    texts += [json.dumps(math.ldexp(1.0, e)) for e in range(-1074, 1024)]
    texts += every_code_point()
    texts = [t for t in texts if "\0" not in t]
    wants = [want(t) for t in texts]
    refused = wants.count(None)
    assert 1000 < refused < len(texts) - 1000
    inner = nested_texts(rng)
    bad = [compare(texts, wants, run(program, texts, [])),
           compare(inner, [want_nested(t) for t in inner],
                   run(program, inner, ["nested"]))]
    print("%d texts, %d of them refused, %d differ (seed %d)"
          % (len(texts) + len(inner), refused, sum(bad), seed))
    failed = sum(count > 0 for count in bad)
    print("%d passed, %d failed" % (len(bad) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
