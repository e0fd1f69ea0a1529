#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One large object of each format, cut at records and read by four ranks, in
# real jobs: each record comes once and whole, over FIFOs and rings.
# shellcheck disable=SC2086,SC2016,SC2154 # flags; the command's; set by eval
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: there is no python3"
    exit 0
fi
RECORDS="python3 -B $PWD/tests/integration/records.py"
BYTES=${BYTES:-16000000}
audit() { # JOB
    run $SMSHARD status --audit --job-name "$1" --output "$T/out"
    check "$1: the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0
}
all_of() { # WHAT FORMAT FILES...: lists that are together that of the object
    what=$1 want=$2
    shift 2
    sort "$@" >"$T/sorted"
    check "$what: each record once" cmp "$T/$want.hash" "$T/sorted"
}

# --- Objects ------------------------------------------------------------------
mkdir -p "$T/files" "$T/lines"
check "lines are made" $RECORDS make lines "$T/lines/shard-0" "$BYTES"
check "files are made" $RECORDS make files "$T/files" "$BYTES"
for f in tar recordio tfrecord; do
    run $SMSHARD pack --format $f --size 200MB "$T/files/" "$T/$f"
    check "$f: one object: exit code $code" test "$(find "$T/$f" -name 'shard-*' | wc -l)" -eq 1
done
rm -r "$T/files"
for f in lines tar recordio tfrecord; do
    $RECORDS hash $f "$(ls "$T/$f/"shard-*)" | sort >"$T/$f.hash"
    check "$f: many records: $(wc -l <"$T/$f.hash")" test "$(wc -l <"$T/$f.hash")" -gt 100
done

# --- Four hosts, FIFOs --------------------------------------------------------
for f in lines tar recordio tfrecord; do
    for n in 1 2 3 4; do
        start "h$n" host "$n" 4 --job-name "pipe-$f" --output "$T/out" --channel \
            "train=$T/$f/shard-,mode=Pipe,deal=balanced,split=yes,records=$f,epochs=2,shuffle-seed=4" -- sh -c '
            for e in 0 1; do cat "${SM_CHANNEL_TRAIN}_$e" >"$0.$e.$SM_CURRENT_HOST"; done' "$T/part"
        eval "p$n=$pid"
    done
    for n in 1 2 3 4; do
        eval "ended \$p$n"
        check "pipe-$f: host $n ends with 0, not $code: $(tail -n 1 "$T/h$n.err")" \
            test "$code" -eq 0
    done
    for e in 0 1; do
        for n in 1 2 3 4; do
            $RECORDS hash $f "$T/part.$e.algo-$n" >"$T/got.$n" 2>"$T/hash.err"
            check "pipe-$f: host $n: whole records: $(tail -n 1 "$T/hash.err")" \
                test ! -s "$T/hash.err"
            check "pipe-$f: host $n has a part: $(wc -l <"$T/got.$n")" \
                test "$(wc -l <"$T/got.$n")" -gt 20
        done
        all_of "pipe-$f, epoch $e" $f "$T"/got.[1234]
    done
    audit "pipe-$f"
    rm -f "$T"/part.* "$T"/got.*
done

# --- Four ranks, rings --------------------------------------------------------
lib=$(dirname "$SMSHARD")/libsmshard.so.0
case ${MODE:-release} in asan | tsan) lib=/none ;; esac
if [ -e "$lib" ]; then
    export SMSHARD_LIBRARY="$lib" PYTHONPATH="$PWD/worker/client/python"
    export RECORDS
    for f in lines tar recordio tfrecord; do
        run $SMSHARD run --base "$T/one" --heartbeat 100ms --ranks 4 \
            --job-name "ring-$f" --output "$T/out" --memory 64MiB --channel \
            "train=$T/$f/shard-,mode=Ring,deal=balanced,split=yes,records=$f" -- sh -c '
            for r in 0 1 2 3; do $RECORDS ring $1 train $r "$0.$r" & pids="$pids $!"; done
            for p in $pids; do wait $p || exit 1; done' "$T/got" $f
        check "ring-$f: exit code $code: $(tail -n 1 "$T/std.err")" test "$code" -eq 0
        all_of "ring-$f" $f "$T"/got.[0123]
        for r in 0 1 2 3; do
            check "ring-$f: rank $r has a part" test "$(wc -l <"$T/got.$r")" -gt 20
        done
        audit "ring-$f"
        rm -f "$T"/got.*
    done
else
    skip "rings" "no library that python3 can load"
fi

# --- Bad input ----------------------------------------------------------------
fails "a format that is none" 65 "raw, lines, recordio, tfrecord" $SMSHARD plan \
    --channel "train=$T/lines/,mode=Pipe,deal=balanced,split=yes,records=csv"
fails "without Split" 65 "Records says where objects may be cut" $SMSHARD plan \
    --channel "train=$T/lines/,mode=Pipe,records=lines"
fails "in File mode" 65 "Split needs InputMode" $SMSHARD plan \
    --channel "train=$T/lines/,deal=balanced,split=yes,records=lines"
fails "a folder" 65 "Records needs InputMode Pipe or Ring" $SMSHARD plan --channel \
    "train=$T/lines/,mode=FastFile,deal=balanced,split=yes,records=lines"
fails "of gzip" 65 "Split can't cut objects of CompressionType Gzip" $SMSHARD plan --channel \
    "train=$T/lines/,mode=Pipe,deal=balanced,split=yes,compression=Gzip"
# What is no tar at all has no start of a record but its first byte.
check "another format: all of it is in one part" sh -c '"$0" run --base "$1/odd" \
    --channel "train=$1/lines/shard-,mode=Pipe,deal=balanced,split=yes,records=tar" \
    -- sh -c "cat \"\${SM_CHANNEL_TRAIN}_0\"" >"$1/odd.out" 2>/dev/null && cmp "$1/odd.out" "$1/lines/shard-0"' \
    "$SMSHARD" "$T"
finish
