# SPDX-License-Identifier: Apache-2.0
"""Part 7, end to end: objects over HTTP on loopback to the device. The real
program and its ring, against a loader with buffers of the driver's own, and
PyTorch's DataLoader where there is one that sees the device."""

import collections
import ctypes
import http.client
import json
import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time

from smshard import cuda

import device
from kit import HERE, PACKAGE, digest, unit

BUCKET = "bucket"


def missing(dev, count, size):
    """Of the units that should be on the device, in any order, those that are
    not, or not whole."""
    have = set()
    for at in range(0, count * size, size):
        data = dev.read(size, at)
        if data == data[:32] * (size // 32):
            have.add(data[:32])
    return sum(digest(i) not in have for i in range(count))


# ---- The store -------------------------------------------------------------

class Store:
    """The tests' S3 server with all units in it."""

    def __init__(self, sizes, program):
        self.count, self.size = sizes.units, sizes.slot
        self.process = subprocess.Popen([*program, "--quirks", "anybody"],
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            self.close()
            raise RuntimeError("the server did not start")
        link = self.connect()
        for i in range(self.count):
            link.request("PUT", self.path(i), unit(i, self.size))
            answer = link.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"PUT: {answer.status}")
        link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self):
        """A connection of one's own."""
        return http.client.HTTPConnection(self.url.split("//")[1], timeout=60)

    @staticmethod
    def path(i):
        """Of unit `i`."""
        return f"/{BUCKET}/units/{i:04d}"

    def read_into(self, link, i, view):
        """Read unit `i` into memory."""
        link.request("GET", self.path(i))
        answer, at = link.getresponse(), 0
        while at < self.size:
            got = answer.readinto(view[at:])
            if got <= 0 or answer.status != 200:
                raise RuntimeError(f"GET: {answer.status}, {at} bytes")
            at += got
        answer.read()

    def close(self):
        """End it."""
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


def _cpu_s(of):
    used = resource.getrusage(of)
    return used.ru_utime + used.ru_stime


# ---- smshard ---------------------------------------------------------------

def run_job(sizes, store, program):
    """The program as a job of one host would run it."""
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result")
        env = dict(os.environ, AWS_ENDPOINT_URL_S3=store.url,
                   AWS_REGION="us-east-1", AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
                   AWS_SECRET_ACCESS_KEY="secret",
                   AWS_EC2_METADATA_DISABLED="true",
                   PYTHONPATH=os.pathsep.join((PACKAGE, HERE)))
        before = _cpu_s(resource.RUSAGE_CHILDREN)
        said = subprocess.run(
            [*program, "run", "--base", os.path.join(folder, "base"),
             "--output", os.path.join(folder, "out"), "--job-name", "gpu",
             "--log", "warn", "--ranks", "1", "--memory",
             "24MiB" if sizes.is_small else "512MiB", "--channel",
             f"train=s3://{BUCKET}/units/,mode=Ring,ring-mode=exclusive,"
             f"epochs={sizes.store_epochs}", "--", sys.executable, "-B",
             os.path.join(HERE, "consumer.py"), result, str(store.count),
             str(store.size)], env=env, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
            timeout=max(10, sizes.left_s()))
        if said.returncode != 0:
            raise RuntimeError(f"smshard run: {said.returncode}: "
                               f"{said.stdout[-2000:]}")
        with open(result, encoding="ascii") as f:
            out = json.load(f)
    cpu = _cpu_s(resource.RUSAGE_CHILDREN) - before - out.pop("cpu_before_s")
    done = sizes.store_epochs * store.count * store.size
    out["cpu_s_per_GB"] = round(cpu / done * 1e9, 4)
    return out


# ---- A plain loader --------------------------------------------------------

class _Buffers:
    """Pinned memory in pieces, read by threads and copied by the caller."""

    def __init__(self, store, dev, threads, address):
        self.store, self.dev = store, dev
        self.free, self.full = queue.Queue(), queue.Queue()
        self.wanted = queue.Queue()
        for i in range(2 * threads):
            self.free.put(address + i * store.size)
        self.threads = [threading.Thread(target=self._read, daemon=True)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        link = self.store.connect()
        try:
            for number in iter(self.wanted.get, None):
                at = self.free.get()
                self.store.read_into(link, number, memoryview(
                    (ctypes.c_ubyte * self.store.size).from_address(at))
                    .cast("B"))
                self.full.put((number, at))
        except Exception as error:  # pylint: disable=broad-except
            self.full.put((None, error))
        link.close()

    def one_pass(self):
        """Every unit once."""
        pending = collections.deque()
        for i in range(self.store.count):
            self.wanted.put(i)
        for _ in range(self.store.count):
            number, at = self.full.get()
            if number is None:
                raise at
            with self.dev.current():
                self.dev.copy(at, self.store.size, 0,
                              number * self.store.size)
            pending.append((cuda.Event(self.dev.streams[0], 0), at))
            while len(pending) > len(self.threads) or (
                    pending and pending[0][0].query()):
                self._give_back(*pending.popleft())
        while pending:
            self._give_back(*pending.popleft())

    def _give_back(self, event, at):
        event.synchronize()
        event.close()
        self.free.put(at)

    def close(self):
        """End the threads."""
        for _ in self.threads:
            self.wanted.put(None)
        for thread in self.threads:
            thread.join(60)


def plain_loader(sizes, store, threads):
    """Threads that read into memory of the driver's own."""
    dev = device.Device(store.count * store.size)
    with dev.own(2 * threads * store.size) as address:
        buffers = _Buffers(store, dev, threads, address)
        cpu, start = time.process_time(), None
        for epoch in range(sizes.store_epochs):
            if epoch == 1:
                start = time.perf_counter()
            buffers.one_pass()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        buffers.close()
    out = _row(sizes, store, wall, cpu, threads=threads,
               missing=missing(dev, store.count, store.size))
    dev.close()
    return out


def _row(sizes, store, wall, cpu, **more):
    one = store.count * store.size / 1e9
    return {"GBps": round((sizes.store_epochs - 1) * one / wall, 3),
            "cpu_s_per_GB": round(cpu / sizes.store_epochs / one, 4), **more}


# ---- The framework's -------------------------------------------------------

def torch_loader(sizes, store, workers):
    """PyTorch's own way: workers that read, and memory pinned by a thread."""
    import torch

    class Objects(torch.utils.data.Dataset):
        """A connection for each worker."""

        link = None

        def __len__(self):
            return store.count

        def __getitem__(self, i):
            if self.link is None:
                self.link = store.connect()
            data = bytearray(store.size)
            store.read_into(self.link, i, memoryview(data))
            return torch.frombuffer(data, dtype=torch.uint8)

    before = _cpu_s(resource.RUSAGE_CHILDREN)
    cpu = time.process_time()
    loader = torch.utils.data.DataLoader(
        Objects(), batch_size=None, num_workers=workers, pin_memory=True,
        persistent_workers=True, prefetch_factor=4)
    place = torch.empty(store.size, dtype=torch.uint8, device="cuda")
    for epoch in range(sizes.store_epochs):
        if epoch == 1:
            torch.cuda.synchronize()
            start = time.perf_counter()
        wrong = 0
        for i, item in enumerate(loader):
            place.copy_(item, non_blocking=True)
            if epoch == 0:
                wrong += bytes(place[:32].cpu().numpy()) != digest(i)
    torch.cuda.synchronize()
    wall = time.perf_counter() - start
    del loader  # Its workers end, and are counted.
    cpu = (time.process_time() - cpu + _cpu_s(resource.RUSAGE_CHILDREN) -
           before)
    return _row(sizes, store, wall, cpu, workers=workers)


def _framework():
    """Why its loader is left out, or None."""
    try:
        import torch
    except ImportError:
        return "there is no PyTorch"
    return None if torch.cuda.is_available() else "PyTorch sees no GPU"


def _best(out, name, sizes, act):
    """All rows of a loader, and the fastest."""
    rows = []
    for count in sizes.loaders:
        if rows and sizes.left_s() < 20:
            break
        rows.append(act(count))
    out[name] = dict(max(rows, key=lambda row: row["GBps"]),
                     tried=[list(row.items())[:3] for row in rows])


def end_to_end(sizes):
    """Objects over HTTP to the device."""
    programs = json.loads(os.environ.get("PROGRAMS", "{}"))
    if not programs.get("s3_server"):
        return {"left_out": programs.get("why", "no programs were named")}
    out = {}
    with Store(sizes, programs["s3_server"]) as store:
        out["smshard"] = run_job(sizes, store, programs["smshard"])
        _best(out, "pinned_loader", sizes,
              lambda n: plain_loader(sizes, store, n))
        why = _framework()
        if why is not None:
            out["torch_loader"] = {"left_out": why}
        else:
            _best(out, "torch_loader", sizes,
                  lambda n: torch_loader(sizes, store, n))
    return out
