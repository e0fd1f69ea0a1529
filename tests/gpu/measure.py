# SPDX-License-Identifier: Apache-2.0
"""Measure a ring and a GPU (docs/gpu.md). Each part stands alone: one that
fails says why in the results, and the next one runs."""

import argparse
import ctypes
import hashlib
import json
import mmap
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "worker", "client", "python"), HERE]

import smshard  # noqa: E402
from smshard import cuda  # noqa: E402

import device  # noqa: E402
import machine  # noqa: E402

MiB, GiB = 1 << 20, 1 << 30
COLLAPSE = 25


class Sizes:
    """How much of everything."""

    def __init__(self, is_small):
        self.is_small = is_small
        self.register = [4 * MiB] if is_small else [GiB, 4 * GiB, 16 * GiB]
        self.chunk = MiB if is_small else 64 * MiB
        self.copy = [256 << 10, MiB] if is_small else [
            256 << 10, MiB, 4 * MiB, 16 * MiB, 64 * MiB, 256 * MiB, GiB]
        self.pool = 2 * MiB if is_small else GiB
        self.slot = 256 << 10 if is_small else 16 * MiB
        self.slots = 4 if is_small else 16
        self.rate_slots = 8 if is_small else 64  # A GiB.
        self.processes = (2,) if is_small else (1, 2, 4)
        self.units = 12 if is_small else 64
        self.kills = 2 if is_small else 100
        self.epochs = 2 if is_small else 20


# ---- A worker's side -------------------------------------------------------

class Server:
    """Delivers units of one slot each: unit i is i's digest, over and over."""

    def __init__(self, sizes, folder, count=None, mode=1, consumers=1,
                 epochs=1, slots=None):
        os.makedirs(folder, exist_ok=True)
        self.count = count or sizes.units
        names = []
        for i in range(self.count):
            names.append(os.path.join(folder, f"u{i}"))
            with open(names[-1], "wb") as f:
                f.write(unit(i, sizes.slot))
        self.log = open(os.path.join(folder, "log"), "w+", encoding="ascii")
        self.process = subprocess.Popen(
            [os.path.join(os.environ["BUILT"], "tests/tools/ring_server"),
             os.path.join(folder, "ring"), f"mode={mode}",
             f"consumers={consumers}", f"slots={slots or sizes.slots}",
             f"size={sizes.slot}", f"epochs={epochs}", "stay=1", *names],
            stdin=subprocess.PIPE, stdout=self.log)
        self.socket = self.wait("ready ").split()[1]

    def lines(self):
        """What it said so far."""
        self.log.flush()
        with open(self.log.name, encoding="ascii") as f:
            return f.read().splitlines()

    def wait(self, start, limit_s=60):
        """The first line that begins so."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            for line in self.lines():
                if line.startswith(start):
                    return line
            time.sleep(0.01)
        raise TimeoutError(f"the server did not say '{start}'")

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait(30)
        self.log.close()


def unit(number, size):
    """The bytes of unit `number`."""
    one = hashlib.sha256(b"%d" % number).digest()
    return one * (size // len(one))


# ---- 2. Registration -------------------------------------------------------

def _memory(kind, size):
    """(descriptor, what it is) of shared memory that is populated."""
    if kind == "shm":
        f, name = tempfile.mkstemp(dir="/dev/shm")
        os.unlink(name)
    else:
        flags = 4 if kind == "hugetlb" else 0
        f = os.memfd_create("gpu", flags)
    os.ftruncate(f, size)
    if kind == "shm":  # Containers have little; to write there would kill.
        os.posix_fallocate(f, 0, size)
    with mmap.mmap(f, size) as m:
        for at in range(0, size, 4096 if kind != "hugetlb" else 2 * MiB):
            m[at] = 1
        if kind == "collapsed":
            m.madvise(COLLAPSE)
    return f


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
    pinned = cuda.Pinned(cuda.driver(), 0)
    row = {}
    start = time.perf_counter()
    try:
        for at in range(0, size, chunk):
            pinned.register(address + at, min(chunk, size - at), flags)
        row["us_per_GiB"] = round((time.perf_counter() - start) * 1e6 * GiB
                                  / size)
    except smshard.CudaError as error:
        row["error"] = str(error)
    start = time.perf_counter()
    pinned.unpin()
    row["unregister_us_per_GiB"] = round(
        (time.perf_counter() - start) * 1e6 * GiB / size)
    return row


def registration(sizes):
    """{memory} x {rights, flags} x {size} x {whole, chunks}."""
    rows = [{"read_only_attribute": cuda.driver().attribute(
        0, cuda.READ_ONLY_SUPPORTED)}]
    for kind in ("memfd", "collapsed", "hugetlb", "shm"):
        for size in sizes.register:
            row = {"memory": kind, "size": size}
            try:
                f = _memory(kind, size)
            except (OSError, ValueError) as error:
                rows.append(dict(row, error=repr(error)))
                continue
            for rights, flags in ((3, 1), (1, 9), (1, 1)):
                address, unmap = _map(f, size, rights)
                for chunk in (size, sizes.chunk):
                    rows.append(dict(row, rights="rw" if rights == 3 else "r",
                                     flags=flags, chunk=chunk,
                                     **_register(address, size, chunk,
                                                 flags)))
                unmap()
            os.close(f)
    return rows + [_with_little_memlock(sizes)]


def _with_little_memlock(sizes):
    """The driver locks pages itself: the limit should be no matter."""
    size = sizes.register[0]
    row = {"memory": "memfd", "size": size, "rights": "r", "flags": 9,
           "chunk": size, "memlock": 64 << 10}
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    f = _memory("memfd", size)
    address, unmap = _map(f, size, 1)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (64 << 10, hard))
    row.update(_register(address, size, size, 9))
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    unmap()
    os.close(f)
    return row


# ---- 3. Rates --------------------------------------------------------------

def rates(sizes):
    """Host to device, from the ring and from the driver's own memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sizes, folder, slots=sizes.rate_slots)
        reader = smshard.open(socket=server.socket)
        source = reader._source
        pool = min(sizes.pool, source.memory.size)
        own = ctypes.c_void_p()
        dev = device.Device(pool, 4)
        with dev.driver.current(0):
            dev.driver.call("cuMemHostAlloc", ctypes.byref(own), pool, 1)
        for streams in (1, 2, 4):
            dev.streams, spare = dev.streams[:streams], dev.streams[streams:]
            for piece in [s for s in sizes.copy if s <= pool]:
                row = {"streams": streams, "size": piece}
                row["own_GBps"] = dev.rate(own.value, pool, piece, 5)
                row["pageable_GBps"] = dev.rate(source.address, pool, piece,
                                                2)
                reader.pin(0)
                row["ring_GBps"] = dev.rate(source.address, pool, piece, 5)
                source.pinned.unpin()
                source.pinned = None
                row["ratio"] = round(row["ring_GBps"] / row["own_GBps"], 3)
                rows.append(row)
            dev.streams += spare
        with dev.driver.current(0):
            dev.driver.call("cuMemFreeHost", own)
        dev.close()
        reader.close()
        server.close()
    return rows


# ---- 3b. Several processes -------------------------------------------------

COPIER = """
import hashlib, sys, time
sys.path[:0] = [{package!r}, {here!r}]
import smshard, device
size, count = {size}, {count}
reader = smshard.open(socket=sys.argv[1], mode="broadcast", pin=0)
dev = device.Device(size * count)
print("ready", flush=True)
sys.stdin.readline()
start, done = time.perf_counter(), 0
for sample in reader:
    with dev.driver.current(0):
        dev.copy(sample.address(), sample.size, 0, sample.position * size)
    done += sample.size
    sample.release_after(dev.streams[0].value)
with dev.driver.current(0):
    dev.wait()
took = time.perf_counter() - start
print(done / took / 1e9, sum(
    dev.read(size, i * size) != hashlib.sha256(b"%d" % i).digest() *
    (size // 32) for i in range(count)), flush=True)
"""


def several(sizes):
    """Processes that have all registered the same memory, each with a mapping
    of its own, and all copy every unit of it."""
    rows = []
    code = COPIER.format(package=sys.path[0], here=HERE, size=sizes.slot,
                         count=sizes.units)
    for count in sizes.processes:
        with tempfile.TemporaryDirectory() as folder:
            server = Server(sizes, folder, mode=3, consumers=count,
                            epochs=sizes.epochs)
            copiers = [subprocess.Popen(
                [sys.executable, "-B", "-c", code, server.socket],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                for _ in range(count)]
            try:
                for copier in copiers:
                    copier.stdout.readline()
                for copier in copiers:
                    copier.stdin.write("go\n")
                    copier.stdin.flush()
                said = [copier.stdout.readline().split()
                        for copier in copiers]
            finally:
                for copier in copiers:
                    copier.kill()
                    copier.wait()
                    copier.stdin.close()
                    copier.stdout.close()
                server.close()
        rows.append({"processes": count,
                     "GBps": round(sum(float(rate) for rate, _ in said), 3),
                     "wrong": sum(int(wrong) for _, wrong in said)})
    return rows


# ---- 4. The framework ------------------------------------------------------

def framework(sizes):
    """PyTorch's view of the ring's memory."""
    try:
        import torch
    except ImportError:
        return {"left_out": "there is no PyTorch"}
    import warnings
    import smshard.torch as adapter
    out = {"torch": torch.__version__, "cuda": torch.cuda.is_available()}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sizes, folder)
        reader = smshard.open(socket=server.socket)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            sample = next(reader)
            tensor = sample.torch()
            out["is_right"] = bytes(tensor.numpy()) == bytes(sample)
            if out["cuda"]:
                reader.pin()
                out["is_pinned"] = sample.torch().is_pinned()
                gpu = adapter.to_device(sample)
                torch.cuda.synchronize()
                out["copy_is_right"] = bytes(gpu.cpu().numpy()) == unit(
                    0, sizes.slot)
                for kind in (1, 3):  # The CPU's, the host's of CUDA.
                    out[f"dlpack_{kind}"] = _dlpack_of(torch, next(reader),
                                                       kind)
                out["overlap"] = _overlap(torch, reader, adapter)
        out["warnings"] = [str(w.message) for w in said]
        reader.close()
        server.close()
    return out


def _dlpack_of(torch, sample, kind):
    try:
        tensor = torch.utils.dlpack.from_dlpack(sample.__dlpack__(
            dl_device=(kind, 0)))
        return "pinned" if tensor.is_pinned() else "not pinned"
    except Exception as error:  # pylint: disable=broad-except
        return repr(error)


def _overlap(torch, reader, adapter):
    """Whether the host goes on while a copy is under way: microseconds until
    it does, and until the copy has ended."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    sample = next(reader)
    begin.record()
    start = time.perf_counter()
    adapter.to_device(sample)
    host_us = (time.perf_counter() - start) * 1e6
    end.record()
    end.synchronize()
    return {"host_us": round(host_us), "copy_us": round(
        begin.elapsed_time(end) * 1000)}


# ---- 5. Crashes ------------------------------------------------------------

VICTIM = """
import sys
sys.path[:0] = [{package!r}, {here!r}]
import smshard, device
reader = smshard.open(socket=sys.argv[1], mode="share", pin=0)
dev = device.Device(reader.slot_size)
for sample in reader:
    with dev.driver.current(0):
        for _ in range(64):
            dev.copy(sample.address(), sample.size)
    print("copies", flush=True)
    sample.release_after(dev.streams[0].value)
"""


def crashes(sizes):
    """Kill a consumer while its copies run; another one checks every byte of
    what it is given."""
    out = {"kills": 0, "wrong": 0, "units": 0}
    code = VICTIM.format(package=sys.path[0], here=HERE)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sizes, folder, mode=2, consumers=2,
                        epochs=sizes.kills + 1)
        for _ in range(sizes.kills):
            victim = subprocess.Popen([sys.executable, "-B", "-c", code,
                                       server.socket], stdout=subprocess.PIPE)
            if victim.stdout.readline() != b"":
                out["kills"] += 1
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            victim.stdout.close()
            with smshard.open(socket=server.socket, mode="share") as reader:
                for _ in range(min(4, sizes.slots)):
                    sample = reader.next(timeout=30)
                    if sample is None:
                        break
                    out["units"] += 1
                    out["wrong"] += sample.data != unit(sample.position,
                                                        sizes.slot)
        out["committed"] = sum(line.startswith("commit")
                               for line in server.lines())
        server.close()
    out["xid"] = [line for line in (machine._say("dmesg") or "").splitlines()
                  if "Xid" in line]
    return out


# ---- 6. Early release ------------------------------------------------------

def _pass_over(sizes, release):
    """Copy every unit into a place of its own and count wrong ones."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sizes, folder)
        reader = smshard.open(socket=server.socket, pin=0)
        dev = device.Device(sizes.slot * (sizes.units + 1))
        scratch = sizes.slot * sizes.units
        for sample in reader:
            with dev.driver.current(0):
                for _ in range(0 if sizes.is_small else 20):
                    dev.copy(sample.address(), sample.size, 0, scratch)
                dev.copy(sample.address(), sample.size, 0,
                         sample.position * sizes.slot)
            release(sample, dev)
        with dev.driver.current(0):
            dev.wait()
        reader.close()
        wrong = sum(dev.read(sizes.slot, i * sizes.slot) !=
                    unit(i, sizes.slot) for i in range(sizes.units))
        dev.close()
        server.close()
    return wrong


def early_release(sizes):
    """Released before the event the bytes change under the copy; after it they
    do not."""
    return {
        "units": sizes.units,
        "wrong_released_early": _pass_over(
            sizes, lambda sample, dev: sample.release()),
        "wrong_released_after": _pass_over(
            sizes, lambda sample, dev: sample.release_after(
                dev.streams[0].value)),
    }


# ---- 7. End to end ---------------------------------------------------------

def end_to_end(sizes):
    """Ring to device, and the framework's loader over the same units in files
    of tmpfs."""
    out = {}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        server = Server(sizes, folder, epochs=sizes.epochs)
        reader = smshard.open(socket=server.socket, pin=0)
        dev = device.Device(sizes.slot)
        done, cpu, start = 0, time.process_time(), time.perf_counter()
        for sample in reader:
            with dev.driver.current(0):
                dev.copy(sample.address(), sample.size)
            done += sample.size
            sample.release_after(dev.streams[0].value)
        with dev.driver.current(0):
            dev.wait()
        took = time.perf_counter() - start
        out["ring"] = {"GBps": round(done / took / 1e9, 3),
                       "cpu_s_per_GB": round((time.process_time() - cpu) /
                                             done * 1e9, 4)}
        reader.close()
        server.close()
        out["torch_loader"] = _torch_loader(sizes, folder)
        dev.close()
    return out


def _torch_loader(sizes, folder):
    try:
        import torch
    except ImportError:
        return {"left_out": "there is no PyTorch"}
    if not torch.cuda.is_available():
        return {"left_out": "PyTorch sees no GPU"}

    class Files(torch.utils.data.Dataset):
        """The same units."""

        def __len__(self):
            return sizes.units

        def __getitem__(self, i):
            with open(os.path.join(folder, f"u{i}"), "rb") as f:
                return torch.frombuffer(bytearray(f.read()),
                                        dtype=torch.uint8)

    loader = torch.utils.data.DataLoader(Files(), batch_size=1, num_workers=8,
                                         pin_memory=True,
                                         persistent_workers=True)
    for batch in loader:
        batch.to("cuda", non_blocking=True)
    torch.cuda.synchronize()
    done, start = 0, time.perf_counter()
    for _ in range(max(1, sizes.epochs // 4)):
        for batch in loader:
            batch.to("cuda", non_blocking=True)
            done += batch.numel()
    torch.cuda.synchronize()
    return {"workers": 8,
            "GBps": round(done / (time.perf_counter() - start) / 1e9, 3)}


# ----------------------------------------------------------------------------

PARTS = (("registration", registration), ("rates", rates),
         ("several", several), ("framework", framework), ("crashes", crashes),
         ("early_release", early_release), ("end_to_end", end_to_end))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--small", action="store_true",
                        help="little of everything: to try the script itself")
    parser.add_argument("part", nargs="*")
    args = parser.parse_args()
    sizes = Sizes(args.small)
    results = {"date": time.strftime("%Y-%m-%d"), "small": args.small,
               "machine": machine.describe(), "version": smshard.version()}
    failed = 0
    for name, part in PARTS:
        if args.part and name not in args.part:
            continue
        start = time.monotonic()
        try:
            results[name] = part(sizes)
            word = "ok"
        except Exception:  # pylint: disable=broad-except
            results[name] = {"error": traceback.format_exc()}
            word = "FAILED " + results[name]["error"]
            failed += 1
        print(f"{name}: {time.monotonic() - start:.1f} s, {word}", flush=True)
        with open(args.out, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
