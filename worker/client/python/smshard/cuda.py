# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver by ctypes: registered memory and events.

The driver's own interface, not the runtime's: a call of that which fails
leaves an error behind that somebody else meets later. Loaded when it is first
wanted; SMSHARD_CUDA_LIBRARY names another file.

Contexts are the devices' primary ones, which frameworks use too. They are
made current for each call and put back, so that whatever was current stays,
and are never given up: the process's end does that. Whoever is forked from a
process that uses the driver can't use it, not even to give back.
"""

import ctypes
import os
import sys
import threading

from ._errors import CudaError

NOT_INITIALIZED, NOT_READY = 3, 600
PORTABLE, READ_ONLY = 1, 8
BLOCKING_SYNC, DISABLE_TIMING = 1, 2  # Whoever waits sleeps.
RELAXED, CAPTURES = 2, 1  # CU_STREAM_CAPTURE_MODE_…, …_STATUS_ACTIVE
STREAM_MAX = 2  # Handles up to that stand for a stream of any context.
READ_ONLY_SUPPORTED = 113  # CU_DEVICE_ATTRIBUTE_…_HOST_REGISTER_SUPPORTED
CHUNK_MAX = 64 << 30  # Newer drivers refuse 512 GiB in one call.

_P, _I, _U, _Z = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint,
                  ctypes.c_size_t)
_TO = ctypes.POINTER
_CALLS = {
    "cuInit": (_U,),
    "cuDeviceGet": (_TO(_I), _I),
    "cuDeviceGetAttribute": (_TO(_I), _I, _I),
    "cuDevicePrimaryCtxRetain": (_TO(_P), _I),
    "cuCtxGetDevice": (_TO(_I),),
    "cuCtxPushCurrent_v2": (_P,),
    "cuCtxPopCurrent_v2": (_TO(_P),),
    "cuThreadExchangeStreamCaptureMode": (_TO(_I),),
    "cuStreamGetCtx": (_P, _TO(_P)),
    "cuStreamIsCapturing": (_P, _TO(_I)),
    "cuMemHostRegister_v2": (_P, _Z, _U),
    "cuMemHostUnregister": (_P,),
    "cuEventCreate": (_TO(_P), _U),
    "cuEventRecord": (_P, _P),
    "cuEventQuery": (_P,),
    "cuEventSynchronize": (_P,),
    "cuEventDestroy_v2": (_P,),
    "cuGetErrorName": (_I, _TO(ctypes.c_char_p)),
}


class _Current:
    """A context is the thread's, for a block. Within it calls do not break
    another thread's capture of a graph, which would be the end of that: what
    is done here is put on no stream that captures."""

    __slots__ = ("_ask", "_mode")

    def __init__(self, driver_, context):
        driver_.check_process()
        driver_.call("cuCtxPushCurrent_v2", context)
        self._ask = driver_.ask
        self._mode = _I(RELAXED)

    def __enter__(self):
        if self._ask("cuThreadExchangeStreamCaptureMode",
                     ctypes.byref(self._mode)) != 0:
            self._mode = None

    def __exit__(self, *_):
        if self._mode is not None:
            self._ask("cuThreadExchangeStreamCaptureMode",
                      ctypes.byref(self._mode))
        self._ask("cuCtxPopCurrent_v2", ctypes.byref(_P()))


class Driver:
    """libcuda.so.1, and the primary context of each device that was used."""

    def __init__(self, path):
        try:
            dll = ctypes.CDLL(path)
        except OSError as error:
            raise CudaError(f"there is no CUDA driver: {error}") from None
        self._calls = {}
        for name, arguments in _CALLS.items():
            try:
                call = dll[name]
            except AttributeError:
                raise CudaError(f"{path}: has no {name}: the driver is too "
                                "old") from None
            call.restype, call.argtypes = _I, arguments
            self._calls[name] = call
        self._contexts = {}
        # The garbage collector may come by while it is held, and unpin.
        self._lock = threading.RLock()
        self.pid = os.getpid()
        code = self.ask("cuInit", 0)
        if code != 0:
            raise CudaError(f"cuInit: {self.name_of(code)}" + (
                ": this process was forked from one that uses the driver; "
                "start it anew (spawn)" if code == NOT_INITIALIZED else ""))

    def check_process(self):
        """CudaError in a child of fork()."""
        if self.pid != os.getpid():
            raise CudaError(f"the CUDA driver is used by process {self.pid}, "
                            "which this one was forked from: use the device "
                            "there, or start this process anew (spawn)")

    def name_of(self, code):
        """CUDA_ERROR_…"""
        text = ctypes.c_char_p()
        if self._calls["cuGetErrorName"](code, ctypes.byref(text)) == 0:
            return f"{(text.value or b'').decode()} ({code})"
        return f"error {code}"

    def ask(self, name, *arguments):
        """Call it and return the code."""
        return self._calls[name](*arguments)

    def call(self, name, *arguments):
        """Call it; CudaError unless it succeeds."""
        code = self.ask(name, *arguments)
        if code != 0:
            raise CudaError(f"{name}: {self.name_of(code)}")

    def attribute(self, device, which):
        """One of the device's attributes; 0 where the driver has no such."""
        value, handle = _I(), _I()
        self.call("cuDeviceGet", ctypes.byref(handle), device)
        code = self.ask("cuDeviceGetAttribute", ctypes.byref(value), which,
                        handle)
        return value.value if code == 0 else 0

    def primary(self, device):
        """The handle of a device's primary context."""
        with self._lock:
            context = self._contexts.get(device)
            if context is None:
                handle, context = _I(), _P()
                self.call("cuDeviceGet", ctypes.byref(handle), device)
                self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context),
                          handle)
                context = self._contexts[device] = context.value
            return context

    def context_of(self, stream, device):
        """The context of a stream by its handle; `device` where that may be
        any context's."""
        self.check_process()
        if device is not None or stream <= STREAM_MAX:
            return self.primary(current_device() if device is None else device)
        context = _P()
        self.call("cuStreamGetCtx", stream, ctypes.byref(context))
        return context.value

    def current(self, device):
        """A block within the device's primary context."""
        self.check_process()
        return _Current(self, self.primary(device))

    def within(self, context):
        """A block within that context."""
        return _Current(self, context)

    def current_device(self):
        """That of the thread's context; 0 where it has none."""
        device = _I()
        self.check_process()
        code = self.ask("cuCtxGetDevice", ctypes.byref(device))
        return device.value if code == 0 else 0


_driver = None
_start = threading.Lock()


def driver():
    """The driver, loaded when it is first wanted."""
    global _driver
    if _driver is None:
        with _start:
            if _driver is None:
                _driver = Driver(os.environ.get("SMSHARD_CUDA_LIBRARY",
                                                "libcuda.so.1"))
    _driver.check_process()
    return _driver


def _torch():
    """torch, if somebody has loaded it and uses a GPU with it."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        return torch
    return None


def current_device():
    """The framework's, else that of the thread's context, else the first."""
    torch = _torch()
    if torch is not None:
        return torch.cuda.current_device()
    return driver().current_device()


# ---- Registered memory -----------------------------------------------------

class Pinned:
    """Memory that the driver knows."""

    def __init__(self, of, device):
        self._driver = of
        self._device = device
        self.chunks = []

    def register(self, address, size, flags):
        """Register one chunk more."""
        with self._driver.current(self._device):
            self._driver.call("cuMemHostRegister_v2", address, size, flags)
        self.chunks.append((address, size))

    @property
    def is_ours(self):
        """Whether the driver knows it in this process: registrations are not
        inherited."""
        return bool(self.chunks) and self._driver.pid == os.getpid()

    def unpin(self):
        """Take all back, the last one first. A child of fork() has nothing to
        take back, and neither has whoever comes when the driver has gone."""
        is_ours = self.is_ours
        chunks, self.chunks = self.chunks, []
        if not is_ours:
            return
        try:
            with self._driver.current(self._device):
                for address, _ in reversed(chunks):
                    self._driver.ask("cuMemHostUnregister", address)
        except CudaError:
            pass  # The device is lost: so are its registrations.


def pin(address, size, slot_size, device, chunk_max=CHUNK_MAX):
    """Register `size` bytes, no slot in two pieces; all or nothing."""
    of = driver()
    flags = PORTABLE
    if of.attribute(device, READ_ONLY_SUPPORTED):
        flags |= READ_ONLY  # The mapping is.
    chunk = max(slot_size, chunk_max // slot_size * slot_size)
    pinned = Pinned(of, device)
    try:
        for at in range(0, size, chunk):
            pinned.register(address + at, min(chunk, size - at), flags)
    except BaseException as error:  # An interrupt, too.
        done = len(pinned.chunks)
        pinned.unpin()
        if not isinstance(error, CudaError):
            raise
        raise CudaError(f"register {size} bytes of the ring with device "
                        f"{device}: {error}, after {done} pieces; they were "
                        "taken back") from None
    return pinned


# ---- Events ----------------------------------------------------------------

class Event:
    """Recorded on a stream: everything that was put there before."""

    _free = {}  # By context: events that can be recorded again.

    def __init__(self, stream, device):
        self._driver = driver()
        self._context = self._driver.context_of(stream, device)
        # Two contexts' default streams are two.
        self.row = self._context, stream
        free = self._free.setdefault(self._context, [])
        with self._driver.within(self._context):
            self._refuse_capture(stream)
            try:
                self._event = free.pop()
            except IndexError:
                self._event = _P()
                self._driver.call("cuEventCreate", ctypes.byref(self._event),
                                  DISABLE_TIMING | BLOCKING_SYNC)
            try:
                self._driver.call("cuEventRecord", self._event, stream)
            except CudaError:
                self.close()
                raise

    def _refuse_capture(self, stream):
        state = _I()
        if self._driver.ask("cuStreamIsCapturing", stream,
                            ctypes.byref(state)) == 0 and \
                state.value == CAPTURES:
            raise CudaError("the stream is captured into a graph: a copy out "
                            "of a sample can't be part of one, for the "
                            "sample's place has other bytes when it is run")

    def query(self):
        """Whether the device has come by. An error is not "yes": what it was
        to copy may still be wanted."""
        with self._driver.within(self._context):
            code = self._driver.ask("cuEventQuery", self._event)
        if code not in (0, NOT_READY):
            raise CudaError(f"cuEventQuery: {self._driver.name_of(code)}: the "
                            "copies out of this sample may not have ended")
        return code == 0

    def synchronize(self):
        """Wait until it has."""
        with self._driver.within(self._context):
            self._driver.call("cuEventSynchronize", self._event)

    def close(self):
        """It is not wanted any more."""
        event, self._event = self._event, None
        if event is not None:
            self._free[self._context].append(event)


class _Foreign:
    """An event of somebody else's, already recorded."""

    row = "events"  # They do not say which stream they are on.

    def __init__(self, event):
        # The driver takes one that was not for one that is done.
        if getattr(event, "cuda_event", None) == 0:  # torch's, not yet made.
            raise ValueError("the event was not recorded: record it behind "
                             "the copies, on their stream")
        self._event = event

    def query(self):
        """Whether the device has come by."""
        event = self._event
        for name in ("query", "done", "is_done"):
            if hasattr(event, name):
                said = getattr(event, name)
                return bool(said() if callable(said) else said)
        raise TypeError(f"{event!r} can't be asked")

    def synchronize(self):
        """Wait until it has."""
        event = self._event
        (event.synchronize if hasattr(event, "synchronize") else event.sync)()

    def close(self):
        """It stays its owner's."""


def _has_any(thing, *names):
    return any(hasattr(thing, name) for name in names)


def _is_event(thing):
    """torch's and numba's, cupy's, cuda.core's. Streams have most of what
    events have, and cupy's events have the handles of its streams' names."""
    return (_has_any(thing, "query", "done", "is_done") and
            _has_any(thing, "synchronize", "sync") and
            not _has_any(thing, "cuda_stream", "__cuda_stream__",
                         "wait_event"))


def _handle_of(stream):
    if isinstance(stream, int):
        return stream
    for name in ("cuda_stream", "ptr"):  # torch's, cupy's
        if hasattr(stream, name):
            return int(getattr(stream, name))
    if hasattr(stream, "__cuda_stream__"):
        about = stream.__cuda_stream__
        return int((about() if callable(about) else about)[1])
    raise TypeError(f"{stream!r} is no CUDA stream and no event")


def _device_of(stream):
    """A stream's device, where it says so: torch's, cupy's."""
    index = getattr(getattr(stream, "device", None), "index", None)
    if index is None:
        index = getattr(stream, "device_id", None)
    return index if isinstance(index, int) and index >= 0 else None


def event_of(stream, device=None):
    """An event behind all that was put on `stream` so far. `device`: whose
    default stream is meant."""
    if _is_event(stream):
        return _Foreign(stream)
    if stream is None:
        torch = _torch()
        stream = torch.cuda.current_stream() if torch is not None else 0
    handle = _handle_of(stream)
    index = _device_of(stream)
    if index is None and handle <= STREAM_MAX:
        index = device
    return Event(handle, index)
