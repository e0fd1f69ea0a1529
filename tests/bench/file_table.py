# SPDX-License-Identifier: Apache-2.0
"""Print the table of tests/bench/file.sh from its figures, one a line:
SET|COUNT|SIZE|WAY|WALL CPU MIB. The best of a set's peers is the one with the
shortest median; ours is compared with it round by round."""

import statistics
import sys

NAMES = {
    "ours": "smshard",
    "crt 10": "aws-c-s3, 10 Gbit/s",
    "crt 40": "aws-c-s3, 40 Gbit/s",
    "s5": "s5cmd",
}


def main():
    sets = {}
    for line in sys.stdin:
        name, count, size, way, rest = line.rstrip("\n").split("|")
        shape = sets.setdefault((name, int(count), int(size)), {})
        shape.setdefault(way, []).append([float(n) for n in rest.split()])
    for (name, count, size), ways in sets.items():
        report(f"{count} x {size} bytes ({name})", count * size / 1e9, ways)


def report(title, gb, ways):
    def median(way, column):
        return statistics.median(row[column] for row in ways[way])

    peers = [way for way in ways if way != "ours"]
    best = min(peers, key=lambda way: median(way, 0), default=None)
    rounds = len(next(iter(ways.values())))
    print(f"{title}, medians of {rounds} rounds")
    print(f"  {'':24}{'s':>8}{'GB/s':>8}{'CPU s/GB':>10}{'MiB':>7}")
    for way in ways:
        wall, cpu, mib = (median(way, i) for i in range(3))
        print(
            f"  {NAMES[way]:24}{wall:8.2f}{gb / wall:8.2f}"
            f"{cpu / gb:10.3f}{mib:7.0f}"
        )
    if best is not None:
        ratios = [
            statistics.median(
                a[i] / b[i] for a, b in zip(ways["ours"], ways[best])
            )
            for i in range(2)
        ]
        print(
            f"  smshard beside the best peer, {NAMES[best]}: "
            f"{ratios[0]:.2f} x the time, {ratios[1]:.2f} x the CPU"
        )


main()
