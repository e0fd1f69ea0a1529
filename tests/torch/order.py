# SPDX-License-Identifier: Apache-2.0
"""order.py OUT: write the lines of epoch 0 as one loader process gives them."""

import os
import sys

import smshard.torch
from torch.utils.data import DataLoader


def main(out):
    """From the ring, or the FIFO."""
    if os.environ["SMSHARD_RING"]:
        dataset = smshard.torch.IterableDataset("train", "lines")
        lines = DataLoader(dataset, batch_size=None, num_workers=1)
    else:
        with open(os.environ["SM_CHANNEL_TRAIN"] + "_0", "rb") as fifo:
            lines = fifo.read().splitlines()
    with open(out, "wb") as f:
        for line in lines:
            f.write(line + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
