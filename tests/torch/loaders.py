# SPDX-License-Identifier: Apache-2.0
"""loaders.py FOLDER: every way that a DataLoader runs its workers, two epochs
each, one behind the other in one job; each epoch has all that is in FOLDER."""

import sys
import time

import kit
import smshard.torch
from torch.utils.data import DataLoader

WAYS = (dict(num_workers=0), dict(num_workers=1), dict(num_workers=4),
        dict(num_workers=1, persistent_workers=True),
        dict(num_workers=4, persistent_workers=True),
        dict(num_workers=4, prefetch_factor=8, batch_size=7),
        dict(num_workers=1, multiprocessing_context="spawn"),
        dict(num_workers=4, multiprocessing_context="spawn",
             persistent_workers=True))


def decode(sample):
    """A copy."""
    return bytes(sample.data)


def main(folder):
    """Go through the ways."""
    expected = kit.lines_of(folder)
    epoch = 0
    for way in WAYS:
        dataset = smshard.torch.IterableDataset("train", "lines",
                                                decode=decode)
        loader = DataLoader(dataset, **dict(
            dict(batch_size=100, collate_fn=list), **way))
        start = time.monotonic()
        for _ in range(2):
            dataset.set_epoch(epoch)
            got = [item for batch in loader for item in batch]
            kit.check(f"{way}, epoch {epoch}: {len(got)} lines of "
                      f"{len(expected)}",
                      kit.digest(got) == kit.digest(expected))
            epoch += 1
        print("ok", " ".join(f"{k}={v}" for k, v in way.items()),
              f"({time.monotonic() - start:.1f} s)", flush=True)
        del loader
        dataset.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
