#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make bench-store`: what a gigabyte from an S3 server costs, with nginx as
# the origin on loopback: plain and TLS, from the page cache.
#
#   OUT=build/release-gcc tests/bench/store.sh [ROUNDS] [MIB]
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
    echo "bench-store: nginx is not installed: apt-get install nginx-light" >&2
    exit 69
}
read -r port tls <<<"$(python3 -c '
import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
chmod 755 "$T" # The workers are another user's.
mkdir -p "$T/root"
head -c "$((mib << 20))" /dev/zero | openssl enc -aes-128-ctr -nosalt \
    -pass pass:bench -pbkdf2 >"$T/root/big" 2>/dev/null
head -c 262144 "$T/root/big" >"$T/root/small"
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
    ssl_certificate $T/cert.pem;
    ssl_certificate_key $T/key.pem;
    server { listen 127.0.0.1:$port; root $T/root; }
    server { listen 127.0.0.1:$tls ssl; root $T/root; }
}
CONF
nginx -c "$T/nginx.conf" -p "$T" || exit 1
cat "$T/root/big" >/dev/null # Into the page cache.
"$OUT/tests/bench/bench_store" "http://127.0.0.1:$port" \
    "https://127.0.0.1:$tls" "$T/cert.pem" "$rounds" "$mib"
