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

    __slots__ = ("buffer", "address", "source", "tokens", "view", "start",
                 "size", "epoch", "position", "offset", "unit_size", "is_last")

    def __init__(self):
        self.buffer = bytearray(SAMPLE_SIZE)
        self.address = ctypes.addressof(
            (ctypes.c_char * SAMPLE_SIZE).from_buffer(self.buffer))
        self.source = None
        self.view = None
        self.tokens = []

    def fill(self, source):
        """Read what smshard_next() has put into the buffer."""
        (data, self.size, self.epoch, self.position, self.offset,
         self.unit_size, _, self.is_last) = SAMPLE.unpack_from(self.buffer)
        self.source = source
        self.start = start = data - source.data
        self.view = source.view[start:start + self.size]
        self.tokens.append(LAST)


class Sample:
    """A unit, or one record of it; of a tar, the members of one name.

    `data` is a memoryview; of a tar, `sample["jpg"]` is one for each member,
    `key` the name without the ending. `epoch`, `position` and `record` (within
    the unit, from 0) say which one it is. Of a part of a unit, `offset` and
    `unit_size` say which part.
    """

    __slots__ = ("epoch", "position", "record", "is_last", "_names", "_reader",
                 "_held", "_base", "_at", "_size", "_members", "_views",
                 "_is_kept", "_takers")

    def __init__(self, reader, held, base, at, size, record):
        self.epoch = held.epoch
        self.position = held.position
        self.record = record
        self.is_last = False
        self._names = None  # Where `_members` have their key.
        self._reader = reader
        self._held = held
        self._base = base  # What `_at` is counted in.
        self._at = at
        self._size = size
        self._members = None  # By ending: their rows of the table.
        self._views = None  # That were given out, by ending; None: `data`.
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

    def _look(self, ext, at, size):
        """A view that ends when the sample is released."""
        view = self._base[at:at + size]
        if self._views is None:
            self._views = {ext: view}
        else:
            self._views[ext] = view
        return view

    @property
    def data(self):
        """The bytes, read-only; of a tar, those of the first member."""
        views = self._views
        if views is not None and None in views:
            return views[None]
        self._held_or_raise()
        return self._look(None, self._at, self._size)

    @property
    def key(self):
        """Of a tar: what its members' names are without the ending."""
        if self._members is None:
            return None
        row = next(iter(self._members.values()))
        return self._names[row[2]:row[2] + row[4]].decode(
            errors="surrogateescape")

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
        if self._held is None:
            self._held_or_raise()
        if self._members is None:
            raise KeyError(ext)
        member = self._members[ext]
        return self._look(ext, member[0], member[1])

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
        views, self._views = self._views, None
        try:
            for view in views.values() if views is not None else ():
                view.release()
        except BufferError:
            return False  # An array looks at it.
        return True

    @property
    def _is_copy(self):
        """Whether the bytes are not where the worker has put them."""
        return self._base is not self._held.view

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
        if self._is_copy:
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
