# SPDX-License-Identifier: Apache-2.0
"""What the scripts of this lane share: they are commands of real jobs, and say
what they have read in one line of digests."""

import glob
import hashlib
import os
import sys

sys.dont_write_bytecode = True


def digest(items):
    """The same for the same items in any order."""
    all_of_them = b"".join(sorted(bytes(item) + b"\0" for item in items))
    return hashlib.sha256(all_of_them).hexdigest()[:16]


def lines_of(folder):
    """Every line of every file, without its end."""
    lines = []
    for name in sorted(glob.glob(os.path.join(folder, "*"))):
        with open(name, "rb") as f:
            lines += f.read().splitlines()
    return lines


def check(what, is_so):
    """End the job with 1 if it is not."""
    if not is_so:
        print("WRONG", what, flush=True)
        os._exit(1)
