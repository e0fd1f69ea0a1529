#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make bench-store`: what a gigabyte from an S3 server costs, with nginx as
# the origin on loopback: plain and TLS, from the page cache.
#
#   OUT=build/release-gcc tests/bench/store.sh [ROUNDS] [MIB]
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

mib=${2:-1024}
bench_need nginx openssl
read -r port tls <<<"$(bench_ports 2)"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
bench_bytes "$DATA/big" $((mib << 20))
bench_bytes "$DATA/small" 262144
bench_nginx "ssl_certificate $T/cert.pem; ssl_certificate_key $T/key.pem;
    server { listen 127.0.0.1:$port; root $DATA; }
    server { listen 127.0.0.1:$tls ssl; root $DATA; }"
cat "$DATA/big" >/dev/null # Into the page cache.
"$OUT/tests/bench/bench_store" "http://127.0.0.1:$port" \
    "https://127.0.0.1:$tls" "$T/cert.pem" "${1:-7}" "$mib"
