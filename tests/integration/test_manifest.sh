#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Augmented manifests in real jobs: the attributes in the order of the channel,
# objects and texts, as they are and as RecordIO, shuffled, by one and three
# hosts, dealt and leased, resumed, and what is wrong with a line.
# shellcheck disable=SC2086,SC2016,SC2154 # flags; the command's; set by eval
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

LINES=60
mkdir -p "$T/img" "$T/sets"
i=0
while [ "$i" -lt "$LINES" ]; do
    i=$((i + 1))
    printf 'image %03d;' "$i" >"$T/img/$i.jpg"
    printf '{"label": %d, "image-ref": "file://%s/img/%d.jpg", "note": {"b": [1, true], "a": "x"}}\n' \
        "$i" "$T" "$i"
done >"$T/sets/train.jsonl"
i=0
while [ "$i" -lt "$LINES" ]; do
    i=$((i + 1))
    printf 'image %03d;%d\n' "$i" "$i"
done >"$T/want.lines"
tr -d '\n' <"$T/want.lines" >"$T/want"

FROM="train=$T/sets/train.jsonl,mode=Pipe,source=AugmentedManifestFile"
AS="--channel.train.attributes image-ref,label"
ONE="$SMSHARD run --base $T/one --heartbeat 100ms --host-timeout 3s --job-name one --output $T/out"
lines() { sed 's/image/\nimage/g' "$@" | sed '/^$/d' | sort; }
audit() { # JOB
    run $SMSHARD status --audit --job-name "$1" --output "$T/out"
}

# --- One host -----------------------------------------------------------------
run $ONE --channel "$FROM" $AS -- sh -c '
    d=$SM_CHANNEL_TRAIN
    cat "${d}_0" >"$0.0"; cat "${d}_1" >"$0.1"' "$T/got"
check "two epochs: exit code $code: $(tail -n 1 "$T/std.err")" test "$code" -eq 0
check "attributes in the order of their names" cmp "$T/want" "$T/got.0"
check "and in the next epoch" cmp "$T/want" "$T/got.1"
audit one
check "the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0
check "it counts lines" grep -q "$LINES" "$T/std.out"

run $ONE --channel "$FROM" --channel.train.attributes note,label,image-ref -- \
    sh -c 'head -c 36 "${SM_CHANNEL_TRAIN}_0"'
check "another order, and an object as text: $(cat "$T/std.out")" \
    test "$(cat "$T/std.out")" = '{"a":"x","b":[1,true]}1image 001;{"a'

cat >"$T/job.json" <<JOB
{"TrainingJobName": "doc", "OutputDataConfig": {"S3OutputPath": "file://$T/out"},
 "InputDataConfig": [{"ChannelName": "train", "InputMode": "Pipe",
   "RecordWrapperType": "RecordIO",
   "DataSource": {"S3DataSource": {
     "S3DataType": "AugmentedManifestFile", "S3Uri": "file://$T/sets/train.jsonl",
     "AttributeNames": ["image-ref", "label"]}}}]}
JOB
run $SMSHARD run --base "$T/doc" --job "$T/job.json" -- \
    sh -c 'head -c 32 "${SM_CHANNEL_TRAIN}_0" | od -An -tx1 -v | tr -d " \n"'
check "of a document, wrapped: each attribute is a record: $(cat "$T/std.out")" \
    test "$(cat "$T/std.out")" = \
    0a23d7ce0a000000696d616765203030313b00000a23d7ce0100000031000000

run $ONE --channel "$FROM,shuffle-seed=7" $AS -- sh -c '
    d=$SM_CHANNEL_TRAIN
    for e in 0 1; do cat "${d}_$e" >"$0.$e"; done' "$T/shuf"
check "shuffled: exit code $code" test "$code" -eq 0
for e in 0 1; do
    lines "$T/shuf.$e" >"$T/shuf.lines"
    check "epoch $e has all lines whole" cmp "$T/want.lines" "$T/shuf.lines"
done
check "each epoch has an order of its own" sh -c \
    '! cmp -s "$0.0" "$0.1"' "$T/shuf"

run $ONE --channel "$FROM" $AS -- sh -c '
    d=$SM_CHANNEL_TRAIN
    head -c 25 "${d}_0" >/dev/null; cat "${d}_1" >"$0.1"' "$T/early"
check "closed early: exit code $code" test "$code" -eq 0
check "the next epoch is whole" cmp "$T/want" "$T/early.1"
audit one
check "an epoch that ended early is no gap: $(tail -n 1 "$T/std.out")" \
    test "$code" -eq 0

# Resumed: what a cursor leaves is dealt.
catalog=$($SMSHARD plan --channel "$FROM" $AS --json | jq -r '.channels[0].catalog')
cat >"$T/cursor.json" <<JSON
{"cursor":1,"job":"one","channels":[{"name":"train","catalog":"$catalog",
 "how":{"deal":"dynamic","even":"none","split":false,"seed":null},
 "epoch":0,"positions":$LINES,"base":[],"committed":[[0,20],[30,31]],"skipped":[]}]}
JSON
run $ONE --channel "$FROM" $AS --resume "$T/cursor.json" -- \
    sh -c 'cat "${SM_CHANNEL_TRAIN}_0" >"$0"' "$T/got.rest"
check "resumed: exit code $code: $(tail -n 1 "$T/std.err")" test "$code" -eq 0
sed -e 1,20d -e 31d "$T/want.lines" | tr -d '\n' >"$T/want.rest"
check "what was left comes" cmp "$T/want.rest" "$T/got.rest"
sed 's/"label": 9,/"label": 10,/' "$T/sets/train.jsonl" >"$T/sets/other.jsonl"
fails "resumed: another text is another catalog" 65 "lists as" \
    $ONE --channel "train=$T/sets/other.jsonl,mode=Pipe,source=AugmentedManifestFile" $AS \
    --resume "$T/cursor.json" -- true

# Objects of more than a slot, and a text of more than a slot.
head -c 3000000 /dev/urandom >"$T/img/large.bin"
large=$(head -c 200000 /dev/zero | tr '\0' 'y')
for n in 1 2 3; do
    printf '{"image-ref": "file://%s/img/large.bin", "label": "%s"}\n' "$T" "$large"
done >"$T/sets/large.jsonl"
for n in 1 2 3; do
    cat "$T/img/large.bin"
    printf '%s' "$large"
done >"$T/want.large"
run $ONE --memory 512KiB --channel "${FROM%,mode*},mode=Pipe,source=AugmentedManifestFile" \
    --channel.train.uri "$T/sets/large.jsonl" $AS -- \
    sh -c 'cat "${SM_CHANNEL_TRAIN}_0" >"$0"' "$T/got.large"
check "larger than a slot: exit code $code: $(tail -n 1 "$T/std.err")" test "$code" -eq 0
check "and whole" cmp "$T/want.large" "$T/got.large"

# A line that can't be read is skipped where that is allowed, and said. What
# stands before it does not fit into the memory, so that it is not read before
# the FIFO is.
cp "$T/img/7.jpg" "$T/seven"
cat "$T/sets/large.jsonl" "$T/sets/train.jsonl" >"$T/sets/skip.jsonl"
run $ONE --memory 512KiB --channel "$FROM,skip=1,epochs=1" \
    --channel.train.uri "$T/sets/skip.jsonl" $AS -- sh -c '
    echo other >"$1/img/7.jpg"
    cat "${SM_CHANNEL_TRAIN}_0" >"$0"' "$T/got.skip" "$T"
check "an object that changed is skipped: exit code $code" test "$code" -eq 0
{ cat "$T/want.large"; grep -v 'image 007;' "$T/want.lines" | tr -d '\n'; } \
    >"$T/want.skip"
check "all other lines are whole" cmp "$T/want.skip" "$T/got.skip"
cp "$T/seven" "$T/img/7.jpg"

# --- What is wrong ------------------------------------------------------------
bad() { # WHAT CODE TEXT LINE...
    what=$1 want=$2 text=$3
    shift 3
    head -n 2 "$T/sets/train.jsonl" >"$T/sets/bad.jsonl"
    printf '%s\n' "$@" >>"$T/sets/bad.jsonl"
    fails "$what" "$want" "$text" $ONE $AS --channel \
        "train=$T/sets/bad.jsonl,mode=Pipe,source=AugmentedManifestFile" -- true
}
ref="\"image-ref\": \"file://$T/img/1.jpg\""
bad "a line that is not JSON" 65 'bad.jsonl:3:' '{"label": 1,'
bad "a line that is no object" 65 'bad.jsonl:3: it is not a JSON object' '[1]'
bad "an attribute is missing" 65 'bad.jsonl:3: attribute "label" is missing' "{$ref}"
bad "a key twice" 65 'bad.jsonl:3: the key "label" stands twice' \
    "{\"label\": 1, $ref, \"label\": 2}"
bad "a ref that is no URI" 65 'bad.jsonl:4: attribute "image-ref" is not the URI' \
    "{\"label\": 1, $ref}" '{"label": 1, "image-ref": 5}'
bad "an object that is not there" 66 'bad.jsonl:4: attribute "image-ref": ' \
    "{\"label\": 1, $ref}" "{\"label\": 1, \"image-ref\": \"file://$T/img/none\"}"
bad "an object elsewhere" 65 'bad.jsonl:3: s3://b/k: it lies outside of file://' \
    '{"label": 1, "image-ref": "s3://b/k"}'
bad "a line that is too long" 65 'a line may have 1048576' \
    "$(head -c 1100000 /dev/zero | tr '\0' 'y')"
check "empty lines are none, but are counted: $(said)" sh -c \
    'printf "\n \nx\n" >"$0"; ! "$1" plan --channel "train=$0,mode=Pipe,source=AugmentedManifestFile" --channel.train.attributes a 2>"$0.err"; grep -q "jsonl:3:" "$0.err"' \
    "$T/sets/e.jsonl" "$SMSHARD"
: >"$T/sets/none.jsonl"
fails "no line" 66 "no object" $ONE $AS --channel \
    "train=$T/sets/none.jsonl,mode=Pipe,source=AugmentedManifestFile" -- true
fails "Ring" 78 "Pipe alone" $ONE --channel "$FROM,mode=Ring" $AS -- true
fails "File" 65 "Pipe" $ONE --channel "$FROM,mode=File" $AS -- true
fails "Gzip" 78 "CompressionType Gzip is not served" $ONE --channel "$FROM,compression=Gzip" $AS -- true

# --- Three hosts --------------------------------------------------------------
# shellcheck disable=SC2086 # a list of words
three() { # NAME FLAGS COMMAND...
    name=$1 flags=$2
    shift 2
    three_hosts "$name" "$FROM,$flags" $AS -- "$@"
}

three sharded sharded,shuffle-seed=3 sh -c '
    d=$SM_CHANNEL_TRAIN
    for e in 0 1; do cat "${d}_$e" >"$0.$SM_CURRENT_HOST.$e"; done' "$T/sh"
for e in 0 1; do
    lines "$T"/sh.*."$e" >"$T/sh.lines"
    check "sharded: epoch $e over all hosts" cmp "$T/want.lines" "$T/sh.lines"
    check "an equal share each" test "$(lines "$T/sh.algo-2.$e" | wc -l)" -eq 20
done
check "each epoch is dealt anew" sh -c '! cmp -s "$0.0" "$0.1"' "$T/sh.algo-2"
audit sharded
check "sharded: the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0

three leased deal=dynamic,epochs=2 sh -c '
    d=$SM_CHANNEL_TRAIN
    for e in 0 1; do
        until [ -p "${d}_$e" ]; do sleep 0.02; done
        cat "${d}_$e" >"$0.$SM_CURRENT_HOST.$e"
    done' "$T/le"
for e in 0 1; do
    lines "$T"/le.*."$e" >"$T/le.lines"
    check "leased: epoch $e over all hosts" cmp "$T/want.lines" "$T/le.lines"
done
audit leased
check "leased: the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0

# --- On S3 --------------------------------------------------------------------
TOOLS=$(dirname "$SMSHARD")/tests/tools
start server "$TOOLS/s3_server"
until_true test -s "$T/server.out"
AWS_ENDPOINT_URL_S3=$(head -n 1 "$T/server.out")
export AWS_ENDPOINT_URL_S3 AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy
mkdir "$T/s3"
sed "s|file://$T/|s3://bucket/|" "$T/sets/train.jsonl" >"$T/s3/all.jsonl"
printf '{"label": 1, "image-ref": "file:///etc/passwd"}\n' >"$T/s3/local.jsonl"
{ head -n 1 "$T/s3/all.jsonl"; printf '{"label": 1, "image-ref": "s3://other/k"}\n'; } >"$T/s3/two.jsonl"
{ head -n 1 "$T/s3/all.jsonl"; printf '{"label": 1, "image-ref": "s3://bucket/img/none"}\n'; } >"$T/s3/gone.jsonl"
check "objects are on the server" "$TOOLS/store_copy" put "$T/img" s3://bucket/img/
check "and manifests" "$TOOLS/store_copy" put "$T/s3" s3://bucket/sets/
on_s3() { # MANIFEST
    echo "train=s3://bucket/sets/$1,mode=Pipe,source=AugmentedManifestFile,epochs=1"
}
run $ONE --channel "$(on_s3 all.jsonl)" $AS -- \
    sh -c 'cat "${SM_CHANNEL_TRAIN}_0" >"$0"' "$T/got.s3"
check "from S3: exit code $code: $(tail -n 1 "$T/std.err")" test "$code" -eq 0
check "the same lines" cmp "$T/want" "$T/got.s3"
audit one
check "the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0
fails "a local file from a bucket's manifest" 65 \
    'local.jsonl:1: file:///etc/passwd: it lies outside of s3://' \
    $ONE --channel "$(on_s3 local.jsonl)" $AS -- true
fails "objects in two buckets" 65 'two.jsonl:2: s3://other/k: it lies outside of s3://bucket/' \
    $ONE --channel "$(on_s3 two.jsonl)" $AS -- true
fails "an object that is not on S3" 66 'gone.jsonl:2: attribute "image-ref": ' \
    $ONE --channel "$(on_s3 gone.jsonl)" $AS -- true
finish
