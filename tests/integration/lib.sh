# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the integration scripts share. A script sources this, calls its checks,
# and ends with `finish`. Everything lies in $T, which is removed at the end;
# every process that was started is ended by its own id.

SMSHARD=${SMSHARD:-build/release-gcc/smshard}
SMSHARD=$(cd "$(dirname "$SMSHARD")" && pwd)/$(basename "$SMSHARD")
T=$(mktemp -d "${TMPDIR:-/tmp}/smshard-test.XXXXXX")
PIDS=""
MOUNTS=""
passed=0
failed=0
skipped=0

# No variable of the caller's job may reach the tests.
for name in $(env | sed -n 's/^\(SM_[A-Z_]*\|SMSHARD_[A-Z_]*\|SLURM_[A-Z_]*\|OMPI_[A-Z_]*\|TRAINING_JOB_NAME\|SAGEMAKER_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    for pid in $PIDS; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    for m in $MOUNTS; do umount "$m" 2>/dev/null; done
    rm -rf "$T"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

ok() { # WHAT
    passed=$((passed + 1))
    [ -z "${VERBOSE:-}" ] || echo "ok $1"
}

not_ok() { # WHAT DETAIL
    failed=$((failed + 1))
    printf 'FAILED %s\n' "$1"
    [ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/    /'
}

skip() { # WHAT WHY
    skipped=$((skipped + 1))
    echo "skipped: $1: $2"
}

check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$T/check.out" 2>&1; then
        ok "$what"
    else
        not_ok "$what" "$* $(cat "$T/check.out")"
    fi
}

# Run a command; its exit code is in $code, its output in $T/std.out and
# $T/std.err.
run() {
    code=0
    "$@" >"$T/std.out" 2>"$T/std.err" || code=$?
}

# The one line that smshard says when it fails, without log lines.
said() { grep '^smshard: ' "$T/std.err"; }

# fails WHAT CODE TEXT COMMAND...: exits with CODE and one line with TEXT.
fails() {
    what=$1
    want=$2
    text=$3
    shift 3
    run "$@"
    if [ "$code" -ne "$want" ]; then
        not_ok "$what" "exit code $code, not $want: $(cat "$T/std.err")"
    elif [ "$(said | wc -l)" -ne 1 ]; then
        not_ok "$what" "not one line: $(cat "$T/std.err")"
    elif ! said | grep -qF -- "$text"; then
        not_ok "$what" "does not say '$text': $(cat "$T/std.err")"
    else
        ok "$what"
    fi
}

# start NAME COMMAND...: in the background; out and err in $T/NAME.out, .err;
# its process id in $pid.
start() {
    name=$1
    shift
    "$@" >"$T/$name.out" 2>"$T/$name.err" &
    pid=$!
    PIDS="$PIDS $pid"
}

# ended PID: wait for it; its exit code is in $code.
ended() {
    code=0
    wait "$1" || code=$?
}

# until_true COMMAND...: try every 50 ms, for as long as the slowest machine may
# take: what is waited for comes, or something is wrong.
until_true() {
    case $1 in [0-9]*) shift ;; esac # How often, once.
    tries=2400
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

# make_data FOLDER COUNT: objects 1.txt … of a line each.
make_data() {
    mkdir -p "$1"
    i=0
    while [ "$i" -lt "$2" ]; do
        i=$((i + 1))
        echo "object $i" >"$1/$i.txt"
    done
}

# host N COUNT ARGS...: smshard run as host algo-N of COUNT on 127.0.0.(N+1),
# base folder $T/algo-N. The job's flags come in ARGS.
host() {
    number=$1
    count=$2
    shift 2
    hosts=$(i=1; while [ "$i" -le "$count" ]; do printf 'algo-%s,' "$i"; i=$((i + 1)); done)
    SMSHARD_HOSTS=${hosts%,} SMSHARD_CURRENT_HOST=algo-$number \
        exec "$SMSHARD" run --base "$T/algo-$number" \
        --bind "127.0.0.$((number + 1))" --heartbeat 100ms \
        --host-timeout 3s --join-timeout 30s "$@"
}

# three_hosts JOB CHANNEL ARGS...: as algo-1 to algo-3, which end with 0.
three_hosts() {
    job=$1 channel=$2
    shift 2
    for n in 1 2 3; do
        start "h$n" host "$n" 3 --job-name "$job" --output "$T/out" \
            --channel "$channel" "$@"
        eval "p$n=$pid"
    done
    for n in 1 2 3; do
        eval "ended \$p$n"
        check "$job: host $n ends with 0, not $code: $(tail -n 1 "$T/h$n.err")" \
            test "$code" -eq 0
    done
}

# serve_s3 ARGS...: start the S3 server of the tests, $SERVER; $server is its
# process. end_s3: its last words are in $T/server.out.
serve_s3() {
    rm -f "$T/server.out"
    # shellcheck disable=SC2153 # the script's: its program
    start server "$SERVER" "$@"
    server=$pid
    until_true test -s "$T/server.out"
    AWS_ENDPOINT_URL_S3=$(head -n 1 "$T/server.out")
    export AWS_ENDPOINT_URL_S3
}
end_s3() {
    kill "$server" 2>/dev/null
    wait "$server"
}

finish() {
    if [ "$skipped" -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [ "$failed" -eq 0 ]
}
