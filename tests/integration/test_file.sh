#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# File mode: a bring that is killed goes on where it was, a disk without room
# is told before the first byte, and who waits is told for how long.
# shellcheck disable=SC2016 # expanded by the command
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

SERVER=$(dirname "$SMSHARD")/tests/tools/s3_server
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy

# serve ARGS…: a server with 400 objects; its id in $server.
serve() { serve_s3 --objects 400 "$@"; }

# Its requests for objects are in $reads then.
stop_server() {
    end_s3
    reads=$(sed -n 's/.* \([0-9]*\) reads of objects.*/\1/p' "$T/server.out")
    asked=$(sed -n 's/.* \([0-9]*\) asked for$/\1/p' "$T/server.out")
}

JOB="--job-name j --channel train=s3://bucket/objects/ --output s3://bucket/out"
DATA=$T/base/input/data
BOOK=$DATA/.smshard/train.part/1/book

whole() { grep -c ' whole ' "$BOOK"; }
has_whole() { [ "$(whole)" -ge "$1" ]; }

i=0
while [ "$i" -lt 400 ]; do
    echo "object $i"
    i=$((i + 1))
done >"$T/want"

# interrupted SIGNAL: a bring that waits for some objects gets that; what it
# has brought whole is in $found.
interrupted() {
    serve --fault 'GET key=objects/000002 act=delay ms=100000'
    rm -rf "$T/base"
    # shellcheck disable=SC2086
    start job "$SMSHARD" run --base "$T/base" $JOB -- true
    job=$pid
    check "$1: objects come" until_true has_whole 150
    kill "-$1" "$job"
    ended "$job"
    found=$(whole)
    check "$1: nothing is in its place" test ! -e "$DATA/train"
    stop_server
}

# goes_on WHAT: the next launch asks for what is missing, and for nothing else.
# Some of it twice: second requests beside slow answers (docs/reading.md), 2 in 100.
goes_on() {
    serve
    # shellcheck disable=SC2086
    run "$SMSHARD" run --base "$T/base" $JOB -- \
        sh -c 'cat "$SM_CHANNEL_TRAIN"/* >"$SM_MODEL_DIR/all"'
    check "$1: the next launch ends well" test "$code" -eq 0
    check "$1: with all objects" cmp "$T/want" "$T/base/model/all"
    stop_server
    check "$1: asked for $asked of 400, $found were there" \
        test "$asked" -eq $((400 - found))
    check "$1: $reads times" test "$reads" -ge "$asked" -a "$reads" -le $((asked + 8))
    check "$1: says what was there" \
        grep -q 'share.brought .*units=400 .* found=[1-9]' "$T/std.err"
    check "$1: nothing is left over" test ! -e "$DATA/.smshard/train.part"
}

interrupted KILL
goes_on KILL
interrupted TERM
goes_on TERM

# Three times in a row, and torn at its end at that.
interrupted KILL
printf '0123abcd whole 12 34 etag objects/000003' >>"$BOOK"
goes_on "a torn book"

# ---- No room.

mkdir -p "$T/small/input/data"
if mount -t tmpfs -o size=256k tmpfs "$T/small/input/data" 2>/dev/null; then
    MOUNTS="$MOUNTS $T/small/input/data"
    serve
    # shellcheck disable=SC2086
    fails "a disk without room" 74 "bytes are wanted for this host's share" \
        "$SMSHARD" run --base "$T/small" $JOB -- touch "$T/ran"
    stop_server
    check "told before the first byte" test "$reads" -eq 0
    check "the command has not run" test ! -e "$T/ran"
    umount "$T/small/input/data"
    MOUNTS=""
else
    skip "a disk without room" "no right to mount"
fi

# ---- Who waits.

serve --fault 'GET key=objects/00000007 act=delay ms=6500'
rm -rf "$T/base"
# shellcheck disable=SC2086
run "$SMSHARD" run --base "$T/base" $JOB -- true
lines=$(grep -c 'share.progress' "$T/std.err")
check "a log is told now and then: $lines lines" test "$lines" -ge 1 -a "$lines" -le 9
check "with rate and end" grep -q \
    'share.progress units=[0-9]*/400 bytes=[0-9]*/[0-9]* bytes_per_s=[0-9]* left_s=[-0-9]*$' \
    "$T/std.err"
stop_server
serve --fault 'GET key=objects/00000007 act=delay ms=2500'
rm -rf "$T/base"
# shellcheck disable=SC2086
run python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' \
    "$SMSHARD" run --base "$T/base" $JOB -- true
stop_server
check "a terminal has a line that changes" \
    grep -q "$(printf '\r\033\\[K')"'[0-9.]* [a-zA-Z]* of [0-9.]* kB ([0-9]* %), [0-9]* of 400 objects' "$T/std.out"
check "and that goes in the end" \
    grep -q "$(printf '\r\033\\[K')2" "$T/std.out"
check "instead of the log's" sh -c '! grep -q share.progress "$0"' "$T/std.out"
finish
