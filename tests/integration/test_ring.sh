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

# --- How slots are dealt to processes ------------------------------------------
# All members of a broadcast see all units, in order; each is committed once.
run $ONE --ring-mode broadcast --ring-consumers 2 \
    --channel "train=$T/data/train/,mode=Ring,epochs=2,shuffle-seed=5" -- sh -c '
    "$CAT" train 0 "$0.0" 0 3 0 & "$CAT" train 0 "$0.1" 0 3 1; a=$?; wait $! && exit $a' "$T/b2"
check "broadcast: exit code $code" test "$code" -eq 0
for e in 0 1; do
    all_of "broadcast: member 0 has all of epoch $e" "$T/b2.0.$e"
    check "and member 1, in the same order" cmp "$T/b2.0.$e" "$T/b2.1.$e"
done
audit one
check "each unit is committed once" grep -q "^ *120 .* train " "$T/std.out"

# One member dies: another one comes in its place, or the rest goes on alone.
run $ONE --memory 1MiB --channel "train=$T/data/train/,mode=Ring,ring-mode=broadcast,ring-consumers=2" -- sh -c '
    "$CAT" train 0 "$0.0" 0 3 0 &
    "$CAT" train 0 "$0.1" 5 3 1; "$CAT" train 0 "$0.2" 0 3 1; a=$?; wait $! && exit $a' "$T/b3"
check "broadcast, redeliver: exit code $code" test "$code" -eq 0
all_of "the other member has all" "$T/b3.0.0"
cat "$T"/b3.[12].0 | sort -u >"$T/sorted"
check "and the two of the second place have all" cmp "$T/all.txt" "$T/sorted"
audit one
run $ONE --ring-lost drop --channel "train=$T/data/train/,mode=Ring,ring-mode=broadcast,ring-consumers=2" -- sh -c '
    "$CAT" train 0 "$0.0" 0 3 0 & "$CAT" train 0 "$0.1" 5 3 1; wait $!' "$T/b4"
check "broadcast, drop: exit code $code" test "$code" -eq 0
all_of "who is left has all" "$T/b4.0.0"
audit one

# An exclusive ring has one reader at a time.
run $ONE --channel "train=$T/data/train/,mode=Ring,ring-mode=exclusive" -- sh -c '
    "$CAT" train 0 "$0.1" -2 1 & until [ -e "$0.1.0" ]; do sleep 0.05; done
    "$CAT" train 0 "$0.2" 0 1 -1 2000 && exit 9
    "$CAT" train 0 "$0.2" 0 2 && exit 8
    kill -CONT $!; wait $!' "$T/x"
check "exclusive: exit code $code" test "$code" -eq 0
all_of "the one reader has all" "$T/x.1.0"
check "the second is refused: $(grep ring_cat: "$T/std.err" | head -n 1)" \
    grep -q "in mode exclusive, and process [1-9][0-9]* reads it" "$T/std.err"
check "and whoever wants another mode: $(grep ring_cat: "$T/std.err" | tail -n 1)" \
    grep -q "delivered in mode exclusive, not share" "$T/std.err"
check "the second had nothing" test ! -e "$T/x.2.0"
audit one
run $ONE --channel "train=$T/data/train/,mode=Ring,ring-mode=exclusive" -- sh -c '
    "$CAT" train 0 "$0.1" 5; "$CAT" train 0 "$0.2"' "$T/x2"
check "exclusive, redeliver: exit code $code" test "$code" -eq 0
cat "$T"/x2.[12].0 >"$T/both"
sort -u "$T/both" >"$T/sorted"
check "who comes next goes on with the slot that it had" cmp "$T/all.txt" "$T/sorted"
audit one

# Four loaders lose nothing and share nothing.
run $ONE --memory 1MiB --channel "train=$T/data/train/,mode=Ring,ring-mode=share,ring-consumers=4" -- sh -c '
    for i in 1 2 3 4; do "$CAT" train 0 "$0.$i" 0 2 & done; wait' "$T/s"
check "share: exit code $code" test "$code" -eq 0
all_of "four loaders have all between them, once" "$T"/s.*.0
audit one

# What a dead loader held is skipped where the job says so: the slot, here of a
# few units. More than may be is an error.
mkdir "$T/data/wide"
for i in $(seq 30); do
    { printf 'object %s ' "$i"; head -c 40000 /dev/zero | tr '\0' x; echo; } >"$T/data/wide/$i"
done
drop() { # SKIP
    run $ONE --memory 1MiB --channel "train=$T/data/wide/,mode=Ring,ring-lost=drop,skip=$1" -- sh -c '
        for i in 1 2 3; do "$CAT" train 0 "$0.$i" 2; done; "$CAT" train 0 "$0.4"' "$T/l$1"
}
drop 20
check "share, drop: exit code $code" test "$code" -eq 0
audit one
n=$(wc -l <"$T/l20.4.0")
check "some are dropped: $n of 30 are left" test "$n" -le 27
# Who dies has given its first unit back before, if that came in a slot of its own.
read -r got lost _ <<EOF
$(grep ' train ' "$T/std.out")
EOF
check "and the audit counts them: $got and $lost" test "$got" -ge "$n" -a \
    "$got" -le $((n + 3)) -a $((got + lost)) -eq 30
drop 2
check "more than may be: $(said)" grep -q "what it held is dropped" "$T/std.err"
check "is an error: exit code $code" test "$code" -ne 0
fails "broadcast to how many?" 65 "needs RingConsumers" \
    $ONE --ring-mode broadcast --channel "train=$T/data/train/,mode=Ring" -- true
fails "drop how much?" 65 "needs Skip" \
    $ONE --ring-lost drop --channel "train=$T/data/train/,mode=Ring" -- true

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

# --- What the status shows -------------------------------------------------------
# Its reader is stopped with the third unit in hand; the first two are consumed if
# the slots they came in were theirs alone.
run $ONE --channel "train=$T/data/train/,mode=Ring,ring-mode=exclusive" -- sh -c '
    "$CAT" train 0 "$0" -3 &
    for i in $(seq 600); do
        "$1" status --job-name one --output "$2" >"$0.screen"
        ! grep -q "^streams: .* 1 by their consumer" "$0.screen" || break
        sleep 0.1
    done
    "$1" status --json --job-name one --output "$2" >"$0.json"
    kill -CONT $!; wait $!' "$T/st" "$SMSHARD" "$T/out"
check "a stream that is looked at: exit code $code" test "$code" -eq 0
check "it has handed over: $(grep -o '"streams".*"placed"' "$T/st.json")" \
    grep -q '"channel":"train","rank":0,"mode":"Ring","epoch":0,"units":60,"units_done":[0-2],' "$T/st.json"
check "the screen says who waits for whom: $(grep '^vm\|Ring' "$T/st.screen")" \
    grep -q "^streams: 1 with .*, 1 by their consumer" "$T/st.screen"

# A rank that keeps the others waiting is told once, however many leases it has.
run $ONE --ranks 2 --channel "train=$T/data/train/,mode=Ring,deal=dynamic" -- sh -c '
    "$CAT" train 1 "$0.1" -1 & slow=$!
    until [ -e "$0.1.0" ] || grep -q "^State:.T" /proc/$slow/status; do sleep 0.05; done
    "$CAT" train 0 "$0.0" & n=0
    until "$1" status --json --job-name one --output "$2" >"$0.json" &&
        grep -q "\"left\":" "$0.json" || [ "$n" -gt 100 ]; do n=$((n + 1)); sleep 0.1; done
    kill -CONT $slow; wait' "$T/slow" "$SMSHARD" "$T/out"
check "a straggler: exit code $code" test "$code" -eq 0
check "is told once: $(grep -o '"stragglers":[^]]*' "$T/slow.json")" \
    grep -q '"stragglers":\[{"host":"[^"]*","rank":1,"left":[0-9]*}\]' "$T/slow.json"

# --- Memory -------------------------------------------------------------------
# Second answers are within the cap as well: of 64 MiB a slot.
run $ONE --memory 64MiB --channel "train=$T/data/train/,mode=Ring" -- "$CAT" train 0 "$T/m"
check "the plan: $(grep -o 'memory.planned.*' "$T/std.err")" \
    grep -q "cap=67108864 used=67108864 slot=8388608 hedges=8388608" "$T/std.err"
run $ONE --placement-table 0000:10:1c.0=0 --channel "train=$T/data/train/,mode=Ring" -- "$CAT" train 0 "$T/table"
check "a table of what is not there: exit code $code" test "$code" -eq 0
check "is warned of" grep -q 'warn placement.odd note=.*0000:10:1c.0, which is no GPU' "$T/std.err"
huge() { # WORD
    run $ONE --memory 16MiB --hugepages "$1" --channel "train=$T/data/train/,mode=Ring" -- \
        "$CAT" train 0 "$T/huge.$1"
}
huge try
check "huge pages, if there are any: exit code $code" test "$code" -eq 0
cp "$T/std.err" "$T/one.try"
all_of "all has come" "$T/huge.try.0"
huge need
if grep -q 'HugePages_Free: *[1-9]' /proc/meminfo; then
    all_of "there are huge pages, and all comes in them" "$T/huge.need.0"
else
    check "that there are none is an error: $(said)" test "$code" -eq 70
    check "that says what to do" grep -q "vm.nr_hugepages" "$T/std.err"
    check "and where they need not be a warning" grep -q "hugepages.absent" "$T/one.try"
fi
fails "less than a page" 70 "less than a page of 2 MiB" \
    $ONE --memory 1MiB --hugepages need --channel "train=$T/data/train/,mode=Ring" -- true

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
until_true test -e "$T/g.now"
kill -9 "$p3"
three_end 1 2
sort -u "$T"/g.algo-*.0 "$T"/g.dead.0 >"$T/sorted"
check "nothing is lost with a host" cmp "$T/all.txt" "$T/sorted"
audit killed
finish
