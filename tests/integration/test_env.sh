#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `smshard env` against what the public training toolkit printed.
# shellcheck disable=SC2016 # the command expands them, not we
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

GOLDEN=$(cd "$(dirname "$0")/../data/golden" && pwd)

for name in 2host numbers; do
    mkdir -p "$T/$name"
    cp -r "$GOLDEN/$name/input" "$T/$name/"
    run env SAGEMAKER_BASE_DIR="$T/$name" TRAINING_JOB_NAME=job-1 \
        AWS_REGION=us-east-1 "$SMSHARD" env --cpus 2 --gpus 0
    sed "s|$T/$name|/opt/ml|g" "$T/std.out" >"$T/$name.got"
    check "golden $name, byte for byte" cmp "$GOLDEN/$name/env.txt" "$T/$name.got"
done

# What the command itself gets: the same, through execve.
run env SMSHARD_HOSTS=algo-2 "$SMSHARD" run --base "$T/2host" --job-name job-1 \
    --output "$T/store" -- "$(command -v env)" -0
check "names that no shell can set reach the command" \
    grep -qzx 'SM_HP_BATCH-SIZE=32' "$T/std.out"
check "with dots too" grep -qz '^SM_CHANNEL_MY-VAL.X=' "$T/std.out"

# A host that no platform has prepared gets the platform's files.
run "$SMSHARD" run --base "$T/bare" --job-name bare --output "$T/store" \
    -- sh -c 'cat "$SM_INPUT_CONFIG_DIR"/*.json'
check "config files are written where they are missing" test "$code" -eq 0
check "resourceconfig.json" grep -q '"current_host"' "$T/std.out"
run "$SMSHARD" env --base "$T/bare" --all
check "--all adds what else the toolkit sets" grep -q '^CURRENT_HOST=' "$T/std.out"
fails "a hyperparameter file that is no object" 65 "hyperparameters.json" \
    sh -c 'echo "[1]" >"$0/input/config/hyperparameters.json"; exec "$1" env --base "$0"' \
    "$T/bare" "$SMSHARD"

# The next job below the same base folder has channels of its own: what the
# last one wrote is no word of the platform's; what a person wrote is.
mkdir "$T/data" && echo x >"$T/data/x"
for channel in first second; do
    run "$SMSHARD" run --base "$T/again" --job-name "$channel" \
        --output "$T/store" --channel "$channel=file://$T/data/" \
        -- sh -c 'env | grep "^SM_CHANNELS="'
    check "the channels of the $channel job" \
        grep -qxF "SM_CHANNELS=[\"$channel\"]" "$T/std.out"
done
for host in first second; do
    run env SMSHARD_JOB_NAME=v SMSHARD_OUTPUT="$T/store" SMSHARD_HOSTS="$host" \
        SMSHARD_CURRENT_HOST="$host" "$SMSHARD" run --base "$T/again" \
        -- sh -c 'echo "host $SM_CURRENT_HOST"'
    check "a job of variables alone on $host" grep -qx "host $host" "$T/std.out"
done
echo '{"lr": "5"}' >"$T/again/input/config/hyperparameters.json"
run "$SMSHARD" run --base "$T/again" --job-name third --output "$T/store" \
    --channel "first=file://$T/data/" -- sh -c 'echo "$SM_HP_LR"'
check "a person's file stands" grep -qx 5 "$T/std.out"
finish
