# SPDX-License-Identifier: Apache-2.0
"""Parts 3, 5 and 6: copies out of the ring, how fast and how right."""

import contextlib
import gc
import json
import os
import select
import signal
import statistics
import tempfile
import time

import smshard
from smshard import cuda

import device
import machine
from kit import Server, end, spawn, unit


@contextlib.contextmanager
def _full_ring(sizes, **options):
    """(reader, its samples, address and size of its memory), all slots of
    which are held."""
    with tempfile.TemporaryDirectory() as folder, \
            Server(sizes, folder, slots=sizes.pool_slots,
                   count=max(sizes.units, sizes.pool_slots)) as server, \
            smshard.open(socket=server.socket, **options) as reader:
        samples = [next(reader).keep() for _ in range(sizes.pool_slots)]
        memory = reader._source.memory
        yield reader, samples, memory.address, min(sizes.pool, memory.size)
        for sample in samples:
            sample.release()


def _wrong(sizes, dev, numbers):
    """How many places of the device have not the unit that they should."""
    return sum(dev.read(sizes.slot, i * sizes.slot) != unit(n, sizes.slot)
               for i, n in enumerate(numbers))


# ---- 3. Rates --------------------------------------------------------------

def rates(sizes):
    """Host to device, from the ring and from the driver's own memory, by the
    device's clock: in turns, the median of each."""
    rows = []
    with _full_ring(sizes) as (reader, _, address, pool):
        dev = device.Device(pool, 4)
        with dev.own(pool) as own, dev.current():
            loose = {piece: device.median(
                lambda p=piece: dev.pass_over(address, pool, p),
                min(2, sizes.repeats)) for piece in sizes.copy
                if piece <= pool}
            reader.pin(0)
            for streams in (1, 2, 4):
                for piece, pageable in loose.items():
                    rows.append(_rate_row(sizes, dev, (own, address, pool),
                                          piece, streams))
                    if streams == 1:
                        rows[-1]["pageable_GBps"] = pageable
        dev.close()
    return rows


def _rate_row(sizes, dev, where, piece, streams):
    own, address, pool = where
    said = {"own": [], "ring": []}
    for i in range(sizes.repeats + 1):  # The first round warms up.
        for name, at in (("own", own), ("ring", address)):
            rate = dev.pass_over(at, pool, piece, streams)
            said[name] += [rate] if i > 0 else []
    row = {"streams": streams, "size": piece,
           **{name + "_GBps": round(statistics.median(rates_), 3)
              for name, rates_ in said.items()}}
    row["ratio"] = round(row["ring_GBps"] / row["own_GBps"], 3)
    return row


def batch(sizes):
    """Slots in batches by one call each, against a call for each."""
    with _full_ring(sizes, pin=0) as (_, samples, address, pool):
        dev = device.Device(max(pool, sizes.slot * len(samples)))
        if not dev.has_batch:
            dev.close()
            return {"left_out": "the driver has no cuMemcpyBatchAsync (CUDA "
                                "12.8 and later have)"}
        out = {"call": device.about()["batch"], "batch": sizes.batch}
        copies = [(s.address(), s.size, i * sizes.slot)
                  for i, s in enumerate(samples)]
        with dev.current():
            for at in range(0, len(copies), sizes.batch):
                dev.copy_batch(copies[at:at + sizes.batch])
            dev.wait()
        out["wrong"] = _wrong(sizes, dev, [s.position for s in samples])
        out["rows"] = []
        with dev.current():
            for piece in [p for p in sizes.copy if p <= sizes.slot]:
                out["rows"].append({"size": piece, **{
                    name + "_GBps": device.median(
                        lambda p=piece, n=count: dev.pass_over(
                            address, pool, p, batch=n), sizes.repeats)
                    for name, count in (("single", 0),
                                        ("batch", sizes.batch))}})
        dev.close()
    return out


def overlap(sizes):
    """Whether the process goes on while the device copies: out of memory that
    is registered, and out of the same memory before it was."""
    out = {}
    with _full_ring(sizes) as (reader, samples, _, _):
        dev = device.Device(sizes.slot)
        for name in ("loose", "registered"):
            if name == "registered":
                reader.pin(0)
            said = {}

            def put():
                start = time.perf_counter()
                for sample in samples:
                    dev.copy(sample.address(), sample.size)
                said["host_us"] = round((time.perf_counter() - start) * 1e6)
                said["is_busy"] = dev.is_busy()

            with dev.current():
                dev.took_ms(put)
                copy_ms = dev.took_ms(put)
            out[name] = dict(said, copy_us=round(copy_ms * 1000))
        dev.close()
    return out


# ---- 3b. Several processes -------------------------------------------------

COPIER = """
import time, smshard, device
from kit import unit
socket, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
reader = smshard.open(socket=socket, mode="broadcast", pin=0)
dev = device.Device(size * count)
print("ready", flush=True)
sys.stdin.readline()
start, done = time.perf_counter(), 0
for sample in reader:
    with dev.current():
        dev.copy(sample.address(), sample.size, 0, sample.position * size)
    done += sample.size
    sample.release_after(dev.streams[0])
with dev.current():
    dev.wait()
took = time.perf_counter() - start
print(done / took / 1e9, sum(dev.read(size, i * size) != unit(i, size)
                             for i in range(count)), flush=True)
"""


def several(sizes):
    """Processes that have all registered the same memory, each with a mapping
    of its own, and all copy every unit of it."""
    rows = []
    for count in sizes.processes:
        with tempfile.TemporaryDirectory() as folder, \
                Server(sizes, folder, mode=3, consumers=count,
                       epochs=sizes.epochs) as server:
            copiers = [spawn(COPIER, server.socket, sizes.slot, sizes.units)
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
                    end(copier)
        rows.append({"processes": count,
                     "GBps": round(sum(float(rate) for rate, _ in said), 3),
                     "wrong": sum(int(wrong) for _, wrong in said)})
    return rows


# ---- 4b. Forks -------------------------------------------------------------

def _said(act):
    """What it says, or the name of its error."""
    try:
        return act()
    except Exception as error:  # pylint: disable=broad-except
        return type(error).__name__


def _child(sizes, reader, sample, socket):
    """What a loader process does, and must not do."""
    number = sample.position
    said = {"reads": bytes(sample) == unit(number, sizes.slot),
            "is_pinned": reader.is_pinned,
            "next": _said(lambda: next(reader)),
            "release_after": _said(sample.release_after),
            "driver": _said(cuda.driver)}
    with smshard.open(socket=socket, timeout=30) as own:
        other = own.next(timeout=30)
        said["own_reads"] = bytes(other) == unit(other.position, sizes.slot)
        said["own_pin"] = _said(own.pin)
    said["cuInit"] = cuda._driver.ask("cuInit", 0)
    reader.close()
    reader._source = sample._held = None
    gc.collect()  # What finalizers do.
    return said


def _forked(sizes, *args):
    """(what the child says, seconds that the fork took, its status)"""
    come, go = os.pipe()
    start = time.perf_counter()
    child = os.fork()
    took = time.perf_counter() - start
    if child == 0:
        signal.alarm(60)
        try:
            text = json.dumps(_child(sizes, *args))
        except BaseException as error:  # pylint: disable=broad-except
            text = json.dumps({"error": repr(error)})
        os.write(go, text.encode())
        os._exit(0)
    os.close(go)
    with open(come, "rb") as f:
        said = json.loads(f.read() or b"{}")
    return said, took, os.waitpid(child, 0)[1]


def fork(sizes):
    """A loader process that is forked while the parent's ring is registered
    and copies are under way: what it may do, and that the parent's
    registration, its copies and its memory are as before."""
    with tempfile.TemporaryDirectory() as folder, \
            Server(sizes, folder, mode=2, consumers=2) as server:
        reader = smshard.open(socket=server.socket, mode="share", pin=0)
        sample = next(reader).keep()
        address, number = sample.address(), sample.position
        dev = device.Device(2 * sizes.slot)
        with dev.current():
            for _ in range(64):
                dev.copy(address, sizes.slot, 0, 0)
        child, took, status = _forked(sizes, reader, sample, server.socket)
        out = {"child": child, "status": status, "fork_us": round(took * 1e6),
               "is_known_after": device.is_known(address)}
        with dev.current():
            dev.copy(address, sizes.slot, 0, sizes.slot)
            out["is_async_after"] = dev.is_busy()
            dev.wait()
        out["wrong"] = _wrong(sizes, dev, [number, number])
        sample.release()
        del sample
        reader.close()
        out["is_known_at_end"] = device.is_known(address)
        dev.close()
    return out


# ---- 5. Crashes ------------------------------------------------------------

VICTIM = """
import smshard, device
reader = smshard.open(socket=sys.argv[1], mode="share", pin=0)
dev = device.Device(reader.slot_size)
for sample in reader:
    with dev.current():
        for _ in range(64):
            dev.copy(sample.address(), sample.size)
    print("copies", flush=True)
    sample.release_after(dev.streams[0])
"""

SURVIVOR = """
import select, smshard, device
from kit import unit
reader = smshard.open(socket=sys.argv[1], mode="share", pin=0)
size, count = reader.slot_size, int(sys.argv[2])
dev, want = device.Device(size), [unit(i, size) for i in range(count)]
seen = wrong = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        sample = reader.next(timeout=0.2)
    except TimeoutError:
        continue
    number = sample.position
    with dev.current():
        dev.copy(sample.address(), sample.size)
    sample.release_after(dev.streams[0])
    with dev.current():
        dev.wait()
    seen += 1
    wrong += dev.read(size) != want[number]
print(seen, wrong, flush=True)
"""


def crashes(sizes):
    """Kill a process while its copies run, many times; what it held goes to
    another one, which copies too and checks every byte on the device."""
    out = {"wanted": sizes.kills, "kills": 0}
    before = _xids()
    with tempfile.TemporaryDirectory() as folder, \
            Server(sizes, folder, mode=2, consumers=3,
                   epochs=1 << 30) as server:
        survivor = spawn(SURVIVOR, server.socket, sizes.units)
        try:
            survivor.stdout.readline()
            while out["kills"] < sizes.kills and sizes.left_s() > 15:
                out["kills"] += _kill_one(server.socket)
            survivor.stdin.write("end\n")
            survivor.stdin.flush()
            seen, wrong = survivor.stdout.readline().split()
        finally:
            end(survivor)
    out.update(units=int(seen), wrong=int(wrong),
               xid=[line for line in _xids() if line not in before])
    return out


def _kill_one(socket):
    victim = spawn(VICTIM, socket)
    try:
        if not select.select([victim.stdout], [], [], 60)[0]:
            raise TimeoutError("a process did not come to copy")
        said = victim.stdout.readline()
    finally:
        end(victim)
    if said != "copies\n":
        raise RuntimeError("a process ended before it was killed")
    return 1


def _xids():
    return [line for line in (machine.say("dmesg") or "").splitlines()
            if "Xid" in line]


# ---- 6. Early release ------------------------------------------------------

def _pass_over(sizes, release):
    """Copy every unit into a place of its own and count wrong ones."""
    with tempfile.TemporaryDirectory() as folder, \
            Server(sizes, folder) as server:
        reader = smshard.open(socket=server.socket, pin=0)
        dev = device.Device(sizes.slot * (sizes.units + 1))
        scratch = sizes.slot * sizes.units
        for sample in reader:
            with dev.current():
                for _ in range(0 if sizes.is_small else 20):
                    dev.copy(sample.address(), sample.size, 0, scratch)
                dev.copy(sample.address(), sample.size, 0,
                         sample.position * sizes.slot)
            release(sample, dev)
        with dev.current():
            dev.wait()
        reader.close()
        wrong = _wrong(sizes, dev, range(sizes.units))
        dev.close()
    return wrong


def early_release(sizes):
    """Released before the event the bytes change under the copy; after it they
    do not."""
    return {
        "units": sizes.units,
        "wrong_released_early": _pass_over(
            sizes, lambda sample, dev: sample.release()),
        "wrong_released_after": _pass_over(
            sizes, lambda sample, dev: sample.release_after(dev.streams[0])),
    }
