#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/gpu/run.sh from end to end, against a driver without a GPU: that each
# part runs, that what is released after its event was copied right, and that
# what is released too early was not.
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
if ! OUT=$results tests/gpu/run.sh --fake >"$results/log" 2>&1; then
    cat "$results/log"
    echo "0 passed, 1 failed"
    exit 1
fi
python3 -B - "$results/gpu.json" <<'END'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    got = json.load(f)
failed = 0


def expect(what, is_so):
    global failed
    if not is_so:
        failed += 1
        print("FAILED", what, json.dumps(got.get(what.split()[0]))[:500])


PARTS = ("registration", "rates", "several", "framework", "crashes",
         "early_release", "end_to_end")
for part in PARTS:
    expect(part, got.get(part) and "error" not in got[part])
expect("registration of read-only memory, with its flag", all(
    "error" not in row for row in got["registration"]
    if row.get("rights") == "r" and row["flags"] == 9))
expect("registration of read-only memory, without", all(
    "error" in row for row in got["registration"]
    if row.get("rights") == "r" and row["flags"] == 1))
expect("rates", {row["streams"] for row in got["rates"]} == {1, 2, 4})
expect("several", [row["wrong"] for row in got["several"]] == [0])
expect("crashes", got["crashes"]["wrong"] == 0 and got["crashes"]["kills"] > 0)
expect("early_release", got["early_release"]["wrong_released_early"] > 0)
expect("early_release after", got["early_release"]["wrong_released_after"] == 0)
expect("end_to_end", got["end_to_end"]["ring"]["GBps"] > 0)
print(f"{len(PARTS) + 8 - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
END
