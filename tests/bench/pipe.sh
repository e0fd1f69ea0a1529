#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A channel in mode Pipe of the real program, from a folder in tmpfs and from
# HTTP, beside `cat` of the same files from tmpfs through a FIFO.
#
#   OUT=build/release-gcc tests/bench/pipe.sh [ROUNDS]
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${1:-5}
bench_need nginx openssl curl
M=$(mktemp -d /dev/shm/smshard-bench.XXXXXX)
# shellcheck disable=SC2317 # called by the trap
bench_end() { rm -rf "$M"; }
bench_bytes "$DATA/bench/pipe-file" $((64 << 20))
bench_links "$DATA/bench/pipe-file" "$DATA/bench/p/" 16
cp "$DATA/bench/pipe-file" "$M/file"
bench_links "$M/file" "$M/p/" 16
bench_origin_start

measure() { # TEST WAY SETTING
    local cost uri=$M/p/

    rm -rf "$T/job" "$T/out" "$T/fifo"
    if [ "$2" = cat ]; then
        mkfifo "$T/fifo"
        # shellcheck disable=SC2016 # the command's
        cost=$(bench_cost bash -c 'cat "$0"/* >"$1" & python3 "$2" "$1" "$3"
            wait' "$M/p" "$T/fifo" "$HERE/drain.py" "$T/took")
    else
        [ "${2#* }" = tmpfs ] || uri=s3://bench/p/
        # shellcheck disable=SC2016 # the command's
        cost=$(bench_cost "$SMSHARD" run --base "$T/job" --output "$T/out" \
            --job-name bench --log warn --memory 96MiB \
            --channel "train=$uri,mode=Pipe" -- \
            sh -c 'python3 "$0" "${SM_CHANNEL_TRAIN}_0" "$1"' \
            "$HERE/drain.py" "$T/took")
    fi
    [ -z "$cost" ] || echo "$(cat "$T/took") ${cost#* }"
}
bench_play "FIFO" $((1 << 30)) "$rounds" measure cat: "smshard tmpfs:" \
    "smshard HTTP:"
bench_report
