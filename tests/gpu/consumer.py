# SPDX-License-Identifier: Apache-2.0
"""The command of the job in job.py: copies every unit to the device, and
gives it back after its event.

consumer.py RESULT UNITS SIZE
"""

import json
import sys
import time

import kit  # Finds the package.
import smshard

import device
from device import Mark
from job import missing


def main():
    path, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dev = device.Device(count * size)
    out = {"cpu_before_s": time.process_time()}
    marks, done, start = [], 0, None
    # Slots may be smaller than units: parts lie in one piece each.
    with smshard.open("train", records="parts", pin=0) as reader:
        out["ring"] = [reader.slot_count, reader.slot_size]
        for sample in reader:
            if sample.epoch > 0 and start is None:
                start = time.perf_counter()  # The first one warms up.
            with dev.current():
                begin = Mark(dev.driver).put(dev.streams[0])
                dev.copy(sample.address(), sample.size, 0,
                         sample.position % count * size + sample.offset)
                stop = Mark(dev.driver).put(dev.streams[0])
            if start is not None:
                marks.append((begin, stop))
                done += sample.size
            sample.release_after(dev.streams[0])
    with dev.current():
        dev.wait()
    wall = time.perf_counter() - start
    busy = sum(stop.ms_since(begin) for begin, stop in marks) / 1000
    out.update(GBps=round(done / wall / 1e9, 3),
               idle_percent=round(100 * max(0, 1 - busy / wall), 1),
               missing=missing(dev, count, size))
    with open(path, "w", encoding="ascii") as f:
        json.dump(out, f)


if __name__ == "__main__":
    assert kit.PACKAGE
    main()
