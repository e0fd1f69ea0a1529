#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make check-s3`: the whole of the S3 store against a real server, SeaweedFS,
# that is fetched and started here, or against any other one:
#
#   check.sh                    SeaweedFS
#   check.sh s3://BUCKET/PREFIX a server that the environment leads to
#
# COUNT (100000) odd keys are put and listed, one object of MEGABYTES (1024)
# goes up in parts and down again, eight writers race. Ends with
# `N passed, N failed[, N skipped]`.
set -u

here=$(cd "$(dirname "$0")" && pwd)
SMSHARD=${SMSHARD:-build/release-gcc/smshard}
SMSHARD=$(cd "$(dirname "$SMSHARD")" && pwd)/$(basename "$SMSHARD")
tools=$(dirname "$SMSHARD")/tests/tools
uri=${1:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/smshard-s3.XXXXXX")
passed=0
failed=0

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    "$here/seaweedfs.sh" stop "$work/server"
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step() { # WHAT COMMAND…
    local what=$1 start=$SECONDS
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
        printf 'ok     %-34s %4d s  %s\n' "$what" $((SECONDS - start)) \
            "$(tail -n 1 "$work/out" | cut -c 1-60)"
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n' "$what"
        tail -n 20 "$work/out" | sed 's/^/     | /'
    fi
}

if [ -z "$uri" ]; then
    mkdir "$work/server"
    "$here/seaweedfs.sh" program >/dev/null || {
        echo "skipped: a real S3 server: SeaweedFS can't be had here"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    }
    "$here/seaweedfs.sh" start "$work/server" >/dev/null || {
        echo "0 passed, 1 failed"
        exit 1
    }
    set -a
    # shellcheck source=/dev/null
    . "$work/server/env"
    set +a
    uri=s3://smshard/check
fi

# A job of one host, whose command makes or compares a large file.
job() { # COMMAND…
    SM_HOSTS='["algo-1"]' SM_CURRENT_HOST=algo-1 \
        "$SMSHARD" run --base "$work/base" --job "$work/job.json" -- "$@"
}

make_job() { # CHANNELS
    cat >"$work/job.json" <<JOB
{"TrainingJobName": "large", "InputDataConfig": [$1],
 "OutputDataConfig": {"S3OutputPath": "$uri/out", "CompressionType": "NONE"}}
JOB
}

large_up() {
    make_job ""
    head -c "${MEGABYTES:-1024}M" /dev/urandom >"$work/large"
    job cp "$work/large" "$work/base/model/large"
}

large_down() {
    make_job "{\"ChannelName\": \"back\", \"DataSource\": {\"S3DataSource\": {
        \"S3DataType\": \"S3Prefix\", \"S3Uri\": \"$uri/out/\",
        \"S3DataDistributionType\": \"FullyReplicated\"}}}"
    # shellcheck disable=SC2016 # the job's shell reads it
    job sh -c 'find "$SM_CHANNEL_BACK" -name large -exec cmp {} '"$work/large"' \; -printf found | grep -q found'
}

step conformance "$tools/store_conformance" "$uri"
step doctor "$SMSHARD" doctor "$uri"
step "put ${COUNT:-100000} odd keys" \
    "$tools/store_keys" fill "$uri/keys" "${COUNT:-100000}"
step "list them" "$tools/store_keys" check "$uri/keys" "${COUNT:-100000}"
step "remove them" "$tools/store_keys" remove "$uri/keys"
step "none is left" "$tools/store_keys" check "$uri/keys" 0
step "${MEGABYTES:-1024} MiB in parts" large_up
step "and back" large_down
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
