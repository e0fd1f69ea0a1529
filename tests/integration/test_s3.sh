#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Jobs on an S3 server that misbehaves: what a user sees. Each case has a
# server of its own, with the fault that its name tells.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

SERVER=$(dirname "$SMSHARD")/tests/tools/s3_server
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy
DATA=s3://bucket/objects/

# serve ARGS…: a server with 40 objects; its id in $server.
serve() { serve_s3 --objects 40 "$@"; }
stop_server() { end_s3; }

plan() { "$SMSHARD" plan --channel "train=$DATA" --hosts 2 --output s3://bucket/out; }

job() { # COMMAND…
    "$SMSHARD" run --base "$T/base" --job-name j --channel "train=$DATA" \
        --output s3://bucket/out -- "$@"
}

# refuses WHAT CODE TEXT FAULT…: planning a job ends with one line.
refuses() {
    what=$1
    want=$2
    text=$3
    shift 3
    serve "$@"
    fails "$what" "$want" "$text" plan
    stop_server
}

# ---- What a listing may end with.

refuses "no permission to list" 77 "they need s3:ListBucket" \
    --fault 'GET key=list-type act=answer code=403 error=AccessDenied'
refuses "no bucket" 66 "no such bucket" \
    --fault 'act=answer code=404 error=NoSuchBucket'
refuses "another bucket" 66 "no such bucket" --bucket other
export AWS_MAX_ATTEMPTS=3
refuses "not an S3 server" 69 "is this endpoint an S3 server?" \
    --fault 'act=body message=%3Chtml%3Elogin%3C/html%3E'
refuses "an entity bomb" 69 "is this endpoint an S3 server?" \
    --fault 'act=body message=%3C!DOCTYPE%20x%20[%3C!ENTITY%20a%20%22b%22%3E]%3E%3CListBucketResult/%3E'
unset AWS_MAX_ATTEMPTS
refuses "redirects without an end" 69 "region" \
    --fault 'act=redirect code=301 message=eu-west-9'
refuses "expired credentials" 77 "expired" --fault 'act=expire'

serve
(
    AWS_SECRET_ACCESS_KEY=wrong
    fails "a wrong secret" 77 "the secret key is wrong" plan
    echo "$failed" >"$T/count"
)
check "a wrong secret" test "$(cat "$T/count")" = "$failed"
(
    AWS_ENDPOINT_URL_S3=http://127.0.0.1:1
    fails "nobody there" 69 "can't connect to http://127.0.0.1:1" plan
    AWS_ENDPOINT_URL_S3="https://${AWS_ENDPOINT_URL_S3#*://}"
    echo "$failed" >"$T/count"
)
check "nobody there" test "$(cat "$T/count")" = "$failed"
stop_server

serve --tls
fails "an unknown authority" 69 "AWS_CA_BUNDLE" plan
AWS_CA_BUNDLE=$(sed -n 2p "$T/server.out")
export AWS_CA_BUNDLE
run plan
check "an authority of one's own" test "$code" -eq 0
check "plans what is there" grep -q '40 objects' "$T/std.out"
unset AWS_CA_BUNDLE
stop_server

# ---- Jobs that must get through all the same.

# through WHAT ARGS…: all 40 objects come, byte for byte, and the model goes.
through() {
    case=$1
    shift
    serve "$@"
    rm -rf "$T/base"
    # shellcheck disable=SC2016 # the command's shell reads it
    run job sh -c 'cat "$SM_CHANNEL_TRAIN"/* >"$SM_MODEL_DIR/all"'
    check "$case" test "$code" -eq 0
    i=0
    while [ "$i" -lt 40 ]; do
        echo "object $i"
        i=$((i + 1))
    done >"$T/want"
    check "$case: every byte" cmp "$T/want" "$T/base/model/all"
    stop_server
    check "$case: nothing is left" grep -q ' 0 uploads left' "$T/server.out"
}

through "a calm server"
through "500 now and then" --fault 'skip=3 count=5 act=answer code=500'
through "slow down" --fault 'GET skip=5 count=1 act=answer code=503 error=SlowDown'
through "connections that break" \
    --fault 'GET key=objects/ skip=2 count=4 act=close' \
    --fault 'GET key=objects/ skip=9 count=4 act=reset bytes=3' \
    --fault 'GET key=objects/ skip=14 count=4 act=cut bytes=5'
through "damaged once" --fault 'GET key=objects/ skip=4 count=1 act=corrupt bytes=2'
through "answers that get lost" --fault 'PUT count=3 act=lose-answer'
through "a clock that is off" --fault 'count=2 act=skew ms=90000000'
through "a listing of the store's own order" --quirks unordered
through "versions" --quirks versions
through "an older server" \
    --quirks no-checksums,unquoted-if-match,absent-is-412,unquoted-etags

# Without conditional writes the first host leads, and no other ever does.
serve --quirks no-conditions
for n in 1 2; do
    # shellcheck disable=SC2016 # the command's own $0
    start "c$n" host "$n" 2 --job-name c --output s3://bucket/out --on-failure keep \
        --channel train=s3://bucket/objects/ -- sh -c 'touch "$0"; sleep 300' "$T/c$n.up"
    eval "c$n=$pid"
done
until_true test -e "$T/c1.up" -a -e "$T/c2.up"
run "$SMSHARD" status --job-name c --output s3://bucket/out
check "no conditional writes: status says so" grep -q '^no fail-over:' "$T/std.out"
check "and the log" grep -q 'store.conditions .*only the first host leads' "$T/c2.err"
# shellcheck disable=SC2154 # set by eval
kill -9 "$c1"
# shellcheck disable=SC2154
ended "$c2"
check "the other ends with the one that leads: $code" test "$code" -eq 75
check "and says who is gone" grep -q '^smshard: .*algo-1 was not heard of' "$T/c2.err"
stop_server

# What the first job wrote says nothing to the second: the platform has not
# brought the channel.
serve
rm -rf "$T/base"
run job true
check "a first job" test "$code" -eq 0
rm -rf "$T/base/input/data"/*
# shellcheck disable=SC2016
run job sh -c 'cat "$SM_CHANNEL_TRAIN"/* >"$SM_MODEL_DIR/all"'
check "the next one brings its channel again" cmp "$T/want" "$T/base/model/all"
stop_server

# A large object comes in parts, and is checked as a whole.
large() { # FAULT: put one, bring it back.
    serve --fault "$1"
    rm -rf "$T/base"
    # shellcheck disable=SC2016
    run job sh -c 'head -c 20000000 /dev/urandom >"$SM_MODEL_DIR/large"'
    cp "$T/base/model/large" "$T/large"
    rm -rf "$T/base"
    # shellcheck disable=SC2016
    run "$SMSHARD" run --base "$T/base" --job-name k --output s3://bucket/out \
        --channel back=s3://bucket/out/j/ \
        -- sh -c 'find "$0/input/data" -name large -exec cmp {} "$1" \; -print |
            grep -q large' "$T/base" "$T/large"
    stop_server
}
large 'GET key=model/large count=1 act=corrupt bytes=100'
check "a part that was damaged once" test "$code" -eq 0
large 'GET key=model/large act=corrupt bytes=100'
check "parts that are always damaged" test "$code" -eq 69
check "says so" grep -q "read twice" "$T/std.err"

# ---- Jobs that must not.

# stops WHAT CODE TEXT ARGS…: the command never runs.
stops() {
    case=$1
    want=$2
    text=$3
    shift 3
    serve "$@"
    rm -rf "$T/base"
    fails "$case" "$want" "$text" job touch "$T/ran"
    check "$case: the command has not run" test ! -e "$T/ran"
    rm -f "$T/ran"
    stop_server
}

stops "may list, may not get" 77 "s3:GetObject" \
    --fault 'GET key=objects/0 act=answer code=403 error=AccessDenied'
stops "an archived object" 77 "restore it first" \
    --fault 'GET key=objects/00000007 act=answer code=403 error=InvalidObjectState'
stops "damaged for good" 69 "do not match the checksum" \
    --fault 'GET key=objects/00000007 act=corrupt bytes=2'
stops "overwritten since it was listed" 73 "objects/00000007" \
    --fault 'GET key=objects/00000007 act=overwrite'

# ---- The same while the command reads.

CAT=$(dirname "$SMSHARD")/tests/tools/ring_cat
export CAT
modes="Pipe Ring FastFile"
if [ ! -c /dev/fuse ] || [ "$(id -u)" != 0 ]; then
    modes="Pipe Ring"
    skip "FastFile" "there is no /dev/fuse here, or it may not be used"
fi

# stream MODE FAULTS…: what the command has read is in $T/read.
# shellcheck disable=SC2016 # the command's own
stream() {
    case $1 in
    Pipe) read='cat "${SM_CHANNEL_TRAIN}_0" >"$0"' ;;
    FastFile) read='cat "$SM_CHANNEL_TRAIN"/* >"$0"' ;;
    Ring) read='"$CAT" train 0 "$0" && mv "$0.0" "$0"' ;;
    esac
    mode=$1
    shift
    serve "$@"
    rm -rf "$T/base" "$T/read" "$T/read.0"
    run "$SMSHARD" run --base "$T/base" --job-name j --output s3://bucket/out --channel \
        "train=s3://bucket/objects/,mode=$mode" -- sh -c "$read" "$T/read"
    stop_server
}

for mode in $modes; do
    stream "$mode" --fault 'GET key=objects/ skip=1 count=2 act=answer code=500' \
        --fault 'GET key=objects/ skip=4 count=2 act=close' \
        --fault 'GET key=objects/ skip=9 count=2 act=reset bytes=3' \
        --fault 'GET key=objects/ skip=14 count=2 act=cut bytes=5' \
        --fault 'GET key=objects/ skip=20 count=1 act=corrupt bytes=2'
    check "$mode, a store in trouble: exit code $code, $(said)" test "$code" -eq 0
    sort "$T/read" >"$T/read.sorted"
    sort "$T/want" >"$T/want.sorted"
    check "$mode: every byte" cmp "$T/want.sorted" "$T/read.sorted"
    stream "$mode" --fault 'GET key=objects/00000007 act=corrupt bytes=2'
    check "$mode, an object that is always damaged: exit code $code" test "$code" -ne 0
    check "$mode: is named, with the reason" \
        grep -q "objects/00000007.*do not match the checksum" "$T/std.err"
    # shellcheck disable=SC2016
    check "$mode: nothing wrong was read" sh -c \
        '! cat "$0" "$0.0" 2>/dev/null | grep -vxF -f "$1"' "$T/read" "$T/want"
done

# ---- Outputs that can't be saved.

serve --fault 'PUT key=model/ act=answer code=403 error=AccessDenied'
rm -rf "$T/base"
# shellcheck disable=SC2016
fails "no permission to write" 77 "s3:PutObject" \
    job sh -c 'echo x >"$SM_MODEL_DIR/x"'
check "the model is still here" test -s "$T/base/model/x"
stop_server

# A process that is killed in mid-upload leaves it to the next one, which goes
# on with it.
serve --fault 'PUT key=partNumber count=3 act=delay ms=10000'
rm -rf "$T/base"
# shellcheck disable=SC2016
start job "$SMSHARD" run --base "$T/base" --job-name j --output s3://bucket/out \
    --heartbeat 1s \
    -- sh -c 'head -c 40000000 /dev/zero >"$SM_MODEL_DIR/large"'
killed=$pid
# shellcheck disable=SC2016
until_true sh -c 'find "$0" -name "*.upload" | grep -q .' "$T/base"
kill -9 "$killed"
wait "$killed" 2>/dev/null
# shellcheck disable=SC2016
check "an upload is noted" \
    sh -c 'find "$0" -name "*.upload" | grep -q .' "$T/base"
run "$SMSHARD" run --base "$T/base" --job-name j --output s3://bucket/out \
    --heartbeat 1s --channel "train=$DATA" -- true
check "the next run ends well" test "$code" -eq 0
check "it takes the upload over" grep -q 'save.resume' "$T/std.err"
stop_server
check "none is left" grep -q ' 0 uploads left' "$T/server.out"

# A listing that takes long is not waited for when the job is to end.
serve --fault 'GET key=prefix=objects act=delay ms=100000'
start job "$SMSHARD" run --base "$T/slow" --job-name slow --channel "train=$DATA" \
    --output s3://bucket/out -- true
job=$pid
until_true grep -q 'phase=preparing' "$T/job.err"
sleep 0.5
kill -TERM "$job"
# shellcheck disable=SC2016
check "a signal ends a listing that takes long" \
    until_true sh -c '! kill -0 "$0"' "$job"
ended "$job"
check "with the signal's code" test "$code" -eq 143
stop_server

# Nor is a share that takes long to be read; heartbeats go on meanwhile.
serve --fault 'GET key=catalog count=2 act=delay ms=3500'
rm -rf "$T/base"
run "$SMSHARD" run --base "$T/base" --job-name j --channel "train=$DATA" \
    --output s3://bucket/out --heartbeat 100ms --host-timeout 3s -- true
check "a share that is slow to read costs no host" test "$code" -eq 0
check "none is taken for lost" test "$(grep -c host.lost "$T/std.err")" -eq 0
stop_server
serve --fault 'GET key=catalog act=delay ms=100000'
rm -rf "$T/base"
start job "$SMSHARD" run --base "$T/base" --job-name j --channel "train=$DATA" \
    --output s3://bucket/out -- true
job=$pid
until_true grep -q 'phase=bringing' "$T/job.err"
sleep 0.5
kill -TERM "$job"
# shellcheck disable=SC2016
check "a signal ends the reading of a share" \
    until_true sh -c '! kill -0 "$0"' "$job"
ended "$job"
check "with the signal's code, too" test "$code" -eq 143
stop_server

# A store that never comes back can't be told how the job has ended.
serve
# shellcheck disable=SC2016
start job "$SMSHARD" run --base "$T/gone" --job-name gone \
    --output s3://bucket/out --heartbeat 100ms --host-timeout 1500ms \
    -- sh -c 'echo up; while [ ! -e "$0" ]; do sleep 0.1; done' "$T/go"
job=$pid
until_true grep -q up "$T/job.out"
stop_server
touch "$T/go"
ended "$job"
check "a store that is gone for good ends the job" test "$code" -eq 69
check "which says so" grep -q "^smshard: the job's end could not be written" \
    "$T/job.err"
finish
