# SPDX-License-Identifier: Apache-2.0
"""cost.py COMMAND…: seconds it takes, seconds of CPU, and the most KiB that
are resident, of it and the processes it waits for. Its output is dropped; one
that fails has no figures."""

import os
import sys
import time

start = time.monotonic()
null = os.open(os.devnull, os.O_WRONLY)
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ,
                      file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, state, use = os.wait4(pid, 0)
if state == 0:
    print("%.4f %.4f %d" % (time.monotonic() - start,
                            use.ru_utime + use.ru_stime, use.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(state))
