#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Ring mode in real jobs: ranks read their units out of shared memory, over one
# and three hosts, dealt and leased; processes and a host die; what the audit
# says of it.
# shellcheck disable=SC2086,SC2016,SC2154 # flags; the command's; set by eval
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

make_data "$T/data/train" 60
cat "$T"/data/train/*.txt | sort >"$T/all.txt"
CAT=$(dirname "$SMSHARD")/tests/tools/ring_cat
[ -x "$CAT" ] || CAT=$PWD/$CAT
export CAT
ONE="$SMSHARD run --base $T/one --heartbeat 100ms --host-timeout 3s --job-name one --output $T/out"
audit() { # JOB
    run $SMSHARD status --audit --job-name "$1" --output "$T/out"
    check "$1: the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0
}
all_of() { # WHAT FILES...: together they are all objects
    what=$1
    shift
    cat "$@" | sort >"$T/sorted"
    check "$what" cmp "$T/all.txt" "$T/sorted"
}

# --- One host -----------------------------------------------------------------
run $ONE --channel "train=$T/data/train/,mode=Ring,epochs=3,shuffle-seed=5" -- \
    "$CAT" train 0 "$T/a"
check "three epochs: exit code $code" test "$code" -eq 0
for e in 0 1 2; do all_of "epoch $e has all" "$T/a.$e"; done
check "each in an order of its own" sh -c '! cmp -s "$0.0" "$0.1"' "$T/a"
audit one

run $ONE --ranks 3 --channel "train=$T/data/train/,mode=Ring,deal=balanced" -- sh -c '
    for r in 0 1 2; do "$CAT" train $r "$0.$r" & done; wait' "$T/b"
check "three ranks: exit code $code" test "$code" -eq 0
all_of "they have all between them" "$T"/b.*.0
check "and an equal share each" test "$(wc -l <"$T/b.1.0")" -eq 20
audit one

run $ONE --ranks 2 --channel "train=$T/data/train/,mode=Ring,deal=dynamic,epochs=2" -- sh -c '
    for r in 0 1; do "$CAT" train $r "$0.$r" & done; wait' "$T/c"
check "leased: exit code $code" test "$code" -eq 0
for e in 0 1; do all_of "leased: epoch $e has all" "$T"/c.*.$e; done
audit one

# Loaders of one rank share its units; one of them is killed.
run $ONE --memory 1MiB --channel "train=$T/data/train/,mode=Ring,epochs=2" -- sh -c '
    "$CAT" train 0 "$0.1" 5 & "$CAT" train 0 "$0.2" & "$CAT" train 0 "$0.3" & wait' "$T/d"
check "a loader is killed: exit code $code" test "$code" -eq 0
for e in 0 1; do
    cat "$T"/d.[123].$e 2>/dev/null | sort -u >"$T/sorted"
    check "nothing is lost in epoch $e" cmp "$T/all.txt" "$T/sorted"
done
audit one

# --- Bad input ----------------------------------------------------------------
run $ONE --channel "train=$T/data/train/,mode=Ring" -- "$CAT" other 0 "$T/e"
check "no such channel: $(grep ring_cat: "$T/std.err")" grep -q other "$T/std.err"
run $ONE --channel "train=$T/data/train/,mode=Ring" -- "$CAT" train 7 "$T/e"
check "rank out of range: $(grep ring_cat: "$T/std.err")" \
    grep -q "train: there is no rank 7 on this host; it has 1" "$T/std.err"
fails "too little memory" 65 "memory" \
    $ONE --memory 32KiB --channel "train=$T/data/train/,mode=Ring" -- true
fails "gzip" 78 "needs Pipe" \
    $ONE --channel "train=$T/data/train/,mode=Ring,compression=Gzip" -- true
check "nothing is left" test ! -S "$T/one/input/data/.smshard/rings/socket"

# --- Three hosts --------------------------------------------------------------
three() { # NAME FLAGS COMMAND...
    job=$1 flags=$2
    shift 2
    for n in 1 2 3; do
        start "h$n" host "$n" 3 --job-name "$job" --output "$T/out" \
            --on-failure keep --channel "train=$T/data/train/,mode=Ring,$flags" -- "$@"
        eval "p$n=$pid"
    done
}
three_end() {
    for n in "$@"; do
        eval "ended \$p$n"
        check "$job: host $n ends with 0, not $code: $(tail -n 1 "$T/h$n.err")" \
            test "$code" -eq 0
    done
}
three dealt sharded,epochs=2 sh -c '"$CAT" train 0 "$0.$SM_CURRENT_HOST"' "$T/f"
three_end 1 2 3
for e in 0 1; do all_of "dealt: epoch $e over all hosts" "$T"/f.*.$e; done
audit dealt

# A host dies with what it had; the others read it.
three killed deal=dynamic sh -c '
    if [ "$SM_CURRENT_HOST" = algo-3 ]; then
        "$CAT" train 0 "$0.dead" 3; touch "$0.now"; sleep 100
    fi
    until [ -e "$0.now" ]; do sleep 0.05; done
    "$CAT" train 0 "$0.$SM_CURRENT_HOST"' "$T/g"
until_true 400 test -e "$T/g.now"
kill -9 "$p3"
three_end 1 2
sort -u "$T"/g.algo-*.0 "$T"/g.dead.0 >"$T/sorted"
check "nothing is lost with a host" cmp "$T/all.txt" "$T/sorted"
audit killed
finish
