# SPDX-License-Identifier: Apache-2.0
"""What the machine is, and which calls it allows."""

import ctypes
import glob
import os
import platform
import resource
import shutil
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)

# Numbers of x86-64; the last five are the same everywhere.
_CALLS = {"mbind": (237, (0, 0, 0, 0, 0, 0)),
          "move_pages": (279, (0, 0, 0, 0, 0, 0)),
          "memfd_create": (319, (b"probe", 0)),
          "memfd_create hugetlb": (319, (b"probe", 4)),
          "io_uring_setup": (425, (0, 0)),
          "pidfd_open": (434, (os.getpid(), 0))}


def _probe(number, arguments):
    """The name of what a call says; an invalid call that is allowed says
    EINVAL or EFAULT, one that is not EPERM or ENOSYS."""
    ctypes.set_errno(0)
    result = _libc.syscall(ctypes.c_long(number), *[
        ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result >= 0:
        if number in (319, 434):
            os.close(result)
        return "ok"
    return os.strerror(ctypes.get_errno())


def _read(path):
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return f.read().strip()
    except OSError:
        return None


def _devices():
    out = []
    for folder in sorted(glob.glob("/sys/bus/pci/devices/*")):
        kind = _read(folder + "/class") or ""
        if kind.startswith(("0x03", "0x02", "0x12")):
            out.append({"at": os.path.basename(folder), "class": kind,
                        "vendor": _read(folder + "/vendor"),
                        "device": _read(folder + "/device"),
                        "numa_node": _read(folder + "/numa_node")})
    return out


def say(*command):
    if shutil.which(command[0]) is None:
        return None
    try:
        return subprocess.run(command, capture_output=True, text=True,
                              timeout=20, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return repr(error)


def describe():
    """Plain data."""
    return {
        "kernel": " ".join(platform.uname()[2:5]),
        "cpus": len(os.sched_getaffinity(0)),
        "nodes": [os.path.basename(p) for p in
                  sorted(glob.glob("/sys/devices/system/node/node[0-9]*"))],
        "devices": _devices(),
        "memlock": resource.getrlimit(resource.RLIMIT_MEMLOCK),
        "shmem_huge": _read("/sys/kernel/mm/transparent_hugepage/"
                            "shmem_enabled"),
        "nvidia_smi": say("nvidia-smi", "--query-gpu=name,driver_version,"
                           "memory.total,pci.bus_id", "--format=csv,noheader"),
        "calls": {name: _probe(*call) for name, call in _CALLS.items()}
        if platform.machine() == "x86_64" else {},
    }
