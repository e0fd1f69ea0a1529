# SPDX-License-Identifier: Apache-2.0
"""Not PyTorch: the few names that smshard.torch's dataset needs, so that its
logic (passes, workers, state) is tested where PyTorch is not installed.
Tensors and devices are not stood in for."""

from . import utils  # noqa: F401

IS_STAND_IN = True
