#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a gigabyte costs when lanes fetch it into slots, with nginx as the
# server on loopback, from the page cache.
#
#   OUT=build/release-gcc tests/bench/fetch.sh [ROUNDS] [MIB] [PART]
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

mib=${2:-1024}
bench_need nginx openssl curl
bench_bytes "$DATA/bench/big" $((mib << 20))
bench_bytes "$DATA/bench/small" 262144
bench_origin_start
${UNDER:-} "$OUT/tests/bench/bench_fetch" "$url" "${1:-7}" "$mib" "${3:-}"
