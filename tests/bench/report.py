# SPDX-License-Identifier: Apache-2.0
"""report.py RECORDS: tables of what was measured, and the bars.
report.py RECORDS --best TEST: the quickest setting of each way so far.

A record is a line: round, test, way, setting, bytes, seconds, seconds of CPU,
KiB resident; bytes are 0 where only the time counts. Ratios are medians of
those of single rounds, since all ways of a round ran beside the same noise.
"""

import statistics
import sys

PEERS = ("s5cmd", "awscrt", "boto3", "s3fs", "rclone", "mountpoint")


class Row:
    """The rounds of one way at one setting."""

    def __init__(self):
        self.wall, self.cpu, self.rss, self.bytes = {}, {}, [], 0

    def median(self, which="wall"):
        return statistics.median(getattr(self, which).values())

    def over(self, other, which="wall"):
        """This one's seconds in those of another one, round by round."""
        mine, theirs = getattr(self, which), getattr(other, which)
        both = [mine[i] / theirs[i] for i in mine
                if i in theirs and theirs[i] > 0]
        if both:
            return statistics.median(both)
        return self.median(which) / max(other.median(which), 1e-9)


def load(path):
    """{test: {way: {setting: Row}}}, in the order in which they came."""
    tests = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            number, test, way, setting, size, wall, cpu, rss = (
                line.rstrip("\n").split("\t"))
            row = tests.setdefault(test, {}).setdefault(way, {}).setdefault(
                setting, Row())
            row.wall[int(number)] = float(wall)
            row.cpu[int(number)] = float(cpu)
            row.rss.append(int(rss))
            row.bytes = int(size)
    return tests


def best_of(settings):
    """The quickest of those that were in most rounds."""
    most = max(len(r.wall) for r in settings.values())
    return min(((k, r) for k, r in settings.items() if len(r.wall) == most),
               key=lambda pair: pair[1].median())


def table(test, ways):
    """One test's rows; ratios are to the first way."""
    rows = {way: best_of(settings) for way, settings in ways.items()}
    first = next(iter(rows.values()))[1]
    has_rate = first.bytes > 0
    print("\n%s (medians of %d rounds)\n" % (test, len(first.wall)))
    print("| way | %s | ratio | CPU s/GB | resident, MiB |"
          % ("MB/s" if has_rate else "ms"))
    print("|---|---|---|---|---|")
    for way, (setting, row) in rows.items():
        figure = (row.bytes / row.median() / 1e6 if has_rate
                  else row.median() * 1e3)
        ratio = first.over(row) if has_rate else row.over(first)
        cpu = ("%.3f" % (row.median("cpu") / row.bytes * 1e9)
               if has_rate and row.median("cpu") > 0 else "")
        rss = "%d" % (max(row.rss) / 1024) if max(row.rss) else ""
        print("| %s | %s | %.2f | %s | %s |" % (
            way + (", " + setting if setting else ""),
            "%.0f" % figure if figure >= 100 else "%.3g" % figure, ratio, cpu,
            rss))


class Bars:
    """What the tests are to show."""

    def __init__(self, tests):
        self.tests = tests
        self.lines = []

    def row(self, test, way):
        settings = self.tests.get(test, {}).get(way)
        return best_of(settings)[1] if settings else None

    def peer(self, test):
        """The quickest peer."""
        found = [(way, self.row(test, way)) for way in self.tests.get(test, {})
                 if way in PEERS]
        return min(found, key=lambda f: f[1].median()) if found else None

    def say(self, what, value, limit, is_least, unit=""):
        is_met = value >= limit if is_least else value <= limit
        self.lines.append("| %s | %s %g%s | %.3g%s | %s |" % (
            what, "≥" if is_least else "≤", limit, unit, value, unit,
            "met" if is_met else "missed"))

    def rate(self, what, test, way, other, limit):
        mine, theirs = self.row(test, way), self.row(test, other)
        if mine and theirs:
            self.say(what, theirs.over(mine), limit, True, " ×")

    def against_peers(self, what, test, way, limit):
        peer = self.peer(test)
        if peer and self.row(test, way):
            self.rate(what + " (%s)" % peer[0], test, way, peer[0], limit)

    def resident(self, what, test, way):
        peer, mine = self.peer(test), self.row(test, way)
        if peer and mine:
            self.say(what + " (%s)" % peer[0],
                     max(mine.rss) / max(peer[1].rss), 1, False, " ×")

    def lanes(self):
        big, small = "8 MiB parts", "256 KiB objects"
        mine, raw = self.row(big, "flow"), self.row(big, "recv")
        if mine and raw:
            self.say("Ring: CPU of recv, 8 MiB parts", mine.over(raw, "cpu"),
                     1.3, False, " ×")
            self.rate("Ring: throughput of recv", big, "flow", "recv", 0.85)
            self.say("Ring: memory of lanes and slots",
                     max(mine.rss) / 1024, 100, False, " MiB")
        self.against_peers("Ring: the quickest peer, 8 MiB parts", big, "flow",
                           1.0)
        self.against_peers("Ring: the quickest peer, 256 KiB objects", small,
                           "flow", 1.2)

    def mount(self):
        for test in ("sequential, 1 reader", "sequential, 4 readers"):
            for way in self.tests.get(test, {}):
                if way.startswith("smshard"):
                    text = "FastFile (%s): %s" % (way[8:], test)
                    self.against_peers(text, test, way, 1.3)
                    self.resident(text + ", memory", test, way)
        files, one = "5 MiB files in order", "sequential, 1 reader"
        for way in self.tests.get(files, {}):
            mine, other = self.row(files, way), self.row(one, way)
            if way.startswith("smshard") and mine and other:
                self.say("FastFile (%s): 5 MiB files, of sequential" % way[8:],
                         mine.bytes / mine.median() / other.bytes *
                         other.median(), 0.7, True, " ×")
        first = self.tests.get("open and first byte", {})
        for way in first:
            if way.startswith("smshard") and "the server" in first:
                own = self.row("open and first byte", "the server").median()
                self.say("FastFile (%s): first byte, beside the server's time"
                         % way[8:], (best_of(first[way])[1].median() - own) *
                         1e3, 2, False, " ms")
        for way, settings in self.tests.get("100,000 names", {}).items():
            if way.startswith("smshard"):
                self.say("FastFile: 100,000 names",
                         best_of(settings)[1].median(), 0.5, False, " s")

    def others(self):
        for test, ways in self.tests.items():
            if test.startswith("FIFO"):
                for way in ways:
                    if way.startswith("smshard"):
                        self.rate("Pipe: `cat` through a FIFO (%s)" % way[8:],
                                  test, way, "cat", 0.7)
        sample = self.row("a sample in Python", "smshard")
        if sample:
            self.say("Python: a sample of 100 KB", sample.median() * 1e6, 3,
                     False, " µs")
        self.rate("Python: a boto3 loader of an object each",
                  "loader of objects", "smshard", "boto3", 5)
        self.rate("Python: a boto3 loader of tars", "loader in Python",
                  "smshard", "boto3", 5)

    def show(self):
        self.lanes()
        self.mount()
        self.others()
        if self.lines:
            print("\n| bar | wanted | is | |\n|---|---|---|---|")
            print("\n".join(self.lines))


def main():
    tests = load(sys.argv[1])
    if sys.argv[2:3] == ["--best"]:
        for way, settings in tests[sys.argv[3]].items():
            print("%s\t%s" % (way, best_of(settings)[0]))
        return
    for test, ways in tests.items():
        table(test, ways)
    Bars(tests).show()


main()
