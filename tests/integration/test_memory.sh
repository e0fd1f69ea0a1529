#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Resident memory under load: in every mode a real job reads several times what
# --memory allows, from a folder and over HTTP, and its process never has more
# than that and 64 MiB. Shared memory counts: slots that are mapped are resident.
# shellcheck disable=SC2086,SC2016 # flags; the command's
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

ABOVE_KIB=65536
case ${MODE:-release} in
asan | tsan) # Shadow memory and what was freed last count as well.
    ABOVE_KIB=$((1024 * 1024)) ;;
esac
TOOLS=$(dirname "$SMSHARD")/tests/tools
CAT=$TOOLS/ring_cat
export CAT SMSHARD
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy

# fill FOLDER MIB: large objects and small ones, of holes: they cost no disk. In
# FOLDER-take the small ones are fewer: each is committed before the next.
fill() {
    for folder in "$1" "$1-take"; do
        small=64
        [ "$folder" = "$1" ] || small=1024
        mkdir -p "$folder"
        for i in $(seq 8); do truncate -s "$(($2 / 9))M" "$folder/large$i"; done
        for i in $(seq "$(($2 * 1024 / small / 9))"); do : >"$folder/small$i"; done
        find "$folder" -name 'small*' -exec truncate -s "${small}K" {} +
    done
}

# What the parent had at most, once all has been read.
LOOK='grep VmHWM /proc/$PPID/status >"$0.peak"'
READ_File='cat "$SM_CHANNEL_TRAIN"/* | wc -c >"$0.read"'
READ_Take='"$SMSHARD" take train --each -- \
    sh -c "cat \"\$1\"" x | wc -c >"$0.read"'
READ_Pipe='cat "${SM_CHANNEL_TRAIN}_0" | wc -c >"$0.read"'
READ_FastFile='cd "$SM_CHANNEL_TRAIN" &&
    for i in 1 2 3 4; do cat large$i >/dev/null & done
    cat ./* | wc -c >"$0.read"; wait'
READ_Ring='mkfifo "$0.0"; wc -c <"$0.0" >"$0.read" & exec 3>"$0.0"
    "$CAT" train 0 "$0" && exec 3>&- && wait'

# peak SOURCE CAP-MIB BYTES MODE URI [FLAGS]; MODE Take: File, unit by unit.
peak() {
    out=$T/$1.$2.$4
    mode=$4
    uri=$5/
    case $4 in
    File) code=$READ_File ;;
    Take) code=$READ_Take mode=File,deal=dynamic uri=$5-take/ ;;
    Pipe) code=$READ_Pipe ;;
    FastFile) code=$READ_FastFile ;;
    Ring) code=$READ_Ring ;;
    esac
    run "$SMSHARD" run --base "$T/base" --memory "$2MiB" ${6:-} --job-name one \
        --output "$T/out" --channel "train=$uri,mode=$mode" -- sh -c "$code; $LOOK" "$out"
    check "$1, $2 MiB, $4: exit code $code, $(said)" test "$code" -eq 0
    check "all is read: $(cat "$out.read")" test "$(cat "$out.read")" = "$3"
    got=$(awk '{print $2}' "$out.peak")
    printf '%-7s --memory %3s MiB  %-8s %4s MiB read, at most %3s MiB resident\n' \
        "$1" "$2" "$4" "$(($3 / 1048576))" "$((got / 1024))"
    check "$1, $4: $((got / 1024)) MiB are at most $2 and 64" \
        test "$got" -le $(($2 * 1024 + ABOVE_KIB))
    rm -rf "$T/base"
}

modes="File Take Pipe Ring"
if [ -c /dev/fuse ] && [ "$(id -u)" = 0 ]; then
    modes="$modes FastFile"
else
    skip "FastFile" "there is no /dev/fuse here, or it may not be used"
fi

# --- A folder -------------------------------------------------------------------
for cap in 64 256; do
    mib=$((cap * 36 / 9))
    [ "$cap" -lt 256 ] || mib=$((cap * 3))
    mib=$((mib / 9 * 9))
    fill "$T/data$cap" "$mib"
    for mode in $modes; do
        peak folder "$cap" $((mib * 1048576)) "$mode" "$T/data$cap"
    done
done
peak folder 64 $((252 * 1048576)) Ring "$T/data64" --hugepages=try

# --- S3 -------------------------------------------------------------------------
# Requests have buffers of their own, and some are made twice.
fill "$T/up" 252
start server "$TOOLS/s3_server"
until_true test -s "$T/server.out"
AWS_ENDPOINT_URL_S3=$(head -n 1 "$T/server.out")
export AWS_ENDPOINT_URL_S3
for folder in up up-take; do
    run "$TOOLS/store_copy" put "$T/$folder" "s3://bucket/$folder/"
    check "the data is there: $(tail -n 1 "$T/std.err")" test "$code" -eq 0
done
for mode in $modes; do
    peak s3 64 $((252 * 1048576)) "$mode" s3://bucket/up
done
finish
