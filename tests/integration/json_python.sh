#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# json_python.sh PROGRAM: compare base/json with Python's json module, where
# there is a python3. PROGRAM is the built tests/tools/json_echo.c.
set -eu

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: there is no python3"
    exit 0
fi
exec python3 "$(dirname "$0")/json_python.py" "$@"
