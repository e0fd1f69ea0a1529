# SPDX-License-Identifier: Apache-2.0
"""Takes all units of a dynamic channel over the socket, as fast as they come,
and prints "WALL CPU RSS-KIB" of the smshard that gives them.

take.py CHANNEL UNITS [READ]: READ: each file is read, too.
"""

import os
import socket
import sys
import time
import urllib.parse

channel, units, reads = sys.argv[1], int(sys.argv[2]), len(sys.argv) > 3
parent = os.getppid()
tick = os.sysconf("SC_CLK_TCK")


def cpu():
    with open(f"/proc/{parent}/stat") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / tick


def peak():
    with open(f"/proc/{parent}/status") as f:
        return next(line.split()[1] for line in f if line.startswith("VmHWM"))


began, used, taken = time.monotonic(), cpu(), 0
link = socket.socket(socket.AF_UNIX)
link.connect(os.environ["SMSHARD_SOCKET"])
lines = link.makefile("rw")


def ask(line):
    lines.write(line + "\n")
    lines.flush()
    return lines.readline().split()


while (answer := ask(f"next {channel}"))[0] == "unit":
    path = urllib.parse.unquote(answer[5])
    if reads:
        with open(path, "rb", 0) as f:
            while f.read(1 << 20):
                pass
    elif os.path.getsize(path) != int(answer[4]):
        sys.exit(f"{path}: has another size")
    taken += 1
    ask(f"done {channel} {answer[2]}")
if taken != units:
    sys.exit(f"{taken} units, not {units}: {answer}")
print(f"{time.monotonic() - began:.4f} {cpu() - used:.4f} {peak()}")
