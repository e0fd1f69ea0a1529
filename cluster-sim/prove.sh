#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside the cluster's image. `prove make-data` fills the store with objects of
# uneven size; `prove` checks what the job made of them, `prove taken JOB LOST`
# what that job made of them whose host LOST was killed.
# Ends with `N passed, N failed`.
set -u
data=/tmp/data/train
bucket=s3://smshard
out=/tmp/out/cluster/output
passed=0
failed=0

sums() { # FOLDER: a line of checksum and path for each of its files
    (cd "$1" && find . -type f -exec sha256sum {} +) | sed 's| \./| |' |
        sort -k 2
}

make_data() {
    i=0
    while [ "$i" -lt 90 ]; do
        i=$((i + 1))
        mkdir -p "$data/part-$((i % 5))"
        head -c $((i * i * 13)) /dev/urandom >"$data/part-$((i % 5))/$i.bin"
    done
    sums "$data" >/tmp/data/want.txt
    test "$(wc -l </tmp/data/want.txt)" = 90 || return 1
    # The server may have been started a moment ago.
    for _ in $(seq 60); do
        if store_copy put /tmp/data "$bucket/data/" 2>/tmp/said; then
            return 0
        fi
        sleep 1
    done
    cat /tmp/said
    return 1
}

prove() { # WHAT COMMAND...
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

# Each host has its own model and checkpoint, nobody else's, and no host more.
lie_apart() {
    for h in algo-1 algo-2 algo-3; do
        [ "$(find "$out/$h/model" -type f)" = "$out/$h/model/model-$h.txt" ] &&
            [ "$(cat "/tmp/checkpoints/$h/step-1.txt")" = "step 1 of $h" ] &&
            [ -s "$out/$h/data/read.txt" ] || return 1
    done
    [ "$(find "$out" -type f | wc -l)" = 6 ] &&
        [ "$(find /tmp/checkpoints -name '*.txt' | wc -l)" = 3 ]
}

# Those that lived have saved their model, and the one that was lost has not.
lies_without() { # HOST
    for h in algo-1 algo-2 algo-3; do
        saved=no
        [ "$(cat "$out/$h/model/model-$h.txt" 2>/dev/null)" != "model of $h" ] ||
            saved=yes
        [ "$h" = "$1" ] || [ $saved = yes ] || return 1
        [ "$h" != "$1" ] || [ $saved = no ] || return 1
    done
}

prove_taken() { # JOB LOST
    out=/tmp/out/$1/output
    cut -d ' ' -f 1 /tmp/data/want.txt | sort >/tmp/want.txt
    cat /signal/read-* | cut -d ' ' -f 1 | sort >/tmp/got.txt
    sort -u /tmp/got.txt >/tmp/once.txt
    prove "all 90 objects were read, byte for byte" \
        cmp /tmp/want.txt /tmp/once.txt
    prove "none twice, but for the one that $2 died with" \
        test "$(($(wc -l </tmp/got.txt) - 90))" -le 1
    prove "the audit says so too: each was committed once" \
        smshard status --audit --job-name "$1"
    prove "$2 has saved nothing, the others their models" lies_without "$2"
}

if [ "${1:-}" = make-data ]; then
    make_data
    exit
fi
rm -rf /tmp/out /tmp/checkpoints
for what in out checkpoints data; do
    store_copy get "$bucket/$what/" "/tmp/$what" || exit 1
done 2>/tmp/said
if [ "${1:-}" = taken ]; then
    prove_taken "$2" "$3"
else
    cat "$out"/*/data/read.txt | sort -k 2 >/tmp/got.txt
    prove "all 90 objects were read, byte for byte" \
        cmp /tmp/data/want.txt /tmp/got.txt
    prove "no object was read twice" test -z "$(sort /tmp/got.txt | uniq -d)"
    prove "outputs and checkpoints lie apart, one place a host" lie_apart
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
