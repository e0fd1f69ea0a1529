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
        self.fake.fake_other_stream.restype = ctypes.c_void_p
        self.fake.fake_capture.argtypes = [ctypes.c_void_p]
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

    def in_child(self, act):
        """What `act` says in a child of fork(), or the error's name and
        text."""
        come, go = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                said = str(act())
            except BaseException as error:  # pylint: disable=broad-except
                said = f"{type(error).__name__}: {error}"
            os.write(go, said.encode())
            os._exit(0)
        os.close(go)
        with open(come, "rb") as f:
            said = f.read().decode()
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        return said

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


    def test_an_interrupt_leaves_nothing_either(self):
        memory = (ctypes.c_char * 100)()
        driver, call, count = cuda.driver(), cuda.driver().call, []

        def interrupted(name, *arguments):
            count.append(name)
            if name == "cuMemHostRegister_v2" and count.count(name) == 2:
                raise KeyboardInterrupt
            call(name, *arguments)

        driver.call = interrupted
        with self.assertRaises(KeyboardInterrupt):
            cuda.pin(ctypes.addressof(memory), 100, 20, 0, chunk_max=40)
        self.assertEqual(self.fake.fake_registered(), 0)

    def test_a_lost_device_does_not_keep_the_mapping(self):
        reader = self.open(self.serve([b"abc"]), pin=True)
        memory = reader._source.memory
        cuda.driver().call = lambda name, *_: (_ for _ in ()).throw(
            smshard.CudaError(f"{name}: lost"))
        end = memory._end
        del memory
        reader.close()
        self.assertFalse(end.alive)

    def test_whatever_context_is_current_stays_and_says_which_device(self):
        self.fake.fake_set_other(1)
        reader = self.open(self.serve([b"abc"]), pin=True)
        self.assertEqual(cuda.current_device(), 0)
        next(reader).release_after(0)
        self.assertEqual(cuda.current_device(), 0)
        self.fake.fake_set_other(0)
        with self.assertRaises(smshard.CudaError):  # None is current now.
            cuda.driver().call("cuCtxGetDevice", ctypes.byref(ctypes.c_int()))

    def test_the_contexts_lock_may_be_met_again_by_a_finalizer(self):
        driver = cuda.driver()
        with driver._lock:
            self.assertIsNotNone(driver.primary(0))


class Forked(Cuda):
    """Registrations are the parent's, and a child can't use its driver."""

    def test_a_child_reads_but_does_not_copy(self):
        server = self.serve([b"abc", b"def"], mode="share")
        reader = self.open(server, pin=True)
        sample = next(reader).keep()
        self.assertEqual(self.in_child(lambda: bytes(sample)), str(b"abc"))
        self.assertEqual(self.in_child(lambda: reader.is_pinned), "False")
        self.assertRegex(self.in_child(lambda: sample.release_after(0)),
                         "^ForkedError")
        self.assertRegex(self.in_child(reader.pin), "^ForkedError")
        self.assertRegex(self.in_child(lambda: sample.__dlpack__(
            dl_device=(3, 0))), "^BufferError")
        self.assertRegex(self.in_child(cuda.driver),
                         f"^CudaError: .*process {os.getpid()}, which")
        self.assertTrue(reader.is_pinned)

    def test_a_child_opens_a_reader_of_its_own_but_can_not_pin_it(self):
        server = self.serve([b"abc", b"def"], mode="share", consumers=2,
                            entries=1)
        reader = self.open(server, pin=True)
        next(reader).release_after(0)

        def loader():
            with smshard.open(socket=server.socket) as own:
                data = bytes(next(own))
                try:
                    own.pin()
                except smshard.CudaError as error:
                    return data, "forked" in str(error)
            return data, False

        self.assertEqual(self.in_child(loader), str((b"def", True)))

    def test_a_child_waits_for_none_of_the_parent_s_events(self):
        server = self.serve([b"abc", b"def"], entries=1)
        reader = self.open(server, pin=True)
        next(reader).release_after(0)
        self.assertRegex(self.in_child(lambda: next(reader)), "^ForkedError")
        self.assertEqual(self.in_child(reader.close), "None")
        self.assertEqual(self.calls("cuEventQuery"), [])

    def test_a_child_that_ends_takes_nothing_back(self):
        server = self.serve([b"abc", b"def"], entries=1)
        reader = self.open(server, pin=True)
        held = next(reader).keep()

        def end():
            reader.close()
            reader._source = None
            return self.fake.fake_registered()

        self.assertEqual(self.in_child(end), "1")
        to = self.copy(held)
        held.release_after(0)
        next(reader).release()
        self.assertEqual(self.fake.fake_registered(), 1)
        self.assertIsNone(reader.next(kit.LIMIT_S))
        self.assertEqual(bytes(to), b"abc")

    def test_who_is_forked_from_another_s_use_of_the_driver_is_told(self):
        cuda.driver()

        def anew():
            cuda._driver = None  # As if a framework had been the user.
            cuda.driver()

        self.assertRegex(self.in_child(anew), "cuInit: .*forked.*spawn")


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

    def test_an_event_that_was_never_recorded_is_no_yes(self):
        class Event:
            """As torch.cuda.Event before its record(): query() is True."""
            cuda_event = 0

            def query(self):
                return True

            def synchronize(self):
                pass

        reader = self.open(self.serve([b"abc"]), pin=True)
        sample = next(reader)
        with self.assertRaisesRegex(ValueError, "not recorded"):
            sample.release_after(Event())
        self.assertEqual(bytes(sample), b"abc")

    def test_events_of_other_packages(self):
        class Cupy:
            """Its ptr is an event's, not a stream's."""
            ptr = 0x5678
            done = False

            def synchronize(self):
                self.done = True

        class Core:
            """cuda.core's."""
            handle = 0x9876
            is_done = False

            def sync(self):
                self.is_done = True

        for event in (Cupy(), Core()):
            row = cuda.event_of(event)
            self.assertFalse(row.query())
            row.synchronize()
            self.assertTrue(row.query())
        self.assertEqual(self.calls("cuEventRecord"), [])

    def test_streams_of_other_packages(self):
        class Cupy:
            """It has what its events have."""
            ptr = 0x5678
            device_id = 0
            done = True

            def synchronize(self):
                pass

            def wait_event(self, event):
                pass

        class Core:
            """cuda.core's."""
            def __cuda_stream__(self):
                return 0, 0x9876

            def sync(self):
                pass

        cuda.event_of(Cupy())
        cuda.event_of(Core())
        self.assertEqual([at for at, _ in self.calls("cuEventRecord")],
                         [0x5678, 0x9876])

    def test_a_stream_of_another_context(self):
        reader = self.open(self.serve([b"abc"]), pin=True)
        next(reader).release_after(self.fake.fake_other_stream())
        self.assertIsNone(reader.next(kit.LIMIT_S))

    def test_a_late_stream_does_not_hold_up_the_others(self):
        class Late:
            """An event of a stream that does not come."""
            is_done = False

            def query(self):
                return self.is_done

            def synchronize(self):
                self.is_done = True

        server = self.serve([b"a", b"b", b"c"], entries=1)
        reader = self.open(server, pin=True)
        late = Late()
        next(reader).release_after(late)
        next(reader).release_after(0x10)
        next(reader).release_after(0x20)
        self.fake.fake_run()
        with self.assertRaises(TimeoutError):
            reader.next(0)
        server.wait("commit 0 1")
        server.wait("commit 0 2")
        self.assertEqual(sorted(server.committed()), [1, 2])
        self.assertFalse(late.is_done)  # It did not wait for that one.
        late.is_done = True
        self.assertIsNone(reader.next(kit.LIMIT_S))

    def test_a_capture_of_another_thread_s_is_not_broken(self):
        server = self.serve([b"a", b"b"], entries=1, slots=2)
        reader = self.open(server)
        self.fake.fake_capture(0x30)
        reader.pin()
        next(reader).release_after(0)
        next(reader).release_after(0)
        self.assertIsNone(reader.next(kit.LIMIT_S))
        self.assertFalse(self.fake.fake_is_capture_lost())
        with cuda.driver().current(0):
            event = ctypes.c_void_p()
            cuda.driver().call("cuEventCreate", ctypes.byref(event), 0)
        self.fake.cuCtxPushCurrent_v2(ctypes.c_void_p(
            cuda.driver().primary(0)))
        self.fake.cuEventQuery(event)  # Not within it: that it can fail.
        self.assertTrue(self.fake.fake_is_capture_lost())

    def test_a_sample_can_not_be_part_of_a_graph(self):
        reader = self.open(self.serve([b"abc"]), pin=True)
        self.fake.fake_capture(0x30)
        sample = next(reader)
        with self.assertRaisesRegex(smshard.CudaError, "graph"):
            sample.release_after(0x30)
        self.assertEqual(bytes(sample), b"abc")

    def test_who_waits_for_an_event_sleeps(self):
        reader = self.open(self.serve([b"abc"]), pin=True)
        next(reader).release_after(0)
        self.assertEqual(self.calls("cuEventCreate"), [(3, 0)])

    def test_events_are_used_again(self):
        server = self.serve([b"%d" % i for i in range(40)], entries=1)
        reader = self.open(server, pin=True)
        for sample in reader:
            sample.release_after(0)
            self.fake.fake_run()
        self.assertLessEqual(len(self.calls("cuEventCreate")), 2)
        self.assertEqual(len(self.calls("cuEventRecord")), 40)


AT_EXIT = """
import atexit, ctypes, sys
lent = []
atexit.register(lambda: print([m.deleter for m in lent], flush=True))
import smshard  # Says what it says at the end before those of others.
from smshard import _dlpack
reader = smshard.open(socket=sys.argv[1])
capsules = [next(reader).keep().__dlpack__() for _ in range(2)]
lent += [entry[1] for entry in _dlpack._lent.values()]
print(len(lent), all(m.deleter for m in lent), flush=True)
"""


class AtExit(kit.Case):
    """Tensors may be freed when there is no interpreter to answer."""

    def test_no_deleter_is_left_to_call(self):
        server = self.serve([b"abc", b"def"])
        process = self.spawn("import kit\n" + AT_EXIT, server.socket)
        self.assertEqual(process.stdout.read(), "2 True\n[None, None]\n")
        self.assertEqual(process.wait(kit.LIMIT_S), 0)
        self.assertEqual(server.committed(), [])


if __name__ == "__main__":
    unittest.main()
