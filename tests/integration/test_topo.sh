#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `smshard topo`: machines made up of files, XML and short texts, this machine
# with and without its /sys, and what it says to nonsense.
set -u

. tests/integration/lib.sh

# --- Machines of tests/data/topo ----------------------------------------------

tests/integration/topo_machines.py "$SMSHARD" "$T/machines" >"$T/machines.out" 2>&1
while IFS= read -r line; do
    case $line in
    'ok '*) ok "${line#ok }" ;;
    'FAILED '*) not_ok "${line#FAILED }" ;;
    ' '*) echo "$line" ;;
    *) not_ok "topo_machines.py" "$line" ;;
    esac
done <"$T/machines.out"
check "machines were compared" test "$passed" -gt 30

# --- Short texts --------------------------------------------------------------

nodes_of() { # FLAGS…: the ring of each rank
    "$SMSHARD" topo --json "$@" | jq -c '[.ranks[] | .node]'
}
is() { # WHAT WANTED COMMAND…
    what=$1
    wanted=$2
    shift 2
    got=$("$@" 2>&1)
    if [ "$got" = "$wanted" ]; then ok "$what"; else not_ok "$what" "$got"; fi
}

two='pack:2 numa:1 core:4 pu:2'
is "two nodes, four ranks" '[0,0,1,1]' nodes_of --synthetic "$two" --ranks 4
is "two nodes, one rank" '[0]' nodes_of --synthetic "$two"
is "one node" '[0,0,0]' nodes_of --synthetic 'numa:1 core:4 pu:1' --ranks 3
is "eight nodes, three ranks" '[0,2,5]' nodes_of --ranks 3 --synthetic \
    'pack:2 numa:4 core:12 pu:2'
is "the larger memory of two at a socket" '[0,2]' nodes_of --ranks 2 \
    --synthetic 'pack:2 [numa(memory=256GB)] [numa(memory=64GB)] core:48 pu:1'
is "off" '[null,null]' nodes_of --synthetic "$two" --ranks 2 --placement off

run "$SMSHARD" topo --synthetic "$two" --ranks 2
is "a picture ends well" 0 echo "$code"
check "it says that nothing was tried" \
    grep -q 'not tried: not this machine' "$T/std.out"
check "no line ends in blanks" sh -c "! grep -n ' \$' '$T/std.out'"

# --- This machine -------------------------------------------------------------

run "$SMSHARD" topo --json
is "this machine" 0 echo "$code"
check "JSON" jq -e '.this_machine and (.ranks | length > 0)' "$T/std.out"
check "pages of the probe were seen or it says why not" jq -e '
    .ranks[].got | (.pages > 0 and .page_size > 0) or .seen == "unverified"' \
    "$T/std.out"

# Without /sys there is no node to speak of, and nothing breaks.
if unshare -m true 2>/dev/null; then
    run unshare -m sh -c \
        "mount -t tmpfs none /sys && exec '$SMSHARD' topo --json --ranks 2"
    is "no /sys: it ends well" 0 echo "$code"
    check "no /sys: any node, or the one that there is" jq -e '
        [.ranks[] | .sure] - ["unknown", "exact"] == [] and
        ([.ranks[] | .node] - [null, 0] == [])' "$T/std.out"
    check "no /sys: no card is known" jq -e '.gpus == []' "$T/std.out"
else
    skip "no /sys" "mount namespaces are not allowed here"
fi

# --- Files that are none ------------------------------------------------------

says() { # WHAT CODE WORDS FLAGS…
    what=$1
    wanted=$2
    words=$3
    shift 3
    run "$SMSHARD" topo "$@"
    if [ "$code" = "$wanted" ] && grep -qF -- "$words" "$T/std.err" &&
        [ "$(wc -l <"$T/std.err")" = 1 ] && [ ! -s "$T/std.out" ]; then
        ok "$what"
    else
        not_ok "$what" "exit code $code: $(cat "$T/std.err")"
    fi
}

says "no file" 66 "$T/none.xml" --xml "$T/none.xml"
echo 'no XML' >"$T/text.xml"
says "a text" 65 "$T/text.xml: hwloc can not" --xml "$T/text.xml"
: >"$T/empty.xml"
says "an empty file" 65 "$T/empty.xml: hwloc can not" --xml "$T/empty.xml"
echo '<?xml version="1.0"?><topology version="3.0"></topology>' >"$T/3.xml"
says "XML of hwloc 3" 78 "written by hwloc 3" --xml "$T/3.xml"
lstopo-no-graphics --of xml -i "$two" >"$T/good.xml" 2>/dev/null
if [ -s "$T/good.xml" ]; then
    is "XML of hwloc 2" '[0,1]' nodes_of --xml "$T/good.xml" --ranks 2
    for size in 100 400 1500 3000; do
        head -c "$size" "$T/good.xml" >"$T/cut.xml"
        says "XML cut at $size" 65 "$T/cut.xml: hwloc can not" \
            --xml "$T/cut.xml"
    done
else
    skip "XML of hwloc 2" "lstopo-no-graphics is not installed"
fi
says "no such text" 65 "hwloc does not understand it" --synthetic 'cat:2'
says "two machines" 64 "give one" --xml a --synthetic b
says "no such policy" 64 "'maybe' is not one of" --placement maybe
says "too many ranks" 64 "--ranks" --ranks 65
says "an override of nothing" 64 "'=0' is no PCI address" \
    --placement-table '=0'
says "an override without a number" 64 "is no PCI address and node" \
    --placement-table '0000:10:1c.0=one'
says "an accelerator that is none" 65 "no vendor and device" \
    --accelerator nvidia

finish
