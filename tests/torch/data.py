# SPDX-License-Identifier: Apache-2.0
"""data.py FOLDER KIND: make objects.

points   of lines `x,y` for docs/train_torch.py
lines    some of few lines, and some larger than several slots
units    41 small ones, each with its number
large    41 so large that none shares a slot with another one
"""

import os
import random
import sys


def points(rng):
    """y = 3 x - 0.5"""
    for _ in range(40):
        rows = [round(rng.uniform(-1, 1), 6) for _ in range(150)]
        yield "".join(f"{x},{round(3 * x - 0.5, 6)}\n" for x in rows)


def lines(_):
    """36 objects, 2.3 MB"""
    for i in range(36):
        count = 3000 if i % 6 == 1 else 20
        yield "".join(f"object {i} line {k} {'.' * 100}\n"
                      for k in range(count))


def units(_):
    """41, so that nothing goes into them evenly"""
    for i in range(41):
        yield f"unit {i:03}"


def large(_):
    """41 of 300 KB"""
    for i in range(41):
        yield f"unit {i:03} ".ljust(300000, ".")


def main(folder, kind):
    """Write them."""
    os.makedirs(folder)
    make = {"points": points, "lines": lines, "units": units,
            "large": large}[kind]
    for i, text in enumerate(make(random.Random(1))):
        with open(os.path.join(folder, f"{i:03}.txt"), "w",
                  encoding="ascii") as f:
            f.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
