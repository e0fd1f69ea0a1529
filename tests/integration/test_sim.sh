#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The simulated cluster: its stories, word for word as in tests/data/stories/
# (UPDATE=1 writes them anew), the seeds with a name, and SEEDS (1000) others.
# Ends with `N passed, N failed`.
set -u

SIM=${OUT:-build/release-gcc}/cluster-sim
SEEDS=${SEEDS:-1000}
stories=tests/data/stories
passed=0
failed=0

count() { # OK? WHAT
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $2"
    fi
}

for story in $("$SIM" --story list); do
    [ -z "${UPDATE:-}" ] || "$SIM" --story "$story" >"$stories/$story.txt"
    diff -u "$stories/$story.txt" <("$SIM" --story "$story" 2>&1) | head -n 20
    count "${PIPESTATUS[0]}" "the story $story"
done
for told in "$stories"/*.txt; do
    "$SIM" --story list | grep -qx "$(basename "$told" .txt)"
    count $? "$told: there is no such story"
done

said=$("$SIM" --all "$SEEDS" 2>&1)
grep -E '^(seed|CHECK)|BROKEN' <<<"$said"
sed '$d' <<<"$said" | grep -E ' seeds in '
read -r p _ f _ <<<"$(tail -n 1 <<<"$said")"
passed=$((passed + ${p:-0}))
failed=$((failed + ${f:-1}))
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
