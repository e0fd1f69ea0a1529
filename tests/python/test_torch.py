# SPDX-License-Identifier: Apache-2.0
"""The dataset: passes, workers, ranks, state. Where PyTorch is not installed
those are tested with a stand-in for the few names that they need; tensors are
not tested then."""

import gc
import json
import os
import sys
import unittest

import kit
import smshard

try:
    import torch
except ImportError:
    sys.path.insert(0, os.path.join(os.path.dirname(
        os.path.abspath(__file__)), "stand_in"))
    import torch

from torch.utils.data import DataLoader  # noqa: E402

import smshard.torch  # noqa: E402

try:
    import numpy
    HAS_NUMPY = numpy is not None
except ImportError:
    HAS_NUMPY = False

IS_REAL = not hasattr(torch, "IS_STAND_IN")


def flat(batches):
    return [item for batch in batches for item in batch]


class Dataset(kit.Case):
    """IterableDataset, in a DataLoader."""

    def dataset(self, server, records="raw", **options):
        dataset = smshard.torch.IterableDataset(
            "train", records, socket=server.socket, **options)
        self.addCleanup(dataset.close)
        return dataset

    def test_each_pass_is_an_epoch(self):
        units = kit.make_units(25)
        loader = DataLoader(self.dataset(self.serve(units, epochs=3)),
                            batch_size=4)
        for _ in range(3):
            batches = list(loader)
            self.assertEqual(flat(batches), units)
            self.assertEqual(len(batches[0]), 4)
        self.assertEqual(list(loader), [])

    def test_decode_makes_the_items_and_what_it_returns_is_done(self):
        server = self.serve([b"a", b"b", b"c"], entries=1)
        dataset = self.dataset(server, decode=lambda s: (s.position, s.size))
        steps = iter(dataset)
        self.assertEqual(next(steps), (0, 1))
        server.wait("commit 0 0")
        self.assertEqual(list(steps), [(1, 1), (2, 1)])

    def test_samples_of_a_tar_are_dictionaries(self):
        tar = kit.make_tar([("d/1", {"jpg": b"pic", "cls": b"4"})])
        self.assertEqual(list(self.dataset(self.serve([tar]), "tar")),
                         [{"__key__": "d/1", "jpg": b"pic", "cls": b"4"}])

    def test_workers_share_each_epoch(self):
        units = [b"%04d" % i * 50 for i in range(90)]
        server = self.serve(units, "share", consumers=3, entries=3, epochs=3,
                            stay=1)
        dataset = self.dataset(server)
        loader = DataLoader(dataset, batch_size=5, num_workers=3)
        for epoch in range(3):
            dataset.set_epoch(epoch)
            self.assertEqual(sorted(flat(loader)), units)
        server.wait("over")
        self.assertEqual(sorted(server.committed(2)), list(range(90)))

    def test_a_worker_that_comes_late_takes_nothing_of_the_next_epoch(self):
        units = [b"%d" % i for i in range(9)]
        server = self.serve(units, "share", consumers=2, entries=3, epochs=2,
                            stay=1)
        with self.open(server, cursor=smshard.Cursor()) as reader:
            for epoch in reader.epochs():
                if epoch.number == 0:
                    for _ in epoch:
                        pass
                    break
        for _ in range(2):  # Each in a process of its own, and all at once.
            dataset = self.dataset(server)
            dataset.set_epoch(0)
            late = DataLoader(dataset, num_workers=2, batch_size=None)
            self.assertEqual(list(late), [])
            del late
        gc.collect()
        dataset.set_epoch(1)
        self.assertEqual(sorted(dataset), units)

    def test_batches_are_full_whichever_worker_they_are_of(self):
        units = [b"%02d" % i for i in range(31)]
        server = self.serve(units, "share", consumers=3, entries=1, stay=1)
        dataset = self.dataset(server)
        dataset.set_epoch(0)
        loader = DataLoader(dataset, batch_size=None, num_workers=3)
        got = list(smshard.torch.batches(loader, 4, list))
        self.assertEqual([len(b) for b in got], [4] * 7 + [3])
        self.assertEqual(sorted(flat(got)), units)
        self.assertEqual(list(smshard.torch.batches(range(5), 2, list, True)),
                         [[0, 1], [2, 3]])

    def test_what_decode_returns_may_not_look_at_the_sample(self):
        ways = [lambda sample: sample.numpy()] * HAS_NUMPY
        if IS_REAL:
            ways += [lambda sample: sample.torch(), torch.from_dlpack]
        for i, decode in enumerate(ways):
            server = self.serve([b"abcd"] * 3, name=f"s{i}")
            dataset = self.dataset(server, decode=decode)
            with self.assertRaisesRegex(smshard.InvalidError, "copy it"):
                next(iter(dataset))

    def test_what_decode_returns_may_be_a_copy(self):
        ways = [lambda sample: sample.numpy().copy()] * HAS_NUMPY
        if IS_REAL:
            ways += [lambda sample: sample.torch().clone(),
                     lambda sample: torch.from_dlpack(sample) + 0]
        for i, decode in enumerate(ways):
            server = self.serve([b"abcd", b"efgh"], name=f"s{i}")
            self.assertEqual([i.tolist() for i in self.dataset(
                server, decode=decode)], [list(b"abcd"), list(b"efgh")])

    def test_workers_need_the_sharing_mode(self):
        server = self.serve([b"a"], stay=1)
        loader = DataLoader(self.dataset(server, timeout=1), num_workers=2)
        try:
            list(loader)
            said = repr(getattr(loader, "states", ""))
        except Exception as error:  # pylint: disable=broad-except
            said = repr(error)
        gc.collect()  # The loader's workers have the server's pipe, too.
        self.assertIn("RefusedError", said)

    def test_a_rank_reads_its_own_ring(self):
        one = self.serve([b"rank one"], rank=1)
        dataset = self.dataset(one, rank=1)
        self.assertEqual(list(dataset), [b"rank one"])
        os.environ["LOCAL_RANK"] = "2"
        self.addCleanup(os.environ.pop, "LOCAL_RANK")
        two = self.serve([b"rank two"], name="b", rank=2)
        self.assertEqual(list(self.dataset(two)), [b"rank two"])

    def test_state_goes_on_where_it_was(self):
        unit = b"".join(b"line %d\n" % i for i in range(50))
        server = self.serve([unit] * 3, stay=1)
        dataset = self.dataset(server, "lines")
        steps = iter(dataset)
        seen = [next(steps) for _ in range(77)]
        state = json.loads(json.dumps(dataset.state_dict()))
        steps.close()
        again = self.dataset(self.serve([unit] * 3, name="b"), "lines")
        again.load_state_dict(state)
        self.assertEqual(seen + list(again), unit.splitlines() * 3)

    def test_states_of_workers_together_are_the_state(self):
        units = [b"%d" % i for i in range(40)]
        states = []
        server = self.serve(units, "share", consumers=2, entries=2, stay=1)
        readers = [self.open(server, cursor=smshard.Cursor())
                   for _ in range(2)]
        seen = []
        for i in range(11):
            seen.append(bytes(next(readers[i % 2])))
        for reader in readers:
            reader.close()
            states.append(reader.cursor.state_dict())
        done = sum(b - a for s in states
                   for a, b in s["done"].get("0", []))
        again = self.dataset(self.serve(units, name="b"))
        again.load_state_dict(states)
        rest = list(again)
        self.assertEqual(len(rest), 40 - done)
        self.assertEqual(sorted(set(seen) | set(rest)), sorted(units))

    def test_a_dataset_can_be_sent_to_a_process(self):
        import pickle
        server = self.serve([b"a", b"b"])
        dataset = self.dataset(server)
        steps = iter(dataset)
        next(steps)
        copy = pickle.loads(pickle.dumps(dataset))
        self.assertIsNone(copy._reader)
        steps.close()
        dataset.close()
        self.assertEqual(list(copy), [b"b"])
        copy.close()


@unittest.skipUnless(IS_REAL, "there is no PyTorch")
class Tensors(kit.Case):
    """Tensors over samples."""

    def test_a_tensor_lies_in_the_ring(self):
        sample = next(self.open(self.serve([b"\1\0\2\0"])))
        self.assertEqual(sample.torch(torch.int16).tolist(), [1, 2])
        self.assertEqual(sample.torch().data_ptr(), sample.address())

    def test_from_dlpack_holds_the_sample(self):
        server = self.serve([b"ab", b"cd"], entries=1)
        reader = self.open(server)
        tensor = torch.from_dlpack(next(reader))
        next(reader).release()
        server.wait("commit 0 1")
        self.assertEqual(server.committed(), [1])
        self.assertEqual(tensor.tolist(), [97, 98])
        del tensor
        server.wait("commit 0 0")

    def test_to_device_copies(self):
        server = self.serve([b"ab", b"cd"], entries=1)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        tensors = [smshard.torch.to_device(s, device)
                   for s in self.open(server)]
        self.assertEqual([t.tolist() for t in tensors], [[97, 98], [99, 100]])


if __name__ == "__main__":
    unittest.main()
