# SPDX-License-Identifier: Apache-2.0
"""look.py five|first|names FOLDER, look.py server URL: seconds it takes to
read the files of 5 MiB in order; to open one and read its first byte (the
median); to list the names; and to ask the server for a file's beginning."""

import http.client
import os
import random
import statistics
import sys
import time
from urllib.parse import urlsplit

NAMES = ["five%06d" % i for i in range(100)]
BEGINNING = 64 << 10


def five(folder):
    room = bytearray(1 << 20)
    start = time.monotonic()
    for name in NAMES:
        with open(os.path.join(folder, name), "rb", buffering=0) as f:
            while f.readinto(room):
                pass
    return time.monotonic() - start


def shuffled():
    names = list(NAMES)
    random.Random(1).shuffle(names)
    return names


def first(folder):
    took = []
    for name in shuffled():
        start = time.monotonic()
        fd = os.open(os.path.join(folder, name), os.O_RDONLY)
        os.pread(fd, 1, 0)
        took.append(time.monotonic() - start)
        os.close(fd)
    return statistics.median(took)


def server(url):
    took, at = [], urlsplit(url)
    peer = http.client.HTTPConnection(at.hostname, at.port)
    for name in shuffled():
        start = time.monotonic()
        peer.request("GET", at.path + "/" + name, headers={
            "Range": "bytes=0-%d" % (BEGINNING - 1)})
        peer.getresponse().read()
        took.append(time.monotonic() - start)
    return statistics.median(took)


def names(folder):
    start = time.monotonic()
    assert len(os.listdir(folder)) == 100000
    return time.monotonic() - start


print("%.6f" % {"five": five, "first": first, "names": names,
                "server": server}[sys.argv[1]](sys.argv[2]))
