# SPDX-License-Identifier: Apache-2.0
"""A real job: the program delivers, a loader with workers that start anew for
each epoch reads."""

import os
import subprocess
import sys
import unittest

import kit
import smshard

SMSHARD = os.environ.get("SMSHARD", os.path.join(kit.OUT, "smshard"))

TRAIN = """
import sys
if {stand_in!r}:
    sys.path.insert(0, {stand_in!r})
import smshard.torch
from torch.utils.data import DataLoader

if __name__ == "__main__":
    dataset = smshard.torch.IterableDataset("train", "lines")
    loader = DataLoader(dataset, batch_size=4, num_workers=2)
    for epoch in range(3):
        dataset.set_epoch(epoch)
        lines = sorted(line for batch in loader for line in batch)
        print("epoch", epoch, len(lines), len(set(lines)), flush=True)
"""


TENSOR_PARALLEL = """
import smshard

with smshard.open("train", mode={mode!r}, member={member}) as reader:
    for sample in reader:
        print(sample.position, bytes(sample).decode().strip(), flush=True)
"""


@unittest.skipUnless(os.path.exists(SMSHARD), "the program was not built")
class Job(kit.Case):
    """One host, one rank, two workers."""

    def job_words(self, channel, command):
        return [SMSHARD, "run", "--base", os.path.join(self.folder, "base"),
                "--heartbeat", "100ms", "--host-timeout", "3s",
                "--output", os.path.join(self.folder, "out"), "--job-name",
                "python", "--channel", channel, "--", *command]

    def run_job(self, channel, command):
        return subprocess.run(
            self.job_words(channel, command),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=kit.LIMIT_S, check=False,
            env=dict(os.environ, PYTHONPATH=os.path.join(
                kit.ROOT, "worker", "client", "python")))

    def read_by_two(self, channel, mode):
        """What two processes of the rank have, line by line."""
        data = os.path.join(self.folder, "data")
        os.mkdir(data)
        for i in range(20):
            with open(os.path.join(data, f"{i:02}"), "wb") as f:
                f.write(b"%d\n" % i)
        names = []
        for member in range(2):
            names.append(os.path.join(self.folder, f"{member}.py"))
            with open(names[-1], "w", encoding="utf-8") as f:
                f.write(TENSOR_PARALLEL.format(mode=mode, member=member))
        done = self.run_job(
            f"train={data}/,mode=Ring,{channel}",
            ["sh", "-c", f'{sys.executable} -B "$0" >"$0.out" & '
             f'{sys.executable} -B "$1" >"$1.out" && wait $!', *names])
        self.assertEqual(done.returncode, 0, done.stderr)
        read = []
        for name in names:
            with open(name + ".out", encoding="utf-8") as f:
                read.append(f.read().splitlines())
        return read

    def test_a_broadcast_gives_all_to_both(self):
        read = self.read_by_two("ring-mode=broadcast,ring-consumers=2",
                                "broadcast")
        self.assertEqual(read[0], [f"{i} {i}" for i in range(20)])
        self.assertEqual(read[1], read[0])

    def test_a_share_gives_each_to_one(self):
        read = self.read_by_two("ring-mode=share,ring-consumers=2", "share")
        self.assertEqual(sorted(read[0] + read[1]),
                         sorted(f"{i} {i}" for i in range(20)))

    def start_job(self, channel):
        """A worker whose readers are others, and where they find it."""
        process = subprocess.Popen(
            self.job_words(channel, ["sh", "-c",
                                     'echo "$SMSHARD_RING"; exec sleep 100']),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def test_a_worker_that_is_killed_and_started_anew(self):
        data = os.path.join(self.folder, "data")
        os.mkdir(data)
        for i in range(40):
            with open(os.path.join(data, f"{i:02}"), "wb") as f:
                f.write(b"%d\n" % i)
        channel = f"train={data}/,mode=Ring,ring-mode=exclusive"
        worker, ring = self.start_job(channel)
        seen = []
        with smshard.open("train", 0, socket=ring,
                          cursor=smshard.Cursor()) as reader:
            for sample in reader:
                self.assertEqual(bytes(sample), b"%d\n" % sample.position)
                seen.append(sample.position)
                if len(seen) == 7:
                    sample.release()
                    worker.kill()
                    worker.wait()
                    worker, _ = self.start_job(channel)
        self.assertEqual(sorted(seen), list(range(40)))

    def test_each_epoch_has_all(self):
        data = os.path.join(self.folder, "data")
        os.mkdir(data)
        for i in range(30):
            with open(os.path.join(data, f"{i}.txt"), "wb") as f:
                f.write(b"line %d a\nline %d b\n" % (i, i))
        try:
            import torch
            stand_in = "" if not hasattr(torch, "IS_STAND_IN") else None
        except ImportError:
            stand_in = None
        if stand_in is None:
            stand_in = os.path.join(kit.ROOT, "tests", "python", "stand_in")
        train = os.path.join(self.folder, "train.py")
        with open(train, "w", encoding="utf-8") as f:
            f.write(TRAIN.format(stand_in=stand_in))
        done = self.run_job(f"train={data}/,mode=Ring,epochs=3",
                            [sys.executable, "-B", train])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line for line in done.stdout.splitlines()
                          if line.startswith("epoch")],
                         [f"epoch {e} 60 60" for e in range(3)], done.stderr)


if __name__ == "__main__":
    unittest.main()
