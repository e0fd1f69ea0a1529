#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Dynamic File mode: units come as files over the lanes of all other modes. What
# goes wrong on the way is never wrong data; a job that is killed leaves nothing
# that the next one trips over; a full disk is told, and is no end.
# shellcheck disable=SC2016 # expanded by the command
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

TOOLS=$(dirname "$SMSHARD")/tests/tools
SERVER=$TOOLS/s3_server
export SMSHARD
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy

# Three large objects, of parts that differ, and 60 small ones.
mkdir "$T/up"
for i in 1 2 3; do
    head -c $((i * 10485760 + 12345)) /dev/urandom >"$T/up/large$i"
done
for i in $(seq 60); do head -c "$((i * 997))" /dev/urandom >"$T/up/small$i"; done
(cd "$T/up" && sha256sum ./*) >"$T/want.sorted"
sort "$T/want.sorted" >"$T/want"

JOB="--job-name j --output $T/out --memory 32MiB --heartbeat 100ms --host-timeout 1s"
UNITS=base/input/data/train/.smshard.units
LIST='cd "$(dirname "$1")" && sha256sum "./$(basename "$1")" >>"$0"'

# up: put them into the server that was just started.
up() {
    run "$TOOLS/store_copy" put "$T/up" s3://bucket/objects/
    check "the data is there: $(tail -n 1 "$T/std.err")" test "$code" -eq 0
}

# takes WHAT FAULT…: all units come whole and as they are, whatever happens.
takes() {
    case_=$1
    shift
    serve_s3 "$@"
    up
    rm -rf "$T/base" "$T/got"
    # shellcheck disable=SC2086
    run "$SMSHARD" run --base "$T/base" $JOB \
        --channel train=s3://bucket/objects/,deal=dynamic -- \
        "$SMSHARD" take train --each -- sh -c "$LIST" "$T/got"
    check "$case_: ends with 0, not $code: $(tail -n 1 "$T/std.err")" \
        test "$code" -eq 0
    check "$case_: each unit once, and right" \
        sh -c 'sort "$0" | cmp - "$1"' "$T/got" "$T/want"
    check "$case_: no file is left" test ! -e "$T/$UNITS"
    end_s3
}

takes "nothing happens"
check "large ones come in parts" sh -c \
    'test "$(sed -n "s/.* \([0-9]*\) reads of objects.*/\1/p" "$0")" -ge 69' \
    "$T/server.out"
takes "connections are cut" \
    --fault 'GET key=objects/large2 skip=1 count=3 act=cut bytes=70000' \
    --fault 'GET key=objects/small count=9 act=reset bytes=100'
takes "bytes are flipped" \
    --fault 'GET key=objects/small act=corrupt bytes=9 count=2' \
    --fault 'GET key=objects/large3 skip=1 count=1 act=corrupt bytes=5000000'
takes "answers are wrong" \
    --fault 'GET key=objects/large1 count=2 act=wrong-range bytes=4096' \
    --fault 'GET key=objects/small1 count=4 act=close'
takes "the store throttles" \
    --fault 'GET key=objects/small count=6 act=answer code=503 error=SlowDown'

# An object that is another one in mid-stream is no unit, and the others are.
serve_s3 --fault 'GET key=objects/large3 skip=1 count=1 act=overwrite'
up
rm -rf "$T/base" "$T/got"
# shellcheck disable=SC2086
run "$SMSHARD" run --base "$T/base" $JOB \
    --channel train=s3://bucket/objects/,deal=dynamic,skip=1 -- \
    "$SMSHARD" take train --each -- sh -c "$LIST" "$T/got"
check "overwritten: ends with 0, not $code: $(tail -n 1 "$T/std.err")" \
    test "$code" -eq 0
check "overwritten: all others, and no byte of it" \
    sh -c 'grep -v large3 "$1" >"$1.rest" && sort "$0" | cmp - "$1.rest"' \
    "$T/got" "$T/want"
end_s3

# ---- Killed in the middle of a large one.
serve_s3 --fault 'GET key=objects/large2 skip=2 act=delay ms=100000'
up
rm -rf "$T/base" "$T/got"
# shellcheck disable=SC2086
start job "$SMSHARD" run --base "$T/base" $JOB \
    --channel train=s3://bucket/objects/,deal=dynamic -- \
    "$SMSHARD" take train --each -- sh -c "$LIST" "$T/got"
job=$pid
# shellcheck disable=SC2317 # called by until_true
has_part() { [ -n "$(find "$T/$UNITS" -name large2 -size +16k)" ]; }
check "a part of it is there" until_true 1200 has_part
kill -9 "$job"
ended "$job"
check "its files are left" has_part
end_s3
serve_s3
up
rm -f "$T/got"
# shellcheck disable=SC2086
run "$SMSHARD" run --base "$T/base" $JOB \
    --channel train=s3://bucket/objects/,deal=dynamic -- \
    "$SMSHARD" take train --each -- sh -c "$LIST" "$T/got"
check "the next launch ends with 0, not $code: $(tail -n 1 "$T/std.err")" \
    test "$code" -eq 0
check "with each unit once, and right" \
    sh -c 'sort "$0" | cmp - "$1"' "$T/got" "$T/want"
check "and nothing is left" test ! -e "$T/$UNITS"

# ---- A disk that has room for one large one at a time, and none for the last.
mkdir -p "$T/small/input/data"
if mount -t tmpfs -o size=24m tmpfs "$T/small/input/data" 2>/dev/null; then
    MOUNTS="$MOUNTS $T/small/input/data"
    rm -f "$T/got"
    # shellcheck disable=SC2086
    run "$SMSHARD" run --base "$T/small" $JOB \
        --channel train=s3://bucket/objects/,deal=dynamic,skip=1 -- \
        "$SMSHARD" take train --each -- sh -c "$LIST" "$T/got"
    check "a disk without room: exit code $code" test "$code" -ne 0
    check "it is told" grep -q "large3: the disk is full" "$T/std.err"
    check "what has room beside nothing else came, and nothing is skipped" \
        sh -c 'grep -v "large3\|small" "$1" >"$1.fits" && cmp "$0" "$1.fits"' \
        "$T/got" "$T/want.sorted"
    check "nothing is left on it" test ! -e "$T/small/input/data/train/.smshard.units"
    umount "$T/small/input/data"
    MOUNTS=""
else
    skip "a disk without room" "no right to mount"
fi
end_s3
finish
