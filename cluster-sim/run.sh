#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make cluster`: a job of three hosts in Docker Compose, v2 or v1. Brings it
# up, shows its status from outside, runs to the end, proves what came out;
# then the same with a command that fails, and two jobs that go on when a
# container is killed: a worker's, and the coordinator's. Leaves nothing running, whatever
# happens. Ends with `N passed, N failed`, and `, 1 skipped` where a machine
# can't run containers at all.
#
# Functions are called by name, through check, await and quietly:
# shellcheck disable=SC2317
set -u

HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=$(dirname "$HERE")/build/cluster
# One project a checkout, so that two do not end each other's hosts.
PROJECT=smshard-$(cksum <<<"$HERE" | cut -d ' ' -f 1)
OUTSIDE=$PROJECT-outside
HOSTS=(algo-1 algo-2 algo-3)
LIMIT_S=120 # for each thing that is waited for
passed=0
failed=0
awaited=''

say() { echo "cluster: $*"; }
check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "  ok      $what"
    else
        failed=$((failed + 1))
        echo "  FAILED  $what"
    fi
}
is() { [ "$1" = "$2" ] || { echo "  got '$1', not '$2'" && false; }; }

# Run a command so that a signal need not wait for its end.
await() {
    local code
    "$@" &
    awaited=$!
    wait "$awaited"
    code=$?
    awaited=''
    return "$code"
}
# Its output is shown only when it fails.
quietly() {
    "$@" >"$CACHE/log" 2>&1 || { tail -n 40 "$CACHE/log"; false; }
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
give_up() {
    failed=$((failed + 1))
    say "$*"
    finish
}

hosts_down() { compose rm -fsv "${HOSTS[@]}" >/dev/null 2>&1; }
all_down() {
    docker rm -f "$OUTSIDE" >/dev/null 2>&1
    compose down --volumes --timeout 5 >"$CACHE/down.log" 2>&1
}

# shellcheck source=cluster-sim/docker.sh
. "$HERE/docker.sh"

clean_up() {
    trap '' INT TERM HUP
    [ -z "$awaited" ] || kill "$awaited" 2>/dev/null
    [ ${#compose_words[@]} = 0 ] || all_down || cat "$CACHE/down.log"
    docker_down
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

id_of() { compose ps -aq "$1" 2>/dev/null; }
outside() { docker exec "$OUTSIDE" "$@"; }
# What the hosts wrote, a line each.
hosts_log() {
    compose logs --no-color "${HOSTS[@]}" 2>&1 |
        sed -n 's/^\x1b\[2K//; / | /p'
}

# Print the exit codes of the hosts, in order, once all have ended.
wait_for_codes() {
    local host
    for host in "${HOSTS[@]}"; do
        timeout "$LIMIT_S" docker wait "$(id_of "$host")" || echo none
    done | xargs
}
codes() {
    await wait_for_codes >"$CACHE/codes" 2>"$CACHE/log"
    cat "$CACHE/codes"
}

# How many addresses the hosts have between them.
addresses() {
    local host
    for host in "${HOSTS[@]}"; do
        docker inspect -f \
            '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' \
            "$(id_of "$host")"
    done | sort -u | grep -c '[0-9]'
}

# Ask for the status until all hosts run the command; show the last answer.
watch_start() { # FLAGS... of the job
    local end=$((SECONDS + LIMIT_S)) ended=1
    while [ "$SECONDS" -lt "$end" ] && [ "$ended" != 0 ]; do
        outside smshard status --wait 2 "$@" >"$CACHE/status" 2>&1
        [ "$(grep -c '^algo-[123] *running' "$CACHE/status")" != 3 ] || ended=0
        [ "$ended" = 0 ] || await sleep 0.5
    done
    sed 's/^/  /' "$CACHE/status"
    return "$ended"
}

add_counts() { # The count that is the last line of the file $1.
    local p f
    read -r p _ f _ <<<"$(tail -n 1 "$1" | grep ' passed, ')"
    passed=$((passed + ${p:-0}))
    failed=$((failed + ${f:-1}))
}

prepare() {
    command -v docker >/dev/null || give_up "docker is not installed"
    docker_up || give_up "no Docker daemon answers, and none could be started"
    compose_find || give_up "Compose is missing"
    all_down
    say "$(docker version -f 'Docker {{.Server.Version}}'), Compose" \
        "$(compose version --short)"
    apt_proxy
    base_find || give_up "there is no base image"
    say "building the image"
    quietly await compose build \
        ${http_proxy:+--build-arg http_proxy="$http_proxy"} outside ||
        give_up "the image could not be built"
    s3_find || give_up "there is no S3 server to be had"
    quietly compose up -d --no-build s3 || give_up "the S3 server did not start"
    quietly compose run -d --name "$OUTSIDE" outside sleep 3600 ||
        give_up "the container that looks on did not start"
    quietly outside prove make-data || give_up "the data was not made"
}

job_succeeds() {
    say "three hosts start"
    export TRAINER_HOLD=/signal/go TRAINER_FAILS_ON=''
    quietly compose up -d --no-build "${HOSTS[@]}"
    check "smshard status sees all three run, from outside" watch_start
    check "each host has an address of its own" is "$(addresses)" 3
    outside touch /signal/go
    check "all three hosts ended with exit code 0" is "$(codes)" "0 0 0"
    hosts_log | grep -v ' info ' | sed 's/^/  /'
    outside prove >"$CACHE/proof" 2>&1
    sed '$d' "$CACHE/proof"
    add_counts "$CACHE/proof"
}

# The command is ended by SIGTERM, or was not even started.
all_failed() { # CODES
    [[ $1 =~ ^(143|79)' 3 '(143|79)$ ]] || is "$1" "143 3 143"
}

job_fails() {
    local codes
    say "the same job again, with a command that fails on algo-2"
    hosts_down
    export TRAINER_HOLD=/signal/never TRAINER_FAILS_ON=algo-2
    quietly compose up -d --no-build "${HOSTS[@]}"
    codes=$(codes)
    hosts_log | grep 'smshard: ' | sed 's/^/  /'
    check "the host that failed keeps its exit code, the others end too" \
        all_failed "$codes"
    check "every host names the one that failed, and why" is \
        "$(hosts_log | grep -c 'smshard: .*algo-2.*exited with 3')" 3
}

# The host that leads, or the next one.
find_host() { # ROLE FLAGS...
    local role=$1 leader
    shift
    leader=$(outside smshard status --json "$@" |
        sed -n 's/.*"leader": *"algo-\([123]\)".*/\1/p')
    [ "$role" = coordinator ] || leader=$((leader % 3 + 1))
    echo "algo-$leader"
}

all_but_one_ended() { # LOST CODES
    local i want=''
    for i in 1 2 3; do
        [ "algo-$i" = "$1" ] && want+=' 137' || want+=' 0'
    done
    is "$2" "${want# }"
}

job_survives() { # ROLE
    local job=$1-lost lost id
    say "a job with dynamic shares, whose $1 is killed"
    hosts_down
    outside sh -c 'rm -f /signal/*'
    export TRAINER_HOLD=/signal/go TRAINER_FAILS_ON=''
    export HOST_COMMAND="run --job-name $job --on-failure keep
        --host-timeout 6s --channel.train.deal dynamic
        --checkpoint s3://smshard/checkpoints-$job -- taker"
    quietly compose up -d --no-build "${HOSTS[@]}"
    check "all three run" watch_start --job-name "$job"
    lost=$(find_host "$1" --job-name "$job")
    id=$(id_of "$lost")
    outside touch /signal/go
    await outside sh -c "until [ -s /signal/read-$lost ]; do sleep 0.1; done"
    check "the container of $lost is killed" quietly docker kill -s KILL "$id"
    check "the others go on to a good end" all_but_one_ended "$lost" "$(codes)"
    hosts_log | grep -E ' warn | coordinator.found ' | sed 's/^/  /'
    outside prove taken "$job" "$lost" >"$CACHE/proof" 2>&1
    sed '$d' "$CACHE/proof"
    add_counts "$CACHE/proof"
}

if ! docker_is_possible; then
    say "skipped: no Docker daemon answers, and one can't be started without" \
        "root and namespaces"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
mkdir -p "$CACHE"
if command -v flock >/dev/null; then
    exec 9>"$CACHE/lock"
    await flock -w 900 9 || give_up "another make cluster runs in this tree"
fi
prepare
job_succeeds
job_fails
job_survives worker
job_survives coordinator
finish
