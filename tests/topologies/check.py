#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real machines: compare `smshard topo` with hwloc-calc, file by file.

  SMSHARD=… check.py FOLDER     every *.xml and *.xml.gz below FOLDER

The oracle is hwloc's own program for the nodes near to each device, the nodes
and the processors of each; and the names in the file for which devices are
GPUs and network cards. A file that this hwloc can't load is named and counted,
and has to be refused by us in one line. The last line is `N passed, N failed`.
"""

import collections
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

SMSHARD = os.environ.get("SMSHARD", "build/release-gcc/smshard")
GPU_NAMES = re.compile(r"^(cuda|nvml|rsmi)\d")
MAX_DEVICES = 64  # Of one kind asked about; some machines have hundreds.


def call(*words):
    # The guest of a file is asked, not this machine.
    environment = dict(os.environ, HWLOC_HIDE_ERRORS="2")
    return subprocess.run(words, capture_output=True, text=True, check=False,
                          env=environment, timeout=120)


def calc(path, *words):
    answer = call("hwloc-calc", "--if", "xml", "-i", path, "--disallowed",
                  "-q", "--po", *words)
    return {int(n) for n in answer.stdout.replace("\n", ",").split(",")
            if n.strip().isdigit()}


def numbers(text):
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def named_devices(path):
    """Addresses with a name of a GPU's driver; names of network devices; and
    addresses that stand there twice, of which hwloc-calc knows the first."""
    gpus = set()
    nets = set()
    twice = collections.Counter()
    for parent in ElementTree.parse(path).iter("object"):
        twice[parent.get("pci_busid", "").lower()] += 1
        for child in parent.findall("object"):
            name = child.get("name", "")
            if child.get("type") != "OSDev":
                continue
            if parent.get("pci_busid") and GPU_NAMES.match(name):
                gpus.add(parent.get("pci_busid").lower())
            if child.get("osdev_type") == "2":
                nets.add(name)
    return gpus, nets, {at for at, count in twice.items() if count > 1}


class Check:
    def __init__(self, path):
        self.path = path
        self.findings = []
        self.compared = 0

    def same(self, what, ours, theirs):
        self.compared += 1
        if ours != theirs:
            self.findings.append(f"{what}: {ours}, hwloc says {theirs}")

    def near(self, told, device, what):
        """Near to all is what we call unknown; and nodes without processors
        count where there are no others."""
        theirs = calc(self.path, "--local-memory",
                      "pci=" + device["pci"])
        theirs = theirs - self.memory_only(told) or theirs
        ours = set(device["near"])
        groups = {n["cpus"] for n in told["nodes"] if n["cpus"]}
        covered = {n["cpus"] for n in told["nodes"]
                   if n["cpus"] and n["node"] in theirs}
        if not ours and len(groups) > 1 and covered == groups:
            self.compared += 1
        else:
            self.same(f"{what} {device['pci']}", ours, theirs)

    def nodes(self, told):
        numbers_told = {n["node"] for n in told["nodes"]}
        self.same("nodes", numbers_told,
                  calc(self.path, "-n", "--nodeset-output", "-I", "numa",
                       "all") | self.memory_only(told))
        for lane in told["lanes"]:
            if lane["node"] is None or lane["elsewhere"]:
                continue
            cpus = calc(self.path, "--pi", "-I", "pu",
                        f"numa:{lane['node']}")
            allowed = numbers(told["cpus_allowed"])
            self.same(f"lane of node {lane['node']}", numbers(lane["cpus"]),
                      cpus & allowed)

    @staticmethod
    def memory_only(told):
        """Nodes without processors intersect with nothing."""
        return {n["node"] for n in told["nodes"] if not n["cpus"]}

    def ranks(self, told):
        """What holds of each rank, whatever the machine."""
        nodes = {n["node"]: n for n in told["nodes"]}
        near = {g["pci"]: g["near"] for g in told["gpus"]}
        for rank in told["ranks"]:
            node = nodes.get(rank["node"])
            self.compared += 1
            if node and not (node["allowed"] and node["cpus"] and
                             node["bytes"]):
                self.findings.append(f"rank {rank['rank']}: odd node {node}")
            if rank["sure"] in ("exact", "ambiguous") and near.get(
                    rank["gpu"]) and rank["node"] not in near[rank["gpu"]]:
                self.findings.append(f"rank {rank['rank']} is not near: {rank}")

    def devices(self, told):
        gpus, nets, twice = named_devices(self.path)
        # hwloc loads old files into new ones; addresses stay.
        ours = {g["pci"] for g in told["gpus"]}
        self.same("GPUs with a driver's name", gpus & ours, gpus)
        self.same("network devices", {n["name"] for n in told["nics"]} & nets,
                  nets)
        for kind in ("gpus", "nics"):
            found = {d["pci"]: d for d in told[kind]
                     if d["pci"] and d["pci"] not in twice}
            for device in list(found.values())[:MAX_DEVICES]:
                self.near(told, device, kind[:-1])

    def run(self):
        """"", or why the file could not be loaded."""
        answer = call(SMSHARD, "topo", "--json", "--xml", self.path)
        oracle = call("hwloc-calc", "--if", "xml", "-i", self.path, "-N", "pu",
                      "all")
        if not oracle.stdout.strip():
            lines = answer.stderr.strip().splitlines()
            if answer.returncode == 0 or len(lines) != 1:
                self.findings.append("hwloc can't load it, and we say: " +
                                     answer.stderr.strip())
            return lines[0].split(": ", 2)[-1] if lines else "refused"
        if answer.returncode != 0:
            self.findings.append(answer.stderr.strip())
            return ""
        told = json.loads(answer.stdout)
        self.nodes(told)
        self.ranks(told)
        self.devices(told)
        self.summary = (f"{len(told['nodes'])} nodes, "
                        f"{len(told['gpus'])} GPUs, {len(told['nics'])} cards: "
                        f"{self.compared} compared")
        return ""


def files_below(folder):
    for base, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith((".xml", ".xml.gz")):
                yield os.path.join(base, name)


def unpacked(path, scratch):
    if not path.endswith(".gz"):
        return path
    to = os.path.join(scratch, os.path.basename(path)[:-3])
    with gzip.open(path, "rb") as source, open(to, "wb") as out:
        shutil.copyfileobj(source, out)
    return to


def check_one(path, scratch):
    check = Check(unpacked(path, scratch))
    refused = check.run()
    if check.findings:
        print(f"FAILED {path}")
        for line in check.findings:
            print("    " + line)
    elif refused:
        print(f"not loaded {path}: {refused}")
    else:
        print(f"ok {path}: {check.summary}")
    return bool(check.findings), bool(refused)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else ""
    if not os.path.isdir(folder):
        print(f"check-topologies: '{folder}' is no folder; say DIR=…, a folder "
              "of files that 'lstopo FILE.xml' has written", file=sys.stderr)
        return 64
    if not shutil.which("hwloc-calc"):
        print("skipped: hwloc-calc is not installed (package hwloc)")
        return 0
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for path in files_below(folder):
            results.append(check_one(path, scratch))
    failed = sum(1 for bad, _ in results if bad)
    refused = sum(1 for bad, gone in results if gone and not bad)
    print(f"{refused} of {len(results)} files can't be loaded by this hwloc")
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
