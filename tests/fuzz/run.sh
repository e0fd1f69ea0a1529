#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzz each target for some seconds, starting from a copy of its corpus.
#
#   OUT=FOLDER tests/fuzz/run.sh SECONDS FUZZER…
#
# Findings stay in OUT/fuzz/NAME/ with the log; new inputs worth keeping are
# in OUT/fuzz/NAME/corpus. The last line is `fuzz: N passed, N failed`.
set -u

seconds=$1
shift
passed=0
failed=0
for program in "$@"; do
    name=${program##*/fuzz_}
    work=$OUT/fuzz/$name
    rm -rf "$work"
    mkdir -p "$work/corpus"
    cp "tests/fuzz/corpus/$name"/* "$work/corpus/" 2>/dev/null ||
        echo "     fuzz_$name: no corpus in tests/fuzz/corpus/$name"
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" \
        >"$work/log" 2>&1; then
        passed=$((passed + 1))
        word=ok
    else
        failed=$((failed + 1))
        word=FAIL
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
    printf '%-4s fuzz_%-27s %10s runs, %s inputs kept\n' $word "$name" \
        "${runs:-0}" "$(find "$work/corpus" -type f | wc -l)"
    [ $word = ok ] || grep -m 1 -A 24 ERROR "$work/log" | sed 's/^/     | /'
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" = 0 ]
