# SPDX-License-Identifier: Apache-2.0
"""Readers: one ring, from sample to sample."""

import builtins
import ctypes
import os
import threading
import time
from collections import deque

from . import _errors, _lib
from ._errors import END, HELD, INVALID, OK, OVER, RESET, TIMEOUT
from ._memory import Memory
from ._sample import LAST, Held, Sample

MODES = {None: 0, "any": 0, "exclusive": 1, "share": 2, "broadcast": 3}
FORMATS = ("raw", "parts", "lines", "recordio", "tfrecord", "tar")

_SLICE_MS = 100  # Between two looks at signals.
_EVENT_MS = 1  # The same, while copies are under way.
_WHY = 1024


class _End:
    """In the row of samples: an epoch has ended."""

    __slots__ = ("epoch",)

    def __init__(self, epoch):
        self.epoch = epoch


class _Source:
    """One connection's memory."""

    __slots__ = ("memory", "view", "address", "data", "pinned", "is_live")

    def __init__(self, about):
        self.memory = Memory(about.data, about.size)
        self.view = self.memory.view
        self.address = self.memory.address
        self.data = about.data
        self.pinned = None
        self.is_live = True

    @property
    def is_pinned(self):
        """Whether the driver knows it, in this process."""
        return self.pinned is not None and self.pinned.is_ours


class _Copied:
    """Memory of our own, in a connection's place: nothing to give back."""

    __slots__ = ("view", "address", "data", "is_live")
    is_pinned = False

    def __init__(self, array):
        self.view = memoryview(array).toreadonly()
        self.address = self.data = ctypes.addressof(
            (ctypes.c_char * len(array)).from_buffer(array)) if array else 0
        self.is_live = False


class Epoch:
    """One epoch's samples; `number` is which one."""

    def __init__(self, reader, number):
        self.number = number
        self.is_over = False
        self._reader = reader

    def __iter__(self):
        return self

    def __next__(self):
        if self.is_over:
            raise StopIteration
        while True:
            item = self._reader._advance()
            if type(item) is Sample:
                if item.epoch <= self.number:
                    return item
                self._reader._put_back(item)
            elif item is not None and item.epoch < self.number:
                continue
            self.is_over = True
            raise StopIteration


class Reader:
    """The samples of one channel, for one thread at a time. See open()."""

    def __init__(self, options, records, cursor=None, reconnect=30.0,
                 copies=False):
        self._lib = _lib.get()
        self._pid = os.getpid()
        self._handle = None
        self._lock = threading.RLock()
        self._busy = threading.Lock()
        self._records = records
        self._reconnect = reconnect
        self._cursor = cursor
        self._pool = []
        self._ready = []  # Samples, the next one last.
        self._after = None  # What a look ahead has found.
        self._reading = None  # What the decoder reads.
        self._last = None
        self._put = None
        self._copied = deque() if copies else None
        self._unit = None  # Of a copy: the unit that is to go on.
        self._epoch_max = None  # What is of later ones is not copied.
        self._about = _lib.Stats()
        # By stream: (event, what it lets go of, its number), in turn.
        self._events = {}
        self._event_count = self._event_ends = 0
        self._device = None
        self._record = 0
        self._decoder = None
        self._found = bytearray(_lib.RECORDS.size)
        self._found_at = ctypes.addressof(
            (ctypes.c_char * len(self._found)).from_buffer(self._found))
        self._is_fast = records in ("raw", "parts")
        self._is_plain = cursor is None
        self._source = None
        self._open_decoder("raw" if records == "parts" else records)
        try:
            self._open(options)
        except builtins.BaseException:
            self._close()  # There is a decoder.
            raise

    # ---- Opening and closing ---------------------------------------------

    def _open_decoder(self, name):
        out, why = ctypes.c_void_p(), ctypes.create_string_buffer(_WHY)
        status = self._lib.decoder_new(name.encode(), why, _WHY,
                                       ctypes.byref(out))
        if status != OK:
            raise _errors.make(status, why.value.decode(errors="replace"))
        self._decoder = out.value

    def _open(self, options):
        out, why = ctypes.c_void_p(), ctypes.create_string_buffer(_WHY)
        status = self._lib.open(ctypes.addressof(options), why, _WHY,
                                ctypes.byref(out))
        if status != OK:
            raise _errors.make(status, why.value.decode(errors="replace"))
        self._handle = out.value
        self._take_memory()

    def _take_memory(self):
        about = _lib.Memory()
        self._check(self._lib.memory(self._handle, ctypes.addressof(about)))
        self.slot_size = about.slot_size
        self.slot_count = about.slot_count
        self.mode = {v: k for k, v in MODES.items() if k}.get(about.mode)
        self.consumer = about.consumer
        self._source = _Source(about)
        if self._device is not None:
            self.pin(self._device)

    def _error(self):
        text = self._lib.error(self._handle)
        return text.decode(errors="replace") if text else ""

    def _check(self, status):
        if status < 0 or status == TIMEOUT:
            raise _errors.make(status, self._error())

    def close(self):
        """Give all back. Copies that are under way are waited for first."""
        if self._handle is None:
            return
        try:
            if self._pid == os.getpid():
                self._finish_events()
        finally:
            self._close()

    def _close(self):
        with self._lock:
            handle, self._handle = self._handle, None
            if self._source is not None:
                self._source.is_live = False
        if handle is not None:
            self._lib.close(ctypes.byref(ctypes.c_void_p(handle)))
        if self._decoder is not None:
            decoder, self._decoder = self._decoder, None
            self._lib.decoder_free(ctypes.byref(ctypes.c_void_p(decoder)))
        self._ready, self._after, self._put = [], None, None
        self._unit = None
        if self._copied is not None:
            self._copied.clear()
        self._last = self._reading = self._source = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        try:
            self.close()
        except Exception:  # pylint: disable=broad-except
            pass  # At the interpreter's end there may be nothing left.

    # ---- Iterating -------------------------------------------------------

    def __iter__(self):
        return self

    def __next__(self):
        # What nearly every step is, without calls that cost as much as it.
        if self._is_plain and self._ready and self._put is None:
            last = self._last
            if last is not None and not last._is_kept:
                held = last._held
                if held is not None:
                    last._held = None
                    if last._views is not None:
                        last._drop_views()
                    if held.tokens.pop() is LAST:
                        self._give_back(held)
            self._last = item = self._ready.pop()
            return item
        while True:
            item = self._advance()
            if type(item) is Sample:
                return item
            if item is None:
                raise StopIteration

    def next(self, timeout=None):
        """The next sample of any epoch, or None when all is over.

        TimeoutError after `timeout` seconds; 0 does not wait.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            item = self._advance(until)
            if type(item) is Sample or item is None:
                return item

    def epochs(self):
        """Each epoch's samples, as an iterator of its own.

        One that is left before its end goes on as the next one.
        """
        while True:
            item = self._advance()
            if item is None:
                return
            self._put_back(item)
            yield Epoch(self, item.epoch)

    def _put_back(self, item):
        self._last = None
        self._put = item

    def _advance(self, until=None):
        """The next sample, _End, or None when all is over."""
        last = self._last
        if last is not None:
            self._last = None
            if not last._is_kept:
                last.release()
        item = self._put
        if item is not None:
            self._put = None
        elif self._ready and self._cursor is None:
            item = self._ready.pop()
        else:
            item = self._fetch(until)
        if type(item) is Sample:
            self._last = item
        return item

    # ---- Samples of what was taken ---------------------------------------

    def _fetch(self, until):
        while True:
            item = self._next_item(until)
            if self._cursor is None or item is None:
                return item
            if type(item) is not Sample:
                self._cursor.end(item.epoch)
                return item
            if not self._was_consumed(item):
                return item
            item.release()

    def _was_consumed(self, item):
        if self._records != "parts":
            return self._cursor.has(item.epoch, item.position, item.record)
        return self._cursor.has_part(item.epoch, item.position, item.offset,
                                     item.offset + item.size)

    def _next_item(self, until):
        while not self._ready:
            if self._reading is not None:
                self._decode()
                continue
            item = self._take(until)
            if type(item) is not Held:
                return item
            if self._is_fast and (item.size == item.unit_size or
                                  self._records == "parts"):
                sample = Sample(self, item, item.view, 0, item.size, 0)
                sample.is_last = bool(item.is_last)
                return sample
            if item.offset == 0:
                self._record = 0
            self._reading = item
        return self._ready.pop()

    def _decode(self):
        """Make the next batch ready. One more is looked at before, to know
        which record is the last one of its unit."""
        status, batch = self._after or self._decode_batch()
        self._after = None
        held = self._reading
        if status == OK:
            self._ready = batch
            self._after = self._decode_batch()
            if self._after[0] != END:
                return
            batch[0].is_last = bool(held.is_last)
        self._reading = self._after = None
        self._let_go(held)
        if status < 0:
            raise _errors.make(status, f"epoch {held.epoch}, unit "
                                       f"{held.position}: {batch}")

    def _decode_batch(self):
        """(OK, samples in turn), (END, None) or (a failure, its text)."""
        lib, held = self._lib, self._reading
        status = lib.decode(self._decoder, held.address, self._found_at)
        if status == OK:
            return OK, self._samples_of(held)
        if status == END:
            return END, None
        return status, lib.decoder_error(self._decoder).decode(
            errors="replace")

    def _samples_of(self, held):
        at, count, names_at, names_size, joined_at, joined_size = \
            _lib.RECORDS.unpack(self._found)
        table = ctypes.string_at(at, count * _lib.RECORD.size)
        joined = memoryview(ctypes.string_at(joined_at, joined_size)
                            if joined_size else b"")
        rows = _lib.RECORD.iter_unpack(table)
        if self._records == "tar":
            names = ctypes.string_at(names_at, names_size)
            samples = self._tar_samples(held, rows, names, joined)
        else:
            samples = self._plain_samples(held, rows, joined)
        held.tokens.extend([None] * len(samples))
        samples.reverse()
        return samples

    def _plain_samples(self, held, rows, joined):
        samples = []
        number = self._record
        view = held.view
        for at, size, _, _, _, _, flags in rows:
            samples.append(Sample(
                self, held, joined if flags & _lib.RECORD_JOINED else view,
                at, size, number))
            number += 1
        self._record = number
        return samples

    def _tar_samples(self, held, rows, names, joined):
        samples = []
        members = None
        endings = {}  # By where they are: most are there once.
        number = self._record
        view = held.view
        for row in rows:
            at, size, _, ext, _, ext_size, flags = row
            if flags & _lib.RECORD_FIRST:
                sample = Sample(
                    self, held, joined if flags & _lib.RECORD_JOINED else view,
                    at, size, number)
                sample._names = names
                members = sample._members = {}
                samples.append(sample)
                number += 1
            ending = endings.get(ext)
            if ending is None:
                ending = endings[ext] = names[ext:ext + ext_size].decode(
                    errors="surrogateescape")
            members[ending] = row
        self._record = number
        return samples

    # ---- The library -----------------------------------------------------

    def _take(self, until):
        """What comes next: a Held, an _End, or None when all is over."""
        if self._copied is None:
            return self._take_now(until)
        while not self._copied:
            self._copy_ahead(until)
        return self._copied.popleft()

    def _take_now(self, until):
        if self._handle is None:
            raise _errors.InvalidError("the reader is closed")
        if not self._busy.acquire(False):
            raise _errors.InvalidError(
                "another thread is waiting for the next sample: open a reader "
                "for each thread")
        held = self._pool.pop() if self._pool else Held()
        try:
            if self._events:
                self._poll_events()
            status = self._lib.next_now(self._handle, 0, held.address)
            if status != OK and status != END:
                status = self._wait(status, held, until)
        finally:
            self._busy.release()
        if status == OVER:
            return None
        held.fill(self._source)
        if status == END:
            return _End(held.epoch)
        return held

    def _copy_ahead(self, until):
        """Copy whole units, until no slot of the ring is ours. Whoever is not
        called again before others have got something may hold nothing: all
        that they wait for may be in it."""
        while not self._copied or self._unit is not None or self._has_slot():
            try:
                item = self._take_now(
                    until if not self._copied or self._unit is not None
                    else 0)
            except TimeoutError:
                if self._copied and self._unit is None:
                    return
                raise
            if type(item) is Held and not self._is_later(item):
                self._copy(item)
            else:
                self._unit = None
                self._copied.append(item)
                return

    def _is_later(self, held):
        return self._epoch_max is not None and held.epoch > self._epoch_max

    def _has_slot(self):
        self._lib.stats(self._handle, ctypes.addressof(self._about))
        return self._about.held > 0

    def _copy(self, held):
        is_last = bool(held.is_last)
        if self._records == "parts":
            part = bytearray(held.source.view[held.start:
                                              held.start + held.size])
            self._copied.append(self._held_of(held, part, held.offset))
            self._unit = None if is_last else ()
        else:
            if held.offset == 0:
                self._unit = bytearray(held.unit_size)
            if self._unit is not None:
                self._unit[held.offset:held.offset + held.size] = \
                    held.source.view[held.start:held.start + held.size]
            if is_last and self._unit is not None:
                self._copied.append(self._held_of(held, self._unit, 0))
                self._unit = None
        self._let_go(held)

    def _held_of(self, held, array, offset):
        copy = self._pool.pop() if self._pool else Held()
        source = _Copied(array)
        is_last = offset + len(array) == held.unit_size
        _lib.SAMPLE.pack_into(copy.buffer, 0, source.data, len(array),
                              held.epoch, held.position, offset,
                              held.unit_size, offset == 0, is_last)
        copy.fill(source)
        return copy

    def _wait(self, status, held, until):
        """Wait for OK, END or OVER; anything else is raised."""
        while status not in (OK, END, OVER):
            if status == HELD and self._events:
                self._wait_for_event(until)
            elif status == RESET and self._reconnect:
                self._connect_anew(until)
            elif status != TIMEOUT:
                self._check(status)
            timeout = self._slice(until)
            status = self._lib.next_wait(self._handle, timeout, held.address)
            if self._events:
                self._poll_events()
            if (status == TIMEOUT and until is not None and
                    time.monotonic() >= until):
                raise TimeoutError("no sample has come in time")
        return status

    def _slice(self, until):
        limit = _EVENT_MS if self._events else _SLICE_MS
        if until is None:
            return limit
        left = int((until - time.monotonic()) * 1000)
        return max(0, min(limit, left))

    def _connect_anew(self, until):
        text = self._error()
        self._finish_events()
        self._unit = None  # It comes again, from its beginning.
        seconds = self._reconnect
        if until is not None:
            seconds = min(seconds, max(0, until - time.monotonic()))
        status = self._lib.reopen(self._handle, int(seconds * 1000))
        if status == INVALID:
            raise _errors.ResetError(
                text + ": samples that were kept or lent are still held")
        if status == TIMEOUT and until is not None:
            raise TimeoutError(self._error())
        if status != OK:
            raise _errors.ResetError(self._error())
        self._source.is_live = False
        self._take_memory()

    @staticmethod
    def _hold(held):
        held.tokens.append(None)

    def _let_go(self, held):
        if held.tokens.pop() is LAST:
            self._give_back(held)

    def _give_back(self, held):
        with self._lock:  # Against close().
            if self._handle is not None and held.source.is_live:
                self._lib.release(self._handle, held.address)
        held.source = held.view = None
        self._pool.append(held)

    def _consumed(self, sample, held):
        """A sample was released by whoever had it."""
        if self._cursor is not None:
            with self._lock:
                self._note_consumed(sample, held)
        self._let_go(held)

    def _note_consumed(self, sample, held):
        if self._records != "parts":
            self._cursor.add(held.epoch, held.position, sample.record,
                             sample.is_last)
        else:
            self._cursor.add_part(held.epoch, held.position, held.offset,
                                  held.offset + held.size, held.unit_size)

    # ---- The GPU ---------------------------------------------------------

    def pin(self, device=None):
        """Register the ring's memory with the CUDA driver, so that copies to
        the device are direct and do not wait. CudaError where that fails; then
        nothing is registered."""
        from . import cuda  # pylint: disable=import-outside-toplevel
        if self._pid != os.getpid():
            raise _errors.ForkedError("the reader is of the process that this "
                                      "one was forked from: open it anew here")
        if self._source.pinned is not None:
            return self
        device = cuda.current_device() if device is None else int(device)
        memory = self._source.memory
        self._source.pinned = cuda.pin(memory.address, memory.size,
                                       self.slot_size, device)
        memory.before_unmap(self._source.pinned.unpin)
        self._device = device
        return self

    @property
    def is_pinned(self):
        """Whether the driver knows the ring's memory; in a child of fork() it
        does not."""
        source = self._source
        return source is not None and source.is_pinned

    def _release_after(self, held, stream):
        from . import cuda  # pylint: disable=import-outside-toplevel
        if self._pid != os.getpid():
            raise _errors.ForkedError("the sample is of the process that this "
                                      "one was forked from")
        event = cuda.event_of(stream, self._device)
        self._hold(held)
        with self._lock:  # Against another thread that empties a row.
            self._event_count += 1
            self._events.setdefault(event.row, deque()).append(
                (event, held, self._event_count))

    def _poll_events(self):
        """Let go of what the device is done with. A stream that is late does
        not hold up what is on others."""
        if self._pid != os.getpid():
            return  # The library says so.
        for name in list(self._events):
            row = self._events[name]
            while row and row[0][0].query():
                self._end_event(name, row)

    def _end_event(self, name, row):
        with self._lock:
            event, held, _ = row.popleft()
            self._event_ends += 1
            if not row:
                del self._events[name]
        event.close()
        self._let_go(held)

    def _wait_for_event(self, until):
        """Until the device is done with one more."""
        if until is None:
            self._finish_events(1)
            return
        before = self._event_count - self._event_ends
        while self._event_count - self._event_ends >= before:
            self._poll_events()
            if time.monotonic() >= until:
                raise TimeoutError("no sample has come in time: all are still "
                                   "being copied by the device")
            time.sleep(_EVENT_MS / 1000)

    def _finish_events(self, count=None):
        """Wait for the device to be done with the oldest, or with all."""
        while self._events and count != 0:
            name, row = min(list(self._events.items()),
                            key=lambda item: item[1][0][2])
            row[0][0].synchronize()
            self._end_event(name, row)
            count = None if count is None else count - 1

    # ---- Looking ---------------------------------------------------------

    def fileno(self):
        """For poll and the like, after next(0) has said TimeoutError."""
        fd = self._lib.fd(self._handle) if self._handle is not None else -1
        if fd < 0:
            raise OSError("the ring has no descriptor to wait for")
        return fd

    def stats(self):
        """Counters, by name (smshard(3))."""
        stats = _lib.Stats()
        if self._handle is not None:
            self._lib.stats(self._handle, ctypes.addressof(stats))
        return {name: getattr(stats, name) for name, _ in stats._fields_}

    @property
    def cursor(self):
        """The cursor that was given to open()."""
        return self._cursor


def open(channel="train", rank=None, records="raw", *, socket=None, mode=None,
         member=None, hold=0, timeout=10.0, reconnect=30.0, cursor=None,
         pin=False, copy=False):
    """Open a channel of this rank and return its Reader.

    records    what a sample is: "raw" a unit; "parts" a unit, or a part of one
               that is larger than a slot; or one of its records: "lines",
               "recordio", "tfrecord", "tar"
    rank       on this host; None: LOCAL_RANK, or 0
    socket     None: SMSHARD_RING, as the worker has set it
    mode       "exclusive", "share" or "broadcast", where another one is not to
               be taken; None: whatever the channel has
    member     of a broadcast, which one
    hold       slots held at once at most; 0: as many as there are
    timeout    seconds to be let in
    reconnect  seconds to wait for a worker that has gone; 0: ResetError
    cursor     what is passed over, and grows (smshard.Cursor)
    pin        register the memory with the CUDA driver; a device's number, or
               True for the current one
    copy       copy whole units and give them back at once, before they are
               given out: for one of several processes that somebody calls in
               turn, as a loader does its workers
    """
    if records not in FORMATS:
        raise _errors.InvalidError(
            f"{records!r} is no format of records; it is one of "
            + ", ".join(FORMATS))
    if mode not in MODES:
        raise _errors.InvalidError(
            f"{mode!r} is no mode; it is one of exclusive, share, broadcast")
    options = _lib.Options(
        ctypes.sizeof(_lib.Options),
        None if socket is None else os.fsencode(socket), channel.encode(),
        -1 if rank is None else int(rank), MODES[mode],
        -1 if member is None else int(member), int(hold),
        -1 if timeout is None else int(timeout * 1000))
    reader = Reader(options, records, cursor, reconnect, copy)
    if pin is not False and pin is not None:
        try:
            reader.pin(None if pin is True else pin)
        except builtins.BaseException:
            reader.close()
            raise
    return reader
