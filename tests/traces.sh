#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same seed gives the same trace, whoever compiled the simulator: compares
# the hashes of SEEDS (200) histories over builds. Ends with
# `N passed, N failed`.
set -u

SEEDS=${SEEDS:-200}
passed=0
failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for pair in release-gcc release-clang debug-gcc asan-gcc asan-clang; do
    mode=${pair%-*}
    cc=${pair#*-}
    make --no-print-directory -j "$(nproc)" MODE="$mode" CC="$cc" \
        "build/$pair/cluster-sim" >"$folder/log" 2>&1 || cat "$folder/log"
    for ((seed = 1; seed <= SEEDS; seed++)); do
        "build/$pair/cluster-sim" --seed "$seed" --hash |
            grep -E "^hash|FAILED"
    done >"$folder/$pair" 2>&1
    if [ -s "$folder/$pair" ] &&
        cmp -s "$folder/release-gcc" "$folder/$pair"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $pair gives other traces than release-gcc"
        diff "$folder/release-gcc" "$folder/$pair" | head -n 5
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
