#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A channel in mode FastFile of the real program, read by fio, beside the other
# mounts that are installed.
#
#   OUT=build/release-gcc tests/bench/mount.sh [ROUNDS] [WAY:SETTING…]
#
# Ways: smshard:MEMORY, lean:MIB (bench_mount, without a job around it), s3fs
# rclone mountpoint. MIB=384 is the size of a large file, JOBS some of "seq1
# seq4 five first names rand". Needs root. Each measurement has a mount of its
# own, so that nothing of it is in the page cache; memory is what is resident
# at most, of the mount's process with all that it does.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${1:-3}
shift || true
ways=("$@")
mib=${MIB:-384}
M=$T/mnt
D=$DATA/bench/d
bench_need nginx openssl curl fio
[ ${#ways[@]} -gt 0 ] || {
    ways=("smshard:16MiB" "smshard:96MiB" "smshard:default")
    for peer in s3fs rclone mountpoint; do
        ! bench_peer $peer || ways+=("$peer:")
    done
}
bench_bytes "$DATA/big-file" $((mib << 20))
bench_links "$DATA/big-file" "$D/big" 4
bench_bytes "$DATA/five-file" 5242880
bench_links "$DATA/five-file" "$D/five" 100
: >"$DATA/none"
bench_links "$DATA/none" "$DATA/bench/n/a" 50000
: >"$DATA/none2"
bench_links "$DATA/none2" "$DATA/bench/n/b" 50000
mkdir -p "$M"
bench_origin_start

take_off() {
    case ${on:-} in
    '') return ;;
    smshard)
        exec 9>&- # Its command ends.
        wait "$daemon" 2>/dev/null
        ;;
    *)
        umount "$M" 2>/dev/null || umount -l "$M" 2>/dev/null
        kill "$daemon" 2>/dev/null
        wait "$daemon" 2>/dev/null
        ;;
    esac
    on=
}
# shellcheck disable=SC2317 # called by the trap
bench_end() { take_off; }

# A real job of which the command waits until it is let go.
put_on_smshard() { # PREFIX MEMORY
    local memory=(--memory "$2")
    [ "$2" != default ] || memory=()
    rm -rf "$T/job" "$T/out" "$T/go"
    mkfifo "$T/go"
    "$SMSHARD" run --base "$T/job" --output "$T/out" --job-name bench \
        --log warn "${memory[@]}" \
        --channel "train=s3://bench/$1/,mode=FastFile" \
        -- cat "$T/go" >"$T/said" 2>&1 &
    daemon=$!
    exec 9>"$T/go" # Until the command has opened it: the mount is there.
    at=$T/job/input/data/train
}

put_on_mountpoint() { # PREFIX
    "$PEERS/venv/bin/python3" "$HERE/mountpoint.py" "$DATA/bench" "$1" \
        "$plain_url" "$M" "$T"
    mount_from_config \
        --config "$T/mountpoint.json" >"$T/said" 2>&1 &
    daemon=$!
    at=$M/$1
}

put_on() { # PREFIX WAY SETTING
    at=$M
    on=$2
    case $2 in
    smshard) put_on_smshard "$1" "$3" ;;
    mountpoint) put_on_mountpoint "$1" ;;
    s3fs)
        AWSACCESSKEYID=AKIDEXAMPLE AWSSECRETACCESSKEY=secret \
            s3fs "bench:/$1" "$M" -f -o "url=$url" \
            -o use_path_request_style,ro,allow_other,parallel_count=16 \
            -o multipart_size=10,sigv4,endpoint=us-east-1 \
            >"$T/said" 2>&1 &
        daemon=$!
        ;;
    rclone)
        env -u AWS_CA_BUNDLE rclone mount ":s3:bench/$1" "$M" --read-only \
            --vfs-cache-mode off --s3-endpoint "$url" --s3-env-auth \
            --s3-provider Other --s3-no-check-bucket --no-checksum \
            --no-modtime --dir-cache-time 1h --allow-other \
            --buffer-size 16M --vfs-read-chunk-size 16M \
            --config /dev/null >"$T/said" 2>&1 &
        daemon=$!
        ;;
    esac
    for _ in $(seq 400); do
        ! mountpoint -q "${at%/"$1"}" 2>/dev/null && ! mountpoint -q "$at" ||
            [ ! -e "$at" ] || return 0
        sleep 0.05
    done
    echo "bench-mount: $2 did not come up: $(tail -n 3 "$T/said")" >&2
    return 1
}

mib_rate() { # What fio has read: MiB/s from its terse output, KiB in field 7
    awk -F';' '{sum += $7} END {printf "%.3f", sum / 1024}'
}

job() { # NAME: seconds
    local common=(--minimal --name=x --ioengine=psync --invalidate=0
        --group_reporting --readonly)
    local rate

    case $1 in
    seq1)
        rate=$(fio "${common[@]}" --rw=read --bs=1M \
            --filename="$at/big000000" | mib_rate)
        ;;
    seq4)
        rate=$(fio "${common[@]}" --rw=read --bs=1M --numjobs=4 \
            --filename_format="$at/big00000\$jobnum" | mib_rate)
        ;;
    rand)
        rate=$(fio "${common[@]}" --rw=randread --bs=128k --numjobs=4 \
            --io_size=64M --filename_format="$at/big00000\$jobnum" | mib_rate)
        ;;
    *)
        python3 "$HERE/look.py" "$1" "$at"
        return
        ;;
    esac
    awk -v b="${sizes[$1]}" -v r="$rate" \
        'BEGIN {if (r > 0) printf "%.4f", b / r / 1048576}'
}

measure() { # TEST WAY SETTING
    local name=${names[$1]} prefix=d before after took rss

    [ "$name" != names ] || prefix=n
    if [ "$2" = "the server" ]; then
        echo "$(python3 "$HERE/look.py" server "$url/bench/d") 0 0"
        return
    fi
    put_on $prefix "${2%% *}" "${2##* }" && {
        # In a virtual machine memory that was free for a while has to come
        # from its host first; let it be there for all alike.
        python3 -c "b'x' * ($((4 * mib + 256)) << 20)"
        before=$(bench_ms "$daemon")
        took=$(job "$name")
        after=$(bench_ms "$daemon")
        rss=$(awk '/VmHWM/ {print $2}' "/proc/$daemon/status")
        echo "$took $(awk -v d=$((after - before)) \
            'BEGIN {printf "%.3f", d / 1000}') $rss"
    }
    take_off
}

declare -A names=(["sequential, 1 reader"]=seq1 ["sequential, 4 readers"]=seq4
    ["5 MiB files in order"]=five ["open and first byte"]=first
    ["100,000 names"]=names ["random 128 KiB, 4 readers"]=rand)
declare -A sizes=([seq1]=$((mib << 20)) [seq4]=$((mib << 22))
    [five]=524288000 [first]=0 [names]=0 [rand]=268435456)

play() { # TEST WAY:SETTING…: each memory is a way of its own
    local test=$1 entry entries=()
    shift
    for entry in "$@"; do
        case $entry in
        smshard:*) entries+=("smshard ${entry#*:}:") ;;
        *) entries+=("$entry") ;;
        esac
    done
    bench_play "$test" "${sizes[${names[$test]}]}" "$rounds" measure \
        "${entries[@]}"
}

for job in ${JOBS:-seq1 seq4 five first names${LONG:+ rand}}; do
    for test in "${!names[@]}"; do
        [ "${names[$test]}" = "$job" ] || continue
        case $job in
        first) play "$test" "the server:" "${ways[@]}" ;;
        names) # s3fs asks for each of them.
            mapfile -t few < <(printf '%s\n' "${ways[@]}" |
                grep -v "${LONG:+^$}${LONG:-s3fs}" | grep -v :16 | grep -v :96)
            play "$test" "${few[@]}"
            ;;
        *) play "$test" "${ways[@]}" ;;
        esac
    done
done
bench_report
