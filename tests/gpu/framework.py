# SPDX-License-Identifier: Apache-2.0
"""Part 4: PyTorch's view of the ring's memory."""

import statistics
import tempfile
import time
import warnings

import smshard

from kit import Server, unit

ROUNDS = 5
CPU, CUDA_HOST = 1, 3


def framework(sizes):
    """What it takes for pinned, how long a copy keeps it, what it warns of,
    and loaders that are forked."""
    try:
        import torch
    except ImportError:
        return {"left_out": "there is no PyTorch"}
    if torch.cuda.is_available():
        torch.cuda.init()
    out = {"torch": torch.__version__, "cuda": torch.cuda.is_available()}
    with tempfile.TemporaryDirectory() as folder, \
            Server(sizes, folder) as server, \
            smshard.open(socket=server.socket) as reader:
        sample = next(reader)
        tensor = sample.torch()
        out["is_right"] = bytes(tensor.numpy()) == bytes(sample)
        out["frombuffer"] = _frombuffer(torch, sample, out["cuda"])
        if out["cuda"]:
            _on_device(torch, sizes, reader, sample, out)
    out["loader"] = _loader(torch, sizes, out["cuda"])
    return out


def _frombuffer(torch, sample, has_cuda):
    """What it says of memory that can only be read."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        tensor = torch.frombuffer(sample.data, dtype=torch.uint8)
    return {"warning": [str(w.message)[:80] for w in said],
            "is_pinned": tensor.is_pinned() if has_cuda else None}


def _on_device(torch, sizes, reader, sample, out):
    import smshard.torch as adapter
    reader.pin()
    out["is_pinned"] = sample.torch().is_pinned()
    out["frombuffer_pinned"] = _frombuffer(torch, sample, True)
    gpu = adapter.to_device(sample)
    torch.cuda.synchronize()
    out["copy_is_right"] = bytes(gpu.cpu().numpy()) == unit(0, sizes.slot)
    for kind in (CPU, CUDA_HOST):
        out[f"dlpack_{kind}"] = _dlpack_of(torch, next(reader), kind)
    rows = [_overlap(torch, next(reader), adapter) for _ in range(ROUNDS)]
    out["overlap"] = {key: round(statistics.median(r[key] for r in rows))
                      for key in rows[0]}


def _dlpack_of(torch, sample, kind):
    try:
        tensor = torch.utils.dlpack.from_dlpack(sample.__dlpack__(
            dl_device=(kind, 0)))
        return f"{tensor.device}, " + ("pinned" if tensor.is_pinned()
                                       else "not pinned")
    except Exception as error:  # pylint: disable=broad-except
        return repr(error)[:200]


def _overlap(torch, sample, adapter):
    """Whether the host goes on while a copy is under way: microseconds until
    it does, and until the copy has ended."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    start = time.perf_counter()
    adapter.to_device(sample)
    host_us = (time.perf_counter() - start) * 1e6
    end.record()
    end.synchronize()
    return {"host_us": host_us, "copy_us": begin.elapsed_time(end) * 1000}


def _number(sample):
    """What the loader gives of a sample: which unit, and that it is."""
    number = sample.position
    return number, bytes(sample) == unit(number, sample.size)


def _loader(torch, sizes, has_cuda):
    """A DataLoader whose workers are forked from a process that has registered
    the ring's memory."""
    import smshard.torch as adapter
    with tempfile.TemporaryDirectory() as folder, \
            Server(sizes, folder, mode=2, consumers=3) as server:
        reader = smshard.open(socket=server.socket, mode="share")
        if has_cuda:
            reader.pin()
        number, is_right = _number(next(reader))
        memory = reader._source  # Stays registered.
        reader.close()
        dataset = adapter.IterableDataset(socket=server.socket, mode="share",
                                          decode=_number)
        loader = torch.utils.data.DataLoader(dataset, batch_size=None,
                                             num_workers=2)
        got = [(int(n), bool(right)) for n, right in loader]
        del loader
        out = {"units": len(got), "wrong": sum(not right for _, right in got)
               + (not is_right), "missing": len(
                   set(range(sizes.units)) - {n for n, _ in got} - {number}),
               "is_pinned_after": memory.is_pinned}
    return out
