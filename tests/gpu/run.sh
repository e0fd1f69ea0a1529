#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the ring does with a GPU (docs/gpu.md): registration, copies, crashes,
# early release, against the framework's own loader. No network, ten minutes at
# most; one JSON file, gpu.json, in the folder OUT.
#
#   OUT=results tests/gpu/run.sh           on a machine with a GPU
#   OUT=results tests/gpu/run.sh --fake    anywhere: a driver without one
#
# Needs python3 and a C compiler; what needs PyTorch is left out without it.
set -eu

cd "$(dirname "$0")/../.."
OUT=${OUT:?is the folder for the results}
mkdir -p "$OUT"
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
cc=("${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -I. '-DSMSHARD_VERSION="gpu"')

# Only what the two ends of a ring need: no library has to be installed.
framing=$(echo proto/framing.c proto/framing_[lrt]*.c)
# shellcheck disable=SC2086 # lists of words
"${cc[@]}" -shared -fPIC -Dcrc_add=smshard_crc_add -o "$built/libsmshard.so.0" \
    worker/client/*.c proto/ring_layout.c $framing \
    base/bytes.c base/check.c base/fault.c
mkdir -p "$built/tests/tools"
# shellcheck disable=SC2086
"${cc[@]}" -ffunction-sections -Wl,--gc-sections \
    -o "$built/tests/tools/ring_server" tests/tools/ring_server.c \
    worker/ring*.c worker/slots*.c worker/place*_os.c proto/ring_layout.c \
    base/b*.c base/check.c base/fault.c base/file_os.c base/mem.c \
    base/status.c -lpthread

python=python3
[ -x /usr/bin/python3 ] && ! command -v python3 >/dev/null &&
    python=/usr/bin/python3
if [ "${1:-}" = --fake ]; then
    "${cc[@]}" -shared -fPIC -o "$built/libcuda.so.1" tests/gpu/fake_cuda.c
    export SMSHARD_CUDA_LIBRARY=$built/libcuda.so.1
    set -- --small
fi
# What the placement tests can learn from the machine, where hwloc is there.
! command -v hwloc-gather-topology >/dev/null ||
    hwloc-gather-topology "$OUT/topology" >/dev/null 2>&1 || true
SMSHARD_LIBRARY=$built/libsmshard.so.0 BUILT=$built \
    "$python" -B tests/gpu/measure.py --out "$OUT/gpu.json" "$@"
