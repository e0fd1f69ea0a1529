#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over C files, as many at a time as there are cores, and only over
# what has changed.
#
#   CACHE=FOLDER tests/lint/tidy.sh FILE…     from the root of the tree
#
# A file that was clean is remembered by the hash of all that clang-tidy would
# read: its text after the preprocessor, the settings and the version.
set -u

flags=(-std=c17 -D_GNU_SOURCE -DSMSHARD_VERSION='""' -I.)
tidy=$(command -v clang-tidy-14 || command -v clang-tidy)

if [ "${1:-}" = --one ]; then
    [ "$2" = base/fault.c ] || flags+=(-include tests/lint/analyzer.h)
    key=$({ clang "${flags[@]}" -E -C "$2"; cat .clang-tidy "$0"; \
        echo "$tidy"; } 2>&1 | sha256sum | cut -d' ' -f1)
    [ -e "$CACHE/$key" ] && exit 0
    if out=$("$tidy" --quiet "$2" -- "${flags[@]}" 2>/dev/null); then
        : >"$CACHE/$key"
        exit 0
    fi
    # The findings as PATH:LINE; excerpts of the source are left out.
    sed -nE "s#^($PWD|\.)/##
        s#,-warnings-as-errors\\]#]#
        s#^([^:]+:[0-9]+):[0-9]+: (error|warning): #\\1: clang-tidy: #p
        s#^([^:]+:[0-9]+):[0-9]+: note: #\\1:   note: #p" <<<"$out"
    exit 1
fi

mkdir -p "$CACHE"
export CACHE
[ $# = 0 ] || printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" "$0" --one
