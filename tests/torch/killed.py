# SPDX-License-Identifier: Apache-2.0
"""killed.py OUT WORKERS: the loader's workers are killed in mid-epoch. What was
not released comes to the next loader, and nothing else does. Several workers
have copied the units that they were at (docs/python.md): those are gone."""

import os
import signal
import sys

import kit
import smshard.torch
from torch.utils.data import DataLoader

COUNT = 41
OUT = sys.argv[1]


def decode(sample):
    """Note it where a kill can't reach it."""
    with open(OUT + ".decoded", "ab", buffering=0) as f:
        f.write(bytes(sample.data[:8]) + b"\n")
    return bytes(sample.data[:8])


def read(dataset, workers, stop=None):
    """Batches; the workers are killed after `stop` of them."""
    loader = DataLoader(dataset, batch_size=3, num_workers=workers,
                        collate_fn=list)
    seen = []
    steps = iter(loader)
    try:
        for batch in steps:
            seen += batch
            if len(seen) == stop:
                for worker in steps._workers:
                    os.kill(worker.pid, signal.SIGKILL)
    except RuntimeError as error:
        kit.check(f"the loader says so: {error}", "worker" in str(error))
    return seen


def main(workers):
    """Kill, then read the rest."""
    dataset = smshard.torch.IterableDataset("train", decode=decode)
    dataset.set_epoch(0)
    before = read(dataset, workers, 6)
    with open(OUT + ".decoded", "rb") as f:
        decoded = f.read().splitlines()
    after = read(dataset, workers)
    print(f"{len(before)} seen, {len(decoded)} decoded, {len(after)} after it",
          flush=True)
    kit.check("what was decoded is not seen again, but for what was in hand",
              len(set(decoded) & set(after)) <= workers)
    kit.check("nothing else is lost", len(set(decoded) | set(after)) >=
              COUNT - (workers if workers > 1 else 0))
    kit.check("something was left", after)


if __name__ == "__main__":
    main(int(sys.argv[2]))
