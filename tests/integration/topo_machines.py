#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Machines that are not here: descriptions in tests/data/topo/ become the files
of /sys and /proc that hwloc reads of a real one, and what `smshard topo` says
of them is compared with the answers in the same description.

  topo_machines.py SMSHARD FOLDER [NAME…]   make them in FOLDER and compare
  topo_machines.py --make NAME FOLDER       make one; run hwloc on it with
                                            HWLOC_FSROOT=FOLDER and
                                            HWLOC_COMPONENTS=linux,stop

A description: `packages` and `nodes` with their lists of processors, `threads`
(processor c and c+threads are one core), `distances`, `pci` (a bridge has
`to`, its first and last bus), `route` (the device of the default route),
`cgroup` (what is allowed), `files` (anything else). Each of `cases` has
flags, an exit code, and for each rank `GPU WANTED NODE SURE NIC NEAR`.
"""

import json
import os
import subprocess
import sys

DATA = os.path.join(os.path.dirname(__file__), "..", "data", "topo")


def numbers(text):
    """The numbers in "0-3,8"."""
    found = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def listed(values):
    return ",".join(str(v) for v in sorted(values))


def mask(values, width):
    """The kernel's mask: words of 32 bits, the highest first."""
    bits = sum(1 << v for v in values)
    words = [f"{bits >> (32 * i) & 0xffffffff:08x}"
             for i in range((width + 31) // 32)]
    return ",".join(reversed(words))


class Machine:
    def __init__(self, spec, root):
        self.spec = spec
        self.root = root
        self.cpus = sorted(c for p in spec.get("packages", [])
                           for c in numbers(p))
        self.width = max(self.cpus, default=0) + 1

    def put(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(text, bytes):
            with open(path, "wb") as out:
                out.write(text)
        else:
            with open(path, "w", encoding="ascii") as out:
                out.write(f"{text}\n")

    def link(self, path, target):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)

    def mask(self, values):
        return mask(values, self.width)

    def make_cpu(self, cpu, package, members):
        threads = self.spec.get("threads", 0)
        core = cpu % threads if threads else cpu
        siblings = [c for c in members
                    if (c % threads if threads else c) == core]
        at = f"sys/devices/system/cpu/cpu{cpu}/topology/"
        self.put(at + "physical_package_id", package)
        self.put(at + "core_id", core)
        for name in ("core_cpus", "thread_siblings"):
            self.put(at + name, self.mask(siblings))
        for name in ("package_cpus", "core_siblings"):
            self.put(at + name, self.mask(members))

    def make_cpus(self):
        base = "sys/devices/system/cpu/"
        for name in ("online", "possible", "present"):
            self.put(base + name, listed(self.cpus))
        for package, members in enumerate(self.spec["packages"]):
            for cpu in numbers(members):
                self.make_cpu(cpu, package, numbers(members))

    def make_node(self, index, node):
        at = f"sys/devices/system/node/node{node['node']}/"
        kib = int(node["gib"] * 1024 * 1024)
        self.put(at + "cpumap", self.mask(numbers(node["cpus"])))
        self.put(at + "cpulist", node["cpus"])
        self.put(at + "meminfo",
                 f"Node {node['node']} MemTotal: {kib} kB")
        distances = self.spec.get("distances")
        if distances:
            self.put(at + "distance", " ".join(map(str, distances[index])))
        access = node.get("initiators")
        if access is not None:
            for n in access["nodes"]:
                self.link(at + f"access0/initiators/node{n}", f"../../../node{n}")
            for name in ("read_bandwidth", "write_bandwidth", "read_latency",
                         "write_latency"):
                if name in access:
                    self.put(at + f"access0/initiators/{name}", access[name])

    def make_nodes(self):
        nodes = self.spec["nodes"]
        base = "sys/devices/system/node/"
        every = listed(n["node"] for n in nodes)
        for name in ("online", "possible", "has_memory", "has_normal_memory"):
            self.put(base + name, every)
        for index, node in enumerate(nodes):
            self.make_node(index, node)

    def local_cpus(self, node):
        for n in self.spec["nodes"]:
            if n["node"] == node:
                return numbers(n["cpus"])
        return self.cpus

    def config(self, device):
        """The first bytes of a device's registers."""
        data = bytearray(256)
        first, last = device.get("to", ("0", "0"))
        data[0x0e] = 1 if "to" in device else 0
        data[0x18] = int(device["at"].split(":")[1], 16)
        data[0x19] = int(first, 16)
        data[0x1a] = int(last, 16)
        return bytes(data)

    def make_device(self, device):
        at = device["at"]
        home = f"devices/pci{at[:7]}/{at}"
        base = f"sys/{home}/"
        node = device.get("node", -1)
        vendor, _, model = device.get("id", "8086:0001").partition(":")
        self.put(base + "class", f"0x{device.get('class', '0604')}00")
        self.put(base + "vendor", "0x" + vendor)
        self.put(base + "device", "0x" + model)
        self.put(base + "subsystem_vendor", "0x0000")
        self.put(base + "subsystem_device", "0x0000")
        self.put(base + "numa_node", node)
        local = numbers(device["local"]) if "local" in device else \
            self.local_cpus(node)
        self.put(base + "local_cpus", self.mask(local))
        self.put(base + "config", self.config(device))
        self.link(f"sys/bus/pci/devices/{at}", f"../../../{home}")
        for name, net in device.get("net", {}).items():
            self.make_net(name, net, home)
        if "physfn" in device:
            self.link(base + "physfn", "../" + device["physfn"])

    def make_net(self, name, net, home):
        base = f"sys/{home}/net/{name}/"
        for key in ("operstate", "speed"):
            if key in net:
                self.put(base + key, net[key])
        self.put(base + "address", "02:00:00:00:00:01")
        self.link(base + "device", "../../../" + home.rsplit("/", 1)[1])
        if "master" in net:
            self.link(base + "master", f"../{net['master']}")
        for lower in net.get("lower", []):
            self.link(base + f"lower_{lower}", f"../{lower}")
        self.link(f"sys/class/net/{name}", f"../../{home}/net/{name}")

    def make_cgroup(self):
        allowed = self.spec["cgroup"]
        self.put("proc/mounts", "none /sys/fs/cgroup cgroup2 rw 0 0")
        self.put("proc/self/cgroup", "0::/job")
        self.put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory")
        self.put("sys/fs/cgroup/job/cpuset.cpus.effective", allowed["cpus"])
        self.put("sys/fs/cgroup/job/cpuset.mems.effective", allowed["nodes"])

    def make_rest(self):
        for name, net in self.spec.get("virtual", {}).items():
            self.make_net(name, net, "devices/virtual")
        if "route" in self.spec:
            self.put("proc/net/route",
                     "Iface\tDestination\tGateway\n"
                     f"{self.spec['route']}\t00000000\t0100000A\t0003")
        for path, text in self.spec.get("files", {}).items():
            self.put(path, text)
        if "cgroup" in self.spec:
            self.make_cgroup()

    def make(self):
        os.makedirs(self.root)
        self.put("proc/cpuinfo", "".join(
            f"processor\t: {c}\nmodel name\t: made up\n\n" for c in self.cpus))
        if self.spec.get("nodes"):
            total = sum(int(n["gib"] * 1024 * 1024) for n in self.spec["nodes"])
            self.put("proc/meminfo", f"MemTotal: {total} kB")
            self.make_cpus()
            self.make_nodes()
        for device in self.spec.get("pci", []):
            self.make_device(device)
        self.make_rest()


def load(name):
    with open(os.path.join(DATA, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def word(value):
    return "any" if value is None else str(value)


def row(rank):
    """One rank as the descriptions have it."""
    gpu = rank["gpu"] or "-"
    if rank["part"]:
        gpu += f"/{rank['part']}"
    return " ".join((gpu, word(rank["wanted"]), word(rank["node"]),
                     rank["sure"], rank["nic"] or "-", rank["nic_near"]))


def lane(value):
    return word(value["node"]) + " " + str(len(numbers(value["cpus"])))


def ask(smshard, root, flags):
    environment = dict(os.environ, HWLOC_FSROOT=root,
                       HWLOC_COMPONENTS="linux,stop")
    return subprocess.run([smshard, "topo", "--json", *flags],
                          env=environment, capture_output=True, text=True,
                          check=False)


def differences(case, answer):
    if answer.returncode != case.get("exit", 0):
        yield f"exit code {answer.returncode}: {answer.stderr.strip()}"
    if case.get("says", "") not in answer.stderr:
        yield f"it says: {answer.stderr.strip()}"
    if not answer.stdout:
        if "ranks" in case:
            yield "it prints nothing"
        return
    told = json.loads(answer.stdout)
    pairs = [("ranks", [row(r) for r in told["ranks"]]),
             ("lanes", [lane(v) for v in told["lanes"]]),
             ("why", [r["why"] for r in told["ranks"]]),
             ("note", told["note"]),
             ("memory", [n["memory"] for n in told["nodes"]]),
             ("nics", [f"{n['name'] or '-'} {n['mbit_s']} {n['link']}"
                       for n in told["nics"]])]
    for key, got in pairs:
        if key in case and case[key] != got:
            yield f"{key}: {json.dumps(got, indent=1)}"


def compare(smshard, folder, name):
    """The findings of each case of one description."""
    spec = load(name)
    root = os.path.join(folder, name)
    Machine(spec, root).make()
    for case in spec["cases"]:
        flags = case.get("flags", [])
        answer = ask(smshard, root, flags)
        yield f"{name} {' '.join(flags)}", list(differences(case, answer))


def main():
    if sys.argv[1] == "--make":
        Machine(load(sys.argv[2]), sys.argv[3]).make()
        return 0
    smshard, folder = sys.argv[1:3]
    names = sys.argv[3:] or sorted(
        f[:-5] for f in os.listdir(DATA) if f.endswith(".json"))
    failed = 0
    for name in names:
        for what, found in compare(smshard, folder, name):
            failed += bool(found)
            print("FAILED" if found else "ok", what)
            for line in found:
                print("    " + line.replace("\n", "\n    "))
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
