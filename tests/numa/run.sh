#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two memory nodes where there are none: a guest that qemu emulates in software
# runs the program and tests/tools/numa_probe.c, with a network card and an
# "accelerator" (any PCI device) at each node, huge pages on one node, and a
# cgroup that has the other node alone. At most 120 seconds.
#
# qemu, busybox and a kernel are taken from the distribution's packages, which
# are unpacked below build/numa and not installed. Where they can't be had, the
# last line is `skipped: WHY`.
set -u

OUT=${OUT:-build/release-gcc}
SMSHARD=${SMSHARD:-$OUT/smshard}
here=$(dirname "$0")
home=$PWD/build/numa
root=$home/root
limit_s=120
passed=0
failed=0

skip() {
    echo "skipped: $*"
    exit 0
}

check() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@" >"$home/check.out" 2>&1; then
        passed=$((passed + 1))
        echo "ok $what"
    else
        failed=$((failed + 1))
        echo "FAILED $what"
        sed 's/^/    /' "$home/check.out"
    fi
}

# --- What it takes ------------------------------------------------------------

fetch() {
    local debs=$home/debs kernel deb
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$kernel" ] || return 1
    mkdir -p "$debs/partial" "$root"
    # All that qemu needs and that is not installed.
    apt-get -y -q --download-only --no-install-recommends \
        -o Dir::Cache::archives="$debs" -o Debug::NoLocking=1 \
        install qemu-system-x86 busybox-static >"$home/fetch.log" 2>&1 || return 1
    (cd "$debs" && apt-get -q download "$kernel") >>"$home/fetch.log" 2>&1 ||
        return 1
    for deb in "$debs"/*.deb; do dpkg -x "$deb" "$root" || return 1; done
    rm -rf "$debs"
    touch "$root/whole"
}

[ "$(uname -m)" = x86_64 ] || skip "the guest is an x86-64 one"
mkdir -p "$home"
[ -e "$root/whole" ] || fetch ||
    skip "qemu, busybox and a kernel can't be fetched: $(tail -n 1 \
        "$home/fetch.log" 2>/dev/null)"
busybox=$root/bin/busybox
[ -x "$busybox" ] || busybox=$(command -v busybox)
qemu=$root/usr/bin/qemu-system-x86_64
[ -x "$qemu" ] || qemu=$(command -v qemu-system-x86_64)
kernel=$(compgen -G "$root/boot/vmlinuz-*" | head -n 1)
if [ -z "$busybox" ] || [ -z "$qemu" ] || [ -z "$kernel" ]; then
    skip "qemu, busybox or a kernel is missing below $root"
fi

# --- The guest's files --------------------------------------------------------

tree=$home/tree
rm -rf "$tree"
mkdir -p "$tree/bin" "$tree/lib" "$tree/lib64" "$tree/modules"
cp "$busybox" "$tree/bin/busybox"
ln -s busybox "$tree/bin/sh"
install -m 755 "$here/init" "$tree/init"
install -m 755 "$SMSHARD" "$tree/bin/smshard"
install -m 755 "$OUT/tests/tools/numa_probe" "$tree/bin/numa_probe"
ldd "$SMSHARD" "$OUT/tests/tools/numa_probe" | grep -o '/[^ ]*\.so[^ ]*' |
    sort -u | while read -r library; do cp -L "$library" "$tree/lib/"; done
cp -L /lib64/ld-linux-x86-64.so.2 "$tree/lib64/"
find "$root/lib/modules" -name '*.ko' | grep -E \
    '/(virtio|virtio_ring|virtio_pci|virtio_pci_legacy_dev|virtio_pci_modern_dev|failover|net_failover|virtio_net)\.ko$' |
    while read -r module; do cp "$module" "$tree/modules/"; done
(cd "$tree" && find . | "$busybox" cpio -o -H newc 2>/dev/null) |
    gzip -1 >"$home/initramfs"

# --- The guest ----------------------------------------------------------------

start=$SECONDS
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu \
    timeout -k 5 "$limit_s" "$qemu" -L "$root/usr/share/qemu" \
    -L "$root/usr/share/seabios" -L "$root/usr/lib/ipxe/qemu" \
    -M q35 -accel tcg -cpu max -smp 4,sockets=2,cores=2 -m 1024M \
    -object memory-backend-ram,id=m0,size=512M \
    -object memory-backend-ram,id=m1,size=512M \
    -numa node,nodeid=0,cpus=0-1,memdev=m0 \
    -numa node,nodeid=1,cpus=2-3,memdev=m1 \
    -numa dist,src=0,dst=1,val=21 \
    -device pxb-pcie,id=pxb0,bus_nr=0x20,bus=pcie.0,numa_node=0 \
    -device pcie-root-port,id=rp0,bus=pxb0,chassis=1 \
    -device pcie-root-port,id=rp2,bus=pxb0,chassis=3 \
    -device pxb-pcie,id=pxb1,bus_nr=0x80,bus=pcie.0,numa_node=1 \
    -device pcie-root-port,id=rp1,bus=pxb1,chassis=2 \
    -device pcie-root-port,id=rp3,bus=pxb1,chassis=4 \
    -netdev user,id=n0 -device virtio-net-pci,bus=rp0,netdev=n0,romfile= \
    -netdev user,id=n1 -device virtio-net-pci,bus=rp1,netdev=n1,romfile= \
    -device pci-testdev,bus=rp2 -device pci-testdev,bus=rp3 \
    -kernel "$kernel" -initrd "$home/initramfs" \
    -append 'console=ttyS0 quiet panic=-1' -no-reboot \
    -nographic -nodefaults -serial stdio </dev/null >"$home/console" 2>&1
rc=$?
echo "the guest ran for $((SECONDS - start)) s"
tr -d '\r' <"$home/console" >"$home/said"

# What the guest printed under a name.
part() { # NAME
    awk -v name="== $1" '/^== / { inside = $0 == name; next } inside' "$home/said"
}
told() { # NAME JQ-EXPRESSION
    part "$1" | grep '^{' | jq -e "$2"
}

check "the guest came to its end" grep -qx '== end' "$home/said"
[ "$failed" = 0 ] || {
    echo "qemu's exit code: $rc"
    tail -n 20 "$home/said"
}
check "two nodes" told free '[.nodes[].node] == [0, 1]'
check "their distance" told free '.nodes[0].distances == [10, 21]'
check "a card at each node" told free \
    '[.nics[].near] == [[0], [1]] and ([.nics[].name] | sort) == ["eth0", "eth1"]'
check "a rank at each accelerator" told free \
    '[.ranks[] | [.node, .sure]] == [[0, "exact"], [1, "exact"]]'
# shellcheck disable=SC2016 # jq's variables
check "each rank reads by the card of its node" told free \
    '.nics as $n | .ranks as $r |
     all(range(2); . as $i | $n[$i].name == $r[$i].nic)'
check "the memory of each is there" told free \
    'all(.ranks[].got; .seen == "move_pages" and .bound == "soft" and
         .pages == 256 and .pages_there == 256)'
check "strict too" told strict \
    'all(.ranks[].got; .bound == "hard" and .pages_there == 256)'
check "lanes have the processors of their nodes" told free \
    '[.lanes[].cpus] == ["0-1", "2-3"]'
check "in a cgroup of node 0 the accelerator of node 1 is still at node 1" \
    told caged '[.gpus[].near] == [[0], [1]]'
check "its rank is told that it may not be used" told caged \
    '.ranks[1] | .wanted == 1 and .node == 0 and .sure == "degraded"'
check "strict refuses in the cgroup" grep -q 'rank 1 has no sure node' \
    <(part caged-strict)
for name in probe caged-probe; do
    while IFS= read -r line; do
        check "$name: ${line#* }" test "${line%% *}" = ok
    done < <(part "$name" | grep -E '^(ok|FAILED) ')
    check "$name: it came to its end" grep -qE '^[0-9]+ passed, 0 failed$' \
        <(part "$name")
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
