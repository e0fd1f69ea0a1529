#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install what the build and its checks need, where it is missing.
#
#   tests/setup.sh [GROUP…]     build check clang lint spin s3 bench torch
#                               cluster; default: build
#
# What counts is whether a program runs or a header is found, not which package
# it came from; so the second run only looks, and says so in one line. Packages
# are installed on Debian and Ubuntu, as root or through sudo. Elsewhere their
# Debian names are printed, and the exit code is 1.
set -eu

# A line is PROBE PACKAGE[|PACKAGE…]: a command, a <header>, or a function of
# this file; and the package that brings it, the first one that apt knows.
declare -A needs
needs[build]='
gcc gcc
make make
pkg-config pkgconf|pkg-config
<stdio.h> libc6-dev
<czmq.h> libczmq-dev
<zmq.h> libzmq3-dev
<msgpack.h> libmsgpack-c-dev|libmsgpack-dev
<openssl/evp.h> libssl-dev
<curl/curl.h> libcurl4-openssl-dev
<expat.h> libexpat1-dev
<isa-l.h> libisal-dev
<hwloc.h> libhwloc-dev
<fuse3/fuse_lowlevel.h> libfuse3-dev'
needs[check]='
git git
jq jq
ps procps
ip iproute2
hwloc-calc hwloc|hwloc-nox
python3 python3'
needs[clang]='
clang clang
clang_runtime CLANG_RUNTIME
llvm-cov llvm'
needs[lint]='
clang_format clang-format-14|clang-format
clang_tidy clang-tidy-14|clang-tidy
cppcheck cppcheck
shellcheck shellcheck
mandoc mandoc
git git
python3 python3'
needs[spin]='
spin spin'
needs[s3]='
python3 python3
python_venv python3-venv'
needs[bench]='
nginx nginx-light
openssl openssl
curl curl
fio fio
python3 python3
python_venv python3-venv'
needs[torch]='
python_torch python3-torch'
needs[cluster]='
docker docker-cli|docker.io
docker_daemon docker.io
compose docker-compose-v2|docker-compose
base_image debootstrap'

has() { command -v "$1" >/dev/null 2>&1; }
python_venv() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }
python_torch() { /usr/bin/python3 -c 'import torch' >/dev/null 2>&1; }
nginx() { has nginx || [ -x /usr/sbin/nginx ]; }
clang_format() { has clang-format-14 || has clang-format; }
clang_tidy() { has clang-tidy-14 || has clang-tidy; }
clang_runtime() {
    has clang && compgen -G \
        "$(clang -print-resource-dir)/lib/*/libclang_rt.fuzzer*.a" >/dev/null
}
# A daemon that answers will do, wherever it runs; else one to start.
docker_daemon() {
    has dockerd || [ -x /usr/sbin/dockerd ] ||
        timeout 20 docker info >/dev/null 2>&1
}
compose() {
    { docker compose version || docker-compose version; } >/dev/null 2>&1
}
base_image() {
    has debootstrap || [ -x /usr/sbin/debootstrap ] ||
        timeout 20 docker image inspect debian:bookworm-slim >/dev/null 2>&1
}

# Print the package names of those needs in $1 that are not met.
missing() {
    local probe package headers=''
    while read -r probe package; do
        case $probe in
        '') ;;
        '<'*)
            headers+="#if !__has_include($probe)"$'\n'
            headers+="$package"$'\n#endif\n' ;;
        *_* | compose | nginx) "$probe" || echo "$package" ;;
        *) has "$probe" || echo "$package" ;;
        esac
    done <<<"$1"
    [ -n "$headers" ] || return 0
    if has gcc; then
        gcc -std=c17 -E -P -x c - <<<"$headers" | tr -d ' ' | sed '/^$/d'
    else
        sed '/^[#]/d; /^$/d' <<<"$headers"
    fi
}

# The sanitizer and fuzzer runtime goes by the version of clang, and lay in
# another package before there was one of its own.
runtime_package() {
    local version
    version=$(apt-cache depends clang 2>/dev/null |
        sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
    ! has clang || version=$(clang -dumpversion | cut -d. -f1)
    echo "libclang-rt-$version-dev|libclang-common-$version-dev"
}

# Turn each A|B into the first that apt can install, or the last.
choose() {
    local names name chosen
    for names in "$@"; do
        [ "$names" != CLANG_RUNTIME ] || names=$(runtime_package)
        chosen=''
        for name in ${names//|/ }; do
            chosen=$name
            ! apt-cache policy "$name" 2>/dev/null |
                grep -q 'Candidate: [^(]' || break
        done
        echo "$chosen"
    done
}

become_root=()
apt() {
    "${become_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}

# The lock on the lists is not covered by DPkg::Lock::Timeout everywhere.
apt_update() {
    local try
    for try in 1 2 3 4 5 6; do
        : >"$log"
        apt update && return 0
        grep -q 'Could not get lock' "$log" || return 1
        echo "setup: another program holds apt's lock; waiting ($try)"
        sleep 10
    done
    return 1
}

apt_install() {
    apt install --no-install-recommends "$@"
}

fail() {
    [ ! -s "$log" ] || sed 's/^/     | /' "$log" >&2
    echo "setup: $*" >&2
    exit 1
}

groups=("${@:-build}")
wanted=''
for g in "${groups[@]}"; do
    if [ -z "${needs[$g]:-}" ]; then
        echo "setup: no group is called $g" >&2
        exit 64
    fi
    wanted+=${needs[$g]}$'\n'
done
mapfile -t list < <(missing "$wanted" | sort -u)
if [ ${#list[@]} = 0 ]; then
    echo "setup: nothing is missing (${groups[*]})"
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! has apt-get; then
    fail "please install what these Debian packages hold:" "${list[@]}"
fi
if [ "$(id -u)" != 0 ]; then
    has sudo || fail "not root and no sudo; as root: apt-get install" \
        "$(choose "${list[@]}" | xargs)"
    become_root=(sudo)
fi

updated=no
if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
    echo "setup: fetching the package lists"
    apt_update || fail "apt-get update failed"
    updated=yes
fi
mapfile -t packages < <(choose "${list[@]}" | sort -u)
echo "setup: installing ${packages[*]}"
if ! apt_install "${packages[@]}"; then
    [ $updated = no ] || fail "apt-get install failed"
    echo "setup: the package lists are stale; fetching them"
    apt_update || fail "apt-get update failed"
    mapfile -t packages < <(choose "${list[@]}" | sort -u)
    : >"$log"
    apt_install "${packages[@]}" || fail "apt-get install failed"
fi
: >"$log"
mapfile -t list < <(missing "$wanted" | sort -u)
[ ${#list[@]} = 0 ] || fail "still missing after it: ${list[*]}"
echo "setup: done (${groups[*]})"
