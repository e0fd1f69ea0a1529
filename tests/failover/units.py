# SPDX-License-Identifier: Apache-2.0
"""Takes the units of the channel `units` until all epochs are over.

units.py TAKEN ACKED PAUSE: what a unit says is appended to TAKEN before its
commit is asked for, and to ACKED once that is known to be durable.
"""

import os
import socket
import sys
import time
import urllib.parse


class Feed:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.environ["SMSHARD_SOCKET"])
        self.answers = self.socket.makefile("r", encoding="utf-8")

    def ask(self, line):
        try:
            self.socket.sendall(line.encode() + b"\n")
            return self.answers.readline().split()
        except ConnectionError:
            return ["gone"]


def append(path, text):
    with open(path, "a", encoding="utf-8") as out:
        out.write(text)


def main():
    taken, acked, pause = sys.argv[1:]
    feed = Feed()
    while True:
        answer = feed.ask("next units")
        if answer[:1] == ["over"]:
            return 0
        if answer[:1] == ["end"]:
            continue
        if answer[:1] != ["unit"]:
            print("units.py: next:", *answer, file=sys.stderr)
            return 1
        with open(urllib.parse.unquote(answer[5]), encoding="utf-8") as unit:
            text = unit.read()
        append(taken, text)
        time.sleep(float(pause))
        answer = feed.ask(f"commit units {answer[2]}")
        if answer[:1] == ["ok"]:
            append(acked, text)
        elif answer[:1] != ["refused"]:
            print("units.py: commit:", *answer, file=sys.stderr)
            return 1


sys.exit(main())
