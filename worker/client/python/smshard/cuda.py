# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver by ctypes: registered memory and events.

The driver's own interface, not the runtime's: a call of that which fails
leaves an error behind that somebody else meets later. Loaded when it is first
wanted; SMSHARD_CUDA_LIBRARY names another file.
"""

import contextlib
import ctypes
import os
import sys
import threading

from ._errors import CudaError

NOT_READY = 600
PORTABLE, READ_ONLY = 1, 8
DISABLE_TIMING = 2
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
    "cuCtxPushCurrent_v2": (_P,),
    "cuCtxPopCurrent_v2": (_TO(_P),),
    "cuMemHostRegister_v2": (_P, _Z, _U),
    "cuMemHostUnregister": (_P,),
    "cuEventCreate": (_TO(_P), _U),
    "cuEventRecord": (_P, _P),
    "cuEventQuery": (_P,),
    "cuEventSynchronize": (_P,),
    "cuEventDestroy_v2": (_P,),
    "cuGetErrorName": (_I, _TO(ctypes.c_char_p)),
}


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
        self._lock = threading.Lock()
        self.pid = os.getpid()
        self.call("cuInit", 0)

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

    def _context(self, device):
        with self._lock:
            context = self._contexts.get(device)
            if context is None:
                handle, context = _I(), _P()
                self.call("cuDeviceGet", ctypes.byref(handle), device)
                self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context),
                          handle)
                self._contexts[device] = context
            return context

    @contextlib.contextmanager
    def current(self, device):
        """The device's primary context, which frameworks use too."""
        self.call("cuCtxPushCurrent_v2", self._context(device))
        try:
            yield
        finally:
            self.ask("cuCtxPopCurrent_v2", ctypes.byref(_P()))


_driver = None


def driver():
    """The driver, loaded when it is first wanted."""
    global _driver
    if _driver is None:
        _driver = Driver(os.environ.get("SMSHARD_CUDA_LIBRARY",
                                        "libcuda.so.1"))
    return _driver


def _torch():
    """torch, if somebody has loaded it and uses a GPU with it."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        return torch
    return None


def current_device():
    """The framework's, or the first."""
    torch = _torch()
    return torch.cuda.current_device() if torch is not None else 0


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

    def unpin(self):
        """Take all back, the last one first. A child of fork() has nothing to
        take back."""
        chunks, self.chunks = self.chunks, []
        if not chunks or self._driver.pid != os.getpid():
            return
        with self._driver.current(self._device):
            for address, _ in reversed(chunks):
                self._driver.ask("cuMemHostUnregister", address)


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
    except CudaError as error:
        done = len(pinned.chunks)
        pinned.unpin()
        raise CudaError(f"register {size} bytes of the ring with device "
                        f"{device}: {error}, after {done} pieces; they were "
                        "taken back") from None
    return pinned


# ---- Events ----------------------------------------------------------------

class Event:
    """Recorded on a stream: everything that was put there before."""

    _free = {}  # By device: events that can be recorded again.

    def __init__(self, stream, device):
        self._driver = driver()
        self._device = device
        free = self._free.setdefault(device, [])
        with self._driver.current(device):
            if free:
                self._event = free.pop()
            else:
                self._event = _P()
                self._driver.call("cuEventCreate", ctypes.byref(self._event),
                                  DISABLE_TIMING)
            try:
                self._driver.call("cuEventRecord", self._event, stream)
            except CudaError:
                self.close()
                raise

    def query(self):
        """Whether the device has come by. An error is not "yes": what it was
        to copy may still be wanted."""
        with self._driver.current(self._device):
            code = self._driver.ask("cuEventQuery", self._event)
        if code not in (0, NOT_READY):
            raise CudaError(f"cuEventQuery: {self._driver.name_of(code)}: the "
                            "copies out of this sample may not have ended")
        return code == 0

    def synchronize(self):
        """Wait until it has."""
        with self._driver.current(self._device):
            self._driver.call("cuEventSynchronize", self._event)

    def close(self):
        """It is not wanted any more."""
        event, self._event = self._event, None
        if event is not None:
            self._free[self._device].append(event)


class _Foreign:
    """An event of somebody else's, already recorded."""

    def __init__(self, event):
        self.query = event.query
        self.synchronize = event.synchronize

    def close(self):
        """It stays its owner's."""


def _is_event(thing):
    return (hasattr(thing, "query") and hasattr(thing, "synchronize") and
            not hasattr(thing, "cuda_stream"))


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


def event_of(stream, device=None):
    """An event behind all that was put on `stream` so far."""
    if _is_event(stream):
        return _Foreign(stream)
    if stream is None:
        torch = _torch()
        stream = torch.cuda.current_stream() if torch is not None else 0
    index = getattr(getattr(stream, "device", None), "index", None)
    if index is None:
        index = device if device is not None else current_device()
    return Event(_handle_of(stream), index)
