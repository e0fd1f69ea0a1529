#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run test programs and add up their counts.
#
#   tests/run.sh TITLE PROGRAM…     from the root of the tree
#
# One line a program, the full output only of one that failed, and at the end
# `TITLE: N passed, N failed`. A program passes if its last line is
# `N passed, 0 failed` with N > 0 and it exits with 0; one that crashed, hung
# or printed no such line counts as one failure more; one whose last line is
# `skipped: WHY` and that exits with 0 is shown, and not counted.
#
# Programs run two a core at a time, since many wait; scripts (.sh) after them,
# which start whole jobs, one more than there are cores. JOBS=N: N of both.
# Each has TEST_LIMIT_S (600) seconds. fuzz_x is given tests/fuzz/corpus/x.
set -u

cores=$(nproc)
TEST_LIMIT_S=${TEST_LIMIT_S:-600}
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-suppressions=$PWD/tests/tsan.supp}"

# The thread sanitizers of gcc 12 and clang 14 do not start under the address
# randomisation of newer kernels; a container may not be allowed to ask.
prefix() {
    [ "${MODE:-}" = tsan ] && setarch -R true 2>/dev/null && echo setarch -R
}

# Run program $2, keep its output and one line "PASSED FAILED" in folder $1.
run_one() {
    local results=$1 program=$2 name=${2##*/} args=() passed failed line
    local start=$EPOCHREALTIME rc word=ok
    local log=$results/$name.log

    case $name in fuzz_*) args=("tests/fuzz/corpus/${name#fuzz_}") ;; esac
    [[ $program == */* ]] || program=./$program
    # shellcheck disable=SC2046 # two words or none
    $(prefix) timeout -k 5 "$TEST_LIMIT_S" "$program" "${args[@]}" \
        >"$log" 2>&1 </dev/null &
    # shellcheck disable=SC2064 # this very process
    trap "kill $! 2>/dev/null; exit 130" INT TERM
    wait $!
    rc=$?
    [ $rc = 124 ] && echo "no end after $TEST_LIMIT_S s" >>"$log"
    line=$(grep -Eo '[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
    read -r passed _ failed _ <<<"${line:-0 passed, 1 failed}"
    if [ $rc = 0 ] && [[ $(tail -n 1 "$log") == skipped:* ]]; then
        passed=0 failed=0 word=skip
    elif [ "$failed" = 0 ] && { [ $rc != 0 ] || [ "$passed" = 0 ]; }; then
        failed=1
    fi
    echo "$passed $failed" >"$results/$name.count"
    [ "$failed" = 0 ] || word=FAIL
    LC_ALL=C awk -v w=$word -v n="$name" -v p="$passed" -v f="$failed" \
        -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {
            printf "%-4s %-32s %6d passed %3d failed %7.1f s\n",
                w, n, p, f, b - a }'
    [ "$word" = ok ] && return
    sed 's/^/     | /' "$log"
    [ -n "$line" ] || [ $word = skip ] || echo "     | (exit code $rc and no count line)"
}

if [ "$1" = --one ]; then
    out=$(run_one "$2" "$3")
    printf '%s\n' "$out"
    exit 0
fi

title=$1
shift
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
programs=()
scripts=()
for t in "$@"; do
    case $t in *.sh) scripts+=("$t") ;; *) programs+=("$t") ;; esac
done
each() {
    local jobs=$1
    shift
    [ $# = 0 ] || printf '%s\0' "$@" |
        xargs -0 -n 1 -P "$jobs" "$0" --one "$results"
}
# What takes longest begins first, so that nothing is waited for alone.
long='test_(store_s3|store_s3_way|save|save_note|job_sim|child|net_hostile)$'
long+='|test_(failover|s3|memory|sim|doctor|job|split|python)[.]sh$'
long_first() {
    printf '%s\n' "$@" | grep -E "$long"
    printf '%s\n' "$@" | grep -vE "$long"
}
mapfile -t programs < <(long_first ${programs[@]+"${programs[@]}"} | sed '/^$/d')
mapfile -t scripts < <(long_first ${scripts[@]+"${scripts[@]}"} | sed '/^$/d')
each "${JOBS:-$((2 * cores))}" "${programs[@]}"
each "${JOBS:-$((cores + 1))}" "${scripts[@]}"

# Each program must have left its count: a runner that was killed is a failure.
passed=0
failed=0
for t in "$@"; do
    read -r p f 2>/dev/null <"$results/${t##*/}.count" || { p=0 f=1; }
    passed=$((passed + p))
    failed=$((failed + f))
done
echo "$title: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
