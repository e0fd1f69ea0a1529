#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside the cluster's image. `prove make-data` fills the store with objects of
# uneven size; `prove` checks what the job made of them.
# Ends with `N passed, N failed`.
set -u
data=/store/data/train
out=/store/out/cluster/output

sums() { (cd "$1" && find . -type f -exec sha256sum {} +) | sed 's| \./| |' | sort -k 2; }

if [ "${1:-}" = make-data ]; then
    mkdir -p "$data"
    i=0
    while [ "$i" -lt 90 ]; do
        i=$((i + 1))
        mkdir -p "$data/part-$((i % 5))"
        head -c $((i * i * 13)) /dev/urandom >"$data/part-$((i % 5))/$i.bin"
    done
    sums "$data" >/store/want.txt
    exit 0
fi

passed=0
failed=0
prove() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "  ok      $what"
    else
        failed=$((failed + 1))
        echo "  FAILED  $what"
    fi
}
apart() {
    for h in algo-1 algo-2 algo-3; do
        [ "$(find "$out/$h/model" -type f)" = "$out/$h/model/model-$h.txt" ] || return 1
        [ "$(cat "/store/checkpoints/$h/step-1.txt")" = "step 1 of $h" ] || return 1
    done
}
cat "$out"/*/data/read.txt | sort -k 2 >/tmp/got.txt
prove "every object was read, byte for byte" cmp -s /store/want.txt /tmp/got.txt
prove "no object was read twice" test -z "$(sort /tmp/got.txt | uniq -d)"
prove "outputs and checkpoints lie apart, one place a host" apart
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
