#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# base/json against Python's json module, where there is a python3.
set -u

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: there is no python3"
    exit 0
fi
exec python3 tests/integration/json_python.py \
    "${OUT:-build/release-gcc}/tests/tools/json_echo" "$@"
