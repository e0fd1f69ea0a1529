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

run "$SMSHARD" plan --synthetic 10000 --hosts 16 --deal balanced --sizes zipf --json
check "synthetic: balanced within 1 %" jq -e '.channels[0].skew <= 1.01' "$T/std.out"
run "$SMSHARD" plan --synthetic 1000 --hosts 16 --sizes zipf --json
check "synthetic: by index it is far from that" jq -e '.channels[0].skew > 1.5' "$T/std.out"
fails "synthetic: unknown sizes" 64 "lognormal" "$SMSHARD" plan --synthetic 10 --sizes big
finish
