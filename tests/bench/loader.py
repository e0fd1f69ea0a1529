# SPDX-License-Identifier: Apache-2.0
"""A loader of samples of 100 KB, of tars or of an object each.

loader.py make FILE: a tar of 16 MiB.
loader.py smshard FILE SAMPLES tar|raw: all samples of the channel `train`.
loader.py boto3 FILE SAMPLES tar|raw PREFIX THREADS: the same by get_object (and
tarfile), so many objects at once.

Into FILE the seconds from the beginning to the last sample, without imports
and what is set up once.
"""

import collections
import io
import os
import sys
import tarfile
import time

SIZE = 100000
SAMPLES = 160  # Of a shard.


def make(path):
    with tarfile.open(path, "w") as tar:
        for i in range(SAMPLES):
            for ext, data in (("jpg", os.urandom(SIZE)), ("cls", b"7")):
                info = tarfile.TarInfo("%06d.%s" % (i, ext))
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def with_smshard(records):
    import smshard
    start = time.monotonic()
    count = 0
    with smshard.open("train", records=records) as reader:
        for sample in reader:
            data = sample["jpg"] if records == "tar" else sample.data
            count += len(data) == SIZE
    return time.monotonic() - start, count


def samples_of(body):
    """Group the members of a tar by what is before their first dot."""
    samples = collections.OrderedDict()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        for member in tar:
            key, ext = member.name.split(".", 1)
            samples.setdefault(key, {})[ext] = tar.extractfile(member).read()
    return list(samples.values())


def with_boto3(records, prefix, threads):
    from concurrent.futures import ThreadPoolExecutor

    import boto3
    from botocore.config import Config
    s3 = boto3.client("s3", config=Config(max_pool_connections=threads,
                                          s3={"addressing_style": "path"}))
    pool = ThreadPoolExecutor(threads)
    start = time.monotonic()
    keys = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket="bench", Prefix=prefix) for o in page["Contents"]]

    def load(key):
        body = s3.get_object(Bucket="bench", Key=key)["Body"].read()
        return samples_of(body) if records == "tar" else [{"jpg": body}]

    count, ahead = 0, collections.deque()
    for key in keys + [None] * (threads + 1):
        if key is not None:
            ahead.append(pool.submit(load, key))
        if ahead and (key is None or len(ahead) > threads):
            for sample in ahead.popleft().result():
                count += len(sample["jpg"]) == SIZE
    return time.monotonic() - start, count


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2])
        return
    took, count = (with_smshard(sys.argv[4]) if sys.argv[1] == "smshard"
                   else with_boto3(*sys.argv[4:6], int(sys.argv[6])))
    assert count == int(sys.argv[3]), count
    with open(sys.argv[2], "w", encoding="ascii") as f:
        f.write("%.4f" % took)


main()
