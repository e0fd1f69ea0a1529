#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make demo`: a real job of three hosts on this machine. Each host is a
# process with a loopback address and a base folder of its own; the store is
# a folder, or with STORE=s3 a real S3 server (SeaweedFS). Shows the job while
# it runs, then proves what it promises.
# Ends with `N passed, N failed`. KEEP=1 keeps the folder.
set -u

SMSHARD=${SMSHARD:-build/release-gcc/smshard}
HERE=$(cd "$(dirname "$0")" && pwd)
SMSHARD=$(cd "$(dirname "$SMSHARD")" && pwd)/$(basename "$SMSHARD")
ROOT=$(mktemp -d "${TMPDIR:-/tmp}/smshard-demo.XXXXXX")
HOSTS="algo-1 algo-2 algo-3"
PIDS=""
STORE=${STORE:-dir}
SERVER=$HERE/../s3/seaweedfs.sh
COPY=$(dirname "$SMSHARD")/tests/tools/store_copy
passed=0
failed=0

bold() { if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$*"; else echo "$*"; fi; }

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    for pid in $PIDS; do kill "$pid" 2>/dev/null; done
    wait
    [ "$STORE" != s3 ] || "$SERVER" stop "$ROOT/s3"
    if [ -n "${KEEP:-}" ]; then echo "kept: $ROOT"; else rm -rf "$ROOT"; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

prove() { # WHAT COMMAND...
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        printf '  ok      %s\n' "$what"
    else
        failed=$((failed + 1))
        printf '  FAILED  %s\n' "$what"
    fi
}

make_data() { # 240 objects of uneven size in folders, 12 to validate with
    awk -v root="$ROOT/data" 'BEGIN {
        srand(7)
        for (i = 0; i < 240; i++) {
            dir = sprintf("%s/train/part-%02d", root, i % 8)
            if (i < 8) system("mkdir -p " dir)
            file = sprintf("%s/sample-%d.bin", dir, i)
            n = int(exp(rand() * 7)) + 1
            for (j = 0; j < n; j++) printf "object %d line %d\n", i, j > file
            close(file)
        }
        system("mkdir -p " root "/val")
        for (i = 0; i < 12; i++) {
            file = sprintf("%s/val/check-%d.txt", root, i)
            print "validation " i > file
            close(file)
        }
    }'
}

make_job() {
    cat >"$ROOT/job.json" <<JOB
{
  "TrainingJobName": "demo",
  "InputDataConfig": [
    {"ChannelName": "train",
     "DataSource": {"S3DataSource": {
       "S3DataType": "S3Prefix", "S3Uri": "$DATA/train/",
       "S3DataDistributionType": "ShardedByS3Key"}},
     "Smshard": {"Deal": "balanced"}},
    {"ChannelName": "val",
     "DataSource": {"S3DataSource": {
       "S3DataType": "S3Prefix", "S3Uri": "$DATA/val/",
       "S3DataDistributionType": "FullyReplicated"}}}
  ],
  "OutputDataConfig": {"S3OutputPath": "$PLACE/out"},
  "CheckpointConfig": {"S3Uri": "$PLACE/checkpoints"},
  "HyperParameters": {"lr": "0.1", "epochs": "1"},
  "Smshard": {"Heartbeat": "200ms", "HostTimeout": "10s"}
}
JOB
}

# Where the job reads and writes.
make_store() {
    case $STORE in
    dir)
        DATA=file://$ROOT/data
        PLACE=file://$ROOT/store
        ;;
    s3)
        bold "   an S3 server: SeaweedFS, on this machine, with authentication"
        mkdir -p "$ROOT/s3"
        "$SERVER" start "$ROOT/s3" >/dev/null || exit 69
        set -a
        # shellcheck source=/dev/null
        . "$ROOT/s3/env"
        set +a
        DATA=s3://smshard/data
        PLACE=s3://smshard
        "$COPY" put "$ROOT/data" "$DATA/" || exit 69
        ;;
    *)
        echo "demo: STORE=$STORE is neither dir nor s3" >&2
        exit 64
        ;;
    esac
}

# What the job wrote, as files below $ROOT/store.
bring_back() {
    [ "$STORE" != s3 ] || for what in out checkpoints; do
        "$COPY" get "$PLACE/$what/" "$ROOT/store/$what"
    done
}

start_host() { # HOST NUMBER
    SM_HOSTS='["algo-1","algo-2","algo-3"]' SM_CURRENT_HOST="$1" \
        TRAINER_PAUSE="${TRAINER_PAUSE:-2}" TRAINER_HOLD="$ROOT/go" \
        "$SMSHARD" run --job "$ROOT/job.json" --base "$ROOT/$1" \
        --bind "127.0.0.$(($2 + 1))" -- "$HERE/trainer.sh" \
        >"$ROOT/$1.out" 2>"$ROOT/$1.log" &
    PIDS="$PIDS $!"
}

watch_job() { # Show the job as long as it answers.
    while kill -0 "$1" 2>/dev/null; do
        if "$SMSHARD" status --job "$ROOT/job.json" --wait 1 \
            >"$ROOT/status.new" 2>/dev/null; then
            mv "$ROOT/status.new" "$ROOT/status.txt"
            if [ -t 1 ]; then printf '\033[2J\033[H'; fi
            cat "$ROOT/status.txt"
            echo
            touch "$ROOT/go" # What was seen may end.
        fi
        sleep 0.5
    done
}

same() { cmp -s "$1" "$2"; }
no_repeats() { [ -z "$(sort "$1" | uniq -d)" ]; }
is_zero() { [ "$1" -eq 0 ]; }
one_each() { # every host has its own, and nobody else's
    for h in $HOSTS; do
        [ -f "$OUT_DIR/$h/model/model-$h.txt" ] || return 1
        [ "$(find "$OUT_DIR/$h/model" -type f | wc -l)" -eq 1 ] || return 1
        [ "$(cat "$ROOT/store/checkpoints/$h/step-1.txt")" = \
            "step 1 of $h" ] || return 1
    done
}
val_everywhere() {
    for h in $HOSTS; do
        same "$ROOT/val.want" "$OUT_DIR/$h/data/val.txt" || return 1
    done
}

bold "1. a data set: 240 objects of uneven size, and 12 to validate with"
make_data
make_store
make_job
(cd "$ROOT/data/train" && find . -type f -exec sha256sum {} +) |
    sed 's| \./| |' | sort -k 2 >"$ROOT/train.want"
(cd "$ROOT/data/val" && find . -type f -exec sha256sum {} +) |
    sed 's| \./| |' | sort -k 2 >"$ROOT/val.want"

bold "2. the plan: smshard plan --job job.json --hosts 3"
"$SMSHARD" plan --job "$ROOT/job.json" --hosts 3 | sed -n '/^settings/q;p' |
    sed "s|$ROOT|.|g"

bold "3. three hosts: smshard run --job job.json -- trainer.sh"
number=0
for host in $HOSTS; do
    number=$((number + 1))
    start_host "$host" "$number"
done
first=${PIDS# }
first=${first%% *}
watch_job "$first"
touch "$ROOT/go"
codes=0
for pid in $PIDS; do
    wait "$pid" || codes=$((codes + 1))
done
PIDS=""
for host in $HOSTS; do sed "s/^/  $host: /" "$ROOT/$host.out"; done
if [ "$codes" -ne 0 ]; then tail -n 5 "$ROOT"/*.log; fi

bold "4. the proof"
bring_back
OUT_DIR=$ROOT/store/out/demo/output
cat "$OUT_DIR"/*/data/read.txt 2>/dev/null | sort -k 2 >"$ROOT/train.got"
prove "all three hosts ended with exit code 0" is_zero "$codes"
prove "every object of train was read, byte for byte" \
    same "$ROOT/train.want" "$ROOT/train.got"
prove "no object of train was read twice" no_repeats "$ROOT/train.got"
prove "every host has all of val" val_everywhere
prove "outputs and checkpoints lie apart, one place a host" one_each
prove "the job was seen by smshard status while it ran" \
    test -s "$ROOT/status.txt"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
