# SPDX-License-Identifier: Apache-2.0
"""See torch/__init__.py here. `DataLoader` starts a process for each worker
and pass, as PyTorch does with num_workers > 0 and persistent_workers=False."""

import multiprocessing


class IterableDataset:
    """As PyTorch's: a class to derive from."""


class WorkerInfo:
    """What a worker knows of itself."""

    def __init__(self, number, num_workers):
        self.id = number
        self.num_workers = num_workers


_info = None


def get_worker_info():
    """None in the main process."""
    return _info


def _work(dataset, info, queue):
    global _info
    _info = info
    try:
        for item in dataset:
            queue.put((info.id, item))
        state = dataset.state_dict() if hasattr(dataset, "state_dict") else None
        queue.put((info.id, None, state))
    except Exception as error:  # pylint: disable=broad-except
        queue.put((info.id, None, repr(error)))


class DataLoader:
    """Batches of `batch_size`, each of one worker's items."""

    def __init__(self, dataset, batch_size=1, num_workers=0):
        self.dataset = dataset
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.states = []

    def _items(self):
        if self.num_workers == 0:
            for item in self.dataset:
                yield 0, item
            return
        fork = multiprocessing.get_context("fork")
        queue = fork.Queue(2 * self.num_workers)
        workers = [fork.Process(target=_work, daemon=True, args=(
            self.dataset, WorkerInfo(i, self.num_workers), queue))
            for i in range(self.num_workers)]
        for worker in workers:
            worker.start()
        self.states = []
        while len(self.states) < len(workers):
            got = queue.get(timeout=60)
            if len(got) == 2:
                yield got
            else:
                self.states.append(got[2])
        for worker in workers:
            worker.join()

    def __iter__(self):
        batches = {}
        for worker, item in self._items():
            if self.batch_size is None:
                yield item
                continue
            batch = batches.setdefault(worker, [])
            batch.append(item)
            if len(batch) == self.batch_size:
                yield batches.pop(worker)
        yield from batches.values()


def default_collate(batch):
    """What is made of a batch where nothing else is said."""
    return batch
