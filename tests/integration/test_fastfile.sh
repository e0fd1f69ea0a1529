#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# FastFile mode in real jobs: a real mount, really read; what happens to it when
# the command or smshard itself ends.
# shellcheck disable=SC2086,SC2016,SC2154 # flags; the command's; set by eval
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -c /dev/fuse ] || [ "$(id -u)" != 0 ]; then
    skip "FastFile" "there is no /dev/fuse here, or it may not be used"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
make_data "$T/data/train" 30
mkdir -p "$T/data/train/sub/deep"
head -c 3000000 /dev/urandom >"$T/data/train/sub/deep/large"
M=$T/one/input/data/train
MOUNTS="$M $T/algo-1/input/data/train $T/algo-2/input/data/train"
ONE="$SMSHARD run --base $T/one --heartbeat 100ms --host-timeout 3s --job-name one --output $T/out"
is_mounted() { grep -q " $M fuse.smshard " /proc/mounts; }
is_not_mounted() { ! is_mounted; }

run $ONE --channel "train=$T/data/train/,mode=FastFile" -- sh -c '
    cd "$SM_CHANNEL_TRAIN" && diff -r . "$1" && find . -type f | wc -l &&
    ! touch x 2>/dev/null && ! rm 1.txt 2>/dev/null && stat -c %s sub/deep/large' sh "$T/data/train"
check "a folder like the source: exit code $code $(tail -n 2 "$T/std.err")" test "$code" -eq 0
check "with all files, none of which can be changed" \
    test "$(xargs <"$T/std.out")" = "31 3000000"
check "it is gone at the end" is_not_mounted
run $SMSHARD status --audit --job-name one --output "$T/out"
check "the audit is exact" test "$code" -eq 0

# --- However it ends -------------------------------------------------------------
run $ONE --channel "train=$T/data/train/,mode=FastFile" -- sh -c '
    exec 3<"$SM_CHANNEL_TRAIN/sub/deep/large"; kill -9 $$'
check "a reader that is killed: exit code $code" test "$code" -eq 137
check "no mount stays" is_not_mounted
start killed $ONE --channel "train=$T/data/train/,mode=FastFile" -- sh -c '
    echo up; sleep 100'
until_true grep -q up "$T/killed.out"
check "it is there while the command runs" is_mounted
kill -9 "$pid"
ended "$pid"
check "a mount that smshard could not remove stays" is_mounted
run $ONE --channel "train=$T/data/train/,mode=FastFile" -- sh -c 'cat "$SM_CHANNEL_TRAIN/7.txt"'
check "the next start removes it: $(cat "$T/std.out")" test "$(cat "$T/std.out")" = "object 7"
check "and its own at the end" is_not_mounted

# --- Bad input -------------------------------------------------------------------
mkdir -p "$M"
: >"$M/mine"
fails "the folder is not empty" 65 "$M" \
    $ONE --channel "train=$T/data/train/,mode=FastFile" -- true
rm "$M/mine"
mount -t tmpfs tmpfs "$M"
fails "something else is mounted there" 65 "$M: something of type tmpfs is mounted" \
    $ONE --channel "train=$T/data/train/,mode=FastFile" -- true
umount "$M"
: >"$T/plain"
fails "nothing can be made there" 65 "$T/plain" $SMSHARD run --base "$T/plain/base" \
    --job-name one --output "$T/out" --channel "train=$T/data/train/,mode=FastFile" -- true
fails "too little memory" 65 "--memory: 32768 bytes are not enough" \
    $ONE --memory 32KiB --channel "train=$T/data/train/,mode=FastFile" -- true
fails "no FUSE" 78 "/dev/fuse: No such file or directory: FastFile needs FUSE; give the" \
    unshare -m sh -c 'mount -t tmpfs tmpfs /dev && mkdir /dev/shm &&
        mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9 && exec "$@"' sh \
    $ONE --channel "train=$T/data/train/,mode=FastFile" -- true
fails "leases and a folder" 78 "Deal dynamic" \
    $ONE --channel "train=$T/data/train/,mode=FastFile,deal=dynamic" -- true
run $ONE --channel "train=$T/data/train/,mode=FastFile" -- sh -c '
    echo changed >"$1/3.txt"; cat "$SM_CHANNEL_TRAIN/3.txt"' sh "$T/data/train"
check "an object that was overwritten is an error: $(grep -c 'nput/output' "$T/std.err")" \
    grep -q "nput/output error" "$T/std.err"
check "with a line that names it" grep -q "3.txt" "$T/std.err"

# --- S3 --------------------------------------------------------------------------
# Names, sizes and folders cost no request: they come from the one listing.
# shellcheck disable=SC2034 # serve_s3's
SERVER=$(dirname "$SMSHARD")/tests/tools/s3_server
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy
looked() { # COMMAND: what the server was asked by a job with that
    serve_s3 --objects 400
    run $ONE --channel "train=s3://bucket/objects/,mode=FastFile" -- sh -c "
        cd \"\$SM_CHANNEL_TRAIN\" && $1"
    check "$1: exit code $code $(tail -n 1 "$T/std.err")" test "$code" -eq 0
    end_s3
    asked=$(tail -n 1 "$T/server.out")
}
looked true
check "a start: $asked" sh -c 'echo "$1" | grep -q " 0 reads of objects"' sh "$asked"
start=$asked
looked 'test "$(find . -type f -size +0 -perm 444 | wc -l)" -eq 400 && ls -lR >/dev/null'
check "looking at all costs nothing more: $asked" test "$asked" = "$start"
looked 'cat 00000399* >/dev/null'
check "reading one does: $asked" test "$asked" != "$start"

# --- Two hosts -------------------------------------------------------------------
echo object 3 >"$T/data/train/3.txt"
for n in 1 2; do
    start "h$n" host "$n" 2 --job-name two --output "$T/out" \
        --channel "train=$T/data/train/,mode=FastFile,sharded" -- sh -c '
        cd "$SM_CHANNEL_TRAIN" && find . -type f | sort >"$0.$SM_CURRENT_HOST"' "$T/list"
    eval "p$n=$pid"
done
for n in 1 2; do
    eval "ended \$p$n"
    check "host $n ends with 0, not $code: $(tail -n 1 "$T/h$n.err")" test "$code" -eq 0
done
(cd "$T/data/train" && find . -type f | sort) >"$T/want"
sort "$T/list.algo-1" "$T/list.algo-2" >"$T/got"
check "each file is seen by one of them" cmp "$T/want" "$T/got"
finish
