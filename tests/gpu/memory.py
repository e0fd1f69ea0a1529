# SPDX-License-Identifier: Apache-2.0
"""Part 2: what memory the driver registers, and what that costs."""

import ctypes
import mmap
import os
import resource
import tempfile
import time

from smshard import cuda

from kit import GiB, MiB

COLLAPSE, POPULATE_WRITE = 25, 23
KINDS = ("memfd", "collapsed", "hugetlb", "shm")
# (rights of the mapping, flags of the call)
WAYS = ((3, 1), (1, 9), (1, 1))


def _memory(kind, size):
    """A descriptor of shared memory that is populated."""
    if kind == "shm":
        f, name = tempfile.mkstemp(dir="/dev/shm")
        os.unlink(name)
    else:
        f = os.memfd_create("gpu", 4 if kind == "hugetlb" else 0)
    try:
        os.ftruncate(f, size)
        if kind == "shm":  # Containers have little; to write there would kill.
            os.posix_fallocate(f, 0, size)
        with mmap.mmap(f, size) as m:
            _populate(m, kind, size)
            if kind == "collapsed":
                m.madvise(COLLAPSE)
    except BaseException:
        os.close(f)
        raise
    return f


def _populate(m, kind, size):
    try:
        m.madvise(POPULATE_WRITE)
    except OSError:
        if kind == "hugetlb":
            raise  # A touch would kill.
        for at in range(0, size, 4096):
            m[at] = 1


def _map(f, size, rights):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int,
                          ctypes.c_int, ctypes.c_int, ctypes.c_long]
    address = libc.mmap(None, size, rights, 1, f, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap")
    return address, lambda: libc.munmap(ctypes.c_void_p(address),
                                        ctypes.c_size_t(size))


def _register(address, size, chunk, flags):
    of = cuda.driver()
    row, chunks = {"chunk": chunk, "flags": flags}, []
    with of.current(0):
        start = time.perf_counter()
        for at in range(0, size, chunk):
            code = of.ask("cuMemHostRegister_v2", address + at,
                          min(chunk, size - at), flags)
            if code != 0:
                row["error"] = of.name_of(code)
                break
            chunks.append(address + at)
        row["us_per_GiB"] = _rate(start, size)
        start = time.perf_counter()
        codes = {of.ask("cuMemHostUnregister", at) for at in reversed(chunks)}
        row["unregister_us_per_GiB"] = _rate(start, size)
    if codes - {0}:
        row["unregister_error"] = sorted(map(of.name_of, codes - {0}))
    return row


def _rate(start, size):
    return round((time.perf_counter() - start) * 1e6 * GiB / size)


def _rows_of(kind, size, sizes):
    try:
        f = _memory(kind, size)
    except (OSError, ValueError) as error:
        return [{"left_out": repr(error)}]
    rows = []
    for rights, flags in WAYS:
        address, unmap = _map(f, size, rights)
        for chunk in (size, sizes.chunk):
            rows.append({"rights": "rw" if rights == 3 else "r",
                         **_register(address, size, chunk, flags)})
        unmap()
    os.close(f)
    return rows


def registration(sizes):
    """{memory} x {rights, flags} x {size} x {whole, chunks}."""
    rows = [_with_little_memlock(sizes)]
    slowest = 0.0
    for size in sizes.register:
        for kind in KINDS:
            row = {"memory": kind, "size": size}
            if sizes.left_s() < slowest * size * 1.2:
                rows.append(dict(row, left_out="no time is left"))
                continue
            start = time.perf_counter()
            rows += [dict(row, **more) for more in _rows_of(kind, size, sizes)]
            slowest = max(slowest, (time.perf_counter() - start) / size)
    return rows


def _with_little_memlock(sizes):
    """The driver locks pages itself: the limit should be no matter."""
    size = 64 * MiB if not sizes.is_small else sizes.register[0]
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    f = _memory("memfd", size)
    address, unmap = _map(f, size, 1)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (64 << 10, hard))
    row = {"memory": "memfd", "size": size, "rights": "r",
           "memlock": 64 << 10, **_register(address, size, size, 9)}
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    unmap()
    os.close(f)
    return row
