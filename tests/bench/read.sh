#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make bench-read`: what reading costs, beside the programs that
# tests/bench/peers.sh has installed; the tables, and the bars. All scripts
# work on the same data sets, and each of them can be run by itself.
#
#   OUT=build/release-gcc [LONG=1] [SAY=1] tests/bench/read.sh [PART…]
#
# Parts: lanes mount pipe loader file. LONG=1: more rounds of more bytes.
set -u
here=$(cd "$(dirname "$0")" && pwd)
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(lanes mount pipe loader file)
W=$(mktemp -d "${TMPDIR:-/tmp}/smshard-bench.XXXXXX")
chmod 755 "$W"
trap 'rm -rf "$W"' EXIT
trap 'exit 130' INT TERM
export BENCH_DATA=$W/data BENCH_RECORDS=$W/records
: >"$BENCH_RECORDS"

PEERS=${PEERS:-$PWD/build/peers}
# For File mode's script.
[ ! -x "$PEERS/venv/bin/python3" ] || export PYTHON=$PEERS/venv/bin/python3
[ ! -x "$PEERS/bin/s5cmd" ] || export S5CMD=$PEERS/bin/s5cmd
declare -A arguments=([lanes]="3 1024" [mount]="3" [pipe]="5" [loader]="3 64"
    [file]="4")
if [ -n "${LONG:-}" ]; then
    arguments=([lanes]="7 2048" [mount]="7" [pipe]="9" [loader]="7 128"
        [file]="8")
    export MIB=1024
else
    export SCALE=4
fi
for part in "${parts[@]}"; do
    [ -x "$here/$part.sh" ] || continue
    began=$SECONDS
    # shellcheck disable=SC2086 # several
    "$here/$part.sh" ${arguments[$part]:-} || echo "$part: ended with $?"
    echo "$part: $((SECONDS - began)) s"
done
python3 "$here/report.py" "$BENCH_RECORDS"
