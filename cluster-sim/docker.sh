# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Docker for run.sh, which sources it: a daemon, Compose, a base image.
#
# docker_up takes the daemon that answers, and else starts one of our own: as
# root, its data below $CACHE (so that the next run is fast), everything else
# in a folder of /tmp that docker_down removes. Ours touches neither the
# machine's firewall nor its bridges where it can do without: the hosts of the
# cluster only talk to each other, and the image is built on the machine's own
# network. compose_find picks Compose v2 or v1 for compose; base_find sees to
# BASE_IMAGE. Each says why it could not, and run.sh counts that as a failure;
# docker_is_possible tells the machines where it is none of ours.
#
# run.sh sets CACHE, HERE, PROJECT, and says things with say.

SUITE=bookworm
LOCAL_BASE=smshard-base:$SUITE # made here; no registry has it
BASE_IMAGE=debian:$SUITE-slim
export BASE_IMAGE

docker_pid=''
docker_run=''
compose_words=()
compose_files=(-f "$HERE/compose.yaml")

docker_answers() { timeout 20 docker info >/dev/null 2>&1; }

# A container is namespaces and mounts, and only root may always make these.
docker_is_possible() {
    docker_answers || {
        [ "$(id -u)" = 0 ] &&
            unshare --mount --net --pid --ipc --uts --fork true 2>/dev/null
    }
}

# End the daemon with the pid $1, and what it started if it can't any more.
docker_end() {
    local containerd
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 150); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.2
    done
    containerd=$(cat "$docker_run/exec/containerd/containerd.pid" 2>/dev/null)
    kill -9 "$1" ${containerd:+"$containerd"} 2>/dev/null
}

docker_down() {
    [ -z "$docker_pid" ] || docker_end "$docker_pid"
    docker_pid=''
    [ -n "$docker_run" ] || return 0
    umount "$docker_run"/exec/netns/* 2>/dev/null
    rm -rf --one-file-system "$docker_run"
    docker_run=''
}

# One that a run left that had no time to clean up. Its arguments say that it
# has our data folder, and where its own is.
docker_end_old() {
    local old words
    old=$(cat "$CACHE/dockerd.pid" 2>/dev/null) || return 0
    words=$(tr '\0' '\n' 2>/dev/null <"/proc/$old/cmdline") || return 0
    grep -qxF -- "$CACHE/docker" <<<"$words" || return 0
    say "ending the daemon of an earlier run"
    docker_pid=$old
    docker_run=$(sed -n 's|^\(/tmp/smshard-docker\.[A-Za-z0-9]*\)/exec$|\1|p' \
        <<<"$words")
    docker_down
}

# A bridge that the machine's firewall filters (as after a Docker daemon ran)
# lets nothing pass between our hosts unless the daemon may say so to it.
docker_firewall() {
    if grep -qsx 1 /proc/sys/net/bridge/bridge-nf-call-iptables; then
        echo --iptables=true
    else
        echo --iptables=false --ip-forward=false
    fi
}

docker_start() { # FLAGS...: start a daemon; 1 when it doesn't live
    echo '{}' >"$docker_run/daemon.json"
    rm -f "$CACHE/dockerd.pid"
    # A session of its own: Ctrl-C is for us, who then end it in order.
    setsid dockerd --config-file "$docker_run/daemon.json" \
        --data-root "$CACHE/docker" --exec-root "$docker_run/exec" \
        --pidfile "$CACHE/dockerd.pid" --host "unix://$docker_run/sock" \
        --bridge none "$@" </dev/null >"$CACHE/dockerd.log" 2>&1 9>&- &
    docker_pid=$!
    export DOCKER_HOST=unix://$docker_run/sock
    for _ in $(seq 150); do
        ! docker_answers || return 0
        kill -0 "$docker_pid" 2>/dev/null || break
        sleep 0.2
    done
    docker_end "$docker_pid"
    docker_pid=''
    return 1
}

docker_up() {
    local flags driver
    ! docker_answers || return 0
    PATH=$PATH:/usr/sbin:/sbin
    command -v dockerd >/dev/null ||
        { say "dockerd is not installed: make setup cluster"; return 1; }
    docker_end_old
    docker_run=$(mktemp -d /tmp/smshard-docker.XXXXXX)
    read -ra flags <<<"$(docker_firewall)"
    # It chooses a storage driver itself; vfs is slow and works anywhere.
    for driver in '' vfs; do
        say "starting a Docker daemon${driver:+ with storage driver $driver}"
        docker_start "${flags[@]}" ${driver:+--storage-driver "$driver"} &&
            return 0
    done
    tail -n 5 "$CACHE/dockerd.log"
    say "dockerd does not start; all it said is in $CACHE/dockerd.log"
    return 1
}

compose_find() {
    if docker compose version >/dev/null 2>&1; then
        compose_words=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose_words=(docker-compose)
    else
        say "neither 'docker compose' nor docker-compose is installed"
        return 1
    fi
    # Without buildx only the builder within the daemon is left.
    docker buildx version >/dev/null 2>&1 ||
        export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
    # Our own daemon has no bridge that leads out of the machine.
    [ -n "$docker_pid" ] || return 0
    cat >"$CACHE/own-daemon.yaml" <<'YAML'
services:
  outside:
    build:
      network: host
YAML
    compose_files+=(-f "$CACHE/own-daemon.yaml")
}

compose() {
    "${compose_words[@]}" -p "$PROJECT" "${compose_files[@]}" "$@"
}

# Where the machine's own apt gets Debian from; nothing elsewhere.
apt_source() {
    local filter
    for filter in "Release: $SUITE" 'Label: Debian'; do
        # shellcheck disable=SC2016 # a format of apt's
        apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
            'Component: main' "$filter" 2>/dev/null
    done | head -n 1
}

# What apt goes through, for those that read variables instead.
apt_proxy() {
    local proxy=''
    command -v apt-config >/dev/null || return 0
    eval "$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null)"
    [ -z "$proxy" ] || [ "$proxy" = DIRECT ] ||
        export http_proxy="${http_proxy:-$proxy}"
}

base_make() {
    local root=$CACHE/base source
    source=$(apt_source)
    rm -rf "$root"
    await debootstrap --variant=minbase "$SUITE" "$root" \
        ${source:+"$source"} || return 1
    # As the published image: no wait for the disk while packages unpack.
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
    tar -C "$root" --exclude='./var/cache/apt/*' \
        --exclude='./var/lib/apt/lists/*' -c . |
        docker import - "$LOCAL_BASE"
}

base_find() {
    local ours
    ! docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 || return 0
    ours=$(docker image inspect -f '{{.Id}}' "$LOCAL_BASE" 2>/dev/null)
    if [ -z "$ours" ]; then
        await timeout 60 docker pull -q "$BASE_IMAGE" >/dev/null 2>&1 &&
            return 0
        command -v debootstrap >/dev/null || {
            say "$BASE_IMAGE can't be pulled and debootstrap is not installed"
            return 1
        }
        say "making a base image: $BASE_IMAGE can't be pulled"
        quietly base_make || return 1
        rm -rf "$CACHE/base"
    fi
    BASE_IMAGE=$LOCAL_BASE
}

# An image of the S3 server: the published one, or, where that can't be
# pulled, the program on our base.
s3_find() {
    local ours=smshard-seaweedfs folder=$CACHE/s3 weed
    S3_IMAGE=${S3_IMAGE:-chrislusf/seaweedfs:latest}
    export S3_IMAGE
    ! docker image inspect "$S3_IMAGE" >/dev/null 2>&1 || return 0
    if ! docker image inspect "$ours" >/dev/null 2>&1; then
        await timeout 60 docker pull -q "$S3_IMAGE" >/dev/null 2>&1 &&
            return 0
        say "making an image of the S3 server: $S3_IMAGE can't be pulled"
        weed=$("$HERE/../tests/s3/seaweedfs.sh" program) || return 1
        rm -rf "$folder"
        mkdir -p "$folder"
        cp "$weed" "$folder/weed"
        cat >"$folder/Dockerfile" <<DOCKERFILE
FROM $BASE_IMAGE
COPY weed /usr/bin/weed
ENTRYPOINT ["/usr/bin/weed"]
DOCKERFILE
        quietly await docker build -q -t "$ours" "$folder" || return 1
        rm -rf "$folder"
    fi
    S3_IMAGE=$ours
}
