#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every check of the source that needs no run of it; from the root of a tree.
#
#   tests/lint/run.sh             all: format rules shellcheck cppcheck tidy
#   tests/lint/run.sh CHECK…      some of them
#   tests/lint/run.sh fmt         format the C files in place
#
# Each finding is a line `PATH:LINE: RULE: what is wrong`. One line a check
# with its seconds; the last line is `lint: N passed, N failed`, in checks.
set -u

here=$(dirname "$0")
OUT=${OUT:-build/lint}
format=$(command -v clang-format-14 || command -v clang-format)

files() { # Those that git knows or would add, and that are there.
    local f
    git ls-files -co --exclude-standard -- "$@" | sort -u |
        while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

check_format() {
    local f found=0
    for f in "${c_files[@]}"; do
        "$format" --dry-run -Werror "$f" >/dev/null 2>&1 && continue
        # The first line that would change, then the way out.
        echo "$f:$("$format" "$f" | cmp "$f" - |
            sed 's/.* line //'): format: run make fmt"
        found=1
    done
    return $found
}

check_rules() {
    "$here/rules.py"
}

check_shellcheck() {
    local scripts
    mapfile -t scripts < <(files | xargs -d '\n' -r grep -lIE \
        --max-count=1 '^#!.*\b(ba|da)?sh$|^# shellcheck shell=')
    [ ${#scripts[@]} = 0 ] || shellcheck -f gcc "${scripts[@]}" |
        sed -E 's/^([^:]*:[0-9]*):[0-9]*: [a-z]*: /\1: shellcheck: /'
    return "${PIPESTATUS[0]}"
}

# ctuuninitvar: it takes what a function writes for what it reads.
check_cppcheck() {
    mkdir -p "$OUT/lint/cppcheck"
    cppcheck --quiet -j "$(nproc)" --std=c11 -I. -D_GNU_SOURCE -DSMSHARD_VERSION='""' \
        --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --error-exitcode=1 \
        --suppress=readdirCalled --suppress=ctuuninitvar --library=posix --library="$here/cppcheck.cfg" \
        --cppcheck-build-dir="$OUT/lint/cppcheck" \
        --template='{file}:{line}: cppcheck: {message} [{id}]' \
        "${c_files[@]}" 2>&1 | sort -u
    return "${PIPESTATUS[0]}"
}

check_tidy() {
    local sources
    mapfile -t sources < <(files '*.c')
    CACHE=$OUT/lint/tidy "$here/tidy.sh" "${sources[@]}" |
        awk '!seen[$0]++' # A header is read once for each file.
    return "${PIPESTATUS[0]}"
}

mapfile -t c_files < <(files '*.c' '*.h')
if [ "${1:-}" = fmt ]; then
    exec "$format" -i "${c_files[@]}"
fi
[ $# -gt 0 ] || set -- format rules shellcheck cppcheck tidy
passed=0
failed=0
for check in "$@"; do
    start=$EPOCHREALTIME
    if out=$("check_$check"); then
        word=ok
        passed=$((passed + 1))
    else
        word=FAIL
        failed=$((failed + 1))
    fi
    [ -z "$out" ] || printf '%s\n' "$out"
    LC_ALL=C awk -v w=$word -v n="$check" -v a="$start" \
        -v b="$EPOCHREALTIME" \
        'BEGIN { printf "%-4s %-32s %.1f s\n", w, n, b - a }'
done
echo "lint: $passed passed, $failed failed"
[ $failed = 0 ]
