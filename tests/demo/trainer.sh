#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A tiny "trainer": reads every file of its channels, learns their checksums,
# and writes a model, a result and a checkpoint where the contract says.
# TRAINER_PAUSE=SECONDS makes it slow enough to watch, TRAINER_HOLD=FILE makes
# it wait until that is there; TRAINER_FAILS_ON=HOST makes it fail there.
set -eu

train=${SM_CHANNEL_TRAIN:?}
model=${SM_MODEL_DIR:?}
results=${SM_OUTPUT_DATA_DIR:?}
checkpoints=${SMSHARD_CHECKPOINT_DIR:-}

echo "rank $SMSHARD_RANK of $SMSHARD_WORLD_SIZE on $SM_CURRENT_HOST:" \
    "$(find "$train" -type f | wc -l) files to learn"

(cd "$train" && find . -type f -exec sha256sum {} +) |
    sed 's| \./| |' | sort -k 2 >"$results/read.txt"
if [ -n "${SM_CHANNEL_VAL:-}" ]; then
    (cd "$SM_CHANNEL_VAL" && find . -type f -exec sha256sum {} +) |
        sed 's| \./| |' | sort -k 2 >"$results/val.txt"
fi
if [ "${TRAINER_FAILS_ON:-}" = "$SM_CURRENT_HOST" ]; then
    echo "failing, as asked" >&2
    exit 3
fi
[ -z "${TRAINER_PAUSE:-}" ] || sleep "$TRAINER_PAUSE"
while [ -n "${TRAINER_HOLD:-}" ] && [ ! -e "$TRAINER_HOLD" ]; do
    sleep 0.2
done

if [ -n "$checkpoints" ]; then
    echo "step 1 of $SM_CURRENT_HOST" >"$checkpoints/step-1.txt"
fi
sha256sum <"$results/read.txt" >"$model/model-$SM_CURRENT_HOST.txt"
echo "learnt $(wc -l <"$results/read.txt") files"
