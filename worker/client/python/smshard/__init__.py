# SPDX-License-Identifier: Apache-2.0
"""Read what smshard delivers to a training process, where it lies.

    import smshard

    with smshard.open("train", records="tar") as reader:
        for epoch in reader.epochs():
            for sample in epoch:
                train(sample["jpg"], sample["cls"])

A sample's data are memoryviews of shared memory that the worker fills. They
are good until the sample is released: when the next one is asked for, or by
hand (`keep()`, `release()`, `with sample:`). Released is done: it is not
delivered again. See docs/python.md.
"""

from ._errors import (CudaError, Error, ForkedError, HeldError, InvalidError,
                      RecordError, RefusedError, ResetError, SystemCallError)
from ._lib import version
from ._reader import Epoch, Reader, open  # pylint: disable=redefined-builtin
from ._sample import Sample
from .cursor import Cursor

__all__ = ["CudaError", "Cursor", "Epoch", "Error", "ForkedError", "HeldError",
           "InvalidError", "Reader", "RecordError", "RefusedError",
           "ResetError", "Sample", "SystemCallError", "open", "version"]
