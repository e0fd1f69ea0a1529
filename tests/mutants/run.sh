#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plant a known mistake in a copy of the cores, one after the other, and let the
# simulated cluster look for it: some seed below SEEDS (200) has to fail.
#
#   tests/mutants/run.sh [NAME-PART…]     from the root; OUT, CC and MODE as make
#
# A mistake is one line of a file, word for word, and what stands there instead.
# A line that is not found exactly once is an error, not a pass. One line a
# mistake; the last line is `N passed, N failed`.
set -u

unset WERROR # A mistake may leave something unused.
OUT=${OUT:-build/release-gcc}
CC=${CC:-gcc}
MODE=${MODE:-release}
SEEDS=${SEEDS:-200}
passed=0
failed=0
names=("$@")
tree=$(mktemp -d /tmp/smshard-mutants.XXXXXX)
trap 'rm -rf "$tree"' EXIT
trap 'exit 130' INT TERM

case $OUT in /*) ;; *) OUT=$PWD/$OUT ;; esac
[ -x "$OUT/cluster-sim" ] || { echo "first: make $OUT/cluster-sim"; exit 1; }
mkdir -p "$tree/build/$MODE-$CC"
cp -a Makefile base proto store coordinator worker cluster-sim "$tree"
cp -a "$OUT/obj" "$OUT/libcore.a" "$tree/build/$MODE-$CC"

is_wanted() { # NAME
    local part
    [ ${#names[@]} -gt 0 ] || return 0
    for part in "${names[@]}"; do
        [[ $1 != *"$part"* ]] || return 0
    done
    return 1
}

# Replace the one line of file $1 that is $2, but for its indent, by $3.
plant() {
    OLD=$2 NEW=$3 awk '
        BEGIN { old = ENVIRON["OLD"]; new = ENVIRON["NEW"] }
        { line = $0; sub(/^ +/, "", line) }
        line == old { found++; print new; next }
        { print }
        END { exit found == 1 ? 0 : 1 }' "$1" >"$tree/planted" &&
        cp "$tree/planted" "$tree/$1"
}

say() { # WORD NAME TEXT
    printf '%-7s %-40s %s\n' "$1" "$2" "$3"
}

mutant() { # NAME MODEL FILE OLD NEW
    local name=$1 model=$2 file=$3 said rc
    is_wanted "$name" || return 0
    if ! plant "$file" "$4" "$5"; then
        failed=$((failed + 1))
        say FAILED "$name" "$file has no such line: $4"
        return
    fi
    if ! said=$(make -s -C "$tree" MODE="$MODE" CC="$CC" \
        "build/$MODE-$CC/cluster-sim" 2>&1); then
        failed=$((failed + 1))
        say FAILED "$name" "does not compile: $(grep error <<<"$said" |
            head -n 1)"
    else
        said=$("$tree/build/$MODE-$CC/cluster-sim" --model "$model" \
            --seeds "$SEEDS" --first 2>&1)
        rc=$?
        if [ $rc = 1 ]; then
            passed=$((passed + 1))
            say caught "$name" "$(grep -E '^(seed|CHECK)' <<<"$said" |
                head -n 1 | cut -c -90)"
        else
            failed=$((failed + 1))
            say FAILED "$name" "not found in $SEEDS seeds (exit code $rc)"
        fi
    fi
    cp -p "$file" "$tree/$file"
    touch "$tree/$file"
}

# shellcheck source=tests/mutants/list.sh
. tests/mutants/list.sh

echo "$passed passed, $failed failed"
[ $failed = 0 ]
