#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A mount read by fio, with nginx as the store on loopback, from its page
# cache: beside s3fs and rclone mount, where these are installed.
#
#   OUT=build/release-gcc tests/bench/mount.sh [ROUNDS] [WAY…]
#
# Ways: smshard s3fs rclone. MIB=512 is the size of a large file, JOBS some of
# "seq1 seq4 five rand first". Needs root. Each measurement has a mount of its
# own, so that nothing of it is in the page cache.
set -u

OUT=${OUT:-build/release-gcc}
rounds=${1:-3}
shift || true
ways=("$@")
[ ${#ways[@]} -gt 0 ] || ways=(smshard s3fs rclone)
mib=${MIB:-512}
memory=${MEMORY:-96}
T=$(mktemp -d "${TMPDIR:-/tmp}/smshard-bench.XXXXXX")
M=$T/mnt

take_off() {
    umount "$M" 2>/dev/null || umount -l "$M" 2>/dev/null
    [ -z "${daemon:-}" ] || {
        kill "$daemon" 2>/dev/null
        wait "$daemon" 2>/dev/null
    }
    daemon=
}

clean_up() {
    take_off
    [ ! -e "$T/pid" ] || kill "$(cat "$T/pid")" 2>/dev/null
    wait
    rm -rf "$T"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

PATH=$PATH:/usr/sbin
for tool in nginx fio; do
    command -v $tool >/dev/null || {
        echo "bench-mount: $tool is not installed" >&2
        exit 69
    }
done
port=$(python3 -c '
import socket
a = socket.socket()
a.bind(("127.0.0.1", 0))
print(a.getsockname()[1])')
chmod 755 "$T" # The workers are another user's.
root=$T/root/bench/d
mkdir -p "$root" "$M"

# Four large files, a hundred of 5 MiB.
head -c "$((mib << 20))" /dev/zero | openssl enc -aes-128-ctr -nosalt \
    -pass pass:bench -pbkdf2 >"$root/big0" 2>/dev/null
for i in 1 2 3; do
    ln "$root/big0" "$root/big$i"
done
head -c 5242880 "$root/big0" >"$root/five-000"
for i in $(seq -w 001 099); do
    ln "$root/five-000" "$root/five-$i"
done
(cd "$T/root/bench" && LC_ALL=C find d -type f -printf '%s %p\n' |
    LC_ALL=C sort -k2) >"$T/list"
{
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    echo '<Name>bench</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys>'
    echo '<IsTruncated>false</IsTruncated>'
    while read -r size key; do
        echo "<Contents><Key>$key</Key><Size>$size</Size>" \
            '<LastModified>2026-01-01T00:00:00.000Z</LastModified>' \
            '<ETag>"0"</ETag><StorageClass>STANDARD</StorageClass></Contents>'
    done <"$T/list"
    echo '</ListBucketResult>'
} >"$T/root/listing.xml"
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
    default_type application/octet-stream;
    client_body_temp_path $T/a; proxy_temp_path $T/b; fastcgi_temp_path $T/c;
    uwsgi_temp_path $T/d; scgi_temp_path $T/e;
    server {
        listen 127.0.0.1:$port;
        root $T/root;
        location = /bench { try_files /listing.xml =404; default_type application/xml; }
        location = /bench/ { try_files /listing.xml =404; default_type application/xml; }
    }
}
CONF
nginx -c "$T/nginx.conf" -p "$T" || exit 1
cat "$root"/big* >/dev/null # Into the page cache.
export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/nonexistent
export AWS_SHARED_CREDENTIALS_FILE=/nonexistent

put_on() { # WAY
    case $1 in
    smshard)
        # shellcheck disable=SC2086
        ${UNDER:-} "$OUT/tests/bench/bench_mount" s3://bench/ d/ "$M" \
            "$memory" "$T/list" >"$T/said" 2>&1 &
        ;;
    s3fs)
        mkdir -p "$T/cache"
        AWSACCESSKEYID=AKIDEXAMPLE AWSSECRETACCESSKEY=secret \
            s3fs bench:/d "$M" -f -o "url=http://127.0.0.1:$port" \
            -o use_path_request_style,ro,allow_other,parallel_count=16 \
            -o multipart_size=10,sigv4,endpoint=us-east-1 \
            >"$T/said" 2>&1 &
        ;;
    rclone)
        env -u AWS_CA_BUNDLE rclone mount ":s3:bench/d" "$M" --read-only --vfs-cache-mode off \
            --s3-endpoint "http://127.0.0.1:$port" --s3-env-auth \
            --s3-provider Other --s3-no-check-bucket --no-checksum \
            --no-modtime --dir-cache-time 1h --allow-other \
            --buffer-size 16M --vfs-read-chunk-size 16M \
            --config /dev/null >"$T/said" 2>&1 &
        ;;
    esac
    daemon=$!
    for _ in $(seq 200); do
        [ ! -e "$M/big0" ] || return 0
        sleep 0.05
    done
    echo "bench-mount: $1 did not come up: $(cat "$T/said")" >&2
    return 1
}

ticks() { # of a process and of those it has waited for
    awk '{print $14 + $15 + $16 + $17}' "/proc/$1/stat"
}

mib_of() { # what fio has read, KiB/s from its terse output, field 7
    awk -F';' '{sum += $7} END {printf "%.0f", sum / 1024}'
}

job() { # NAME
    local common=(--minimal --name=x --ioengine=psync --invalidate=0
        --group_reporting --readonly)

    case $1 in
    seq1)
        fio "${common[@]}" --rw=read --bs=1M --filename="$M/big0" | mib_of
        ;;
    seq4)
        fio "${common[@]}" --rw=read --bs=1M --numjobs=4 \
            --filename_format="$M/big\$jobnum" | mib_of
        ;;
    five)
        python3 - "$M" "$T/list" <<'PY'
import os, sys, time
folder = sys.argv[1]
room = bytearray(1 << 20)
bytes_read = 0
start = time.monotonic()
names = [line.split("/")[1].strip() for line in open(sys.argv[2])]
for name in sorted(n for n in names if n.startswith("five")):
    with open(folder + "/" + name, "rb", buffering=0) as f:
        while True:
            got = f.readinto(room)
            if not got:
                break
            bytes_read += got
print("%.0f" % (bytes_read / (time.monotonic() - start) / 1048576), end="")
PY
        ;;
    rand)
        fio "${common[@]}" --rw=randread --bs=128k --numjobs=4 \
            --io_size=64M --filename_format="$M/big\$jobnum" | mib_of
        ;;
    first) # Microseconds to the first byte of a file: the median.
        python3 - "$M" "$T/list" <<'PY'
import os, random, statistics, sys, time
folder = sys.argv[1]
names = [line.split("/")[1].strip() for line in open(sys.argv[2])]
names = [n for n in names if n.startswith("five")]
random.Random(1).shuffle(names)
took = []
for name in names:
    start = time.monotonic()
    fd = os.open(folder + "/" + name, os.O_RDONLY)
    os.pread(fd, 1, 0)
    took.append(time.monotonic() - start)
    os.close(fd)
print("%.0f" % (statistics.median(took) * 1e6), end="")
PY
        ;;
    esac
}

for round in $(seq "$rounds"); do
    ways=("${ways[@]:1}" "${ways[0]}") # Another one is first.
    for name in ${JOBS:-seq1 seq4 five rand first}; do
        for way in "${ways[@]}"; do
            command -v "$way" >/dev/null || [ "$way" = smshard ] || continue
            put_on "$way" || { take_off; continue; }
            # In a virtual machine memory that was free for a while has to come
            # from its host first; let it be there for all alike.
            python3 -c "b'x' * ($((4 * mib + 256)) << 20)"
            before=$(ticks "$daemon")
            rate=$(job "$name")
            after=$(ticks "$daemon")
            rss=$(awk '/VmHWM/ {print int($2 / 1024)}' "/proc/$daemon/status")
            unit=MiB/s
            [ "$name" != first ] || unit=us
            echo "$round $name $way: $rate $unit," \
                "cpu $(((after - before) * 10)) ms, rss $rss MiB"
            take_off
            [ -z "${SAY:-}" ] || cat "$T/said"
        done
    done
done
