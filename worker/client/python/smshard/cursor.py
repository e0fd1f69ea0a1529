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
        i = bisect.bisect_right(self.starts, number) - 1
        return i >= 0 and number < self.ends[i]

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


class Cursor:
    """A set of units and, of units that were read in part, of first records.

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
        """Note a record, and with its last one the unit, as consumed."""
        if is_last:
            self._begun.pop((epoch, position), None)
            ranges = self._done.get(epoch)
            if ranges is None:
                ranges = self._done[epoch] = _Ranges()
            ranges.add(position, position + 1)
        else:
            self._begun[epoch, position] = record + 1

    def has(self, epoch, position, record=0):
        """Whether it was consumed."""
        if epoch < self.epoch - self.KEPT + 1:
            return True
        ranges = self._done.get(epoch)
        if ranges is not None and position in ranges:
            return True
        return record < self._begun.get((epoch, position), 0)

    def end(self, epoch):
        """Note that an epoch has ended."""
        self.epoch = max(self.epoch, epoch + 1)
        self._forget()

    def _forget(self):
        """Drop what is too old to be asked for."""
        oldest = self.epoch - self.KEPT + 1
        for number in [n for n in self._done if n < oldest]:
            del self._done[number]
        for unit in [u for u in self._begun if u[0] < oldest]:
            del self._begun[unit]

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
        for unit, count in other._begun.items():
            self._begun[unit] = max(count, self._begun.get(unit, 0))
        return self

    def is_empty(self):
        """Whether nothing was ever noted."""
        return self.epoch == 0 and not self._done and not self._begun

    def state_dict(self):
        """What load_state_dict() takes."""
        return {
            "version": self.VERSION,
            "epoch": self.epoch,
            "done": {str(e): r.pairs() for e, r in sorted(self._done.items())},
            "begun": [[e, p, n] for (e, p), n in sorted(self._begun.items())],
        }

    def load_state_dict(self, state):
        """Be as the cursor was that `state` is of."""
        if state.get("version") != self.VERSION:
            raise ValueError("the cursor's state is of another version: "
                             f"{state.get('version')!r}")
        self.epoch = int(state["epoch"])
        self._done = {int(e): _Ranges(pairs)
                      for e, pairs in state["done"].items()}
        self._begun = {(e, p): n for e, p, n in state["begun"]}
