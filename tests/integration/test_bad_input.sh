#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that can be wrong with what a user gives: one clear line, a
# stable exit code, nothing half-written.
# shellcheck disable=SC2086 # flags are split on purpose
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

make_data "$T/data/train" 3
RUN="$SMSHARD run --base $T/base --output $T/out --job-name t"
TRAIN="--channel train=$T/data/train/"

document() { # CHANNELS: a job document with these channels
    cat >"$T/job.json" <<JOB
{"TrainingJobName": "t", "AlgorithmSpecification": {"TrainingInputMode": "File"},
 "InputDataConfig": [
$1
 ],
 "OutputDataConfig": {"S3OutputPath": "file://$T/out"}}
JOB
}

channel() { # NAME [FIELDS]
    printf '{"ChannelName": "%s", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "file://%s/data/train/"}}%s}' \
        "$1" "$T" "${2:-}"
}

fails "no command" 64 "no command" "$SMSHARD" run --job-name t
fails "unknown command" 64 "no command 'rnu'" "$SMSHARD" rnu
fails "unknown flag" 64 "did you mean --output" "$SMSHARD" plan --outptu x
fails "flag without value" 64 "--output needs a value" "$SMSHARD" plan --output
fails "value out of range" 65 "ranks" "$SMSHARD" plan --ranks 65
fails "word after the flags" 64 "unexpected 'x'" "$SMSHARD" plan x

fails "missing document" 66 "$T/none.json" "$SMSHARD" plan --job "$T/none.json"
printf '{\n "TrainingJobName": "t",\n "InputDataConfig": [,]\n}\n' >"$T/bad.json"
fails "malformed document names file and line" 65 "bad.json:3:" \
    "$SMSHARD" plan --job "$T/bad.json"
fails "malformed inline document" 65 "--job:1:" "$SMSHARD" plan --job '{"a"'
mkdir -p "$T/base/input/config"
echo '{"current_host": "algo-1", "hosts": ["algo-1"' >"$T/base/input/config/resourceconfig.json"
fails "malformed resourceconfig.json" 65 "resourceconfig.json:" $RUN $TRAIN -- true
echo '{"current_host": "algo-9", "hosts": ["algo-1", "algo-2"]}' >"$T/base/input/config/resourceconfig.json"
fails "current host not among the hosts" 65 "algo-9" $RUN $TRAIN -- true
echo '{"current_host": "algo-1", "hosts": ["algo-1", "algo-1"]}' >"$T/base/input/config/resourceconfig.json"
fails "duplicate host" 65 "algo-1" $RUN $TRAIN -- true
rm -r "$T/base"

document "$(channel train ', "InputMode": "Pip"')"
fails "unknown channel mode" 65 "Pip" "$SMSHARD" plan --job "$T/job.json"
check "it names the document and the line" grep -q 'job.json:[0-9]' "$T/std.err"
document "$(channel train), $(channel train)"
fails "duplicate channel" 65 "train" "$SMSHARD" plan --job "$T/job.json"
document "$(i=1; while [ $i -le 20 ]; do channel c$i; echo ,; i=$((i + 1)); done; channel c21)"
fails "21 channels" 65 "20" "$SMSHARD" plan --job "$T/job.json"
fails "job name not allowed" 65 "a_b" "$SMSHARD" plan --job-name a_b --output "$T/out"
fails "source that is not served in this mode" 78 "ManifestFile" $RUN "--channel" \
    "train=$T/data/m.jsonl,mode=Ring,source=AugmentedManifestFile,attributes=x" -- true
fails "many hosts and nowhere to meet" 65 "--output" \
    env SMSHARD_HOSTS=a,b SMSHARD_CURRENT_HOST=a "$SMSHARD" run --job-name t -- true

mkdir "$T/data/empty"
fails "empty source" 66 "no object" $RUN --channel "train=$T/data/empty/" -- true
fails "source that is not there" 66 "$T/data/nowhere" $RUN --channel "train=$T/data/nowhere/" -- true
mkdir -p "$T/data/t"
echo 1 >"$T/data/t/tx"
echo 2 >"$T/data/tx"
fails "two keys of one path" 65 "tx" $RUN --channel "train=$T/data/t" -- true
printf '[{"prefix": "file://%s/data/train/"}, "../../up"]' "$T" >"$T/up.manifest"
fails "key with .. in a manifest" 65 ".." $RUN \
    --channel "train=$T/up.manifest,source=ManifestFile" -- true
printf '[{"prefix": "file://%s/data/train/"}, "a\\u0000b"]' "$T" >"$T/nul.manifest"
fails "key with NUL in a manifest" 65 "manifest" $RUN \
    --channel "train=$T/nul.manifest,source=ManifestFile" -- true
printf '[{"prefix": "file://%s/data/train/"}, "1.txt", "9.txt"]' "$T" >"$T/gone.manifest"
fails "object of a manifest that is not there" 66 "9.txt" $RUN \
    --channel "train=$T/gone.manifest,source=ManifestFile" -- true
check "nothing was brought by any of these" test ! -e "$T/base/input/data/train"

fails "command not found" 127 "no-such-command" $RUN $TRAIN -- no-such-command
echo 'echo hello' >"$T/script"
fails "command not executable" 126 "$T/script" $RUN $TRAIN -- "$T/script"

echo x >"$T/file"
fails "store not writable" 65 "$T/file/out" "$SMSHARD" run --base "$T/base" \
    --job-name t --output "$T/file/out" $TRAIN -- true

mkdir -p "$T/full" "$T/ro"
if mount -t tmpfs -o size=64k tmpfs "$T/full" 2>/dev/null; then
    MOUNTS="$MOUNTS $T/full"
    head -c 200000 /dev/zero >"$T/data/big"
    fails "disk too small for the share" 74 "are free" "$SMSHARD" run \
        --base "$T/full" --job-name t --output "$T/out" \
        --channel "train=$T/data/big" -- true
    check "nothing is left of it" test ! -e "$T/full/input/data/train"
    mount -t tmpfs tmpfs "$T/ro" && MOUNTS="$MOUNTS $T/ro"
    mkdir "$T/ro/out" && mount -o remount,ro "$T/ro"
    fails "store on a read-only disk" 77 "$T/ro" "$SMSHARD" run \
        --base "$T/base" --job-name t --output "$T/ro/out" $TRAIN -- true
else
    skip "full and read-only disks" "no right to mount a tmpfs"
fi
mkdir "$T/data/locked" "$T/nobody" && chmod 0 "$T/data/locked"
AS_NOBODY=""
if [ "$(id -u)" -eq 0 ]; then
    AS_NOBODY="setpriv --reuid=65534 --regid=65534 --clear-groups"
    chmod 755 "$T" && chown 65534:65534 "$T/nobody"
fi
if $AS_NOBODY "$SMSHARD" version >/dev/null 2>&1; then
    fails "source that can't be read" 77 "locked" $AS_NOBODY "$SMSHARD" run \
        --base "$T/nobody/base" --output "$T/nobody/out" --job-name t \
        --channel "train=$T/data/locked/" -- true
    fails "store that can't be written" 77 "$T/data" $AS_NOBODY "$SMSHARD" run \
        --base "$T/nobody/base" --output "$T/data/out" --job-name t -- true
else
    skip "sources and stores without the right" "no other user can run this"
fi

mkdir -p "$T/theirs/input/data/train"
echo mine >"$T/theirs/input/data/train/mine.txt"
fails "channel folder with the user's own files" 65 "not empty" "$SMSHARD" run \
    --base "$T/theirs" --output "$T/out" --job-name t $TRAIN -- true
check "which are still there" grep -q mine "$T/theirs/input/data/train/mine.txt"
finish
