#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the ring does with a GPU (docs/gpu.md): registration, copies, forks,
# crashes, early release, and end to end over HTTP against other loaders. No
# network but loopback, ten minutes at most. In the folder OUT: gpu.json, and
# gpu.md for docs/gpu.md. It fails if a check does.
#
#   OUT=results tests/gpu/run.sh [PART…]     on a machine with a GPU
#   OUT=results tests/gpu/run.sh --fake …    anywhere: a driver without one
#   tests/gpu/run.sh --pack                  where the program can be built:
#                                            it and its libraries, to carry
#
# Needs python3 and a C compiler. End to end needs the program: what --pack has
# made (build/gpu, or the folder GPU_PACK), or what `make` has. What needs
# PyTorch is left out without it. BUILT names a folder to build in, and keep.
set -eu

cd "$(dirname "$0")/../.."
pack=${GPU_PACK:-build/gpu}
made=${MADE:-build/release-gcc}
cc=("${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -I. '-DSMSHARD_VERSION="gpu"')

# The programs, with all that they load: the machine may have other versions.
pack() {
    mkdir -p "$pack/lib"
    cp -f "$made/smshard" "$made/tests/tools/s3_server" "$pack"
    ldd "$pack/smshard" "$pack/s3_server" |
        awk '/=> \//{print $3} /^\t\/.*ld-linux/{print $1}' | sort -u |
        xargs -I{} cp -Lf {} "$pack/lib"
    du -sh "$pack"
}

# What the two ends of a ring need: no library has to be installed.
build_ring() {
    local framing
    framing=$(echo proto/framing.c proto/framing_[lrt]*.c)
    # shellcheck disable=SC2086 # a list of words
    "${cc[@]}" -shared -fPIC -Dcrc_add=smshard_crc_add \
        -o "$built/libsmshard.so.0" worker/client/*.c proto/ring_layout.c \
        $framing base/bytes.c base/check.c base/fault.c &
    mkdir -p "$built/tests/tools"
    "${cc[@]}" -ffunction-sections -Wl,--gc-sections \
        -o "$built/tests/tools/ring_server" tests/tools/ring_server.c \
        worker/ring*.c worker/slots*.c worker/place*_os.c \
        proto/ring_layout.c base/b*.c base/check.c base/fault.c \
        base/file_os.c base/mem.c base/status.c -lpthread
    wait $!
}

# In JSON: the words that start each program, or why there is none.
programs() {
    local from loader
    from=$(realpath -m "$pack")
    loader=$(echo "$from"/lib/ld-linux*)
    if [ -e "$loader" ] && "$loader" --library-path "$from/lib" \
        "$from/smshard" version >/dev/null 2>&1; then
        printf '{"smshard": ["%s", "--library-path", "%s", "%s"],' \
            "$loader" "$from/lib" "$from/smshard"
        printf ' "s3_server": ["%s", "--library-path", "%s", "%s"]}' \
            "$loader" "$from/lib" "$from/s3_server"
        return
    fi
    from=$(realpath -m "$made")
    if "$from/smshard" version >/dev/null 2>&1 &&
        [ -x "$from/tests/tools/s3_server" ]; then
        printf '{"smshard": ["%s"], "s3_server": ["%s"]}' \
            "$from/smshard" "$from/tests/tools/s3_server"
    else
        printf '{"why": "there is no program: tests/gpu/run.sh --pack"}'
    fi
}

# One that has PyTorch, where there is one.
a_python() {
    local python
    for python in python3 /usr/bin/python3 /opt/conda/bin/python3; do
        command -v "$python" >/dev/null || continue
        if "$python" -c 'import torch' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    command -v python3 || echo /usr/bin/python3
}

if [ "${1:-}" = --pack ]; then
    make -s "$made/smshard" "$made/tests/tools/s3_server"
    pack
    exit 0
fi
OUT=${OUT:?is the folder for the results}
mkdir -p "$OUT"
if [ -n "${BUILT:-}" ]; then
    mkdir -p "$BUILT"
    built=$(cd "$BUILT" && pwd)
else
    built=$(mktemp -d)
    trap 'rm -rf "$built"' EXIT
fi
[ -e "$built/tests/tools/ring_server" ] || build_ring
limit=560
if [ "${1:-}" = --fake ]; then
    shift
    [ -e "$built/libcuda.so.1" ] || "${cc[@]}" -shared -fPIC \
        -o "$built/libcuda.so.1" tests/gpu/fake_cuda.c -lpthread
    export SMSHARD_CUDA_LIBRARY=$built/libcuda.so.1
    set -- --small "$@"
    PYTHON=${PYTHON:-python3}
else
    # What the placement tests can learn from the machine.
    ! command -v hwloc-gather-topology >/dev/null ||
        timeout 30 hwloc-gather-topology "$OUT/topology" >/dev/null 2>&1 || true
fi
PROGRAMS=$(programs)
export PROGRAMS BUILT=$built SMSHARD_LIBRARY=$built/libsmshard.so.0
"${PYTHON:-$(a_python)}" -B tests/gpu/measure.py --out "$OUT/gpu.json" \
    --limit "$limit" "$@"
