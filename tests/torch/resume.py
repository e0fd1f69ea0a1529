# SPDX-License-Identifier: Apache-2.0
"""resume.py STATE OUT STOP WORKERS: read lines until STOP samples were trained
on, or to the end where STOP is 0; begin behind STATE, and leave the state
there. With workers the cursor is the training loop's own, since what they have
in hand was not trained on."""

import json
import os
import sys

import smshard
import smshard.torch
from torch.utils.data import DataLoader


def decode(sample):
    """The line, and which one it is."""
    return bytes(sample.data), (sample.epoch, sample.position, sample.record,
                                sample.is_last)


def main(path, out, stop, workers):
    """Train."""
    dataset = smshard.torch.IterableDataset("train", "lines", decode=decode)
    cursor = None if workers == 0 else smshard.Cursor()
    if os.path.exists(path):
        with open(path, encoding="ascii") as f:
            state = json.load(f)
        dataset.load_state_dict(state)
        if cursor is not None:
            cursor.load_state_dict(state)
    loader = DataLoader(dataset, batch_size=10, num_workers=workers,
                        collate_fn=list)
    done = 0
    dataset.set_epoch(0)
    with open(out, "ab") as f:
        for batch in loader:
            for line, item in batch:
                f.write(line + b"\n")
                if cursor is not None:
                    cursor.add(*item)
            done += len(batch)
            if stop and done >= stop:
                break
    state = (cursor or dataset).state_dict()
    with open(path, "w", encoding="ascii") as f:
        json.dump(state, f)
    print(f"{done} samples, {os.path.getsize(path)} bytes of state")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
