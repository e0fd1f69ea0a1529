#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Print the line coverage of each folder after a run of the tests.
#
#   OUT=build/cover-gcc CC=gcc tests/cover.sh
#
# gcov reads what --coverage left beside the objects; a source that no test
# ran counts with all its lines.
set -eu

case $CC in
*clang*) gcov=(llvm-cov gcov) ;;
*) gcov=("${CC/gcc/gcov}") ;;
esac
find "$OUT/obj" -name '*.gcno' ! -path '*/tests/*' ! -path '*/cluster-sim/*' \
    -print0 | sort -z | xargs -0 -r "${gcov[@]}" -n 2>/dev/null |
    LC_ALL=C awk '
    /^File / { split($0, quoted, "\047"); file = quoted[2] }
    /^Lines executed:/ && file ~ /^[a-z].*\.c$/ {
        split($0, n, /[:% ]+/)
        sub(/\/[^\/]*$/, "", file)
        print file, int(n[3] * n[5] / 100 + 0.5), n[5]
        file = ""
    }' | sort | LC_ALL=C awk '
    function row(name, hit, all) {
        printf "%-32s %6d of %6d lines %6.1f %%\n", name, hit, all,
            (all > 0 ? 100 * hit / all : 0)
    }
    NR > 1 && $1 != folder { row(folder, hit, all); hit = all = 0 }
    { folder = $1; hit += $2; all += $3; hits += $2; alls += $3 }
    END { row(folder, hit, all); row("all", hits, alls) }'
