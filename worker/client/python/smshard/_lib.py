# SPDX-License-Identifier: Apache-2.0
"""libsmshard by ctypes: its structs and its functions, as smshard.h has them.

Calls that return at once keep the interpreter's lock (`now`): to give it up
costs more than they do. Calls that may wait do not (`wait`).
"""

import ctypes
import os
import struct

from ._errors import Error

_NAME = "libsmshard.so.0"


class Options(ctypes.Structure):
    """struct smshard_options"""
    _fields_ = [("size", ctypes.c_size_t), ("socket", ctypes.c_char_p),
                ("channel", ctypes.c_char_p), ("rank", ctypes.c_int),
                ("mode", ctypes.c_int), ("member", ctypes.c_int),
                ("hold_max", ctypes.c_uint), ("timeout_ms", ctypes.c_int)]


# struct smshard_sample: data size epoch position offset unit_size is_first
# is_last, and the token.
SAMPLE = struct.Struct("@NNQQQQii")
SAMPLE_SIZE = SAMPLE.size + 8 * 4

# struct smshard_record: at size key ext key_size ext_size flags
RECORD = struct.Struct("@QQIIHHI")
RECORD_FIRST, RECORD_JOINED = 1, 2

# struct smshard_records: records count names names_size joined joined_size
RECORDS = struct.Struct("@NNNNNN")


class Memory(ctypes.Structure):
    """struct smshard_memory"""
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t),
                ("slot_size", ctypes.c_size_t),
                ("slot_count", ctypes.c_uint32), ("mode", ctypes.c_int),
                ("consumer", ctypes.c_uint32)]


class Stats(ctypes.Structure):
    """struct smshard_stats"""
    _fields_ = [(name, ctypes.c_uint64) for name in
                ("samples", "bytes", "slots", "held", "stale", "skipped",
                 "sleeps", "sleep_ns")]


class PythonCalls(ctypes.Structure):
    """struct smshard_python"""
    _fields_ = [(name, ctypes.c_void_p) for name in
                ("ensure", "release", "fetch", "restore", "delete_managed",
                 "delete_versioned", "forget")]


def _places():
    """Where the library may be, the surest first."""
    named = os.environ.get("SMSHARD_LIBRARY")
    if named:
        return [named]
    places = [_NAME]
    folder = os.path.dirname(os.path.abspath(__file__))
    for _ in range(6):
        places += [os.path.join(folder, _NAME),
                   os.path.join(folder, "lib", _NAME)]
        folder = os.path.dirname(folder)
    return places


def _find():
    first = None
    for place in _places():
        if os.path.isabs(place) and not os.path.exists(place):
            continue
        try:
            ctypes.CDLL(place)
            return place
        except OSError as error:
            first = first or error
    raise Error(f"{_NAME} was not found: install it, or name its file in "
                f"SMSHARD_LIBRARY ({first})")


_V, _I = ctypes.c_void_p, ctypes.c_int
_OUT = ctypes.POINTER(ctypes.c_void_p)
_TEXT = ctypes.c_char_p


class Lib:
    """The functions; one for the process."""

    def __init__(self):
        path = _find()
        slow, quick = ctypes.CDLL(path), ctypes.PyDLL(path)

        def bind(dll, name, result, *arguments):
            try:
                function = dll["smshard_" + name]
            except AttributeError:
                raise Error(f"{path} is of another version: it has no "
                            f"smshard_{name}") from None
            function.restype, function.argtypes = result, arguments
            return function

        def address_of(name):
            return ctypes.cast(bind(quick, name, None, _V), _V).value

        self.address_of = address_of
        self.python_set = bind(quick, "python_set", None, _V)
        self.open = bind(slow, "open", _I, _V, _TEXT, ctypes.c_size_t, _OUT)
        self.reopen = bind(slow, "reopen", _I, _V, _I)
        self.next_wait = bind(slow, "next", _I, _V, _I, _V)
        self.next_now = bind(quick, "next", _I, _V, _I, _V)
        self.release = bind(quick, "release", _I, _V, _V)
        self.fd = bind(quick, "fd", _I, _V)
        self.memory = bind(quick, "memory", _I, _V, _V)
        self.stats = bind(quick, "stats", _I, _V, _V)
        self.close = bind(slow, "close", None, _OUT)
        self.error = bind(quick, "error", _TEXT, _V)
        self.version = bind(quick, "version", _TEXT)
        self.decoder_new = bind(quick, "decoder_new", _I, _TEXT, _TEXT,
                                ctypes.c_size_t, _OUT)
        self.decode = bind(quick, "decode", _I, _V, _V, _V)
        self.decoder_error = bind(quick, "decoder_error", _TEXT, _V)
        self.decoder_free = bind(quick, "decoder_free", None, _OUT)


_lib = None


def get():
    """The library, loaded when it is first wanted."""
    global _lib
    if _lib is None:
        _lib = Lib()
    return _lib


def version():
    """The library's version."""
    return get().version().decode()
