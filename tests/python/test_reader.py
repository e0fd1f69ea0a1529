# SPDX-License-Identifier: Apache-2.0
"""Readers and samples: what is delivered is what was sent, once, and goes back
when it was said to."""

import os
import resource
import threading
import unittest

import kit
import smshard


class Delivery(kit.Case):
    """Data, order, epochs."""

    def test_all_units_of_all_epochs_are_intact_and_in_order(self):
        units = kit.make_units(60) + [b""]
        server = self.serve(units, epochs=3)
        seen = []
        with self.open(server) as reader:
            for epoch in reader.epochs():
                for sample in epoch:
                    self.assertEqual(sample.data, units[sample.position])
                    self.assertEqual(sample.epoch, epoch.number)
                    self.assertTrue(sample.data.readonly)
                    seen.append((sample.epoch, sample.position))
        self.assertEqual(seen, [(e, p) for e in range(3)
                                for p in range(len(units))])
        server.wait("over")
        self.assertEqual(server.committed(2), list(range(len(units))))

    def test_plain_iteration_goes_over_all_epochs(self):
        server = self.serve([b"a", b"b"], epochs=2)
        self.assertEqual([bytes(s) for s in self.open(server)],
                         [b"a", b"b", b"a", b"b"])

    def test_an_epoch_that_is_left_goes_on(self):
        server = self.serve([b"a", b"b", b"c"], epochs=2)
        seen = []
        for epoch in self.open(server).epochs():
            for sample in epoch:
                seen.append((epoch.number, bytes(sample)))
                break
        self.assertEqual(seen, [(0, b"a"), (0, b"b"), (0, b"c"),
                                (1, b"a"), (1, b"b"), (1, b"c")])

    def test_an_open_that_fails_leaves_nothing(self):
        def fail(times):
            for _ in range(times):
                with self.assertRaises(smshard.Error):
                    smshard.open("train", records="tar",
                                 socket=self.folder + "/none")
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = fail(50)
        self.assertLess(fail(500) - before, 8 << 10)  # KiB.

    def test_large_units_come_whole_or_in_parts(self):
        units = [kit.pattern(1, 50000), kit.pattern(2, 8192 * 3)]
        server = self.serve(units, epochs=2)
        reader = self.open(server)
        epochs = reader.epochs()
        self.assertEqual([bytes(s) for s in next(epochs)], units)
        reader.close()
        server = self.serve(units, name="b")
        got = [bytearray(), bytearray()]
        for part in self.open(server, "parts"):
            self.assertEqual(part.offset, len(got[part.position]))
            self.assertEqual(part.unit_size, len(units[part.position]))
            got[part.position] += part.data
            self.assertEqual(part.is_last, len(got[part.position]) ==
                             part.unit_size)
        self.assertEqual(got, units)

    def test_next_waits_no_longer_than_it_may(self):
        server = self.serve([b"only"], stay=1)
        reader = self.open(server)
        sample = reader.next(timeout=kit.LIMIT_S).keep()
        self.assertEqual(bytes(sample), b"only")
        with self.assertRaises(smshard.HeldError):
            reader.next(timeout=kit.LIMIT_S)
        sample.release()
        self.assertIsNone(reader.next(timeout=kit.LIMIT_S))

    def test_no_sample_in_time(self):
        server = self.serve([b"x"] * 4, "share", consumers=2, entries=1)
        first = self.open(server)
        kept = [first.next(kit.LIMIT_S).keep() for _ in range(4)]
        second = self.open(server)
        with self.assertRaises(TimeoutError):
            second.next(timeout=0)
        self.assertGreaterEqual(second.fileno(), 0)
        for sample in kept:
            sample.release()
        self.assertIsNone(second.next(kit.LIMIT_S))

    def test_stats_count(self):
        server = self.serve([b"ab", b"cde"])
        reader = self.open(server)
        list(reader)
        self.assertEqual(reader.stats()["samples"], 2)
        self.assertEqual(reader.stats()["bytes"], 5)
        self.assertEqual(reader.mode, "exclusive")


class Release(kit.Case):
    """How long a sample is held."""

    def test_it_goes_back_at_the_next_step(self):
        server = self.serve([b"a", b"b"], entries=1, slots=2)
        reader = self.open(server)
        first = next(reader)
        view = first.data
        next(reader)
        server.wait("commit 0 0")
        with self.assertRaises(ValueError):
            view[0]  # pylint: disable=pointless-statement
        with self.assertRaises(ValueError):
            first.data  # pylint: disable=pointless-statement
        self.assertIn("released", repr(first))
        self.assertEqual(server.committed(), [0])

    def test_kept_ones_go_back_in_any_order(self):
        server = self.serve([bytes([i]) for i in range(5)], entries=1)
        reader = self.open(server)
        kept = [next(reader).keep() for _ in range(5)]
        self.assertEqual([s.data[0] for s in kept], list(range(5)))
        for i in (3, 0, 4, 2, 1):
            kept[i].release()
            kept[i].release()  # Again is harmless.
            server.wait(f"commit 0 {i}")
        server.wait("over")

    def test_a_with_block_ends_it(self):
        server = self.serve([b"a", b"b"], entries=1)
        reader = self.open(server)
        with next(reader) as sample:
            with next(reader):
                self.assertEqual(bytes(sample), b"a")
            server.wait("commit 0 1")
        server.wait("commit 0 0")

    def test_all_slots_held_is_an_error_that_passes(self):
        server = self.serve([b"a", b"b", b"c"], entries=1, slots=2)
        reader = self.open(server)
        kept = [next(reader).keep() for _ in range(2)]
        with self.assertRaisesRegex(smshard.HeldError, "release"):
            next(reader)
        kept[0].release()
        self.assertEqual(bytes(next(reader)), b"c")

    def test_what_was_not_released_is_not_done(self):
        server = self.serve([b"a", b"b", b"c"], entries=1)
        reader = self.open(server)
        next(reader).release()
        next(reader).keep()
        reader.close()
        reader = self.open(server)
        self.assertEqual([s.position for s in reader], [1, 2])
        server.wait("over")
        self.assertEqual(server.committed(), [0, 1, 2])

    def test_threads_may_release(self):
        units = kit.make_units(200, 40)
        server = self.serve(units, epochs=3)
        reader = self.open(server)
        for epoch in reader.epochs():
            samples, threads = [], []
            for sample in epoch:
                samples.append(sample.keep())
                if len(samples) == 8:
                    for s in samples:
                        threads.append(threading.Thread(target=s.release))
                        threads[-1].start()
                    for thread in threads:
                        thread.join()
                    samples, threads = [], []
                elif sample.position >= len(units) - 8:
                    samples.pop().release()
        server.wait("over")
        self.assertEqual(reader.stats()["held"], 0)

    def test_views_outlive_the_reader(self):
        server = self.serve([b"abc"])
        reader = self.open(server)
        part = next(reader).data[1:]
        reader.close()
        self.assertEqual(len(bytes(part)), 2)  # Mapped, whatever is there.
        reader.close()
        with self.assertRaises(smshard.InvalidError):
            next(reader)


class Processes(kit.Case):
    """Several of them, deaths and forks."""

    SHARE = ("import kit, smshard, sys\n"
             "r = smshard.open('train', socket=sys.argv[1], mode='share')\n"
             "print('open', flush=True)\n"
             "for s in r:\n"
             "    ok = s.data == kit.pattern(s.position, len(s.data))\n"
             "    print(s.epoch, s.position, ok, flush=True)\n")

    def test_several_share_each_unit_once(self):
        units = [kit.pattern(i, 500 + 13 * i) for i in range(120)]
        server = self.serve(units, "share", consumers=4, entries=4, epochs=2,
                            stay=1)
        children = [self.spawn(self.SHARE, server.socket) for _ in range(4)]
        lines = []
        for child in children:
            lines += child.communicate(timeout=kit.LIMIT_S)[0].split("\n")
            self.assertEqual(child.returncode, 0)
        seen = sorted(line for line in lines if line and line != "open")
        self.assertEqual(seen, sorted(f"{e} {p} True" for e in range(2)
                                      for p in range(120)))
        self.assertEqual(sorted(server.committed(1)), list(range(120)))

    def test_who_copies_holds_nothing_that_others_wait_for(self):
        unit = b"".join(b"line %d\n" % i for i in range(3000))
        server = self.serve([unit, b"a\nb\nc\n"] * 4, "share", consumers=2,
                            size=4096, slots=4, stay=1)
        idle = self.open(server, "lines", copy=True)
        busy = self.open(server, "lines", copy=True)
        for _ in range(2):  # The second is of the next unit.
            first = next(idle)
            while first.position == 0 and first.record < 2999:
                first = next(idle)
            self.assertEqual(idle.stats()["held"], 0)
        seen = [(s.position, s.record) for s in busy]
        server.wait("over")
        seen += [(first.position, first.record)]
        seen += [(s.position, s.record) for s in idle]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual(4 * 3003 - 3003, len(seen))
        self.assertEqual(sorted(server.committed()), list(range(8)))

    def test_copies_are_the_same_bytes(self):
        units = kit.make_units(30) + [b""]
        for records in ("raw", "parts"):
            server = self.serve(units, "share", consumers=1, entries=3,
                                size=4096, name=records, epochs=2)
            reader = self.open(server, records, copy=True)
            got = {}
            for sample in reader:
                got.setdefault((sample.epoch, sample.position), b"")
                self.assertEqual(sample.offset, len(
                    got[sample.epoch, sample.position]))
                got[sample.epoch, sample.position] += bytes(sample)
            self.assertEqual([got[e, i] for e in range(2)
                              for i in range(31)], units * 2)

    def test_copies_stay_when_the_worker_goes(self):
        units = [b"%d" % i for i in range(6)]
        server = self.serve(units, "share", consumers=1, entries=3, slots=2)
        reader = self.open(server, copy=True, reconnect=0)
        seen = [bytes(next(reader))]
        server.kill()
        try:
            while True:
                seen.append(bytes(next(reader)))
        except smshard.ResetError:
            pass
        self.assertEqual(seen[:3], units[:3])

    def test_all_of_a_broadcast_see_all(self):
        units = kit.make_units(30)
        server = self.serve(units, "broadcast", consumers=2, stay=1)
        code = self.SHARE.replace("'share'", "'broadcast'")
        children = [self.spawn(code, server.socket) for _ in range(2)]
        for child in children:
            out = child.communicate(timeout=kit.LIMIT_S)[0].split()
            self.assertEqual(out[2::3], [str(p) for p in range(30)])

    def test_what_a_killed_one_held_is_delivered_again(self):
        units = [kit.pattern(i, 900) for i in range(20)]
        server = self.serve(units, "share", consumers=2, entries=2, slots=4)
        child = self.spawn(
            "import kit, smshard, sys, time\n"
            "r = smshard.open('train', socket=sys.argv[1])\n"
            "next(r).release()\n"
            "kept = [next(r).keep() for _ in range(3)]\n"
            "print('held', flush=True)\n"
            "time.sleep(1000)\n", server.socket)
        self.assertEqual(child.stdout.readline(), "held\n")
        child.kill()
        seen = []
        for sample in self.open(server):
            self.assertEqual(sample.data, units[sample.position])
            seen.append(sample.position)
        server.wait("over")
        self.assertEqual(sorted(server.committed()), list(range(20)))
        self.assertEqual(sorted(set(seen) | {0}), list(range(20)))

    def test_a_child_of_fork_can_look_but_not_take(self):
        server = self.serve([b"abc", b"def"], entries=1)
        reader = self.open(server)
        sample = next(reader).keep()
        view = sample.data
        child = os.fork()
        if child == 0:
            code = 1
            try:
                self.assertEqual(bytes(view), b"abc")
                with self.assertRaises(smshard.ForkedError):
                    next(reader)
                sample.release()
                reader.close()
                code = 0
            finally:
                os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual(server.committed(), [])
        self.assertEqual(bytes(view), b"abc")
        self.assertEqual(bytes(next(reader)), b"def")

    def test_another_worker_is_met_where_this_one_went(self):
        units = [kit.pattern(i, 100) for i in range(6)]
        first = self.serve(units, entries=1, stay=1)
        reader = self.open(first)
        array = next(reader).data
        seen = [next(reader).position for _ in range(2)]
        first.kill()
        second = self.serve(units, entries=1)
        for sample in reader:
            self.assertEqual(sample.data, units[sample.position])
            seen.append(sample.position)
        self.assertEqual(seen[-6:], list(range(6)))
        second.wait("over")
        del array

    def test_without_reconnect_its_end_is_an_error(self):
        first = self.serve([b"a", b"b"], stay=1)
        reader = self.open(first, reconnect=0)
        list(reader.next(kit.LIMIT_S).data)
        first.kill()
        with self.assertRaisesRegex(smshard.ResetError, "gone"):
            for _ in range(3):
                next(reader)


class BadInput(kit.Case):
    """What a caller or a worker can do wrong."""

    def test_unknown_words_are_named(self):
        for options, text in (({"records": "parquet"}, "tfrecord"),
                              ({"mode": "both"}, "broadcast")):
            with self.assertRaisesRegex(smshard.InvalidError, text):
                smshard.open("train", socket="/nowhere", **options)

    def test_no_worker_there(self):
        with self.assertRaisesRegex(smshard.ResetError, "smshard run"):
            smshard.open("train", socket=os.path.join(self.folder, "none"))

    def test_no_socket_named(self):
        os.environ.pop("SMSHARD_RING", None)
        with self.assertRaisesRegex(smshard.InvalidError, "SMSHARD_RING"):
            smshard.open("train")

    def test_no_such_channel_rank_or_mode(self):
        server = self.serve([b"a"])
        for args in ({"channel": "test"}, {"rank": 3}, {"mode": "share"}):
            with self.assertRaises(smshard.RefusedError):
                smshard.open(socket=server.socket, timeout=kit.LIMIT_S, **args)
        with self.assertRaises(smshard.InvalidError):
            smshard.open(socket=server.socket, rank=-5)
        self.open(server)

    def test_a_taken_place(self):
        server = self.serve([b"a"])
        self.open(server)
        with self.assertRaises(TimeoutError):
            smshard.open(socket=server.socket, timeout=0)


if __name__ == "__main__":
    unittest.main()
