# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # What others use.
# What the benchmarks share. A script sources this, says what it needs, starts
# a server over data sets, measures in rounds in which all take turns, and
# writes a line for each measurement; report.py makes tables of them.
#
# Everything lies in $T, which is removed at the end, but for data sets where
# BENCH_DATA names a folder that outlives the script. Each process that was
# started is ended by its own id.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=$(cd "${OUT:-build/release-gcc}" && pwd)
SMSHARD=$OUT/smshard
PEERS=${PEERS:-$PWD/build/peers}
PATH=$PATH:/usr/sbin:$PEERS/bin
T=$(mktemp -d "${TMPDIR:-/tmp}/smshard-bench.XXXXXX")
DATA=${BENCH_DATA:-$T/data}
RECORDS=${BENCH_RECORDS:-$T/records}
LONG=${LONG:-}
bench=$(basename "$0" .sh)
chmod 755 "$T" # The server's workers are another user's.

# shellcheck disable=SC2317 # called by the trap
bench_clean_up() {
    [ "$(type -t bench_end)" != function ] || bench_end
    [ ! -e "$T/nginx.pid" ] || kill "$(cat "$T/nginx.pid")" 2>/dev/null
    [ -z "${bench_origin:-}" ] || kill "$bench_origin" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$T"
}
trap bench_clean_up EXIT
trap 'exit 130' INT TERM

# bench_need TOOL…: end with the code for "unavailable" where one is missing.
bench_need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || {
            echo "bench-$bench: $tool is not installed" >&2
            exit 69
        }
    done
}

# bench_ports N: so many that are free now, from the kernel.
bench_ports() {
    python3 - "$1" <<'PY'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))
PY
}

# bench_bytes FILE BYTES: of no pattern, made once.
bench_bytes() {
    [ ! -e "$1" ] || return 0
    mkdir -p "$(dirname "$1")"
    head -c "$2" /dev/zero | openssl enc -aes-128-ctr -nosalt \
        -pass pass:bench -pbkdf2 >"$1.new" 2>/dev/null
    mv "$1.new" "$1"
}

# bench_links FILE PREFIX COUNT: objects PREFIX000000… with the file's bytes.
bench_links() {
    [ ! -e "${2}000000" ] || return 0
    python3 - "$@" <<'PY'
import os, sys
path, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.makedirs(os.path.dirname(prefix), exist_ok=True)
for i in range(count):
    os.link(path, "%s%06d" % (prefix, i))
PY
}

# bench_origin_start: the bucket `bench` at $url is $DATA/bench. nginx answers
# for objects, from the page cache; origin.py for listings.
bench_origin_start() {
    local listings plain
    read -r port listings plain <<<"$(bench_ports 3)"
    python3 "$HERE/origin.py" "$DATA" "$listings" &
    bench_origin=$!
    bench_nginx "server {
        listen 127.0.0.1:$port;
        root $DATA;
        location = /bench { proxy_pass http://127.0.0.1:$listings; }
        location = /bench/ { proxy_pass http://127.0.0.1:$listings; }
        location ~ /\$ { return 404; }
    }
    $(bench_plain "$plain")"
    url=http://127.0.0.1:$port
    plain_url=http://127.0.0.1:$plain
    export AWS_ENDPOINT_URL_S3=$url AWS_REGION=us-east-1
    export AWS_ENDPOINT_URL=$url S3_ENDPOINT_URL=$url # The latter is s5cmd's.
    export AWS_DEFAULT_REGION=us-east-1
    export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
    export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/nonexistent
    export AWS_SHARED_CREDENTIALS_FILE=/nonexistent
    find "$DATA/bench" -type f -links -3 -exec cat {} + >/dev/null
    until curl -sf "$url/bench?list-type=2&max-keys=1" >/dev/null; do
        sleep 0.05
    done
}

# bench_plain PORT: the objects once more, with etags that have no dash in
# them: some clients take that for the number of an upload's parts. So nothing
# may be pinned to them, which takes a module to say.
bench_more=/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so
bench_plain() {
    [ ! -e $bench_more ] || echo "server {
        listen 127.0.0.1:$1;
        root $DATA;
        etag off;
        more_clear_input_headers If-Match;
        add_header ETag '\"0123456789abcdef0123456789abcdef\"';
    }"
}

# bench_nginx SERVERS: start it.
bench_nginx() {
    cat >"$T/nginx.conf" <<CONF
$([ ! -e $bench_more ] || echo "load_module $bench_more;")
worker_processes 1;
pid $T/nginx.pid;
error_log $T/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    sendfile_max_chunk 2m;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    client_body_temp_path $T/a; proxy_temp_path $T/b; fastcgi_temp_path $T/c;
    uwsgi_temp_path $T/d; scgi_temp_path $T/e;
    $1
}
CONF
    nginx -c "$T/nginx.conf" -p "$T" || exit 1
}

# bench_record TEST WAY SETTING BYTES "WALL CPU RSS-KIB": of round $round, in
# seconds.
bench_record() {
    local wall cpu rss
    read -r wall cpu rss <<<"$5"
    [ -n "$rss" ] || return 0
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "${round:-1}" \
        "$1" "$2" "$3" "$4" "$wall" "$cpu" "$rss" >>"$RECORDS"
    [ -z "${SAY:-}" ] || printf '  %-22s %-26s %s\n' "$1" "$2 $3" "$5" >&2
}

# bench_play TEST BYTES ROUNDS MEASURE WAY:SETTING…: MEASURE TEST WAY SETTING
# prints what bench_record takes. All settings play in the first round, the
# quickest of each way in the others; another one is first each time.
bench_play() {
    local test=$1 bytes=$2 rounds=$3 measure=$4 ways entry
    shift 4
    ways=("$@")
    for ((round = 1; round <= rounds; round++)); do
        [ "$round" != 2 ] || mapfile -t ways < <(python3 "$HERE/report.py" \
            "$RECORDS" --best "$test" | tr '\t' :)
        for entry in "${ways[@]}"; do
            bench_record "$test" "${entry%%:*}" "${entry#*:}" "$bytes" \
                "$("$measure" "$test" "${entry%%:*}" "${entry#*:}")"
        done
        ways=("${ways[@]:1}" "${ways[0]}")
    done
}

# bench_cost COMMAND…: "WALL CPU RSS-KIB" of it and its children; its output
# goes to /dev/null.
bench_cost() { python3 "$HERE/cost.py" "$@"; }

# bench_ms PID: ms of CPU of a process and of those it has waited for.
bench_ms() {
    awk '{print 10 * ($14 + $15 + $16 + $17)}' "/proc/$1/stat"
}

# bench_peer NAME: whether it is there; says so where it is not.
bench_peer() {
    case $1 in
    awscrt | boto3) "$PEERS/venv/bin/python3" -c "import $1" 2>/dev/null ;;
    mountpoint)
        command -v mount_from_config >/dev/null && [ -e $bench_more ]
        ;;
    *) command -v "$1" >/dev/null ;;
    esac && return 0
    echo "$1: not installed: $(cat "$PEERS/$1.why" 2>/dev/null ||
        echo tests/bench/peers.sh was not run)"
    return 1
}

# bench_report: the tables, unless a caller makes them of all scripts' lines.
bench_report() {
    [ -n "${BENCH_RECORDS:-}" ] || python3 "$HERE/report.py" "$RECORDS"
}
