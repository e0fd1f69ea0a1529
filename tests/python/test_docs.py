# SPDX-License-Identifier: Apache-2.0
"""The Python blocks of docs/python.md run. Those that need a GPU are only
compiled; PyTorch is stood in for where it is missing."""

import contextlib
import io
import os
import re
import sys
import unittest

import kit

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(kit.ROOT, "docs", "python.md")

try:
    import numpy  # noqa: F401
    HAS_NUMPY = True
except ImportError:
    HAS_NUMPY = False
try:
    import torch  # noqa: F401
except ImportError:
    sys.path.insert(0, os.path.join(HERE, "stand_in"))


def blocks():
    with open(PAGE, encoding="utf-8") as f:
        return re.findall(r"^```python\n(.*?)^```$", f.read(), re.M | re.S)


class Page(kit.Case):
    """Each block in turn."""

    def run_block(self, number, text):
        code = compile(text, f"docs/python.md, block {number}", "exec")
        if "cuda" in text or ("numpy" in text and not HAS_NUMPY):
            return None
        units = [b"%d data" % i for i in range(20)]
        if 'records="tar"' in text:
            units = [kit.make_tar([("a/1", {"jpg": b"pic", "cls": b"7"})])]
        server = self.serve(units, name=f"s{number}", epochs=2, stay=1)
        os.environ["SMSHARD_RING"] = server.socket
        self.addCleanup(os.environ.pop, "SMSHARD_RING", None)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(code, {"__name__": "__main__"})
        server.wait("over")
        return said.getvalue()

    def test_blocks_run(self):
        texts = blocks()
        self.assertEqual(len(texts), 5)
        said = [self.run_block(i, text) for i, text in enumerate(texts)]
        self.assertEqual(said[0], "0 a/1 3 b'7'\n1 a/1 3 b'7'\n")
        self.assertEqual(len(said[2].splitlines()), 6)
        self.assertIsNone(said[4])


if __name__ == "__main__":
    unittest.main()
