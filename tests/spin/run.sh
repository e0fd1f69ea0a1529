#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Search all states of lease.pml with spin, and show that it would find each of
# the mistakes that its flags plant. Needs spin and gcc. Usage:
#
#   tests/spin/run.sh
#
# The last line is `N passed, N failed`.
set -u

cd "$(dirname "$0")" || exit 1
model=$PWD/lease.pml
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0
failed=0

# search FLAGS…: the outcome is in the file log.
search() {
    rm -f pan* log ./*.trail
    {
        spin -a "$@" "$model" &&
            gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=6000 -o pan pan.c &&
            timeout 300 ./pan -m1000000
    } >log 2>&1
}

tell() {
    local states
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' log)
    printf '%-4s %-58s %9s states\n' "$1" "$2" "${states:-0}"
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        sed 's/^/     | /' log | head -30
    fi
}

# All states, and no error in any.
holds() {
    search "$@"
    if grep -q 'errors: 0$' log && ! grep -q 'Search not completed' log &&
        ! grep -q 'max search depth too small' log; then
        tell ok "holds: $*"
    else
        tell FAIL "holds: $*"
    fi
}

# A planted mistake: a promise is broken.
breaks() {
    search "$@"
    if grep -q 'pan:1: assertion violated' log &&
        ! grep -q 'invalid array index' log; then
        tell ok "found: $*"
    else
        tell FAIL "found: $*"
    fi
}

holds -DHOSTS=2 -DTERMS=3
holds -DHOSTS=3 -DTERMS=2 -DSNAPSHOTS=1
holds -DHOSTS=3 -DTERMS=3 -DSNAPSHOTS=1 -DCRASHES=0 -DLEASES=1
breaks -DHOSTS=2 -DREACH
breaks -DHOSTS=2 -DNO_CONDITION
breaks -DHOSTS=2 -DNO_SEAL
breaks -DHOSTS=2 -DNO_REREAD
breaks -DHOSTS=2 -DNO_TERM_CHECK
breaks -DHOSTS=2 -DACK_EARLY
breaks -DHOSTS=2 -DSEALS_DELETED
breaks -DHOSTS=2 -DSNAPSHOT_BLIND
breaks -DHOSTS=3 -DSNAPSHOTS=1 -DCRASHES=0 -DLEASES=1 -DREREAD_WEAK
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
