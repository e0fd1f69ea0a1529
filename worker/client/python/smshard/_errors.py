# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, each with the line that says what to do."""


class Error(Exception):
    """Anything that this package raises of its own."""


class ResetError(Error, ConnectionError):
    """The worker has gone, or turned this process out."""


class RefusedError(Error):
    """No such channel, rank or mode; or the worker is of another version."""


class InvalidError(Error, ValueError):
    """The caller's mistake."""


class HeldError(Error):
    """Nothing can come before a sample that is held is released."""


class ForkedError(Error):
    """The reader was opened by another process, this one's parent."""


class SystemCallError(Error, OSError):
    """The system refused a call, or memory."""


class RecordError(Error, ValueError):
    """A unit is not of the format; its rest is passed over."""


class CudaError(Error):
    """The CUDA driver refused a call, or there is none."""


OK, END, OVER, TIMEOUT = 0, 1, 2, 3
RESET, REFUSED, INVALID, HELD, STALE, FORKED, SYSTEM, MALFORMED = range(
    -1, -9, -1)

_KINDS = {
    RESET: ResetError,
    REFUSED: RefusedError,
    INVALID: InvalidError,
    HELD: HeldError,
    FORKED: ForkedError,
    SYSTEM: SystemCallError,
    MALFORMED: RecordError,
}


def make(status, text):
    """The exception for a status of the library."""
    if status == TIMEOUT:
        return TimeoutError(text)
    return _KINDS.get(status, Error)(text)
