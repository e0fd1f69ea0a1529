# SPDX-License-Identifier: Apache-2.0
"""Registered memory and release after an event, against a driver without a GPU
(tests/gpu/fake_cuda.c): it copies as late as a real one may."""

import ctypes
import os
import unittest

import kit
import smshard
from smshard import cuda

FAKE = os.environ.get("FAKE_CUDA", "")


def ready():
    return os.path.exists(FAKE)


@unittest.skipUnless(ready(), "FAKE_CUDA names no library")
class Cuda(kit.Case):
    """With a driver that starts anew."""

    def setUp(self):
        super().setUp()
        os.environ["SMSHARD_CUDA_LIBRARY"] = FAKE
        self.fake = ctypes.CDLL(FAKE)
        self.fake.fake_log.restype = ctypes.c_char_p
        self.fake.cuMemcpyHtoDAsync_v2.argtypes = [
            ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t,
            ctypes.c_void_p]
        self.fake.fake_reset()
        cuda._driver = None
        cuda.Event._free.clear()
        self.addCleanup(setattr, cuda, "_driver", None)

    def calls(self, name):
        """Arguments of each call of it."""
        lines = self.fake.fake_log().decode().splitlines()
        return [tuple(map(int, line.split()[1:])) for line in lines
                if line.split()[0] == name]

    def copy(self, sample):
        """Put a copy out of a sample on the stream; where it goes."""
        to = (ctypes.c_char * sample.size)()
        with cuda.driver().current(0):
            code = self.fake.cuMemcpyHtoDAsync_v2(
                ctypes.addressof(to), sample.address(), sample.size, None)
        self.assertEqual(code, 0)
        return to


class Pinning(Cuda):
    """All or nothing."""

    def test_the_ring_is_registered_once_and_read_only(self):
        server = self.serve([b"abc"], slots=4)
        reader = self.open(server, pin=True)
        reader.pin()
        self.assertTrue(reader.is_pinned)
        self.assertEqual(self.calls("cuMemHostRegister_v2"),
                         [(4 * 8192, cuda.READ_ONLY | cuda.PORTABLE)])
        view = next(reader).data[1:]
        reader.close()
        self.assertEqual(self.fake.fake_registered(), 1)
        del view
        self.assertEqual(self.fake.fake_registered(), 0)

    def test_chunks_end_where_slots_do_and_go_back_in_reverse(self):
        memory = (ctypes.c_char * 100)()
        at = ctypes.addressof(memory)
        pinned = cuda.pin(at, 100, 20, 0, chunk_max=50)
        self.assertEqual([(a - at, n) for a, n in pinned.chunks],
                         [(0, 40), (40, 40), (80, 20)])
        pinned.unpin()
        pinned.unpin()
        self.assertEqual(len(self.calls("cuMemHostUnregister")), 3)
        self.assertEqual(self.fake.fake_registered(), 0)

    def test_a_failure_at_each_piece_leaves_nothing(self):
        memory = (ctypes.c_char * 100)()
        for at in (1, 2, 3):
            for code in (1, 2, 712, 801):
                self.fake.fake_reset()
                self.fake.fake_fail(b"cuMemHostRegister_v2", at, code)
                with self.assertRaisesRegex(smshard.CudaError, str(code)):
                    cuda.pin(ctypes.addressof(memory), 100, 20, 0,
                             chunk_max=40)
                self.assertEqual(self.fake.fake_registered(), 0)
                self.assertEqual(len(self.calls("cuMemHostUnregister")),
                                 at - 1)

    def test_a_driver_that_cannot_read_only_says_so(self):
        self.fake.fake_set_read_only(0)
        server = self.serve([b"abc"])
        with self.assertRaises(smshard.CudaError):
            self.open(server, pin=True)
        reader = self.open(server)  # The place is free again.
        with self.assertRaises(smshard.CudaError):
            reader.pin(7)
        self.assertEqual(bytes(next(reader)), b"abc")

    def test_no_chunk_is_too_large_for_newer_drivers(self):
        self.assertLess(cuda.CHUNK_MAX, 512 << 30)

    def test_no_driver(self):
        os.environ["SMSHARD_CUDA_LIBRARY"] = "libcuda-not-there.so.1"
        reader = self.open(self.serve([b"abc"]))
        with self.assertRaisesRegex(smshard.CudaError, "no CUDA driver"):
            reader.pin()
        with self.assertRaises(smshard.CudaError):
            next(reader).release_after()

    def test_the_next_worker_s_ring_is_registered_too(self):
        first = self.serve([b"abc", b"def"], stay=1)
        reader = self.open(first, pin=True)
        next(reader)
        first.kill()
        self.serve([b"abc", b"def"])
        self.assertEqual([bytes(s) for s in reader][-2:], [b"abc", b"def"])
        self.assertEqual(len(self.calls("cuMemHostRegister_v2")), 2)
        self.assertEqual(self.fake.fake_registered(), 1)


class After(Cuda):
    """A slot goes back when the device is done with it, not before."""

    def units(self):
        return [kit.pattern(i, 5000) for i in range(12)]

    def test_copies_are_of_the_right_bytes(self):
        units = self.units()
        server = self.serve(units, entries=1, slots=3)
        reader = self.open(server, pin=True)
        copies = []
        for sample in reader:
            copies.append(self.copy(sample))
            sample.release_after(0)
        reader.close()
        self.assertEqual([bytes(c) for c in copies], units)
        server.wait("over")

    def test_released_too_early_they_are_not(self):
        """That the test above can fail."""
        units = self.units()
        server = self.serve(units, entries=1, slots=3)
        reader = self.open(server, pin=True)
        copies = []
        for sample in reader:
            copies.append(self.copy(sample))
            sample.release()
        self.fake.fake_run()
        self.assertNotEqual([bytes(c) for c in copies], units)

    def test_nothing_is_done_before_the_event(self):
        server = self.serve([b"abc", b"def"], entries=1)
        reader = self.open(server, pin=True)
        sample = next(reader)
        to = self.copy(sample)
        sample.release_after(0)
        with self.assertRaises(ValueError):
            sample.data  # pylint: disable=pointless-statement
        next(reader).release()
        server.wait("commit 0 1")
        self.assertEqual(server.committed(), [1])
        self.fake.fake_run()
        self.assertIsNone(reader.next(kit.LIMIT_S))
        server.wait("commit 0 0")
        self.assertEqual(bytes(to), b"abc")

    def test_where_all_slots_are_on_their_way_it_waits_for_the_oldest(self):
        server = self.serve([b"a", b"b", b"c"], entries=1, slots=2)
        reader = self.open(server, pin=True)
        for _ in range(3):
            next(reader).release_after(0)
        self.assertGreater(len(self.calls("cuEventSynchronize")), 0)
        self.assertEqual(list(reader), [])
        server.wait("over")

    def test_an_error_of_the_device_is_no_yes(self):
        server = self.serve([b"a", b"b"], entries=1, slots=2)
        reader = self.open(server, pin=True)
        next(reader).release_after(0)
        self.fake.fake_fail(b"cuEventQuery", 1, 700)
        with self.assertRaisesRegex(smshard.CudaError, "700"):
            next(reader)
        self.fake.fake_fail(b"cuEventSynchronize", 1, 700)
        with self.assertRaises(smshard.CudaError):
            reader.close()
        self.assertEqual(server.committed(), [])
        self.assertEqual([s.position for s in self.open(server)], [0, 1])

    def test_an_event_that_can_not_be_recorded_leaves_the_sample(self):
        reader = self.open(self.serve([b"abc"]), pin=True)
        sample = next(reader)
        self.fake.fake_fail(b"cuEventRecord", 1, 400)
        with self.assertRaisesRegex(smshard.CudaError, "400"):
            sample.release_after(0)
        self.assertEqual(bytes(sample), b"abc")

    def test_events_of_others_and_streams_of_others(self):
        class Event:
            """As torch.cuda.Event."""
            is_done = False

            def query(self):
                return self.is_done

            def synchronize(self):
                self.is_done = True

        class Stream:
            """As torch.cuda.Stream."""
            cuda_stream = 0x1234

        server = self.serve([b"a", b"b", b"c"], entries=1)
        reader = self.open(server, pin=True)
        event = Event()
        next(reader).release_after(event)
        next(reader).release_after(Stream())
        self.assertEqual(self.calls("cuEventRecord"), [(0x1234, 0)])
        next(reader).release()
        server.wait("commit 0 2")
        self.assertEqual(server.committed(), [2])
        self.fake.fake_run()
        event.is_done = True
        self.assertIsNone(reader.next(kit.LIMIT_S))
        with self.assertRaises(TypeError):
            cuda.event_of("stream")

    def test_events_are_used_again(self):
        server = self.serve([b"%d" % i for i in range(40)], entries=1)
        reader = self.open(server, pin=True)
        for sample in reader:
            sample.release_after(0)
            self.fake.fake_run()
        self.assertLessEqual(len(self.calls("cuEventCreate")), 2)
        self.assertEqual(len(self.calls("cuEventRecord")), 40)


if __name__ == "__main__":
    unittest.main()
