#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the documentation says is so: its commands run, its links lead
# somewhere, its pages name the commands, flags, settings and exit codes that
# the program has, all of them and no others. Ends with `N passed, N failed`.
#
# Every fenced block of language `sh` in README.md and docs/*.md is run by
# /bin/sh -eu, in order, each page in a fresh folder of its own. What is not to
# be run is in another language; those that are known are in `languages`.
# shellcheck disable=SC2154 # passed, failed and T are set by lib.sh
set -u

# Lines that would build or test the tree from within a block: exactly these
# are left out, each named when it is, because a lane of .ci/run runs it.
declare -A covered_by=(
    ['sudo apt-get install -y make && make demo   # a real three-host job, here, now']=demo
    ['make check                                  # the whole test suite']=check
)
languages=' sh text console dockerfile json python '
limit_s=280

cd "$(dirname "$0")/../.." || exit 1
make -s || exit 1
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
here=$PWD/tests/docs
pages=(README.md docs/*.md)
mkdir "$T/bin"
ln -s "$SMSHARD" "$T/bin/smshard"
PATH=$T/bin:$PATH
export PYTHONPATH=$PWD/worker/client/python PYTHONDONTWRITEBYTECODE=1
export SMSHARD_LIBRARY=${SMSHARD%/*}/libsmshard.so.0

# Check that a list of findings is empty.
none() { # WHAT FINDINGS
    if [ -z "$2" ]; then ok "$1"; else not_ok "$1" "$2"; fi
}

# --- Blocks -------------------------------------------------------------------

# Write the blocks of a page to FOLDER/001.sh …; print what is wrong with them.
split_blocks() { # PAGE FOLDER
    awk -v folder="$2" -v languages="$languages" '
        /^ *```/ {
            is_open = !is_open
            language = is_open ? substr($0, index($0, "```") + 3) : ""
            if (is_open && index(languages, " " language " ") == 0)
                print FILENAME ":" FNR ": a block of language \"" language "\""
            if (language == "sh") {
                if ($0 != "```sh") print FILENAME ":" FNR ": is indented"
                out = sprintf("%s/%03d.sh", folder, ++count)
                printf "# %s:%d\n", FILENAME, FNR >out
            }
            next
        }
        language == "sh" { print >out }
        END { if (is_open) print FILENAME ": a block has no end" }' "$1"
}

# Copy a block without the lines that a lane covers.
leave_out() { # PAGE BLOCK OUT
    local line lane
    while IFS= read -r line; do
        lane=${line:+${covered_by[$line]:-}}
        if [ -n "$lane" ]; then
            echo "$1: left to the lane $lane: $line"
            left_out[$line]=$((${left_out[$line]:-0} + 1))
        else
            printf '%s\n' "$line"  >&3
        fi
    done <"$2" 3>"$3"
}

run_block() { # BLOCK
    local where
    where=$(sed -n '1s/^# //p' "$1")
    grep -qv -e '^ *#' -e '^ *$' "$1" || return 0
    if (cd home && timeout -k 5 "$limit_s" /bin/sh -eu "$1") \
        >out.txt 2>&1 </dev/null; then
        ok "$where runs"
    else
        not_ok "$where runs" "$(cat out.txt)"
    fi
}

run_page() { # PAGE
    local folder=$T/pages/$1 block
    mkdir -p "$folder/home"
    none "$1: blocks are well formed" "$(split_blocks "$1" "$folder")"
    for block in "$folder"/*.sh; do
        [ -e "$block" ] || continue
        leave_out "$1" "$block" "$folder/run"
        mv "$folder/run" "$block"
        cd "$folder" || exit 1
        run_block "$block"
        cd "$OLDPWD" || exit 1
    done
}

declare -A left_out=()
for page in "${pages[@]}"; do run_page "$page"; done
for line in "${!covered_by[@]}"; do
    check "left out exactly once: $line" test "${left_out[$line]:-0}" -eq 1
    check "there is a lane ${covered_by[$line]}" \
        grep -q "^lane_${covered_by[$line]}()" .ci/run
done

# A block that is a job's document is one that the program takes.
check_json() { # PAGE
    local folder=$T/json/$1 document
    mkdir -p "$folder"
    awk -v folder="$folder" '
        /^```/ { is_json = !is_json && $0 == "```json"; n += is_json; next }
        is_json { print >(folder "/" n ".json") }' "$1"
    for document in "$folder"/*.json; do
        [ -e "$document" ] || continue
        check "$1: JSON block ${document##*/}" jq -e . "$document"
        ! grep -q '"InputDataConfig"' "$document" ||
            check "$1: job document ${document##*/}" \
                smshard plan --synthetic 1 --job "$document"
    done
}
for page in "${pages[@]}"; do check_json "$page"; done

# --- The rest -----------------------------------------------------------------

# shellcheck source=tests/docs/names.sh
. "$here/names.sh"
# shellcheck source=tests/docs/manual.sh
. "$here/manual.sh"
# shellcheck source=tests/docs/complete.sh
. "$here/complete.sh"

[ "$skipped" -eq 0 ] || echo "skipped: $skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
