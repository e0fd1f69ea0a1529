#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Learn y = a x + b from lines `x,y`, whichever way the channel comes.

    smshard run --channel "train=s3://bucket/lines/,mode=Ring,epochs=3" ... \\
        -- python3 train_torch.py [EPOCHS [WORKERS]]

Each epoch's line ends with a digest of the samples, whatever their order was:
it is the same in every mode. docs/python.md has what it prints.
"""

import glob
import hashlib
import json
import os
import sys

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

CHANNEL = "train"
BATCH = 50


def decode(line):
    """A sample is two numbers: a copy of what the line says."""
    x, y = bytes(line).split(b",")
    return float(x), float(y)


class Folder(IterableDataset):
    """Files in a folder, on a disk (File) or mounted (FastFile). They are the
    host's share: its ranks and the loader's workers take every n-th."""

    def __init__(self, path):
        self.path = path

    def set_epoch(self, epoch):
        """Each pass reads them all."""

    def __iter__(self):
        info = get_worker_info()
        workers = info.num_workers if info is not None else 1
        number = info.id if info is not None else 0
        ranks = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        first = int(os.environ.get("LOCAL_RANK", 0)) * workers + number
        files = sorted(glob.glob(os.path.join(self.path, "**", "*.*"),
                                 recursive=True))
        for name in files[first::ranks * workers]:
            with open(name, "rb") as lines:
                for line in lines:
                    yield decode(line)


class Fifo(IterableDataset):
    """A FIFO for each epoch (Pipe), for one reader of the host."""

    def __init__(self, path):
        self.path = path
        self.epoch = 0

    def set_epoch(self, epoch):
        """The one to open at the next pass."""
        self.epoch = epoch

    def __iter__(self):
        with open(f"{self.path}_{self.epoch}", "rb") as lines:
            for line in lines:
                yield decode(line)


def dataset_and_workers(workers):
    """What the channel is, and how many may read it."""
    mode = json.loads(os.environ["SM_INPUT_DATA_CONFIG"])[CHANNEL][
        "TrainingInputMode"]
    if mode == "Ring":
        import smshard.torch
        return smshard.torch.IterableDataset(CHANNEL, "lines",
                                             decode=decode), workers
    path = os.environ["SM_CHANNEL_" + CHANNEL.upper()]
    if mode == "Pipe":
        return Fifo(path), min(workers, 1)
    return Folder(path), workers


def main(epochs=3, workers=2):
    """Train."""
    torch.manual_seed(1)
    dataset, workers = dataset_and_workers(workers)
    loader = DataLoader(dataset, batch_size=BATCH, num_workers=workers)
    model = torch.nn.Linear(1, 1).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        dataset.set_epoch(epoch)
        seen = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x[:, None])[:, 0], y)
            loss.backward()
            optimizer.step()
            seen += zip(x.tolist(), y.tolist())
        digest = hashlib.sha256(repr(sorted(seen)).encode()).hexdigest()[:12]
        print(f"epoch {epoch}: {len(seen)} samples, y = "
              f"{model.weight.item():.2f} x + {model.bias.item():.2f}, "
              f"digest {digest}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
