# SPDX-License-Identifier: Apache-2.0
"""Which samples were consumed: for a checkpoint, to go on from there."""

import bisect


class _Ranges:
    """A set of numbers, as ranges: starts[i] <= n < ends[i]."""

    def __init__(self, pairs=()):
        self.starts, self.ends = [], []
        for start, end in pairs:
            self.add(start, end)

    def __contains__(self, number):
        return self.covers(number, number + 1)

    def covers(self, start, end):
        """Whether it holds all of start <= n < end."""
        i = bisect.bisect_right(self.starts, start) - 1
        return i >= 0 and end <= self.ends[i]

    def add(self, start, end):
        """Add start <= n < end."""
        if start >= end:
            return
        starts, ends = self.starts, self.ends
        if ends and ends[-1] == start:  # The usual case.
            ends[-1] = end
            return
        first = bisect.bisect_left(ends, start)
        last = bisect.bisect_right(starts, end)
        if first < last:
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
        starts[first:last] = [start]
        ends[first:last] = [end]

    def pairs(self):
        """[[start, end], …]"""
        return [list(pair) for pair in zip(self.starts, self.ends)]


class _Unit:
    """Of a unit that was read in part: its records."""

    def __init__(self, pairs=(), count=None):
        self.records = _Ranges(pairs)
        self.count = count  # How many it has, once that is known.

    def is_done(self):
        """Whether all were consumed."""
        return self.records.pairs() == [[0, self.count]]


class Cursor:
    """A set of units, and of records of units that were read in part.

    Give one to `smshard.open(cursor=…)`: what it holds is passed over, and
    what is released is added. `state_dict()` is plain data, small, good for
    JSON; states of several readers become one by `merge()`, in any order, for
    as many readers as there are then.
    """

    VERSION = 1
    KEPT = 2  # Epochs: readers of one rank are at most one apart.

    def __init__(self, state=None):
        self._done = {}
        self._begun = {}
        self.epoch = 0  # All before `epoch - 1` is done.
        if state is not None:
            self.load_state_dict(state)

    def add(self, epoch, position, record=0, is_last=True):
        """Note a record as consumed; `is_last`: the unit has no more."""
        key = (epoch, position)
        if record > 0 or not is_last or key in self._begun:
            unit = self._begun.setdefault(key, _Unit())
            unit.records.add(record, record + 1)
            if is_last:
                unit.count = record + 1
            self._settle(key)
        else:
            self._add_unit(epoch, position)

    def add_part(self, epoch, position, start, end, size):
        """Note bytes of a unit as consumed, which has `size` of them: of a
        reader of parts, these count as its records."""
        key = (epoch, position)
        if start == 0 and end == size:
            self._begun.pop(key, None)
            self._add_unit(epoch, position)
            return
        unit = self._begun.setdefault(key, _Unit())
        unit.records.add(start, end)
        unit.count = size
        self._settle(key)

    def _add_unit(self, epoch, position):
        ranges = self._done.get(epoch)
        if ranges is None:
            ranges = self._done[epoch] = _Ranges()
        ranges.add(position, position + 1)

    def _settle(self, key):
        """Of a unit whose records are all there, the unit is enough."""
        if self._begun[key].is_done():
            del self._begun[key]
            self._add_unit(*key)

    def has(self, epoch, position, record=0):
        """Whether it was consumed."""
        return self.has_part(epoch, position, record, record + 1)

    def has_part(self, epoch, position, start, end):
        """Whether all of these bytes, or records, of the unit were."""
        if epoch < self.epoch - self.KEPT + 1:
            return True
        ranges = self._done.get(epoch)
        if ranges is not None and position in ranges:
            return True
        unit = self._begun.get((epoch, position))
        return unit is not None and unit.records.covers(start, end)

    def end(self, epoch):
        """Note that an epoch has ended."""
        self.epoch = max(self.epoch, epoch + 1)
        oldest = self.epoch - self.KEPT + 1
        for number in [n for n in self._done if n < oldest]:
            del self._done[number]
        for key in [k for k in self._begun if k[0] < oldest]:
            del self._begun[key]

    def is_empty(self):
        """Whether nothing was ever noted."""
        return self.epoch == 0 and not self._done and not self._begun

    def merge(self, other):
        """Add what another cursor, or its state, holds."""
        if not isinstance(other, Cursor):
            other = Cursor(other)
        if other.is_empty():
            return self
        # What is asked for once too often does less harm than what is not.
        self.epoch = (other.epoch if self.is_empty()
                      else min(self.epoch, other.epoch))
        for number, ranges in other._done.items():
            mine = self._done.setdefault(number, _Ranges())
            for start, end in ranges.pairs():
                mine.add(start, end)
        for key, unit in other._begun.items():
            mine = self._begun.setdefault(key, _Unit())
            for start, end in unit.records.pairs():
                mine.records.add(start, end)
            if unit.count is not None:
                mine.count = unit.count
            self._settle(key)
        for key in [k for k in self._begun if k[1] in
                    self._done.get(k[0], ())]:
            del self._begun[key]
        return self

    def state_dict(self):
        """What load_state_dict() takes."""
        return {
            "version": self.VERSION,
            "epoch": self.epoch,
            "done": {str(e): r.pairs() for e, r in sorted(self._done.items())},
            "begun": [[e, p, u.records.pairs(), u.count]
                      for (e, p), u in sorted(self._begun.items())],
        }

    def load_state_dict(self, state):
        """Be as the cursor was that `state` is of."""
        if state.get("version") != self.VERSION:
            raise ValueError("the cursor's state is of another version: "
                             f"{state.get('version')!r}")
        self.epoch = int(state["epoch"])
        self._done = {int(e): _Ranges(pairs)
                      for e, pairs in state["done"].items()}
        self._begun = {(e, p): _Unit(pairs, count)
                       for e, p, pairs, count in state["begun"]}
