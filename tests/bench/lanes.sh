#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Objects into memory: lanes and a flow, a bare loop of recv, and the clients
# that are installed, each at several settings.
#
#   OUT=build/release-gcc tests/bench/lanes.sh [ROUNDS] [MIB]
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${1:-3}
mib=${2:-1024}
bench_need nginx openssl curl
bench_bytes "$DATA/bench/big" $((mib << 20))
bench_bytes "$DATA/bench/small" 262144
bench_links "$DATA/bench/small" "$DATA/bench/s/" $((mib * 4))
bench_origin_start

measure() { # TEST WAY SETTING
    local kind=big name="$2, $3"
    [ "$1" = "8 MiB parts" ] || kind=small
    case $2 in
    recv | flow | fetch)
        [ $kind = big ] || name="256 KiB: $name"
        "$OUT/tests/bench/bench_fetch" "$url" 0 "$mib" "$name"
        ;;
    s5cmd)
        if [ $kind = big ]; then
            bench_cost s5cmd cat --part-size 8 --concurrency "${3%% *}" \
                s3://bench/big
        else
            bench_cost s5cmd --numworkers "${3%% *}" cat 's3://bench/s/*'
        fi
        ;;
    *)
        timeout 120 "$PEERS/venv/bin/python3" "$HERE/peer.py" "$2" "${3%% *}" \
            $kind "$mib"
        ;;
    esac
}

big=("recv:2 connections" "recv:4 connections"
    "recv:8 connections" "flow:1 lane, 11 slots")
small=("recv:8, 88 MiB" "recv:16, 88 MiB" "flow:1 lane, 11 slots")
if bench_peer s5cmd; then
    big+=("s5cmd:1 at once" "s5cmd:5 at once" "s5cmd:16 at once")
    small+=("s5cmd:8 workers" "s5cmd:32 workers" "s5cmd:256 workers")
fi
if bench_peer awscrt; then
    for gbps in 5 10 25 100; do
        big+=("awscrt:$gbps Gbit/s")
        small+=("awscrt:$gbps Gbit/s")
    done
fi
if bench_peer boto3; then
    for threads in 2 4 8 16; do
        big+=("boto3:$threads threads")
    done
    for threads in 4 16; do
        small+=("boto3:$threads threads")
    done
fi
bench_play "8 MiB parts" $((mib << 20)) "$rounds" measure "${big[@]}"
bench_play "256 KiB objects" $((mib << 20)) "$rounds" measure "${small[@]}"
bench_report
