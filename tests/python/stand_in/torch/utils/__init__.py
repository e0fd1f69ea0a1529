# SPDX-License-Identifier: Apache-2.0
"""See torch/__init__.py here."""

from . import data, dlpack  # noqa: F401
