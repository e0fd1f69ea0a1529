# SPDX-License-Identifier: Apache-2.0
"""DLPack: a sample's bytes for whoever takes the capsule, and held for it.

A tensor of theirs names its owner's deleter; ours lets go of the sample. What
is lent stands in `_lent` until then.
"""

import atexit
import ctypes
import itertools

from . import _lib

CPU, CUDA_HOST = 1, 3
_UINT, _BITS = 1, 8
_READ_ONLY, _IS_COPIED = 1, 2


class _Tensor(ctypes.Structure):
    """DLTensor"""
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32),
                ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class _Managed(ctypes.Structure):
    """DLManagedTensor"""
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p)]


class _Versioned(ctypes.Structure):
    """DLManagedTensorVersioned"""
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32),
                ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p),
                ("flags", ctypes.c_uint64), ("tensor", _Tensor)]


_lent = {}  # By number: what keeps the memory as it is.
_numbers = itertools.count(1)  # Never 0: that would be no context.


def _give_back(number):
    lent = _lent.pop(number, None)
    if lent is not None:
        lent[0]()


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _delete(address):
    _give_back(_Managed.from_address(address).context)


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _delete_versioned(address):
    _give_back(_Versioned.from_address(address).context)


_python = ctypes.pythonapi
_python.PyCapsule_New.restype = ctypes.py_object
_python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p,
                                  ctypes.c_void_p]
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _python))
_pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p,
                                ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _python))

_increase = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", _python))


@atexit.register
def _lend_for_ever():
    """The interpreter ends. Whoever frees a tensor after that, as code behind
    other packages may, can't be answered any more: no deleter is left to call,
    and what it would look at stays. Its samples count as not done."""
    for lent in list(_lent.values()):
        _increase(lent)
        lent[1].deleter = None


_NAMES = {_Managed: b"dltensor", _Versioned: b"dltensor_versioned"}


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _forget(capsule):
    """A capsule goes. Whoever took what is in it has renamed it."""
    for kind, name in _NAMES.items():
        if _is_valid(capsule, name):
            _give_back(kind.from_address(_pointer_of(capsule, name)).context)


def _aside():
    """The functions above, as the library calls them: whatever is being raised
    then is put aside. By kind, and that of a capsule."""
    lib = _lib.get()
    calls = _lib.PythonCalls(*(
        ctypes.cast(call, ctypes.c_void_p).value for call in (
            _python.PyGILState_Ensure, _python.PyGILState_Release,
            _python.PyErr_Fetch, _python.PyErr_Restore,
            _delete, _delete_versioned, _forget)))
    lib.python_set(ctypes.addressof(calls))
    for callback in (_delete, _delete_versioned, _forget):
        _increase(callback)  # Whoever took a capsule calls them at the end.
    return {_Managed: lib.address_of("python_delete_managed"),
            _Versioned: lib.address_of("python_delete_versioned"),
            None: lib.address_of("python_forget")}


_callbacks = None


def device_of(sample):
    """(kind, number) of the memory. Registered memory is the CPU's as well,
    and few who take capsules know it by its own name."""
    sample._held_or_raise()
    return CPU, 0


def _wanted_device(sample, dl_device):
    mine = device_of(sample)
    if dl_device is None:
        return mine
    wanted = tuple(int(n) for n in dl_device)
    is_pinned = sample._held.source.is_pinned and not sample._is_copy
    if wanted != mine and not (is_pinned and wanted == (CUDA_HOST, 0)):
        raise BufferError(f"the sample lies on device {mine}, not {wanted}")
    return wanted


def _memory_of(sample, member):
    """(address, size, what keeps it where it is)."""
    if not sample._is_copy:
        size = sample._size if member is None else sample._members[member][1]
        return sample.address(member), size, sample._held.source
    return _copy_of(sample._bytes_of(member))


def _copy_of(view):
    array = (ctypes.c_ubyte * max(1, view.nbytes)).from_buffer_copy(
        bytes(view) or b"\0")
    return ctypes.addressof(array), view.nbytes, array


def capsule_of(sample, max_version, dl_device, member, is_lent=True,
               is_copy=False):
    """A capsule of the sample's bytes. Lent: the sample is held until the
    taker's deleter; else only its memory is. A copy is the taker's own."""
    global _callbacks
    _callbacks = _callbacks or _aside()
    held, reader = sample._held_or_raise(), sample._reader
    if is_copy:
        is_lent, kind, number = False, CPU, 0
        if dl_device is not None and tuple(map(int, dl_device)) != (CPU, 0):
            raise BufferError(f"a sample is copied to (1, 0), not {dl_device}")
        address, size, keeper = _copy_of(sample._bytes_of(member))
    else:
        kind, number = _wanted_device(sample, dl_device)
        address, size, keeper = _memory_of(sample, member)
    if is_lent:
        reader._hold(held)
        let_go = lambda: reader._let_go(held)  # noqa: E731
    else:
        let_go = lambda: None  # noqa: E731
    is_versioned = max_version is not None and max_version[0] >= 1
    managed = (_Versioned if is_versioned else _Managed)()
    shape = (ctypes.c_int64 * 1)(size)
    tensor = managed.tensor
    tensor.data, tensor.device_type, tensor.device_id = address, kind, number
    tensor.ndim, tensor.shape, tensor.strides = 1, shape, None
    tensor.code, tensor.bits, tensor.lanes = _UINT, _BITS, 1
    if is_versioned:
        managed.major, managed.minor = 1, 0
        managed.flags = _IS_COPIED if is_copy else _READ_ONLY
    managed.context = next(_numbers)
    managed.deleter = _callbacks[type(managed)]
    if is_lent or not (is_copy or sample._is_copy):
        sample._note_taker(managed)
    _lent[managed.context] = (let_go, managed, shape, keeper)
    return _python.PyCapsule_New(ctypes.addressof(managed),
                                 _NAMES[type(managed)], _callbacks[None])
