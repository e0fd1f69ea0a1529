# SPDX-License-Identifier: Apache-2.0
"""NumPy's view of samples, and DLPack with NumPy as the one who takes."""

import ctypes
import gc
import os
import unittest

import kit
import smshard

try:
    import numpy
except ImportError:
    numpy = None
try:
    import torch
    torch = torch if hasattr(torch, "from_dlpack") else None
except ImportError:
    torch = None


@unittest.skipIf(numpy is None, "there is no NumPy")
class Arrays(kit.Case):
    """numpy()"""

    def test_arrays_lie_in_the_ring(self):
        unit = numpy.arange(1000, dtype="<f4").tobytes()
        reader = self.open(self.serve([unit, b"", unit]))
        array = next(reader).numpy("<f4")
        self.assertTrue((array == numpy.arange(1000)).all())
        self.assertFalse(array.flags.writeable)
        with self.assertRaises(ValueError):
            array[0] = 1
        self.assertEqual(next(reader).numpy("<f4").shape, (0,))
        sample = next(reader)
        self.assertEqual(sample.numpy().ctypes.data, sample.address())

    def test_members_of_a_tar(self):
        tar = kit.make_tar([("a", {"x": b"\1\2", "y": b"\3\0\4\0"})])
        sample = next(self.open(self.serve([tar]), "tar"))
        self.assertEqual(sample.numpy("<u2", "y").tolist(), [3, 4])
        self.assertEqual(sample.numpy().tolist(), [1, 2])

    def test_an_array_does_not_keep_the_slot_but_outlives_the_reader(self):
        server = self.serve([b"abcd", b"efgh"], entries=1)
        reader = self.open(server)
        array = next(reader).numpy()
        next(reader)
        server.wait("commit 0 0")
        reader.close()
        self.assertEqual(array.shape, (4,))
        int(array.sum())


@unittest.skipIf(numpy is None, "there is no NumPy")
class Capsules(kit.Case):
    """__dlpack__()"""

    def test_what_goes_while_an_exception_is_raised(self):
        server = self.serve([b"a", b"b", b"c"], entries=1)
        reader = self.open(server)
        looks = [lambda sample: sample.__dlpack__(),
                 lambda sample: sample.__dlpack__(max_version=(1, 0)),
                 numpy.from_dlpack if torch is None else torch.from_dlpack]
        for look in looks:
            with next(reader) as sample:
                with self.assertRaises(ZeroDivisionError):
                    print(look(sample), 1 // 0)
        server.wait("commit 0 2")

    def test_who_takes_it_holds_the_sample(self):
        server = self.serve([b"abcd", b"efgh"], entries=1)
        reader = self.open(server)
        array = numpy.from_dlpack(next(reader))
        next(reader).release()
        server.wait("commit 0 1")
        self.assertEqual(server.committed(), [1])
        self.assertEqual(array.tobytes(), b"abcd")
        with self.assertRaises(smshard.HeldError):
            next(reader)
        del array
        gc.collect()
        server.wait("commit 0 0")
        self.assertIsNone(reader.next(kit.LIMIT_S))

    def test_a_capsule_that_nobody_takes(self):
        server = self.serve([b"abcd"])
        reader = self.open(server)
        sample = next(reader)
        capsules = [sample.__dlpack__(), sample.__dlpack__(max_version=(1, 0))]
        sample.release()
        self.assertEqual(reader.stats()["held"], 1)
        del capsules
        gc.collect()
        server.wait("commit 0 0")

    def test_capsules_of_both_kinds_say_what_they_are(self):
        reader = self.open(self.serve([b"abcd"]))
        sample = next(reader)
        self.assertEqual(sample.__dlpack_device__(), (1, 0))
        for options, name in (({}, "dltensor"),
                              ({"max_version": (1, 0)}, "dltensor_versioned"),
                              ({"max_version": (0, 8)}, "dltensor"),
                              ({"dl_device": (1, 0)}, "dltensor")):
            self.assertIn(f'"{name}"', repr(sample.__dlpack__(**options)))
        for options in ({"copy": True, "dl_device": (2, 0)},
                        {"dl_device": (2, 0)}):
            with self.assertRaises(BufferError):
                sample.__dlpack__(**options)

    def test_a_copy_does_not_hold_the_sample(self):
        server = self.serve([b"abcd", b"efgh"], entries=1)
        reader = self.open(server)
        sample = next(reader)
        for version in (None, (1, 0)):
            capsule = sample.__dlpack__(copy=True, max_version=version)
            self.assertIn("dltensor", repr(capsule))
        next(reader)
        server.wait("commit 0 0")

    def test_what_was_put_together_is_lent_too(self):
        unit = kit.pattern(3, 20000) + b"\n" + kit.pattern(4, 20000)
        unit = unit.replace(b"\n", b" ", unit.count(b"\n") - 1)
        server = self.serve([unit], size=4096, slots=8)
        reader = self.open(server, "parts")
        arrays = [numpy.from_dlpack(s) for s in [next(reader)]]
        self.assertEqual(arrays[0].tobytes(), unit[:arrays[0].size])
        arrays.clear()
        reader.close()
        reader = self.open(server)
        array = numpy.from_dlpack(next(reader))
        self.assertEqual(array.tobytes(), unit)

    def test_after_close_it_is_still_there(self):
        reader = self.open(self.serve([b"abcd"]))
        array = numpy.from_dlpack(next(reader))
        reader.close()
        self.assertEqual(array.shape, (4,))
        int(array.sum())
        del array
        gc.collect()

    @unittest.skipUnless(os.path.exists(os.environ.get("FAKE_CUDA", "")),
                         "FAKE_CUDA names no library")
    def test_pinned_memory_is_the_cpu_s_as_well(self):
        from smshard import cuda
        os.environ["SMSHARD_CUDA_LIBRARY"] = os.environ["FAKE_CUDA"]
        ctypes.CDLL(os.environ["FAKE_CUDA"]).fake_reset()
        cuda._driver = None
        self.addCleanup(setattr, cuda, "_driver", None)
        sample = next(self.open(self.serve([b"abcd"]), pin=0))
        self.assertEqual(sample.__dlpack_device__(), (1, 0))
        self.assertEqual(numpy.from_dlpack(sample).tobytes(), b"abcd")
        for kind in (1, 3):
            sample.__dlpack__(dl_device=(kind, 0))
        with self.assertRaises(BufferError):
            sample.__dlpack__(dl_device=(2, 0))
        if torch is not None:
            self.assertEqual(bytes(torch.from_dlpack(sample)), b"abcd")


if __name__ == "__main__":
    unittest.main()
