#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# smshard advise: what it says of data sets of different kinds, and of what is
# none.
# shellcheck disable=SC2016 # what is quoted is another shell's
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

advise() { "$SMSHARD" advise "$@"; }

# says WHAT FILTER ARGS…: the JSON answer is so.
says() {
    what=$1
    filter=$2
    shift 2
    run advise --json "$@"
    if [ "$code" -eq 0 ] && jq -e "$filter" "$T/std.out" >/dev/null; then
        ok "$what"
    else
        not_ok "$what" "$filter: $(cat "$T/std.out" "$T/std.err")"
    fi
}

make_data "$T/small" 300
mkdir "$T/large"
for i in 1 2 3 4; do truncate -s 20G "$T/large/$i.tar"; done

# ---- What it sees.

says "objects and bytes" \
    '.objects == 300 and .small == 300 and .records == 0 and .bytes > 2000' "$T/small/"
says "files of records" '.records == 4 and .largest == 21474836480' "$T/large/"
run advise "$T/small/" --json --hosts 2
check "the source may stand first" jq -e '.assumed.hosts == 2' "$T/std.out"
says "a literal prefix" '.objects == 1' "$T/large/3"

# ---- What it says.

says "few: File" '.advice == "File" and (.pack | not)' "$T/small/"
says "large ones of records: Ring" '.advice == "Ring" and (.pack | not)' "$T/large/"
says "too little memory: FastFile" '.advice == "FastFile" and
    (.modes[] | select(.mode == "Ring") | .fits | not)' \
    --ranks 8 --memory 100MB "$T/large/"
says "too small a disk" '(.modes[] | select(.mode == "File") | .fits | not) and
    (.why | contains("disk"))' --disk 20GB "$T/large/"
says "more hosts, less to wait for" '.modes[0].start_seconds < 10' --hosts 16 "$T/large/"
says "but not where all read all" '.modes[0].start_seconds > 30' \
    --hosts 16 --replicated "$T/large/"
says "slow requests: pack" '.pack and .advice == "Ring" and
    .packed_epoch_seconds < .epoch_seconds' --requests 1 "$T/small/"
says "more ranks than objects" '.note | startswith("4 objects for 8 ranks")' \
    --ranks 8 "$T/large/"
says "what was assumed" '.assumed.hosts == 3 and .assumed.ranks == 4 and
    .assumed.bandwidth == 5e9 and .assumed.latency_ms == 10' \
    --hosts 3 --ranks 4 --bandwidth 5GB --latency-ms 10 "$T/small/"

run advise "$T/small/"
check "a line for each mode" sh -c \
    '[ "$(grep -cE "^(File|FastFile|Pipe|Ring) +starts after" "$1")" = 4 ]' - "$T/std.out"
check "the advice" grep -q '^advice: File: ' "$T/std.out"
check "nothing was written" test "$(find "$T/small" -type f | wc -l)" = 300

# ---- What it refuses.

fails "no source" 64 "one SOURCE-URI is wanted" advise
fails "two sources" 64 "one SOURCE-URI is wanted" advise "$T/small/" "$T/large/"
fails "nowhere" 66 "nowhere" advise "$T/nowhere/"
mkdir "$T/void"
fails "nothing" 66 "no object" advise "$T/void/"
fails "no hosts" 64 "--hosts: '0'" advise --hosts 0 "$T/small/"
fails "too many ranks" 64 "--ranks: '65'" advise --ranks 65 "$T/small/"
fails "no size" 64 "--memory: 'much' is not a size" advise --memory much "$T/small/"
fails "an unknown flag" 64 "did you mean --hosts?" advise --host 3 "$T/small/"
fails "no URI" 65 "ftp" advise ftp://x/y

run advise --help
check "--help" grep -q '^usage: smshard advise \[FLAGS\] SOURCE-URI' "$T/std.out"

finish
