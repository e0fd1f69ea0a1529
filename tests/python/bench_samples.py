# SPDX-License-Identifier: Apache-2.0
"""What a sample costs in Python beside the wait for data.

bench_samples.py [SAMPLES]: three rounds of each kind; for a sample, the
microseconds of CPU beside the wait, of CPU in the wait, which looks a few times
before it sleeps, and of time in all.
"""

import sys
import tempfile
import time

import kit
import smshard
from smshard import _lib

SIZE = 100000


class Wait:
    """The CPU of the library's call that waits."""

    def __init__(self):
        self.ns = 0
        lib = _lib.get()
        call = lib.next_wait

        def timed(*arguments):
            start = time.thread_time_ns()
            status = call(*arguments)
            self.ns += time.thread_time_ns() - start
            return status

        lib.next_wait = timed


def read(folder, wait, records, units, count, **numbers):
    """One pass of about `count` samples; a line of figures."""
    per_epoch = {"tar": 100 * len(units), "raw": len(units),
                 "lines": sum(u.count(b"\n") for u in units)}[records]
    epochs = max(2, count // per_epoch)
    server = kit.Server(folder, units, epochs=epochs, **numbers)
    with smshard.open(socket=server.socket, records=records) as reader:
        samples, wait.ns, cpu = 0, 0, time.thread_time_ns()
        wall = time.perf_counter()
        for sample in reader:
            _ = sample["jpg"] if records == "tar" else sample.data
            samples += 1
        wall = time.perf_counter() - wall
        cpu = time.thread_time_ns() - cpu - wait.ns
    server.close()
    print(f"{records:8} {samples:8} samples  {cpu / 1e3 / samples:6.2f} µs CPU"
          f"  {wait.ns / 1e3 / samples:6.2f} µs in the wait"
          f"  {wall * 1e6 / samples:6.2f} µs in all", flush=True)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    tar = kit.make_tar([(f"{i:06}", {"jpg": b"x" * SIZE, "cls": b"7"})
                        for i in range(100)])
    lines = b"some text of a line\n" * 100000
    kinds = (("tar", [tar] * 4, {"size": 16 << 20, "slots": 4}),
             ("raw", [b"y" * 1000] * 200, {"size": 1 << 20, "slots": 8,
                                           "entries": 256}),
             ("lines", [lines], {"size": 4 << 20, "slots": 4}))
    wait = Wait()
    for _ in range(3):
        for records, units, numbers in kinds:
            with tempfile.TemporaryDirectory() as folder:
                read(folder, wait, records, units, count, **numbers)


if __name__ == "__main__":
    main()
