#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Samples of 100 KB out of tars of 16 MiB in Python, from HTTP: a ring of the
# real program, and a loader over boto3. And what a sample costs beside the
# wait for data.
#
#   OUT=build/release-gcc tests/bench/loader.sh [ROUNDS] [SHARDS]
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${1:-3}
shards=${2:-64}
bench_need nginx openssl curl python3
python=python3
! bench_peer boto3 || python=$PEERS/venv/bin/python3
[ -e "$DATA/tar-file" ] || python3 "$HERE/loader.py" make "$DATA/tar-file"
bench_links "$DATA/tar-file" "$DATA/bench/t/" "$shards"
bytes=$(($(stat -c %s "$DATA/tar-file") * shards))
bench_origin_start
export PYTHONPATH=$PWD/worker/client/python
export SMSHARD_LIBRARY=$OUT/libsmshard.so.0

measure() { # TEST WAY SETTING
    local cost

    rm -rf "$T/job" "$T/out" "$T/took"
    if [ "$2" = smshard ]; then
        cost=$(bench_cost "$SMSHARD" run --base "$T/job" --output "$T/out" \
            --job-name bench --log warn --memory 96MiB \
            --channel train=s3://bench/t/,mode=Ring -- \
            "$python" "$HERE/loader.py" smshard "$T/took" "$shards")
    else
        cost=$(bench_cost "$python" "$HERE/loader.py" boto3 "$T/took" \
            "$shards" "${3%% *}")
    fi
    [ -z "$cost" ] || echo "$(cat "$T/took") ${cost#* }"
}
ways=("smshard:96 MiB")
! bench_peer boto3 || ways+=("boto3:1 thread" "boto3:2 threads"
    "boto3:4 threads" "boto3:8 threads")
bench_play "loader in Python" "$bytes" "$rounds" measure "${ways[@]}"
round=0
while read -r cpu; do
    round=$((round + 1))
    bench_record "a sample in Python" smshard "" 0 "$cpu 0 0"
done < <("$python" tests/python/bench_samples.py |
    awk '$1 == "tar" {printf "%.9f\n", $4 / 1e6}')
bench_report
