#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `smshard doctor`: what it says of stores that are set up right and of those
# that are not, and that it leaves nothing behind.
set -u
# shellcheck disable=SC2154 # run and start set code and pid
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

for name in $(env | sed -n 's/^\(AWS_[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
export HOME="$T" AWS_EC2_METADATA_DISABLED=true

doctor() { run "$SMSHARD" doctor "$@"; }

# is WHAT FILTER: the JSON of the last run is so.
is() { check "$1" jq -e "$2" "$T/std.out"; }

# result CHECK RESULT: as a filter.
result() { echo "[.checks[] | select(.check == \"$1\")][0].result == \"$2\""; }

# failed_at CHECK TEXT CODE WHAT: the first failure is that one and says so.
failed_at() {
    is "$4: $1" "[.checks[] | select(.result == \"failed\")][0] |
        .check == \"$1\" and (.text | contains(\"$2\"))"
    check "$4: exit code" test "$code" -eq "$3"
    is "$4: the JSON tells the exit code" ".exit_code == $3"
}

# --- A folder -----------------------------------------------------------------

mkdir "$T/store"
echo mine >"$T/store/file"
doctor "file://$T/store" --json --bytes 9000000
check "a folder: exit code" test "$code" -eq 0
is "a folder: nothing fails" ".failed == 0 and .not_supported == 1"
is "a folder: sums agree" \
    "(.checks | length) == .ok + .failed + .not_supported + .skipped"
is "a folder: conditional writes" "$(result 'one winner' ok)"
is "a folder: multipart" "$(result multipart ok)"
is "a folder: all of the object is read" "[.checks[] |
    select(.check == \"read, 1 at once\")][0].bytes >= 9000000"
is "a folder: needs no credentials" "$(result credentials skipped)"
check "a folder: only what was there" test \
    "$(find "$T/store" | sort | tr '\n' ' ')" = "$T/store $T/store/file "

doctor "$T/new/er" --quick
check "a new folder: exit code" test "$code" -eq 0
check "a new folder: it says what it does" \
    grep -q "^  settings  *ok .*made for this" "$T/std.out"
check "a new folder: the columns stand below each other" test \
    "$(sed -n 's/^\(  [a-z, 0-9]*[a-z]  *\)\(ok\|skipped\|not supported\) .*/\1/p' \
        "$T/std.out" | awk '{ print length($0) }' | sort -u | wc -l)" -eq 1
check "a new folder: the heading" \
    test "$(head -n 1 "$T/std.out")" = "smshard doctor $T/new/er"
check "a new folder: the sum" sh -c "tail -n 1 '$T/std.out' |
    grep -qE '^[0-9]+ ok, 0 failed, 1 not supported, [0-9]+ skipped$'"
check "a new folder: gone" test ! -e "$T/new"

doctor --read-only --json "file://$T/store/"
is "--read-only: reads what is there" "$(result get ok)"
is "--read-only: writes nothing" "$(result put skipped)"
check "--read-only: exit code" test "$code" -eq 0

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    mkdir "$T/closed"
    chmod 755 "$T" "$T/closed"
    cp "$SMSHARD" "$T/smshard"
    run setpriv --reuid 65534 --regid 65534 --clear-groups \
        "$T/smshard" doctor --json --quick "file://$T/closed"
    failed_at settings "Permission denied" 77 "a folder of somebody else"
    is "a folder of somebody else: no more is tried" "$(result multipart skipped)"
else
    skip "a folder of somebody else" "needs root and setpriv"
fi

# --- Bad input ----------------------------------------------------------------

fails "no URI" 64 "one STORE-URI" "$SMSHARD" doctor
fails "two URIs" 64 "one STORE-URI" "$SMSHARD" doctor --quick "$T/a" "$T/b"
fails "an unknown flag" 64 "did you mean --quick" "$SMSHARD" doctor --quik "$T"
fails "no bytes" 64 "bytes" "$SMSHARD" doctor --bytes 0 "$T"
doctor --json ftp://x/y
failed_at settings "not a location" 65 "no store"
doctor --json "file://$T/store/file/below"
check "a file in the way: exit code" test "$code" -ne 0
check "a file in the way: it stays" grep -q mine "$T/store/file"

# --- S3 without a server ------------------------------------------------------

doctor --json --quick s3://bucket/prefix
is "no credentials: says which" "[.checks[] |
    select(.check == \"credentials\")][0] | .result == \"failed\" and
    (.text | contains(\"AWS_ACCESS_KEY_ID\"))"

export AWS_ACCESS_KEY_ID=AKIAEXAMPLEABCDWXYZ AWS_SECRET_ACCESS_KEY=hush-hush
AWS_ENDPOINT_URL_S3=http://127.0.0.1:1 doctor --json s3://bucket/prefix
failed_at reach "check the endpoint" 69 "nobody listens"
is "nobody listens: clock" "$(result clock skipped)"
is "nobody listens: the endpoint's origin is told" \
    '.checks[0].text | contains("(AWS_ENDPOINT_URL_S3)")'
is "the key's end is shown" '.checks[1].text | contains("...WXYZ")'
check "no more of the key" sh -c "! grep -qE 'AKIA|hush' '$T/std.out'"
AWS_ENDPOINT_URL_S3=nonsense doctor --json s3://bucket/prefix
failed_at settings "nonsense" 65 "an endpoint that is none"

# --- A real server ------------------------------------------------------------

root=$(cd "$(dirname "$0")/../.." && pwd)
if command -v weed >/dev/null || [ -x "$root/build/seaweedfs/bin/weed" ]; then
    if "$root/tests/s3/seaweedfs.sh" start "$T/sw" >"$T/sw.env" 2>&1; then
        PIDS="$PIDS $(cat "$T/sw/pid")"
        while IFS='=' read -r name value; do
            export "$name=$value"
        done <"$T/sw/env"

        doctor --json --bytes 9000000 s3://smshard/some/prefix
        check "SeaweedFS: exit code" test "$code" -eq 0
        is "SeaweedFS: all is well" ".failed == 0 and .skipped == 0"
        is "SeaweedFS: conditional writes" "$(result 'one winner' ok)"
        is "SeaweedFS: a checksum" "$(result 'checksum kept' ok)"
        is "SeaweedFS: the heading names it" \
            ".endpoint == \"$AWS_ENDPOINT_URL_S3\" and .region == \"us-east-1\""
        check "SeaweedFS: no secret" \
            sh -c "! grep -qF '$AWS_SECRET_ACCESS_KEY' '$T/std.out'"

        # A signal in the middle of it.
        start signalled "$SMSHARD" doctor --bytes 200000000 s3://smshard/b
        until_true grep -q "^  if match" "$T/signalled.out"
        kill -INT "$pid"
        ended "$pid"
        check "a signal: exit code" test "$code" -eq 130
        check "a signal: it cleans up" \
            grep -qE "^  clean up +ok +nothing is left" "$T/signalled.out"

        doctor --json --read-only s3://smshard
        is "SeaweedFS: nothing was left" \
            '[.checks[] | select(.check == "list")][0].text |
                startswith("0 objects")'

        AWS_SECRET_ACCESS_KEY=wrong doctor --json s3://smshard/a
        failed_at list "the secret key is wrong" 77 "a wrong key"
        AWS_ACCESS_KEY_ID=nobody-at-all doctor --json s3://smshard/a
        failed_at list "check the credentials" 77 "an unknown key"
        doctor --json s3://not-there/a
        failed_at list "there is no such bucket" 66 "no bucket"
        is "no bucket: nothing is tried in it" "$(result put skipped)"
        "$root/tests/s3/seaweedfs.sh" stop "$T/sw"
    else
        not_ok "SeaweedFS starts" "$(cat "$T/sw.env")"
    fi
else
    skip "a real server" "no weed in PATH or build/seaweedfs"
fi

finish
