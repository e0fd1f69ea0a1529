#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# File mode beside aws-c-s3 (through awscrt) and s5cmd, where they are there:
# the same objects from nginx on loopback, out of the page cache, into the same
# tmpfs. Who is first rotates; medians of the rounds.
#
#   OUT=build/release-gcc tests/bench/file.sh [ROUNDS] [large|medium|small]...
#
# SCALE=4 takes a quarter of the bytes. PYTHON is one that has awscrt, S5CMD
# the program. LANES: of ours. WHERE: a tmpfs with room, /dev/shm.
set -u

OUT=${OUT:-build/release-gcc}
here=$(cd "$(dirname "$0")" && pwd)
rounds=${1:-5}
shift
sets=${*:-large medium small}
scale=${SCALE:-1}
PYTHON=${PYTHON:-python3}
S5CMD=${S5CMD:-$(command -v s5cmd)}
T=$(mktemp -d "${WHERE:-/dev/shm}/smshard-bench.XXXXXX")

clean_up() {
    [ ! -e "$T/pid" ] || kill "$(cat "$T/pid")" 2>/dev/null
    wait
    rm -rf "$T"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || {
    echo "bench-file: nginx is not installed: apt-get install nginx-light" >&2
    exit 69
}
port=$(python3 -c '
import socket
a = socket.socket()
a.bind(("127.0.0.1", 0))
print(a.getsockname()[1])')
chmod 755 "$T" # The workers are another user's.
mkdir -p "$T/root/bench"

# Many names of the same bytes, so that the source takes little memory.
objects() { # SET COUNT SIZE
    head -c "$3" /dev/zero | openssl enc -aes-128-ctr -nosalt \
        -pass pass:bench -pbkdf2 >"$T/root/bench/$1-00000000" 2>/dev/null
    truncate -s "$3" "$T/root/bench/$1-00000000"
    python3 - "$T/root/bench/$1-" "$2" <<'PY'
import os, sys
for i in range(1, int(sys.argv[2])):
    os.link(f"{sys.argv[1]}00000000", f"{sys.argv[1]}{i:08d}")
PY
}
shape() { # SET: its COUNT and SIZE
    case $1 in
    large) echo "1 $(((4 << 30) / scale))" ;;
    medium) echo "$((100 / scale)) 100000000" ;;
    *) echo "$((20000 / scale)) 262144" ;;
    esac
}

cat >"$T/nginx.conf" <<CONF
worker_processes 1;
pid $T/pid;
error_log $T/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    sendfile_max_chunk 2m;
    open_file_cache max=1000;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
    client_body_temp_path $T/a; proxy_temp_path $T/b; fastcgi_temp_path $T/c;
    uwsgi_temp_path $T/d; scgi_temp_path $T/e;
    server { listen 127.0.0.1:$port; root $T/root; }
}
CONF
nginx -c "$T/nginx.conf" -p "$T" || exit 1
export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/nonexistent
export AWS_SHARED_CREDENTIALS_FILE=/nonexistent

crt() { # GBPS SET COUNT SIZE
    "$PYTHON" "$here/file_crt.py" "127.0.0.1:$port" bench "$2-" "$3" "$4" \
        "$T/to" "$1"
}

# s5cmd is given the names, as the others are; it tells no figures itself.
s5() { # SET COUNT SIZE
    mkdir -p "$T/to"
    seq 0 $(($2 - 1)) | awk -v s="$1" -v to="$T/to" '{
        printf "cp s3://bench/%s-%08d %s/\n", s, $1, to }' >"$T/s5"
    python3 - "$S5CMD" "http://127.0.0.1:$port" "$T/s5" <<'PY'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run([sys.argv[1], "--endpoint-url", sys.argv[2], "--log", "error",
                "run", sys.argv[3]], check=True)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{time.monotonic() - start:.4f} {use.ru_utime + use.ru_stime:.4f} "
      f"{use.ru_maxrss // 1024}")
PY
}

ours() { # SET COUNT SIZE
    "$OUT/tests/bench/bench_file" s3://bench/ "$1-" "$2" "$3" "$T/to" \
        ${LANES:+"$LANES"}
}

ways=(ours)
if "$PYTHON" -c 'import awscrt' 2>/dev/null; then
    ways+=("crt 10" "crt 40")
else
    echo "bench-file: no awscrt for $PYTHON: without aws-c-s3" >&2
fi
if [ -x "$S5CMD" ]; then
    ways+=(s5)
else
    echo "bench-file: no s5cmd: without it" >&2
fi

for set in $sets; do
    read -r count size <<<"$(shape "$set")"
    objects "$set" "$count" "$size"
    for ((round = 0; round < rounds; round++)); do
        for ((i = 0; i < ${#ways[@]}; i++)); do
            way=${ways[$(((i + round) % ${#ways[@]}))]}
            rm -rf "$T/to"
            # shellcheck disable=SC2086 # a way and its setting
            got=$($way "$set" "$count" "$size") || exit 1
            echo "$set|$count|$size|$way|$got" >>"$T/figures"
        done
    done
    rm -rf "$T/to" "$T/root"
    mkdir -p "$T/root/bench"
    python3 "$here/file_table.py" <"$T/figures"
    rm "$T/figures"
done
