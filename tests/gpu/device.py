# SPDX-License-Identifier: Apache-2.0
"""The driver's calls that only measuring needs."""

import contextlib
import ctypes
import os
import statistics

from smshard import cuda

_P, _I, _U, _Z, _D = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint,
                      ctypes.c_size_t, ctypes.c_uint64)
_TO = ctypes.POINTER
cuda._CALLS.update({
    "cuDriverGetVersion": (_TO(_I),),
    "cuDeviceGetName": (ctypes.c_char_p, _I, _I),
    "cuDeviceGetPCIBusId": (ctypes.c_char_p, _I, _I),
    "cuMemHostAlloc": (_TO(_P), _Z, _U),
    "cuMemFreeHost": (_P,),
    "cuMemAlloc_v2": (_TO(_D), _Z),
    "cuMemFree_v2": (_D,),
    "cuMemcpyHtoDAsync_v2": (_D, _P, _Z, _P),
    "cuMemcpyDtoH_v2": (_P, _D, _Z),
    "cuPointerGetAttribute": (_P, _I, _D),
    "cuStreamCreate": (_TO(_P), _U),
    "cuStreamQuery": (_P,),
    "cuStreamSynchronize": (_P,),
    "cuStreamWaitEvent": (_P, _P, _U),
    "cuStreamDestroy_v2": (_P,),
    "cuEventElapsedTime": (_TO(ctypes.c_float), _P, _P),
})

MEMORY_TYPE = 2  # CU_POINTER_ATTRIBUTE_MEMORY_TYPE
ATTRIBUTES = {"host_register": 99, "read_only_register": 113,
              "pageable_access": 88, "host_page_tables": 100,
              "copy_engines": 40, "compute_mode": 20}
_STREAM_ORDER = 1  # CU_MEMCPY_SRC_ACCESS_ORDER_STREAM


class _How(ctypes.Structure):
    """CUmemcpyAttributes, and room for what later ones have."""
    _fields_ = [("order", _I), ("from_type", _I), ("from_id", _I),
                ("to_type", _I), ("to_id", _I), ("flags", _U),
                ("more", ctypes.c_char * 40)]


def _batch_call():
    """(the function, its name, whether it says which copy was wrong), or None
    where the driver has none: it came with CUDA 12.8, and lost an argument
    with 13."""
    dll = ctypes.CDLL(os.environ.get("SMSHARD_CUDA_LIBRARY", "libcuda.so.1"))
    arrays = (_TO(_D), _TO(_D), _TO(_Z), _Z, _TO(_How), _TO(_Z), _Z)
    for name, has_index in (("cuMemcpyBatchAsync_v2", False),
                            ("cuMemcpyBatchAsync", True)):
        call = getattr(dll, name, None)
        if call is not None:
            call.restype = _I
            call.argtypes = arrays + ((_TO(_Z), _P) if has_index else (_P,))
            return call, name, has_index
    return None


def about():
    """The device, in plain data."""
    of, version = cuda.driver(), _I()
    name, place = (ctypes.create_string_buffer(100) for _ in range(2))
    of.call("cuDriverGetVersion", ctypes.byref(version))
    of.call("cuDeviceGetName", name, 100, 0)
    of.call("cuDeviceGetPCIBusId", place, 100, 0)
    batch = _batch_call()
    return {"name": name.value.decode(), "at": place.value.decode(),
            "cuda": f"{version.value // 1000}.{version.value % 1000 // 10}",
            "batch": batch[1] if batch else None,
            **{key: of.attribute(0, n) for key, n in ATTRIBUTES.items()}}


def is_known(address):
    """Whether the driver knows this memory, here and now."""
    out = _U()
    with cuda.driver().current(0):
        return cuda.driver().ask("cuPointerGetAttribute", ctypes.byref(out),
                                 MEMORY_TYPE, address) == 0


class Mark:
    """An event with a time."""

    def __init__(self, of):
        self._driver = of
        self._event = _P()
        of.call("cuEventCreate", ctypes.byref(self._event), 0)

    def put(self, stream):
        """On a stream."""
        self._driver.call("cuEventRecord", self._event, stream)
        return self

    def hold_up(self, stream):
        """Let the stream wait for it."""
        self._driver.call("cuStreamWaitEvent", stream, self._event, 0)

    def wait(self):
        """Until the device has come by."""
        self._driver.call("cuEventSynchronize", self._event)

    def ms_since(self, other):
        """By the device's clock; both have to be done."""
        out = ctypes.c_float()
        self._driver.call("cuEventElapsedTime", ctypes.byref(out),
                          other._event, self._event)
        return out.value

    def close(self):
        """Give it back."""
        self._driver.ask("cuEventDestroy_v2", self._event)


class Device:
    """Device 0, with memory of its own and streams."""

    def __init__(self, size, streams=1):
        self.driver = cuda.driver()
        self.memory = _D()
        self.size = size
        self.streams = []
        self._batch = _batch_call()
        with self.driver.current(0):
            self.driver.call("cuMemAlloc_v2", ctypes.byref(self.memory), size)
            for _ in range(streams):
                stream = _P()
                self.driver.call("cuStreamCreate", ctypes.byref(stream), 1)
                self.streams.append(stream.value)

    def current(self):
        """A block within the device's context."""
        return self.driver.current(0)

    @contextlib.contextmanager
    def own(self, size):
        """The address of host memory of the driver's own, for a block."""
        at = _P()
        with self.current():
            self.driver.call("cuMemHostAlloc", ctypes.byref(at), size, 1)
        try:
            yield at.value
        finally:
            with self.current():
                self.driver.call("cuMemFreeHost", at)

    def copy(self, address, size, stream=0, at=0):
        """Put a copy to the device on a stream; in the context."""
        self.driver.call("cuMemcpyHtoDAsync_v2", self.memory.value + at,
                         address, size, self.streams[stream])

    def copy_batch(self, copies, stream=0):
        """Put many, (address, size, at), on a stream at once; in the
        context."""
        call, name, has_index = self._batch
        count = len(copies)
        to, source = (_D * count)(), (_D * count)()
        sizes, which, wrong = (_Z * count)(), (_Z * 1)(0), _Z()
        for i, (address, size, at) in enumerate(copies):
            source[i], sizes[i], to[i] = address, size, self.memory.value + at
        tail = (ctypes.byref(wrong),) if has_index else ()
        code = call(to, source, sizes, count, _How(order=_STREAM_ORDER),
                    which, 1, *tail, self.streams[stream])
        if code != 0:
            raise cuda.CudaError(f"{name}: {self.driver.name_of(code)}")

    @property
    def has_batch(self):
        """Whether the driver can."""
        return self._batch is not None

    def read(self, size, at=0):
        """Bytes of the device's memory."""
        out = (ctypes.c_char * size)()
        with self.current():
            self.driver.call("cuMemcpyDtoH_v2", ctypes.addressof(out),
                             self.memory.value + at, size)
        return bytes(out)

    def wait(self):
        """Until all streams are empty; in the context."""
        for stream in self.streams:
            self.driver.call("cuStreamSynchronize", stream)

    def is_busy(self, stream=0):
        """Whether something is on a stream; in the context."""
        code = self.driver.ask("cuStreamQuery", self.streams[stream])
        if code not in (0, cuda.NOT_READY):
            raise cuda.CudaError(f"cuStreamQuery: {self.driver.name_of(code)}")
        return code == cuda.NOT_READY

    def took_ms(self, act, streams=1):
        """How long the device works on what `act` puts on that many streams,
        by its own clock; in the context."""
        begin, end, part = (Mark(self.driver) for _ in range(3))
        begin.put(self.streams[0])
        for stream in self.streams[1:streams]:
            begin.hold_up(stream)
        act()
        for stream in self.streams[1:streams]:
            part.put(stream).hold_up(self.streams[0])
        end.put(self.streams[0])
        self.wait()
        took = end.ms_since(begin)
        for mark in (begin, end, part):
            mark.close()
        return took

    def pass_over(self, address, size, piece, streams=1, batch=0):
        """GB/s of one pass over host memory by copies of `piece` bytes, spread
        over the streams; in the context."""
        places = [(address + at, piece, at % max(1, self.size - piece + 1))
                  for at in range(0, size - piece + 1, piece)]

        def put():
            if batch:
                for i in range(0, len(places), batch):
                    self.copy_batch(places[i:i + batch])
                return
            for i, (source, count, at) in enumerate(places):
                self.copy(source, count, i % streams, at)

        return len(places) * piece / 1e6 / self.took_ms(put, streams)

    def close(self):
        """Give all back."""
        with self.current():
            for stream in self.streams:
                self.driver.ask("cuStreamDestroy_v2", stream)
            self.driver.ask("cuMemFree_v2", self.memory)


def median(act, repeats):
    """Of what several calls of it say, three digits."""
    return round(statistics.median(act() for _ in range(repeats)), 3)
