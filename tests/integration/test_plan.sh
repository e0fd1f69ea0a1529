#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `smshard plan`: what every host and rank would read and write, in text and
# JSON, and that it changes nothing.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

make_data "$T/data/train" 20
PLAN="--job-name p --output $T/out --channel train=$T/data/train/,sharded"

# shellcheck disable=SC2086 # flags are split on purpose
plan() { run "$SMSHARD" plan $PLAN "$@"; }

plan --hosts 3 --ranks 2 --json --objects
check "JSON" jq -e . "$T/std.out"
check "every object once over all ranks" test "$(jq -r \
    '.channels[0].hosts[].ranks[].objects[].key' "$T/std.out" | sort -u | wc -l)" -eq 20
check "none twice" test "$(jq -r \
    '[.channels[0].hosts[].ranks[].objects[].key] | length' "$T/std.out")" -eq 20
check "ranks are numbered through" test "$(jq -c \
    '[.channels[0].hosts[].ranks[].rank]' "$T/std.out")" = "[0,1,2,3,4,5]"
check "sums agree" jq -e '.channels[0] | .bytes == ([.hosts[].bytes] | add)' "$T/std.out"
check "write prefixes differ" test "$(jq -r '.hosts[].output' "$T/std.out" | sort -u | wc -l)" -eq 3
check "every setting has an origin" jq -e \
    '[.settings[] | select(.origin == null or .origin == "")] | length == 0' "$T/std.out"
check "a flag is named as the origin" jq -e \
    '.settings[] | select(.name == "ranks") | .origin == "--ranks" and .value == "2"' "$T/std.out"
SMSHARD_RANKS=4 plan --json
check "a variable is named as the origin" jq -e \
    '.settings[] | select(.name == "ranks") | .origin == "SMSHARD_RANKS"' "$T/std.out"
SMSHARD_RANKS=4 plan --json --ranks 3
check "a flag beats a variable" jq -e \
    '.settings[] | select(.name == "ranks") | .value == "3"' "$T/std.out"
plan --hosts 3
check "text names hosts" grep -q 'algo-3' "$T/std.out"
plan --hosts 2 --even drop --hosts 3 --json
check "drop leaves out and counts" jq -e \
    '.channels[0] | .dropped == 2 and ([.hosts[].units] | unique | length == 1)' "$T/std.out"
plan --hosts 3 --even pad --json
check "pad repeats and counts" jq -e '.channels[0].padded == 1' "$T/std.out"
check "it changes nothing" test ! -e "$T/out"

PLAN="--job-name p --output $T/out --channel train=$T/data/train/,deal=dynamic"
plan --hosts 3 --ranks 2 --channel.train.step-units 6 --channel.train.even drop --epochs 3 --json
check "dynamic: what is leased" jq -e '.channels[0] | .deal == "dynamic" and
    .units == 18 and .dropped == 2 and .epochs == 3 and .step_units == 6 and
    ([.hosts[].rank_count] == [2, 2, 2]) and (has("skew") | not)' "$T/std.out"
plan --hosts 3 --ranks 2
check "dynamic: as text" grep -q \
    'leased while the command runs: 20 units an epoch, 1 epoch, 3 hosts, 6 ranks' "$T/std.out"
plan --hosts 1 --json
catalog=$(jq -r '.channels[0].catalog' "$T/std.out")

cursor() { # EPOCH BASE COMMITTED SKIPPED
    cat <<JSON
{"cursor":1,"job":"p","channels":[{"name":"train","catalog":"$catalog",
 "how":{"deal":"dynamic","even":"none","split":false,"seed":null},
 "epoch":$1,"positions":20,"base":$2,"committed":$3,"skipped":$4}]}
JSON
}
cursor 1 '[[0,4]]' '[[6,8],[10,12]]' '[[5,6]]' >"$T/cursor.json"
plan --hosts 3 --epochs 4 --resume "$T/cursor.json" --json
check "resume: what is left is leased" jq -e '.channels[0] | .epochs == 3 and
    (.resume | .epoch == 1 and .committed == 8 and .left == 12 and .runs == 3 and
    .tried_again == 1 and .next == [[4, 6], [8, 10], [12, 20]])' "$T/std.out"
plan --hosts 3 --epochs 4 --resume "file://$T/cursor.json"
check "resume: as text" grep -q 'epoch 1, 8 committed, 12 left in 3 runs' "$T/std.out"
check "resume: skipped units" grep -q 'skipped before, tried again: 1' "$T/std.out"
check "resume: first positions" grep -q 'next positions: 4-5 8-9 12-19$' "$T/std.out"
for deal in balanced sagemaker replicated; do
    plan --hosts 5 --ranks 2 --channel.train.deal $deal --resume "$T/cursor.json" --json --objects
    check "resume, $deal: what is left is dealt" test "$(jq -r \
        '.channels[0].hosts[].ranks[].objects[].key' "$T/std.out" | sort -u | wc -l)" -eq 12
done
cursor 0 '[]' '[[0,20]]' '[]' >"$T/all.json"
plan --hosts 2 --resume "$T/all.json"
check "resume: nothing is left" grep -q 'nothing is left of this epoch' "$T/std.out"
plan --hosts 2 --channel.train.deal balanced --even pad --resume "$T/all.json" --json
check "resume: nothing is left to deal" jq -e \
    '[.channels[0].hosts[].units] == [0, 0]' "$T/std.out"
echo '{"cursor":9}' >"$T/later.json"
# shellcheck disable=SC2086 # flags are split on purpose
{
    fails "resume: an epoch too far" 65 "stands in epoch 1 (from 0), but Epochs is 1" \
        "$SMSHARD" plan $PLAN --resume "$T/cursor.json"
    fails "resume: another seed" 65 "leave ShuffleConfig.Seed out as before" \
        "$SMSHARD" plan $PLAN --channel.train.shuffle-seed 3 --resume "$T/all.json"
    fails "resume: no cursor there" 66 "nowhere.json" \
        "$SMSHARD" plan $PLAN --resume "$T/nowhere.json"
    fails "resume: of a later version" 76 "is of version 9" \
        "$SMSHARD" plan $PLAN --resume "$T/later.json"
    echo more >"$T/data/train/zzz"
    fails "resume: the source has changed" 65 "does not hold the old one" \
        "$SMSHARD" plan $PLAN --resume "$T/all.json"
}
check "resuming changes nothing" test ! -e "$T/out"

run "$SMSHARD" plan --synthetic 10000 --hosts 16 --deal balanced --sizes zipf --json
check "synthetic: balanced within 1 %" jq -e '.channels[0].skew <= 1.01' "$T/std.out"
run "$SMSHARD" plan --synthetic 1000 --hosts 16 --sizes zipf --json
check "synthetic: by index it is far from that" jq -e '.channels[0].skew > 1.5' "$T/std.out"
fails "synthetic: unknown sizes" 64 "lognormal" "$SMSHARD" plan --synthetic 10 --sizes big
finish
