#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Units on demand: a job takes all units of a dynamic channel as files, from
# nginx on loopback, out of the page cache, into tmpfs. What its smshard costs.
#
#   OUT=build/release-gcc tests/bench/take.sh [ROUNDS] [SET:COUNT:BYTES]…
#
# OTHER: another smshard, which takes turns with it. MEMORY: of both, 128MiB.
# WHERE: a tmpfs with room, /dev/shm.
set -u

TMPDIR=${WHERE:-/dev/shm}
export TMPDIR
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_need nginx python3 curl openssl

rounds=${1:-5}
shift
sets=${*:-large:2:1073741824 small:8000:65536}
for set in $sets; do
    IFS=: read -r name count size <<<"$set"
    bench_bytes "$DATA/made/$name" "$size"
    bench_links "$DATA/made/$name" "$DATA/bench/$name/" "$count"
done
bench_origin_start

take() { # SET PROGRAM COUNT: its line
    local name=$1 count=$3
    rm -rf "$T/base" "$T/out"
    "$2" run --base "$T/base" --memory "${MEMORY:-128MiB}" --job-name b \
        --output "$T/out" --channel "train=s3://bench/$name/,deal=dynamic" \
        -- python3 "$HERE/take.py" train "$count" 2>"$T/err" ||
        tail -n 3 "$T/err" >&2
}

for ((round = 1; round <= rounds; round++)); do
    for set in $sets; do
        IFS=: read -r name count size <<<"$set"
        for way in ours ${OTHER:+other}; do
            program=$SMSHARD
            [ "$way" = ours ] || program=$OTHER
            bench_record "take-$name" "$way" "$size" $((count * size)) \
                "$(take "$name" "$program" "$count")"
        done
    done
done
bench_report
