# SPDX-License-Identifier: Apache-2.0
"""drain.py FIFO FILE: read a FIFO to its end; into FILE the seconds since its
first byte was there."""

import sys
import time

room = bytearray(1 << 20)
with open(sys.argv[1], "rb", buffering=0) as f:
    total, start = f.readinto(room), time.monotonic()
    got = total
    while got:
        got = f.readinto(room)
        total += got
took = time.monotonic() - start
assert total == 1 << 30, total
with open(sys.argv[2], "w", encoding="ascii") as f:
    f.write("%.4f" % took)
