# SPDX-License-Identifier: Apache-2.0
"""Samples: views of what lies in the ring, and who still wants it there."""

import ctypes
import weakref

from . import _errors
from ._lib import SAMPLE, SAMPLE_SIZE

LAST = object()


class Held:
    """What the library gave out, until the last who wants it lets go.

    Who wants it has one of `tokens`, and may give out more of them. The one
    at the bottom is popped once: by the last, whatever threads they are, and
    should the garbage collector come in between.
    """

    __slots__ = ("buffer", "address", "source", "tokens", "start", "size",
                 "epoch", "position", "offset", "unit_size", "is_last")

    def __init__(self):
        self.buffer = bytearray(SAMPLE_SIZE)
        self.address = ctypes.addressof(
            (ctypes.c_char * SAMPLE_SIZE).from_buffer(self.buffer))
        self.source = None
        self.tokens = []

    def fill(self, source):
        """Read what smshard_next() has put into the buffer."""
        (data, self.size, self.epoch, self.position, self.offset,
         self.unit_size, _, self.is_last) = SAMPLE.unpack_from(self.buffer)
        self.source = source
        self.start = data - source.data
        self.tokens.append(LAST)


class Sample:
    """A unit, or one record of it; of a tar, the members of one name.

    `data` is a memoryview; of a tar, `sample["jpg"]` is one for each member,
    `key` the name without the ending. `epoch`, `position` and `record` (within
    the unit, from 0) say which one it is. Of a part of a unit, `offset` and
    `unit_size` say which part.
    """

    __slots__ = ("epoch", "position", "record", "is_last", "key",
                 "_reader", "_held", "_at", "_size", "_copy", "_members",
                 "_view", "_views", "_is_kept", "_takers")

    def __init__(self, reader, held, at, size, record, is_last):
        self.epoch = held.epoch
        self.position = held.position
        self.record = record
        self.is_last = is_last
        self.key = None
        self._reader = reader
        self._held = held
        self._at = at
        self._size = size
        self._copy = None
        self._members = None
        self._view = None
        self._views = None
        self._is_kept = False
        self._takers = None

    def __repr__(self):
        name = f" {self.key}" if self.key is not None else ""
        state = "" if self._held is not None else ", released"
        return (f"<smshard.Sample{name} epoch {self.epoch}, position "
                f"{self.position}, record {self.record}{state}>")

    def _held_or_raise(self):
        held = self._held
        if held is None:
            raise ValueError("the sample was released: keep() it where it is "
                             "wanted beyond the next step")
        return held

    # ---- Bytes -----------------------------------------------------------

    @property
    def data(self):
        """The bytes, read-only; of a tar, those of the first member."""
        view = self._view
        if view is not None:
            return view
        held = self._held_or_raise()
        if self._copy is not None:
            view = memoryview(self._copy)[self._at:self._at + self._size]
        else:
            at = held.start + self._at
            view = held.source.view[at:at + self._size]
        self._view = view
        return view

    @property
    def size(self):
        """How many bytes `data` is of."""
        return self._size

    def __bytes__(self):
        return bytes(self.data)

    @property
    def offset(self):
        """Where the part begins in its unit (`records="parts"`)."""
        return self._held_or_raise().offset

    @property
    def unit_size(self):
        """Bytes of the whole unit."""
        return self._held_or_raise().unit_size

    # ---- Members of a tar ------------------------------------------------

    def keys(self):
        """The members' endings, in lower case."""
        return self._members.keys() if self._members is not None else ()

    def __contains__(self, ext):
        return self._members is not None and ext in self._members

    def __getitem__(self, ext):
        views = self._views
        if views is not None and ext in views:
            return views[ext]
        held = self._held_or_raise()
        if self._members is None:
            raise KeyError(ext)
        at, size = self._members[ext]
        if self._copy is not None:
            view = memoryview(self._copy)[at:at + size]
        else:
            at += held.start
            view = held.source.view[at:at + size]
        if views is None:
            views = self._views = {}
        views[ext] = view
        return view

    def get(self, ext, default=None):
        """A member's bytes, or `default`."""
        return self[ext] if ext in self else default

    def items(self):
        """(ending, bytes) of each member."""
        return [(ext, self[ext]) for ext in self.keys()]

    # ---- How long --------------------------------------------------------

    def keep(self):
        """Do not release it when the next one is asked for."""
        self._held_or_raise()
        self._is_kept = True
        return self

    def release(self):
        """Give it back; its views are of no use any more. Again is harmless.

        An array that was made of it stays readable, but shows whatever the
        worker puts there next.
        """
        held = self._held
        if held is None:
            return
        self._held = None
        self._drop_views()
        self._reader._consumed(self, held)

    def _drop_views(self):
        """Whether nobody looks at them any more."""
        view, self._view = self._view, None
        views, self._views = self._views, None
        try:
            if view is not None:
                view.release()
            if views is not None:
                for view in views.values():
                    view.release()
        except BufferError:
            return False  # An array looks at it.
        return True

    def _note_taker(self, thing):
        """As long as it is there, somebody looks at the bytes."""
        self._takers = (self._takers or ()) + (weakref.ref(thing),)

    def _is_free(self):
        """Whether no array and no tensor of it is left; for whoever is about
        to release it: its views are of no use then."""
        is_free = self._drop_views()
        return is_free and (self._takers is None or
                            all(taker() is None for taker in self._takers))

    def __enter__(self):
        return self.keep()

    def __exit__(self, *_):
        self.release()

    def release_after(self, stream=None):
        """Give it back when the GPU is done with it.

        `stream`: what the copies out of it were put on (torch's, cupy's, or
        the driver's handle), an event recorded behind them, or None for the
        current stream. Its views are of no use any more; tensors made of it
        are good until then.
        """
        held = self._held_or_raise()
        self._reader._release_after(held, stream)
        self.release()

    # ---- Other packages --------------------------------------------------

    def _bytes_of(self, member):
        return self.data if member is None else self[member]

    def numpy(self, dtype="uint8", member=None):
        """A read-only NumPy array of it, good until it is released."""
        import numpy  # pylint: disable=import-outside-toplevel
        view = self._bytes_of(member)
        if not view.nbytes:
            return numpy.empty(0, dtype)
        array = numpy.frombuffer(view, dtype)
        self._note_taker(array)
        return array

    def torch(self, dtype=None, member=None):
        """A tensor of it, good until it is released; not to be written to."""
        from . import torch  # pylint: disable=import-outside-toplevel
        return torch.tensor_of(self, dtype, member)

    def address(self, member=None):
        """Where its bytes lie: for foreign code, until it is released."""
        held = self._held_or_raise()
        at = self._at if member is None else self._members[member][0]
        if self._copy is not None:
            raise _errors.InvalidError(
                "the record was put together from parts: use its data")
        return held.source.address + held.start + at

    def __dlpack_device__(self):
        from . import _dlpack  # pylint: disable=import-outside-toplevel
        return _dlpack.device_of(self)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None,
                   copy=None):
        """A capsule of its bytes. Whoever takes it holds the sample, unless
        it is a copy."""
        from . import _dlpack  # pylint: disable=import-outside-toplevel
        return _dlpack.capsule_of(self, max_version, dl_device, None,
                                  is_copy=bool(copy))
