#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Python package over the library, with a worker's side of real shared
# memory; the parts that need NumPy or PyTorch are skipped without them.
set -u

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: there is no python3"
    exit 0
fi
case ${MODE:-release} in
asan | tsan)
    echo "skipped: a sanitizer's library can't be loaded by python3"
    exit 0
    ;;
esac
OUT=${OUT:-build/release-gcc}
export OUT
python=python3
# Where two of them are there, the one that has NumPy.
if ! python3 -c 'import numpy' 2>/dev/null && [ -x /usr/bin/python3 ]; then
    python=/usr/bin/python3
fi
out=${OUT#"$PWD"/} # As its rules have it.
make -s "$out/libsmshard.so.0" "$out/tests/tools/ring_server" || exit 1
FAKE_CUDA=$(mktemp -d)/libcuda.so.1
export FAKE_CUDA
trap 'rm -rf "$(dirname "$FAKE_CUDA")"' EXIT
"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O1 -shared -fPIC -I. \
    -o "$FAKE_CUDA" tests/gpu/fake_cuda.c || exit 1
"$python" -B tests/python/run.py "$@"
