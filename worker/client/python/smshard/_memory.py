# SPDX-License-Identifier: Apache-2.0
"""A mapping of the ring's data of our own.

The library unmaps its one when it is closed or connects anew. Views and arrays
outlive that, so they look at a second mapping of the same pages, which goes
when the last of them does.
"""

import ctypes
import os
import weakref

_MAYMOVE = 1
_DOFORK = 11

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mremap.restype = ctypes.c_void_p
_libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t,
                         ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_FAILED = ctypes.c_void_p(-1).value


def _unmap(address, size, before):
    for act in reversed(before):
        act()
    _libc.munmap(address, size)


class Memory:
    """Bytes at `address`; `view` is all of them, read-only."""

    def __init__(self, data, size):
        # Of shared memory, "nothing moved elsewhere" is a second mapping.
        address = _libc.mremap(data, 0, size, _MAYMOVE)
        if address is None or address == _FAILED:
            code = ctypes.get_errno()
            raise OSError(code, "map the ring's memory: " + os.strerror(code))
        # Views that a child of fork() has inherited must not kill it.
        _libc.madvise(address, size, _DOFORK)
        self.address = address
        self.size = size
        self._before = []
        array = (ctypes.c_ubyte * size).from_address(address)
        self._end = weakref.finalize(array, _unmap, address, size,
                                     self._before)
        self._end.atexit = False
        self.view = memoryview(array).cast("B").toreadonly()

    def before_unmap(self, act):
        """Have `act` called before the mapping goes; the last one first."""
        self._before.append(act)

    @property
    def is_mapped(self):
        """Whether anybody still looks at it."""
        return self._end.alive
