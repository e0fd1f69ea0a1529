#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install the programs that bench-read compares with, where they can be had,
# under build/peers. None of them is needed: one that is not there is left out
# of the tables, and why is said.
#
#   PEERS=build/peers tests/bench/peers.sh [NAME…]
#
# Mountpoint is built from its library's sources, which takes long: BUILD_S=1500
# seconds at most.
set -u

PEERS=${PEERS:-$PWD/build/peers}
mkdir -p "$PEERS/bin"
PATH=$PATH:$PEERS/bin
log=$PEERS/install.log
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(s5cmd boto3 awscrt s3fs rclone mountpoint)

has() { command -v "$1" >/dev/null 2>&1; }

apt_install() {
    has apt-get || return 1
    has sudo || [ "$(id -u)" = 0 ] || return 1
    $([ "$(id -u)" = 0 ] || echo sudo) env DEBIAN_FRONTEND=noninteractive \
        apt-get -y -q -o DPkg::Lock::Timeout=300 install \
        --no-install-recommends "$@"
}

# A module that wants it at that version: nothing but that is asked for.
install_s5cmd() {
    has s5cmd && return
    has go || { echo "there is no go" && return 1; }
    mkdir -p "$PEERS/s5cmd"
    printf 'module peers\n\ngo 1.22\n\nrequire %s v2.3.0\n' \
        github.com/peak/s5cmd/v2 >"$PEERS/s5cmd/go.mod"
    printf '//go:build tools\n\npackage peers\n\nimport _ "%s"\n' \
        github.com/peak/s5cmd/v2 >"$PEERS/s5cmd/tools.go"
    (cd "$PEERS/s5cmd" && timeout "${BUILD_S:-1500}" go build -mod=mod \
        -o "$PEERS/bin/s5cmd" github.com/peak/s5cmd/v2)
}

install_python() { # PACKAGE
    "$PEERS/venv/bin/python3" -c "import $1" 2>/dev/null && return
    [ -x "$PEERS/venv/bin/pip" ] || python3 -m venv "$PEERS/venv" || return 1
    "$PEERS/venv/bin/pip" install -q "$1"
}
install_boto3() { install_python boto3; }
install_awscrt() { install_python awscrt; }
install_s3fs() { has s3fs || apt_install s3fs; }
install_rclone() { has rclone || apt_install rclone; }

# The example program of the library, which mounts a list of objects. Its
# client takes an etag with a dash for that of an upload in parts, so that the
# server needs a module to send others (lib.sh).
install_mountpoint() {
    local clang
    [ -e /usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so ] ||
        apt_install libnginx-mod-http-headers-more-filter || return 1
    install_awscrt || return 1 # For the list's checksums.
    has mount_from_config && return
    has cargo || { echo "there is no cargo" && return 1; }
    has cmake || apt_install cmake || return 1
    clang=$(compgen -G '/usr/lib/llvm-*/lib/libclang-*.so*' | head -n 1)
    LIBCLANG_PATH=$(dirname "${clang:-/usr/lib/none}") timeout \
        "${BUILD_S:-1500}" cargo install --locked --root "$PEERS" \
        --version 0.11.0 mountpoint-s3-fs --example mount_from_config \
        --features manifest,event_log
}

for name in "${names[@]}"; do
    if "install_$name" >"$log" 2>&1; then
        rm -f "$PEERS/$name.why"
        echo "$name: installed"
    else
        tail -n 1 "$log" | cut -c1-200 >"$PEERS/$name.why"
        echo "$name: not installed: $(cat "$PEERS/$name.why")"
    fi
done
