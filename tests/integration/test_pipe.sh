#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pipe mode in real jobs: FIFOs read as the public readers do, by one and three
# hosts, dealt and leased, closed early, gzipped, wrapped, and what the audit
# says of it.
# shellcheck disable=SC2086,SC2016,SC2154 # flags; the command's; set by eval
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

make_data "$T/data/train" 60
cat "$T"/data/train/*.txt | sort >"$T/all.txt"
ONE="$SMSHARD run --base $T/one --heartbeat 100ms --host-timeout 3s --job-name one --output $T/out"
audit() { # JOB
    run $SMSHARD status --audit --job-name "$1" --output "$T/out"
}

# --- One host -----------------------------------------------------------------
run $ONE --channel "train=$T/data/train/,mode=Pipe" -- sh -c '
    d=$SM_CHANNEL_TRAIN
    cat "${d}_0" >"$0.0"; cat "${d}_1" >"$0.1"; ls "$(dirname "$d")" >"$0.ls"' "$T/got"
check "two epochs: exit code $code" test "$code" -eq 0
(cd "$T/data/train" && cat -- *.txt) >"$T/in-order.txt"
check "epoch 0 is all objects in order" cmp "$T/in-order.txt" "$T/got.0"
check "and epoch 1" cmp "$T/in-order.txt" "$T/got.1"
check "the next FIFO is there, and no other: $(xargs <"$T/got.ls")" \
    test "$(xargs <"$T/got.ls")" = train_2
check "nothing is left at the end" test -z "$(find "$T/one/input/data" -name "train*")"
audit one
check "the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0
check "both epochs are complete" test "$(grep -c complete "$T/std.out")" -eq 2

run $ONE --channel "train=$T/data/train/,mode=Pipe,shuffle-seed=7" -- sh -c '
    d=$SM_CHANNEL_TRAIN
    for e in 0 1 2; do cat "${d}_$e" >"$0.$e"; done' "$T/shuf"
check "shuffled: exit code $code" test "$code" -eq 0
for e in 0 1 2; do
    sort "$T/shuf.$e" >"$T/shuf.sorted"
    check "epoch $e has all objects" cmp "$T/all.txt" "$T/shuf.sorted"
done
check "each epoch has an order of its own" sh -c \
    '! cmp -s "$0.0" "$0.1" && ! cmp -s "$0.1" "$0.2"' "$T/shuf"

run $ONE --channel "train=$T/data/train/,mode=Pipe" -- sh -c '
    d=$SM_CHANNEL_TRAIN
    head -c 25 "${d}_0" >"$0.0"; cat "${d}_1" >"$0.1"' "$T/early"
check "closed early: exit code $code" test "$code" -eq 0
check "the next epoch is whole" cmp "$T/in-order.txt" "$T/early.1"
audit one
check "an epoch that ended early is no gap: $(tail -n 1 "$T/std.out")" \
    test "$code" -eq 0

run $ONE --channel "train=$T/data/train/,mode=Pipe,epochs=2,deal=dynamic" -- sh -c '
    d=$SM_CHANNEL_TRAIN
    n=0; while [ -p "${d}_$n" ]; do cat "${d}_$n" >"$0.$n"; n=$((n + 1)); done
    echo "$n"' "$T/dyn"
check "dynamic: exit code $code" test "$code" -eq 0
check "as many FIFOs as epochs" test "$(cat "$T/std.out")" = 2
check "each has all" sh -c 'cmp "$0" "$1.0" && cmp "$0" "$1.1"' "$T/in-order.txt" "$T/dyn"
audit one
check "the audit of leases is exact" test "$code" -eq 0

mkdir -p "$T/zip"
echo one | gzip -c >"$T/zip/a.gz"
echo two | gzip -c >"$T/zip/b.gz"
run $ONE --channel "train=$T/zip/,mode=Pipe,compression=Gzip" -- sh -c 'cat "${SM_CHANNEL_TRAIN}_0"'
check "gzip is undone: $(xargs <"$T/std.out")" test "$(xargs <"$T/std.out")" = "one two"
run $ONE --channel "train=$T/zip/,mode=Pipe,compression=Gzip,wrapper=RecordIO" -- \
    sh -c 'od -An -tx1 -v "${SM_CHANNEL_TRAIN}_0" | tr -d " \n"'
check "and wrapped" test "$(cat "$T/std.out")" = \
    0a23d7ce040000006f6e650a0a23d7ce0400000074776f0a

# --- Bad input ----------------------------------------------------------------
mkdir -p "$T/bad"
echo plain >"$T/bad/a.txt"
fails "an object that is no gzip" 65 "a.txt" \
    $ONE --channel "train=$T/bad/,mode=Pipe,compression=Gzip" -- \
    sh -c 'cat "${SM_CHANNEL_TRAIN}_0"; sleep 60'
mkdir -p "$T/two/input/data"
: >"$T/two/input/data/train_0"
fails "a file has the FIFO's name" 65 "is no FIFO" \
    $SMSHARD run --base "$T/two" --job-name two --output "$T/out" \
    --channel "train=$T/data/train/,mode=Pipe" -- true
fails "too little memory" 65 "memory" \
    $ONE --memory 32KiB --channel "train=$T/data/train/,mode=Pipe" -- true
fails "a size that is none" 65 "is not a number of bytes" \
    $ONE --memory 1X --channel "train=$T/data/train/,mode=Pipe" -- true
run $ONE --channel "train=$T/data/train/,mode=Pipe" -- sh -c 'exit 4'
check "a channel that nobody reads is in nobody's way" test "$code" -eq 4

# --- Three hosts --------------------------------------------------------------
three() { # NAME FLAGS COMMAND...
    name=$1 flags=$2
    shift 2
    three_hosts "$name" "train=$T/data/train/,mode=Pipe,$flags" -- "$@"
}

three sharded sharded,shuffle-seed=3 sh -c '
    d=$SM_CHANNEL_TRAIN
    for e in 0 1; do cat "${d}_$e" >"$0.$SM_CURRENT_HOST.$e"; done' "$T/sh"
for e in 0 1; do
    sort "$T"/sh.*."$e" >"$T/sh.sorted"
    check "sharded: epoch $e over all hosts" cmp "$T/all.txt" "$T/sh.sorted"
    check "an equal share each" test "$(wc -l <"$T/sh.algo-2.$e")" -eq 20
done
sort "$T/sh.algo-1.0" >"$T/sh.first"
sort "$T/sh.algo-1.1" | comm -23 - "$T/sh.first" >"$T/sh.new"
check "sharded: dealt anew, $(wc -l <"$T/sh.new") of 20 are others" test "$(wc -l <"$T/sh.new")" -gt 5
audit sharded
check "sharded: the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0

# A host that is an epoch ahead does not wait for one that is behind.
three ahead sharded sh -c '
    d=$SM_CHANNEL_TRAIN
    cat "${d}_0" >"$0.$SM_CURRENT_HOST.0"
    if [ "$SM_CURRENT_HOST" = algo-2 ]; then
        until [ -e "$0.algo-1.2" ] && [ -e "$0.algo-3.2" ]; do sleep 0.05; done
    fi
    for e in 1 2; do cat "${d}_$e" >"$0.part.$SM_CURRENT_HOST"; mv "$0.part.$SM_CURRENT_HOST" "$0.$SM_CURRENT_HOST.$e"; done' "$T/ah"

three leased deal=dynamic,epochs=2 sh -c '
    d=$SM_CHANNEL_TRAIN
    for e in 0 1; do
        until [ -p "${d}_$e" ]; do sleep 0.02; done
        cat "${d}_$e" >"$0.$SM_CURRENT_HOST.$e"
    done' "$T/le"
for e in 0 1; do
    sort "$T"/le.*."$e" >"$T/le.sorted"
    check "leased: epoch $e over all hosts" cmp "$T/all.txt" "$T/le.sorted"
done
audit leased
check "leased: the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0
finish
