# SPDX-License-Identifier: Apache-2.0
"""PyTorch: tensors over samples, copies to the device, an IterableDataset.

    from torch.utils.data import DataLoader
    import smshard.torch

    dataset = smshard.torch.IterableDataset("train", records="tar",
                                            decode=decode)
    for batch in DataLoader(dataset, batch_size=64, num_workers=4):
        …
"""

import os

import torch
from torch.utils import data as _data
from torch.utils import dlpack as _torch_dlpack

from . import _dlpack
from ._errors import InvalidError
from ._reader import open as _open
from .cursor import Cursor


def tensor_of(sample, dtype=None, member=None):
    """A tensor over the sample's bytes, good until it is released (where it
    has to be good for longer, `torch.from_dlpack(sample)` holds the sample).
    Nothing may be written to it: that ends the process."""
    capsule = _dlpack.capsule_of(sample, None, (_dlpack.CPU, 0), member,
                                 is_lent=False)
    tensor = _torch_dlpack.from_dlpack(capsule)
    return tensor if dtype is None else tensor.view(dtype)


def to_device(sample, device="cuda", dtype=None, member=None):
    """Copy the sample's bytes to the device without waiting, and release it
    when that copy has ended. Direct where the reader is pinned."""
    tensor = tensor_of(sample, dtype, member).to(device, non_blocking=True)
    if tensor.is_cuda:
        sample.release_after(torch.cuda.current_stream(tensor.device))
    else:
        tensor = tensor.clone()
        sample.release()
    return tensor


def decode_bytes(sample):
    """What a dataset gives where it is not told otherwise: copies."""
    if sample.key is None:
        return bytes(sample)
    out = {ext: bytes(view) for ext, view in sample.items()}
    out["__key__"] = sample.key
    return out


class IterableDataset(_data.IterableDataset):
    """A channel as a dataset; each pass over it is one epoch.

    `decode(sample)` makes of a sample what the loader is to have. The sample
    is released when it returns, so it has to copy what it keeps: loaders
    collect, and send to another process, long after the next step.

    Under a DataLoader each of its workers has a reader of its own; with more
    than one the channel has to be in the ring's work-sharing mode. A rank
    reads its own share: nothing is to be split by rank.

    A loader takes batches of its workers in turn, and calls no other one
    while it waits for one. So where there are several each copies the unit
    that it reads (`smshard.open(copy=True)`), and has nothing in hand that
    another one may be waiting for.
    """

    def __init__(self, channel="train", records="raw", *, decode=decode_bytes,
                 rank=None, **options):
        super().__init__()
        self._args = dict(options, channel=channel, records=records, rank=rank)
        self._decode = decode
        self._epoch = None
        self._cursor = Cursor()
        self._reader = None
        self._pid = None

    def set_epoch(self, epoch):
        """Of the next pass: needed where a loader starts its workers anew for
        each one. What is left of earlier epochs comes first."""
        self._epoch = int(epoch)

    # ---- State -----------------------------------------------------------

    def state_dict(self):
        """What was given out so far, as `Cursor` has it. Under a loader with
        workers this is one worker's."""
        return self._cursor.state_dict()

    def load_state_dict(self, state):
        """Pass over what `state` holds: one state, or a list of several
        workers' or ranks'."""
        cursor = Cursor()
        for one in state if isinstance(state, (list, tuple)) else [state]:
            cursor.merge(one)
        self.close()
        self._cursor = cursor

    def __getstate__(self):
        state = super().__getstate__() if hasattr(
            _data.IterableDataset, "__getstate__") else self.__dict__
        state = dict(state)
        state["_reader"] = state["_pid"] = None
        return state

    # ---- Passes ----------------------------------------------------------

    def close(self):
        """Close its reader; a pass after that opens another one."""
        reader, self._reader = self._reader, None
        if reader is not None and self._pid == os.getpid():
            reader.close()

    def _open(self):
        if self._reader is None or self._pid != os.getpid():
            info = _data.get_worker_info()
            args = dict(self._args, cursor=self._cursor)
            if info is not None and info.num_workers > 1:
                args.update(mode="share", copy=True)
            self._reader = _open(**args)
            self._pid = os.getpid()
        return self._reader

    def _next_epoch(self, reader):
        """The epoch to read, or None."""
        reader._epoch_max = self._epoch
        for epoch in reader.epochs():
            if self._epoch is None or epoch.number <= self._epoch:
                return epoch
            # Others have finished it: what has come is for the next pass.
            return None
        return None

    def _item_of(self, sample):
        item = self._decode(sample)
        if not sample._is_free():
            raise InvalidError(
                f"what decode made of {sample!r} still looks at its memory, "
                "which is about to be filled again: copy it (.copy() of an "
                "array, .clone() of a tensor, bytes() of a view)")
        sample.release()
        return item

    def __iter__(self):
        reader = self._open()
        epoch = self._next_epoch(reader)
        last = self._epoch
        while epoch is not None:
            for sample in epoch:
                yield self._item_of(sample)
            if last is None or epoch.number >= last:
                break
            epoch = self._next_epoch(reader)
        if last is not None:
            self._epoch = last + 1
        if epoch is None:
            self.close()


def batches(loader, batch_size, collate=_data.default_collate,
            drop_last=False):
    """Batches of `batch_size` out of a loader of single items
    (`batch_size=None`), whichever worker they are of.

    A loader of batches ends with one that is not full for each of its
    workers: as many as happen to be. Where each step waits for the other
    ranks, these have to be as many on each rank.
    """
    batch = []
    for item in loader:
        batch.append(item)
        if len(batch) == batch_size:
            yield collate(batch)
            batch = []
    if batch and not drop_last:
        yield collate(batch)
