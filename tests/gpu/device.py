# SPDX-License-Identifier: Apache-2.0
"""The driver's calls that only measuring needs."""

import ctypes
import time

from smshard import cuda

_P, _I, _U, _Z, _D = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint,
                      ctypes.c_size_t, ctypes.c_uint64)
_TO = ctypes.POINTER
cuda._CALLS.update({
    "cuDriverGetVersion": (_TO(_I),),
    "cuDeviceGetName": (ctypes.c_char_p, _I, _I),
    "cuCtxSynchronize": (),
    "cuMemHostAlloc": (_TO(_P), _Z, _U),
    "cuMemFreeHost": (_P,),
    "cuMemAlloc_v2": (_TO(_D), _Z),
    "cuMemFree_v2": (_D,),
    "cuMemcpyHtoDAsync_v2": (_D, _P, _Z, _P),
    "cuMemcpyDtoH_v2": (_P, _D, _Z),
    "cuStreamCreate": (_TO(_P), _U),
    "cuStreamSynchronize": (_P,),
    "cuStreamDestroy_v2": (_P,),
})


class Device:
    """Device 0, with memory of its own and streams."""

    def __init__(self, size, streams=1):
        self.driver = cuda.driver()
        self.memory = _D()
        self.size = size
        self.streams = []
        with self.driver.current(0):
            self.driver.call("cuMemAlloc_v2", ctypes.byref(self.memory), size)
            for _ in range(streams):
                stream = _P()
                self.driver.call("cuStreamCreate", ctypes.byref(stream), 1)
                self.streams.append(stream)

    def name(self):
        """The device's."""
        text = ctypes.create_string_buffer(100)
        self.driver.call("cuDeviceGetName", text, 100, 0)
        return text.value.decode()

    def copy(self, address, size, stream=0, at=0):
        """Put a copy to the device on a stream; without the context."""
        self.driver.call("cuMemcpyHtoDAsync_v2", self.memory.value + at,
                         address, size, self.streams[stream])

    def read(self, size, at=0):
        """Bytes of the device's memory."""
        out = (ctypes.c_char * size)()
        with self.driver.current(0):
            self.driver.call("cuMemcpyDtoH_v2", ctypes.addressof(out),
                             self.memory.value + at, size)
        return bytes(out)

    def wait(self):
        """Until all streams are empty."""
        for stream in self.streams:
            self.driver.call("cuStreamSynchronize", stream)

    def rate(self, address, size, piece, repeats):
        """GB/s of copies of `piece` bytes, spread over the streams."""
        with self.driver.current(0):
            best = 0.0
            for _ in range(repeats):
                start = time.perf_counter()
                for i, at in enumerate(range(0, size - piece + 1, piece)):
                    self.copy(address + at, piece, i % len(self.streams),
                              at % max(1, self.size - piece + 1))
                self.wait()
                took = time.perf_counter() - start
                best = max(best, size // piece * piece / took / 1e9)
            return round(best, 3)

    def close(self):
        """Give all back."""
        with self.driver.current(0):
            for stream in self.streams:
                self.driver.ask("cuStreamDestroy_v2", stream)
            self.driver.ask("cuMemFree_v2", self.memory)
