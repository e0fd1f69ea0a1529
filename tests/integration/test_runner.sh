#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does the runner of the tests count what happens, and fail when it must?
set -u

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

program() { # program NAME, its shell text from stdin
    { echo '#!/bin/sh'; cat; } >"$folder/$1"
    chmod +x "$folder/$1"
}

expect() { # expect LAST-LINE EXIT-CODE PROGRAM…
    local want=$1 want_rc=$2 said rc
    shift 2
    said=$(tests/run.sh try "${@/#/$folder/}" 2>&1)
    rc=$?
    if [ "${said##*$'\n'}" = "$want" ] && [ $rc = "$want_rc" ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "FAILED $*: exit code $rc, want $want_rc and: $want"
    printf '%s\n' "$said"
}

program good <<<'echo 3 passed, 0 failed'
program also.sh <<<'echo "check: 2 passed, 0 failed"'
program bad <<<'echo 3 passed, 2 failed; exit 1'
program liar <<<'echo 3 passed, 0 failed; exit 1'
program crash <<<'kill -SEGV $$'
program mute <<<'exit 0'
program none <<<'echo 0 passed, 0 failed'
program hang <<<'echo 1 passed, 0 failed; exec sleep 60'
program skip <<<'echo "skipped: no such thing here"'
program early <<<'echo "skipped: a part"; echo 1 passed, 1 failed; exit 1'
program broken <<<'echo "skipped: not really"; exit 1'

expect 'try: 3 passed, 0 failed' 0 good
expect 'try: 3 passed, 0 failed' 0 good skip
expect 'try: 0 passed, 0 failed' 1 skip
expect 'try: 4 passed, 1 failed' 1 good early
expect 'try: 3 passed, 1 failed' 1 good broken
expect 'try: 5 passed, 0 failed' 0 good also.sh
expect 'try: 6 passed, 2 failed' 1 good bad
expect 'try: 3 passed, 1 failed' 1 liar
expect 'try: 3 passed, 1 failed' 1 good crash
expect 'try: 3 passed, 1 failed' 1 good mute
expect 'try: 3 passed, 1 failed' 1 good none
TEST_LIMIT_S=5 expect 'try: 4 passed, 1 failed' 1 good hang
expect 'try: 3 passed, 1 failed' 1 good not_there
expect 'try: 0 passed, 0 failed' 1

echo "$passed passed, $failed failed"
[ $failed = 0 ]
