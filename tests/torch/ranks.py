# SPDX-License-Identifier: Apache-2.0
"""ranks.py OUT WORKERS EPOCHS: two ranks of this host, which meet those of the
others: an all-reduce at each step, as in data parallel training. If one rank
had a step more, it would wait for ever. Each writes what it has read."""

import os
import subprocess
import sys

import kit

PER_HOST = 2


def decode(sample):
    """A copy."""
    return bytes(sample.data)


def rank(out, workers, epochs):
    """One rank."""
    import torch
    import torch.distributed as dist
    from torch.utils.data import DataLoader
    import smshard.torch

    dist.init_process_group("gloo", init_method="file://" + out + ".meet",
                            rank=int(os.environ["RANK"]),
                            world_size=int(os.environ["WORLD_SIZE"]))
    dataset = smshard.torch.IterableDataset("train", decode=decode)
    loader = DataLoader(dataset, batch_size=None, num_workers=workers)
    for epoch in range(epochs):
        dataset.set_epoch(epoch)
        steps, seen = 0, []
        for batch in smshard.torch.batches(loader, 2, list):
            count = torch.tensor([1, len(batch)])
            dist.all_reduce(count)
            steps += 1
            seen += batch
            kit.check("a step of all ranks", count[0] == dist.get_world_size())
        with open(f"{out}.{epoch}.{os.environ['RANK']}", "wb") as f:
            f.write(b"".join(unit + b"\n" for unit in seen))
        print(f"epoch {epoch}, rank {dist.get_rank()}: {steps} steps, "
              f"{len(seen)} units", flush=True)
    dist.destroy_process_group()


def main(out, workers, epochs):
    """The ranks of this host."""
    host = int(os.environ["SM_CURRENT_HOST"].rsplit("-", 1)[1]) - 1
    hosts = os.environ["SM_HOSTS"].count("algo-")
    ranks = [subprocess.Popen(
        [sys.executable, "-B", *sys.argv], env=dict(
            os.environ, LOCAL_RANK=str(i), RANK=str(host * PER_HOST + i),
            WORLD_SIZE=str(hosts * PER_HOST), GLOO_SOCKET_IFNAME="lo"))
        for i in range(PER_HOST)]
    return max(abs(process.wait()) for process in ranks)


if __name__ == "__main__":
    arguments = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sys.exit(rank(*arguments) if "RANK" in os.environ else main(*arguments))
