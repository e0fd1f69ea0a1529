#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make cluster`: brings the Compose cluster up, shows the job's status from
# outside, runs to the end, proves the result, and cleans up whatever happens.
# Works with Compose v2 and v1. Where no Docker daemon answers and we are root,
# one of our own is started and ended; where the base image can't be pulled, it
# is made with debootstrap. Ends with `N passed, N failed`.
set -u

HERE=$(cd "$(dirname "$0")" && pwd)
BASE_IMAGE=debian:bookworm-slim
PROJECT=smshard-cluster
CACHE=$(cd "$HERE/.." && pwd)/build/cluster
DAEMON=""
RUN=""
passed=0
failed=0

say() { echo "cluster: $*"; }
skip() {
    say "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
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
is() { [ "$1" = "$2" ]; }
quietly() { # COMMAND...: its output is shown only when it fails.
    "$@" >"$CACHE/log" 2>&1 || {
        cat "$CACHE/log"
        return 1
    }
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    [ -z "${COMPOSE:-}" ] || compose down --volumes --timeout 5 >/dev/null 2>&1
    if [ -n "$DAEMON" ]; then
        kill "$DAEMON" 2>/dev/null
        wait "$DAEMON" 2>/dev/null
        rm -rf "$RUN"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

start_daemon() {
    [ "$(id -u)" -eq 0 ] || skip "no Docker daemon answers, and only root can start one"
    command -v dockerd >/dev/null || skip "no Docker daemon answers, and dockerd is not installed"
    RUN=$(mktemp -d "${TMPDIR:-/tmp}/smshard-docker.XXXXXX")
    say "starting a Docker daemon of our own"
    dockerd --data-root "$CACHE/docker" --exec-root "$RUN/exec" \
        --pidfile "$RUN/pid" --host "unix://$RUN/sock" >"$CACHE/dockerd.log" 2>&1 &
    DAEMON=$!
    export DOCKER_HOST=unix://$RUN/sock
    for _ in $(seq 100); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$DAEMON" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 3 "$CACHE/dockerd.log"
    skip "a Docker daemon can't run here"
}

find_compose() {
    if docker compose version >/dev/null 2>&1; then
        COMPOSE="docker compose"
    elif command -v docker-compose >/dev/null; then
        COMPOSE=docker-compose
    else
        skip "neither 'docker compose' nor docker-compose is installed"
    fi
    docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
}
compose() {
    # shellcheck disable=SC2086 # two words with Compose v2
    $COMPOSE -p "$PROJECT" -f "$HERE/compose.yaml" "$@"
}

# Where the machine's own packages come from.
mirror() {
    cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
        awk '/^URIs:/ {print $2; exit} /^deb / {print $2; exit}'
}
find_base_image() {
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
    timeout 30 docker pull -q "$BASE_IMAGE" >/dev/null 2>&1 && return
    command -v debootstrap >/dev/null || skip "$BASE_IMAGE can't be pulled, and debootstrap is not installed"
    say "making $BASE_IMAGE with debootstrap"
    local root=$CACHE/base
    rm -rf "$root"
    quietly debootstrap --variant=minbase bookworm "$root" "$(mirror)" || skip "debootstrap failed"
    tar -C "$root" -c . | docker import - "$BASE_IMAGE" >/dev/null
    rm -rf "$root"
}

# The exit codes of the three hosts, in order, once all have ended.
codes() {
    local all=""
    for h in algo-1 algo-2 algo-3; do
        all="$all$(timeout 180 docker wait "$(compose ps -aq $h 2>/dev/null || compose ps -q $h)") "
    done
    echo "${all% }"
}
up() { compose up -d --no-build algo-1 algo-2 algo-3 >"$CACHE/up.log" 2>&1 || cat "$CACHE/up.log"; }
hosts_log() { compose logs --no-color 2>&1; }
outside() { compose run --rm outside "$@" 2>/dev/null; }

mkdir -p "$CACHE"
docker info >/dev/null 2>&1 || start_daemon
find_compose
say "$(docker version --format 'Docker {{.Server.Version}}'), $($COMPOSE version --short 2>/dev/null | sed 's/^/Compose /')"
find_base_image
say "building the image"
quietly compose build outside || exit 1
compose down --volumes --timeout 5 >/dev/null 2>&1

outside prove make-data
say "three hosts start"
export TRAINER_PAUSE=6
up
seen=1
for _ in $(seq 10); do
    if status=$(outside smshard status --wait 2); then
        echo "$status"
        seen=0
        case $status in *running*) break ;; esac
    fi
done
ended=$(codes)
hosts_log | grep -v ' info ' | sed 's/^/  /'
check "smshard status answered from outside" is "$seen" 0
check "all three hosts ended with exit code 0" is "$ended" "0 0 0"
proof=$(outside prove)
echo "$proof" | grep -v passed
read -r more_passed _ more_failed _ <<<"$(echo "$proof" | tail -n 1 | tr -d '\r')"
passed=$((passed + ${more_passed:-0}))
failed=$((failed + ${more_failed:-1}))

say "the same, with a command that fails on algo-2"
compose rm -fs algo-1 algo-2 algo-3 >/dev/null 2>&1
export TRAINER_PAUSE=60 TRAINER_FAILS_ON=algo-2
up
read -r code1 code2 code3 <<<"$(codes)"
check "the host that failed keeps its exit code" is "$code2" 3
check "the others do not end with 0" test "$code1" != 0 -a "$code3" != 0
check "every host names the one that failed" is \
    "$(hosts_log | grep -c 'smshard: .*algo-2.*exited with 3')" 3

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
