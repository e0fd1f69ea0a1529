#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Samples of 100 KB in Python, from HTTP, out of tars of 16 MiB and as an object
# each: a ring of the real program, and a loader over boto3. And what a sample
# costs beside the wait for data.
#
#   OUT=build/release-gcc tests/bench/loader.sh [ROUNDS] [SHARDS] [OBJECTS]
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${1:-3}
shards=${2:-64}
objects=${3:-4000}
bench_need nginx openssl curl python3
python=python3
! bench_peer boto3 || python=$PEERS/venv/bin/python3
mkdir -p "$DATA"
[ -e "$DATA/tar-file" ] || python3 "$HERE/loader.py" make "$DATA/tar-file"
bench_links "$DATA/tar-file" "$DATA/bench/t/" "$shards"
bench_bytes "$DATA/sample-file" 100000
bench_links "$DATA/sample-file" "$DATA/bench/o/" "$objects"
bench_origin_start
export PYTHONPATH=$PWD/worker/client/python
export SMSHARD_LIBRARY=$OUT/libsmshard.so.0

measure() { # TEST WAY SETTING
    local cost what="$((shards * 160)) tar" prefix=t/

    [ "$1" = "loader in Python" ] || what="$objects raw" prefix=o/
    rm -rf "$T/job" "$T/out" "$T/took"
    # shellcheck disable=SC2086 # two words
    if [ "$2" = smshard ]; then
        cost=$(bench_cost "$SMSHARD" run --base "$T/job" --output "$T/out" \
            --job-name bench --log warn --memory 96MiB \
            --channel "train=s3://bench/$prefix,mode=Ring" -- \
            "$python" "$HERE/loader.py" smshard "$T/took" $what)
    else
        cost=$(bench_cost "$python" "$HERE/loader.py" boto3 "$T/took" $what \
            "$prefix" "${3%% *}")
    fi
    [ -z "$cost" ] || echo "$(cat "$T/took") ${cost#* }"
}
ways=("smshard:96 MiB")
! bench_peer boto3 || ways+=("boto3:1 thread" "boto3:2 threads"
    "boto3:4 threads" "boto3:8 threads")
bench_play "loader in Python" \
    $(($(stat -c %s "$DATA/tar-file") * shards)) "$rounds" measure "${ways[@]}"
bench_play "loader of objects" $((100000 * objects)) "$rounds" measure "${ways[@]}"
round=0
while read -r cpu; do
    round=$((round + 1))
    bench_record "a sample in Python" smshard "" 0 "$cpu 0 0"
done < <("$python" tests/python/bench_samples.py |
    awk '$1 == "tar" {printf "%.9f\n", $4 / 1e6}')
bench_report
