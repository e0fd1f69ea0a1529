# SPDX-License-Identifier: Apache-2.0
"""Run the tests of the Python package; the last line is `N passed, N failed`.

run.py [NAME-PART…]
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))


class Result(unittest.TextTestResult):
    """One failure a test, however many parts of it failed."""

    def count(self):
        """(passed, failed, skipped)"""
        bad = {test.id().split(" ")[0] for test, _ in
               self.failures + self.errors}
        bad |= {test.id() for test in self.unexpectedSuccesses}
        done = self.testsRun - len(self.skipped)
        return max(0, done - len(bad)), len(bad), len(self.skipped)


def main():
    sys.path.insert(0, HERE)
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in sys.argv[1:]] or None
    suite = loader.discover(HERE, "test_*.py", HERE)
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result,
                                     verbosity=1 + bool(
                                         os.environ.get("VERBOSE")))
    result = runner.run(suite)
    passed, failed, skipped = result.count()
    for test, why in result.skipped:
        print(f"skipped: {test.id()}: {why}")
    tail = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{tail}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
