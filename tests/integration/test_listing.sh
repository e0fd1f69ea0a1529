#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# "Listing": a channel whose objects an S3 Inventory or a manifest of S3 Batch
# Operations names is dealt as if its source were listed; and everything that
# can be wrong with one.
# shellcheck disable=SC2086 # flags are split on purpose
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

if ! python3 -c 'import gzip' 2>/dev/null; then
    skip "listings" "no python3"
    finish
    exit
fi
MAKE="python3 $(cd "$(dirname "$0")" && pwd)/inventory_make.py"
DATA=$T/data/train

make_data "$DATA" 40
mkdir -p "$DATA/deep/er" "$DATA/other"
for name in 'a b' 'a+b' '100%' '%41' 'say "hi"' 'a,b' "it's" 'a;b#c?d=e&f' \
    'ä-ü-€' 'two
lines' '(x)~[y]' 'deep/er/leaf' 'other/one' 'a!*b'; do
    echo "$name" >"$DATA/$name"
done

# objects NAME URI [LISTING]: what is planned of the source, in $T/NAME.
objects() {
    name=$1
    set -- "train=$2,sharded${3:+,listing=$3}"
    run "$SMSHARD" plan --job-name p --channel "$1" --hosts 3 --ranks 2 \
        --objects --json
    jq -S '.channels[0] | del(.named_by)' "$T/std.out" >"$T/$name"
}

# same WHAT URI LISTING: named by it as if it were listed.
same() {
    objects listed "$2"
    check "$1: the source can be listed" test -s "$T/listed"
    objects named "$2" "$3"
    if [ "$code" -eq 0 ] && cmp -s "$T/listed" "$T/named"; then
        ok "$1"
    else
        not_ok "$1" "$(cat "$T/std.err"; diff "$T/listed" "$T/named")"
    fi
}

# wrong WHAT CODE TEXT LISTING
wrong() {
    fails "$1" "$2" "$3" "$SMSHARD" plan --job-name p \
        --channel "train=$DATA/,listing=$4"
}

# --- Inventories ---------------------------------------------------------------
I=$T/inv
$MAKE "$DATA" "$I/one"
same "an inventory by its manifest" "$DATA/" "$I/one/2026-01-31T12-00Z/manifest.json"
same "by the folder of its configuration" "$DATA/" "$I/one/"
same "as a file URI" "$DATA/" "file://$I/one/"
same "only what is below the prefix" "$DATA/a" "$I/one/"
check "the plan says by what, as JSON" jq -e \
    '.channels[0].named_by == "the inventory of 2026-01-31T12:00:00Z"' "$T/std.out"
run "$SMSHARD" plan --job-name p --channel "train=$DATA/,listing=$I/one/"
check "and as text" grep -qF "named by the inventory of 2026-01-31T12:00:00Z: file://$I/one/" "$T/std.out"
check "it warns of an old one" grep -q 'warn listing.old channel=train date=2026-01-31T12:00:00Z' "$T/std.err"
same "a prefix of one folder" "$DATA/deep" "$I/one/"

$MAKE "$DATA" "$I/odd" --spaces percent --crlf --members 4 --files 7 \
    --columns "ETag, Size, StorageClass, Key, LastModifiedDate, Bucket" \
    --extra '{"Bucket":"src","Key":"other-bucket/x","Size":"1","ETag":"e"}'
rm "$DATA/other-bucket" 2>/dev/null
mkdir -p "$DATA/other-bucket" && printf x >"$DATA/other-bucket/x"
same "other columns, encoding, members and line ends" "$DATA/" "$I/odd/"
rm -r "$DATA/other-bucket"

$MAKE "$DATA" "$I/versions" --extra \
    '{"Bucket":"src","Key":"gone","VersionId":"v9","IsLatest":"true","IsDeleteMarker":"true"}' \
    --extra '{"Bucket":"src","Key":"1.txt","VersionId":"v0","IsLatest":"false","IsDeleteMarker":"false","Size":"1","ETag":"e"}'
same "delete markers and old versions are left out" "$DATA/" "$I/versions/"

$MAKE "$DATA" "$I/bare" --columns "Bucket, Key" --plain --files 1
same "neither Size nor ETag, no gzip" "$DATA/" "$I/bare/"
$MAKE "$DATA" "$I/many" --files 60
same "more files than there are rows for some" "$DATA/" "$I/many/"

# --- The newest that is whole ---------------------------------------------------
$MAKE "$DATA" "$I/dates" --date 2026-01-01T00-00Z
cp "$DATA/1.txt" "$DATA/new.txt"
$MAKE "$DATA" "$I/dates2" --date 2026-01-02T00-00Z
cp -r "$I/dates2/2026-01-02T00-00Z" "$I/dates/"
cp "$I/dates2"/data/* "$I/dates/data/"
same "the newest of two" "$DATA/" "$I/dates/"
rm "$DATA/new.txt"
$MAKE "$DATA" "$I/unready" --date 2026-01-01T00-00Z
$MAKE "$DATA" "$I/unready2" --date 2026-01-02T00-00Z --spoil unready
cp -r "$I/unready2/2026-01-02T00-00Z" "$I/unready/"
same "one that is not complete is passed over" "$DATA/" "$I/unready/"
check "which is said" grep -q 'listing.passed_over date=2026-01-02T00-00Z' "$T/std.err"
wrong "not complete, by name" 66 "is not complete" \
    "$I/unready/2026-01-02T00-00Z/manifest.json"
mkdir "$I/none"
wrong "a folder without any" 66 "no complete inventory is there" "$I/none/"

# --- Batch manifests --------------------------------------------------------------
$MAKE "$DATA" "$I/batch.csv" --batch --plain
same "a Batch manifest" "$DATA/" "$I/batch.csv"
$MAKE "$DATA" "$I/batch.csv.gz" --batch --crlf
same "with gzip" "$DATA/" "$I/batch.csv.gz"
$MAKE "$DATA" "$I/versions.csv" --batch --plain --versions
same "with versions" "$DATA/" "$I/versions.csv"
cat "$I/batch.csv" "$I/batch.csv" >"$I/twice.csv"
same "what is named twice is one object" "$DATA/" "$I/twice.csv"

# --- Wrong ones --------------------------------------------------------------------
spoilt() { # NAME WHAT CODE TEXT [FLAGS]
    name=$1
    shift
    what=$1 want=$2 text=$3
    shift 3
    $MAKE "$DATA" "$I/$name" "$@"
    wrong "$what" "$want" "$text" "$I/$name/2026-01-31T12-00Z/manifest.json"
}
spoilt md5 "another MD5" 65 "its manifest says" --spoil md5
spoilt cut "cut gzip" 65 "its gzip data is cut off at the end" --spoil cut
spoilt size "another size" 65 "bytes that its manifest says" --spoil size
spoilt sum "another manifest.checksum" 65 "it is not the MD5" --spoil checksum
spoilt quote "quotes that do not end" 65 "it ends inside quotes" --spoil quote
spoilt percent "a key that is not encoded" 65 "% without two hex digits" \
    --spoil percent --columns "Bucket, Key"
spoilt nokey "no column Key" 65 "has no column Key" --columns "Bucket, Size"
spoilt orc "ORC" 78 "make the inventory as CSV" --format ORC
spoilt parquet "Parquet" 78 "make the inventory as CSV" --format Parquet
spoilt differ "a key with two values" 65 "5.txt is named more than once" --extra \
    '{"Bucket":"src","Key":"5.txt","IsLatest":"true","IsDeleteMarker":"false","Size":"1","ETag":"e"}'
rm "$I/one/data/01.csv.gz"
wrong "a file is gone" 66 "data/01.csv.gz" "$I/one/"
wrong "nothing is there" 66 "$I/nothing" "$I/nothing.json"
echo '[{"prefix": "s3://b/"}, "a"]' >"$I/manifest-file"
wrong "a ManifestFile" 65 "S3DataType ManifestFile" "$I/manifest-file"
echo 'b,k,v,succeeded' >"$I/report.csv"
printf '\357\273\277src,1.txt\n' >"$I/bom.csv"
wrong "a byte order mark is no part of a bucket" 65 "is no bucket's name" "$I/bom.csv"
wrong "a report of a batch" 65 "it has 4 columns" "$I/report.csv"
: >"$I/empty.csv"
wrong "an empty one" 66 "names no object there" "$I/empty.csv"
fails "only with S3Prefix" 65 "Listing needs S3DataType S3Prefix" \
    "$SMSHARD" plan --job-name p \
    --channel "train=$I/manifest-file,source=ManifestFile,listing=$I/empty.csv"
fails "https is not served" 78 "Listing of channel train: https://" \
    "$SMSHARD" plan --job-name p \
    --channel "train=$DATA/,listing=https://h/manifest.json"

# --- What has changed since ----------------------------------------------------------
$MAKE "$DATA" "$I/stale"
echo "longer than it was" >"$DATA/7.txt"
wrong "an object that has changed" 73 \
    "7.txt: it is another now than in the inventory of 2026-01-31T12:00:00Z" "$I/stale/"
check "what to do" grep -q 'have a newer one made, or take "Listing" out' "$T/std.err"
rm "$DATA/7.txt"
wrong "an object that is gone" 66 \
    "7.txt: it is gone, and is named by the inventory of 2026-01-31T12:00:00Z" "$I/stale/"
wrong "an object that is gone, of a batch" 66 \
    "7.txt: it is gone, and is named by the manifest of 20" "$I/batch.csv"

# --- A job ---------------------------------------------------------------------------
$MAKE "$DATA" "$I/job"
cat >"$T/job.json" <<JOB
{"TrainingJobName": "j", "AlgorithmSpecification": {"TrainingInputMode": "File"},
 "InputDataConfig": [
  {"ChannelName": "train",
   "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "file://$DATA/"}},
   "Smshard": {"Listing": "file://$I/job/"}}],
 "OutputDataConfig": {"S3OutputPath": "file://$T/out"}}
JOB
run "$SMSHARD" run --base "$T/base" --job "$T/job.json" --log info -- true
check "a job" test "$code" -eq 0
check "everything is brought" diff -r "$DATA" "$T/base/input/data/train"
check "it is logged" grep -q 'info listing.read channel=train kind=inventory date=2026-01-31T12:00:00Z objects=53 skipped=0 outside=0 repeated=0 looked_up=53' "$T/std.err"

# --- On S3 ------------------------------------------------------------------------------
# A server with 40 objects that refuses every LIST: none is needed, and no HEAD.
start server "$(dirname "$SMSHARD")/tests/tools/s3_server" --objects 40 \
    --fault 'GET key=list-type act=answer code=403 error=AccessDenied'
server_pid=$pid
until_true test -s "$T/server.out"
AWS_ENDPOINT_URL_S3=$(head -n 1 "$T/server.out")
export AWS_ENDPOINT_URL_S3 AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy
MIRROR=$T/mirror
mkdir "$MIRROR"
i=0
while [ "$i" -lt 40 ]; do
    echo "object $i" >"$MIRROR/$(printf '%08d' "$i")"
    i=$((i + 1))
done
S3MAKE="$MAKE --bucket bucket --prefix objects/ $MIRROR"

s3_job() { # LISTING
    rm -rf "$T/base" "$T/out"
    "$SMSHARD" run --base "$T/base" --job-name s --output "$T/out" --log info \
        --channel "train=s3://bucket/objects/,listing=$1" -- true
}

$S3MAKE "$I/s3"
run s3_job "$I/s3/"
check "a job on S3" test "$code" -eq 0
check "everything is brought from there" diff -r "$MIRROR" "$T/base/input/data/train"
check "nothing is looked up" grep -q 'objects=40 .* looked_up=0' "$T/std.err"
fails "without an inventory it can't be listed" 77 "s3:ListBucket" \
    "$SMSHARD" plan --job-name s --channel train=s3://bucket/objects/

echo "abject 7" >"$MIRROR/00000007"
$S3MAKE "$I/s3changed"
fails "overwritten since, found when it is brought" 73 \
    "objects/00000007: it is another now than in the inventory of 2026-01-31T12:00:00Z" \
    s3_job "$I/s3changed/"
echo "object 7" >"$MIRROR/00000007"
echo "object 40" >"$MIRROR/00000040"
$S3MAKE "$I/s3gone"
fails "deleted since, found when it is brought" 66 \
    "objects/00000040: it is gone, and is named by the inventory of 2026-01-31T12:00:00Z" \
    s3_job "$I/s3gone/"
$MAKE --bucket other --prefix objects/ "$MIRROR" "$I/s3other"
fails "of another bucket" 65 "is of the bucket other" s3_job "$I/s3other/"
kill "$server_pid" 2>/dev/null
finish
