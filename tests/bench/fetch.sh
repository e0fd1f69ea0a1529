#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a gigabyte costs when lanes fetch it into slots, with nginx as the
# server on loopback, from the page cache.
#
#   OUT=build/release-gcc tests/bench/fetch.sh [ROUNDS] [MIB] [PART]
set -u

OUT=${OUT:-build/release-gcc}
rounds=${1:-7}
mib=${2:-1024}
T=$(mktemp -d "${TMPDIR:-/tmp}/smshard-bench.XXXXXX")

clean_up() {
    [ ! -e "$T/pid" ] || kill "$(cat "$T/pid")" 2>/dev/null
    wait
    rm -rf "$T"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || {
    echo "bench-fetch: nginx is not installed: apt-get install nginx-light" >&2
    exit 69
}
port=$(python3 -c '
import socket
a = socket.socket()
a.bind(("127.0.0.1", 0))
print(a.getsockname()[1])')
chmod 755 "$T" # The workers are another user's.
mkdir -p "$T/root/bench"
head -c "$((mib << 20))" /dev/zero | openssl enc -aes-128-ctr -nosalt \
    -pass pass:bench -pbkdf2 >"$T/root/bench/big" 2>/dev/null
head -c 262144 "$T/root/bench/big" >"$T/root/bench/small"
cat >"$T/nginx.conf" <<CONF
worker_processes 1;
pid $T/pid;
error_log $T/error.log;
events { worker_connections 256; }
http {
    access_log off;
    sendfile on;
    sendfile_max_chunk 2m;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
    client_body_temp_path $T/a; proxy_temp_path $T/b; fastcgi_temp_path $T/c;
    uwsgi_temp_path $T/d; scgi_temp_path $T/e;
    server { listen 127.0.0.1:$port; root $T/root; }
}
CONF
nginx -c "$T/nginx.conf" -p "$T" || exit 1
cat "$T/root/bench/big" >/dev/null # Into the page cache.
export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/nonexistent
export AWS_SHARED_CREDENTIALS_FILE=/nonexistent
${UNDER:-} "$OUT/tests/bench/bench_fetch" "http://127.0.0.1:$port" "$rounds" "$mib" \
    "${3:-}"
