#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/gpu/run.sh from end to end, against a driver without a GPU: each part
# runs and all its checks hold, with the real program out of a pack; and with
# each thing that can be wrong with the driver the check that is about it
# fails, so that none of them holds by itself.
set -u

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: there is no python3"
    exit 0
fi
case ${MODE:-release} in
asan | tsan | cover)
    echo "skipped: it builds what it needs, once is enough"
    exit 0
    ;;
esac
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
MADE=${OUT:-build/release-gcc}
GPU_PACK=$results/pack
BUILT=$results/built
PYTHON=python3
export MADE GPU_PACK BUILT PYTHON
unset SMSHARD_CUDA_LIBRARY FAKE_CUDA_BUG

# measure NAME PART…: results in $results/NAME.
measure() {
    local name=$1
    shift
    mkdir -p "$results/$name"
    OUT=$results/$name tests/gpu/run.sh --fake "$@" >"$results/$name/log" 2>&1
    echo $? >"$results/$name/code"
}
# planted BUG PART…: the same with a driver that has it.
planted() { FAKE_CUDA_BUG=$1 measure "$@"; }

if ! tests/gpu/run.sh --pack >"$results/log" 2>&1; then
    cat "$results/log"
    echo "0 passed, 1 failed"
    exit 1
fi
measure none
{
    planted batch batch
    planted fork fork
    planted slow rates
    planted refuse registration overlap
} &
planted corrupt several end_to_end crashes
planted eager overlap early_release
planted event early_release
planted read_only registration
wait

"$PYTHON" -B - "$results" <<'END2'
import json
import os
import sys

passed = failed = 0


def load(name):
    folder = os.path.join(sys.argv[1], name)
    with open(os.path.join(folder, "code"), encoding="ascii") as f:
        code = int(f.read())
    try:
        with open(os.path.join(folder, "gpu.json"), encoding="utf-8") as f:
            return json.load(f), code, folder
    except OSError:
        with open(os.path.join(folder, "log"), encoding="utf-8") as f:
            print(f.read())
        return {"checks": []}, code, folder


def expect(what, is_so, *detail):
    global passed, failed
    if is_so:
        passed += 1
    else:
        failed += 1
        print("FAILED", what, *detail)


def word(results, part, what):
    return [row["word"] for row in results["checks"]
            if row["part"] == part and row["what"].startswith(what)]


PARTS = ("registration", "rates", "batch", "overlap", "early_release", "fork",
         "several", "end_to_end", "crashes")
got, code, folder = load("none")
expect("its exit code", code == 0, code)
for row in got["checks"]:
    expect(f"{row['part']}: {row['what']}", row["word"] != "FAILED",
           row["got"], got.get(row["part"]))
for part in PARTS:
    expect(f"{part}: something is judged",
           "ok" in [row["word"] for row in got["checks"]
                    if row["part"] == part])
expect("read-only memory without its flag is refused", all(
    "error" in row for row in got.get("registration", ())
    if row.get("rights") == "r" and row["flags"] == 1))
expect("streams", {row["streams"] for row in got.get("rates", ())} ==
       {1, 2, 4})
job = got.get("end_to_end", {})
expect("the real program copied", job.get("smshard", {}).get("GBps", 0) > 0,
       job)
with open(os.path.join(folder, "gpu.md"), encoding="utf-8") as f:
    text = f.read()
expect("a section for the page", text.startswith("### fake, ") and
       "no figures of a device" in text and "| `fork` |" in text, text)

# What is wrong, and the check that has to notice.
for bug, part, what in (
        ("batch", "batch", "units wrong on the device"),
        ("corrupt", "several", "units wrong on the device"),
        ("corrupt", "end_to_end", "smshard run"),
        ("corrupt", "end_to_end", "a loader with pinned"),
        ("corrupt", "crashes", "units wrong on the other's device"),
        ("eager", "overlap", "the process goes on"),
        ("eager", "early_release", "released early"),
        ("event", "early_release", "released after"),
        ("fork", "fork", "the parent's memory is registered after"),
        ("read_only", "registration", "4 KiB pages, read-only"),
        ("refuse", "registration", "64 KiB of lockable"),
        ("refuse", "overlap", "it runs"),
        ("slow", "rates", "ring against"),
        ("slow", "rates", "registered against not")):
    got, code, _ = load(bug)
    expect(f"a driver with '{bug}' is noticed by {part}: {what}",
           code == 1 and word(got, part, what) == ["FAILED"],
           code, word(got, part, what), got.get(part))
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
END2
