# SPDX-License-Identifier: Apache-2.0
"""Cursors: sets of what was consumed, alone and in readers."""

import json
import random
import unittest

import kit
import smshard


class Sets(unittest.TestCase):
    """Against a plain set."""

    def test_ranges_are_a_set(self):
        chance = random.Random(4)
        for _ in range(50):
            cursor, plain = smshard.Cursor(), set()
            for _ in range(chance.randrange(60)):
                position = chance.randrange(40)
                cursor.add(0, position)
                plain.add(position)
            self.assertEqual([p for p in range(41) if cursor.has(0, p)],
                             sorted(plain))
            pairs = cursor.state_dict()["done"].get("0", [])
            flat = [n for pair in pairs for n in pair]
            self.assertEqual(flat, sorted(set(flat)))  # As few as can be.

    def test_states_merge_in_any_order(self):
        states = []
        for first in (0, 1, 2):
            cursor = smshard.Cursor()
            for position in range(first, 30, 3):
                cursor.add(1, position)
            cursor.add(1, 100 + first, record=first, is_last=False)
            states.append(json.loads(json.dumps(cursor.state_dict())))
        a, b = smshard.Cursor(), smshard.Cursor()
        for state in states:
            a.merge(state)
        for state in reversed(states):
            b.merge(state)
        self.assertEqual(a.state_dict(), b.state_dict())
        self.assertEqual(a.state_dict()["done"], {"1": [[0, 30]]})
        self.assertTrue(a.has(1, 102, 2))
        self.assertFalse(a.has(1, 102, 1))

    def test_records_in_any_order_make_a_unit(self):
        cursor = smshard.Cursor()
        for record in (3, 1, 0):
            cursor.add(0, 5, record, is_last=record == 3)
        other = smshard.Cursor(cursor.state_dict())
        self.assertFalse(other.has(0, 5, 2))
        self.assertTrue(other.has(0, 5, 3))
        other.add(0, 5, 2, is_last=False)
        cursor.merge(other)
        for one in (cursor, other):
            self.assertEqual(one.state_dict()["begun"], [])
            self.assertEqual(one.state_dict()["done"], {"0": [[5, 6]]})

    def test_old_epochs_are_forgotten_and_done(self):
        cursor = smshard.Cursor()
        for epoch in range(5):
            cursor.add(epoch, 7)
            cursor.add(epoch, 9, record=1, is_last=False)
            cursor.end(epoch)
        self.assertEqual(list(cursor.state_dict()["done"]), ["4"])
        self.assertTrue(cursor.has(3, 8))
        self.assertFalse(cursor.has(4, 8))

    def test_one_who_lags_is_not_overtaken(self):
        fast, slow = smshard.Cursor(), smshard.Cursor()
        for epoch in range(4):
            fast.add(epoch, 0)
            fast.end(epoch)
        slow.add(1, 5)
        slow.end(0)
        for one, other in ((fast, slow), (slow, fast)):
            both = smshard.Cursor(one.state_dict()).merge(other)
            self.assertFalse(both.has(1, 6))
            self.assertTrue(both.has(1, 5))
            both = smshard.Cursor().merge(one)
            self.assertEqual(both.state_dict(), one.state_dict())

    def test_other_versions_are_refused(self):
        with self.assertRaisesRegex(ValueError, "version"):
            smshard.Cursor({"version": 99})


class Resume(kit.Case):
    """A reader goes on where another one's cursor says."""

    def test_nothing_twice_and_nothing_lost(self):
        units = [b"".join(b"%d %d\n" % (u, i) for i in range(10))
                 for u in range(12)]
        want = [line for unit in units for line in unit.splitlines()]
        for stop in (1, 9, 10, 11, 57, 119):
            server = self.serve(units, name=f"a{stop}", stay=1)
            cursor, seen = smshard.Cursor(), []
            with self.open(server, "lines", cursor=cursor) as reader:
                for sample in reader:
                    seen.append(bytes(sample))
                    sample.release()
                    if len(seen) == stop:
                        break
            state = cursor.state_dict()
            again = self.serve(units, name=f"b{stop}")
            with self.open(again, "lines",
                           cursor=smshard.Cursor(state)) as reader:
                seen += [bytes(sample) for sample in reader]
            self.assertEqual(seen, want)
            again.wait("over")
            self.assertEqual(sorted(again.committed()), list(range(12)))

    def test_records_that_were_read_out_of_turn(self):
        server = self.serve([b"a\nb\nc\nd\n", b"e\n"], epochs=3)
        cursor = smshard.Cursor()
        cursor.add(0, 0, record=1, is_last=False)
        cursor.add(0, 0, record=3, is_last=True)
        with self.open(server, "lines", cursor=cursor) as reader:
            self.assertEqual(reader.cursor, cursor)
            first = [bytes(s) for s in next(reader.epochs())]
            self.assertEqual(first, [b"a", b"c", b"e"])
            self.assertEqual(cursor.epoch, 1)  # It has heard of the end.
            self.assertEqual(len(list(reader)), 2 * 5)
            self.assertEqual(cursor.epoch, 3)

    def test_parts_of_a_unit_are_not_taken_for_one(self):
        units = [kit.pattern(1, 50000), b"", kit.pattern(2, 8192 * 3 + 5),
                 kit.pattern(3, 100)]
        parts = 0
        for stop in (1, 2, 3, 99):
            server = self.serve(units, name=f"a{stop}", stay=1)
            cursor, got, count = smshard.Cursor(), [{}, {}, {}, {}], 0
            with self.open(server, "parts", cursor=cursor, hold=1) as reader:
                for sample in reader:
                    got[sample.position][sample.offset] = bytes(sample)
                    sample.release()
                    count += 1
                    if count == stop:
                        break
            parts = max(parts, count)
            state = json.loads(json.dumps(cursor.state_dict()))
            again = self.serve(units, name=f"b{stop}")
            with self.open(again, "parts", cursor=smshard.Cursor(state),
                           hold=1) as reader:
                for sample in reader:
                    self.assertNotIn(sample.offset, got[sample.position])
                    got[sample.position][sample.offset] = bytes(sample)
            self.assertEqual([b"".join(p[at] for at in sorted(p))
                              for p in got], units)
        self.assertGreater(parts, len(units))


if __name__ == "__main__":
    unittest.main()
