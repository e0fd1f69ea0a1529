# SPDX-License-Identifier: Apache-2.0
"""Measure a ring and a GPU (docs/gpu.md). Each part is a process of its own,
with a time limit: one that fails, hangs or spoils its context says so in the
results, and the next one runs."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from kit import Sizes  # First: it finds the package.
import smshard
from smshard import cuda

import copies
import device
import framework
import job
import machine
import memory
import report

# What is most wanted comes first. Seconds that a part may take.
PARTS = (("rates", copies.rates, 90), ("batch", copies.batch, 60),
         ("overlap", copies.overlap, 60),
         ("early_release", copies.early_release, 60),
         ("fork", copies.fork, 60), ("several", copies.several, 90),
         ("end_to_end", job.end_to_end, 150),
         ("framework", framework.framework, 90),
         ("registration", memory.registration, 150),
         ("crashes", copies.crashes, 150))
SPARE_S = 10  # For a part to stop by itself.


def run_here(name, sizes):
    """One part, in this process."""
    try:
        return dict((p, act) for p, act, _ in PARTS)[name](sizes)
    except Exception:  # pylint: disable=broad-except
        return {"error": traceback.format_exc()}


def run_apart(name, limit_s, is_small):
    """One part, in another one."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result")
        process = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__), "--out", path,
             "--one", "--limit", str(limit_s), *["--small"] * is_small, name],
            start_new_session=True)
        try:
            process.wait(limit_s + SPARE_S)
            with open(path, encoding="utf-8") as f:
                return json.load(f)
        except subprocess.TimeoutExpired:
            return {"error": f"it did not end in {limit_s + SPARE_S:.0f} s"}
        except OSError:
            return {"error": "it ended without a result"}
        finally:
            end_all(process)


def end_all(process):
    """A part, and what it has started and left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def write(results, path):
    """All that is known so far, twice."""
    results["checks"] = report.judge(results)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    with open(os.path.splitext(path)[0] + ".md", "w", encoding="utf-8") as f:
        f.write(report.section(results))


def describe(is_small):
    """What stands in front of the results."""
    out = {"date": time.strftime("%Y-%m-%d"), "small": is_small,
           "machine": machine.describe(), "version": smshard.version()}
    program = json.loads(os.environ.get("PROGRAMS", "{}")).get("smshard")
    if program:  # What the placement makes of the machine.
        out["topo"] = machine.say(*program, "topo", "--json")
    try:
        out["device"] = device.about()
    except cuda.CudaError as error:
        sys.exit(f"measure.py: {error}")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--small", action="store_true",
                        help="little of everything: to try the script itself")
    parser.add_argument("--limit", type=float, default=560,
                        help="seconds that all of it may take")
    parser.add_argument("--one", action="store_true",
                        help="one part, in this process")
    parser.add_argument("part", nargs="*")
    args = parser.parse_args()
    if args.one:
        result = run_here(args.part[0], Sizes(args.small, args.limit))
        with open(args.out, "w", encoding="utf-8") as f:
            json.dump(result, f)
        return 0
    results, begin = describe(args.small), time.monotonic()
    for name, _, most_s in PARTS:
        if args.part and name not in args.part:
            continue
        start = time.monotonic()
        left_s = args.limit - (start - begin) - SPARE_S
        results[name] = run_apart(name, min(most_s, left_s), args.small) \
            if left_s > SPARE_S else {"left_out": "no time is left"}
        results["seconds"] = time.monotonic() - begin
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)
        write(results, args.out)
    print(report.table(results))
    failed = sum(row["word"] == "FAILED" for row in results["checks"])
    print(f"{failed} of {len(results['checks'])} failed; "
          f"{results['seconds']:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
