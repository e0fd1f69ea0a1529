# SPDX-License-Identifier: Apache-2.0
"""What the parts share: how much of everything, and a worker's side."""

import hashlib
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGE = os.path.join(ROOT, "worker", "client", "python")
sys.path[:0] = [PACKAGE, HERE]

MiB, GiB = 1 << 20, 1 << 30


class Sizes:
    """How much of everything, and until when."""

    def __init__(self, is_small, limit_s):
        self.is_small = is_small
        self._end = time.monotonic() + limit_s
        self.register = [4 * MiB] if is_small else [GiB, 4 * GiB, 16 * GiB]
        self.chunk = MiB if is_small else 64 * MiB
        self.copy = [256 << 10, MiB] if is_small else [
            256 << 10, MiB, 4 * MiB, 16 * MiB, 64 * MiB, 256 * MiB, GiB]
        self.pool = 2 * MiB if is_small else GiB
        self.slot = 256 << 10 if is_small else 16 * MiB
        self.slots = 4 if is_small else 16
        self.pool_slots = 8 if is_small else 64
        self.repeats = 1 if is_small else 5
        self.batch = 3 if is_small else 32
        self.processes = (2,) if is_small else (1, 2, 4)
        self.units = 12 if is_small else 64
        self.kills = 2 if is_small else 100
        self.epochs = 2 if is_small else 20
        self.store_epochs = 2 if is_small else 8
        self.loaders = (2,) if is_small else (4, 8, 14)

    def left_s(self):
        """Seconds that this part may still take."""
        return self._end - time.monotonic()


def digest(number):
    """What unit `number` is made of."""
    return hashlib.sha256(b"%d" % number).digest()


def unit(number, size):
    """The bytes of unit `number`."""
    one = digest(number)
    return one * (size // len(one))


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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

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
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise TimeoutError(f"the server did not say '{start}'")

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait(30)
        self.log.close()


def spawn(code, *args):
    """A process of its own that runs Python code, with pipes to it."""
    head = f"import sys; sys.path[:0] = [{PACKAGE!r}, {HERE!r}]\n"
    return subprocess.Popen([sys.executable, "-B", "-c", head + code,
                             *map(str, args)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)


def end(process):
    """Kill it, as good as it gets."""
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
