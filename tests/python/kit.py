# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share: a worker's side of a ring, with
real shared memory, that delivers files (tests/tools/ring_server.c)."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
OUT = os.path.abspath(os.environ.get("OUT", "build/release-gcc"))
sys.path.insert(0, os.path.join(ROOT, "worker", "client", "python"))
os.environ["SMSHARD_LIBRARY"] = os.path.join(OUT, "libsmshard.so.0")

import smshard  # noqa: E402

MODES = {"exclusive": 1, "share": 2, "broadcast": 3}
LIMIT_S = 200  # A test that waits for so long has failed.


class Server:
    """Delivers `units`, a list of bytes, each epoch."""

    def __init__(self, folder, units, mode="exclusive", **numbers):
        os.makedirs(folder, exist_ok=True)
        paths = []
        for i, unit in enumerate(units):
            paths.append(os.path.join(folder, f"unit{i}"))
            with open(paths[-1], "wb") as f:
                f.write(unit)
        args = [f"{k}={v}" for k, v in numbers.items()]
        self.folder = folder
        self.lines = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [os.path.join(OUT, "tests", "tools", "ring_server"),
             os.path.join(folder, "ring"), f"mode={MODES[mode]}", *args,
             *paths],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.socket = self.wait("ready ")[len("ready "):]

    def _read(self):
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self.lines.append("gone")
            self._news.notify_all()

    def wait(self, start):
        """Wait for a line that starts so, and return it."""
        def found():
            return [line for line in self.lines if line.startswith(start)]
        with self._news:
            if not self._news.wait_for(found, LIMIT_S):
                raise AssertionError(f"no line '{start}': {self.lines}")
            return found()[0]

    def committed(self, epoch=0):
        """Positions, in the order of their commits."""
        with self._news:
            words = [line.split() for line in self.lines]
        return [int(w[2]) for w in words
                if w[0] == "commit" and int(w[1]) == epoch]

    def kill(self):
        """End it as kill -9 does."""
        self._process.kill()
        self._process.wait()

    def close(self):
        """End it; all its output is there then."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        self._reader.join(LIMIT_S)
        self._process.stdout.close()


class Case(unittest.TestCase):
    """A test with a folder and servers of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="smshard-test-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def serve(self, units, mode="exclusive", name="a", **numbers):
        server = Server(os.path.join(self.folder, name), units, mode,
                        **numbers)
        self.addCleanup(server.close)
        return server

    def open(self, server, records="raw", **options):
        reader = smshard.open("train", records=records, socket=server.socket,
                              **options)
        self.addCleanup(reader.close)
        return reader

    def spawn(self, code, *args, **kwargs):
        """Run Python code in a process of its own, which can import kit."""
        process = subprocess.Popen(
            [sys.executable, "-B", "-c", code, *args], cwd=ROOT,
            env=dict(os.environ, PYTHONPATH=os.path.dirname(
                os.path.abspath(__file__))), stdout=subprocess.PIPE,
            text=True, **kwargs)

        def end():
            process.kill()
            process.wait()
            process.stdout.close()
        self.addCleanup(end)
        return process


def pattern(number, size):
    """`size` bytes that no other number has."""
    word = (number * 2654435761 + 12345) % (1 << 32)
    out = bytearray()
    while len(out) < size:
        word = (word * 1664525 + 1013904223) % (1 << 32)
        out += word.to_bytes(4, "little")
    return bytes(out[:size])


def make_units(count, size=700):
    """Small and large ones; the last part of `size` differs."""
    return [pattern(i, size * (1 + i % 7) + i) for i in range(count)]


def make_tar(samples):
    """samples: [(key, {ext: bytes})]."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for key, members in samples:
            for ext, data in members.items():
                info = tarfile.TarInfo(f"{key}.{ext}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
