# SPDX-License-Identifier: Apache-2.0
"""Reads what bench_fetch reads with another program's library, and drops it.

peer.py boto3 CONNECTIONS big|small MIB
peer.py awscrt GBPS big|small MIB

Prints seconds, seconds of CPU and the most KiB that were resident, without
what is set up once.
"""

import os
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PART = 8 << 20
SMALL = 256 << 10
UNDER_WAY = 128  # Requests of awscrt; it sends as many as it thinks fit.


def parts(kind, total):
    """(key, first byte, size) of all reads."""
    if kind == "big":
        return [("big", at, PART) for at in range(0, total, PART)]
    return [("s/%06d" % i, 0, SMALL) for i in range(total // SMALL)]


def run_boto3(setting, kind, total):
    """Ranges into buffers of their own, by so many threads."""
    import boto3
    from botocore.config import Config
    threads = int(setting)
    s3 = boto3.client("s3", config=Config(max_pool_connections=threads,
                                          s3={"addressing_style": "path"}))
    room = threading.local()

    def read(part):
        key, at, size = part
        if not hasattr(room, "buffer"):
            room.buffer = bytearray(PART)
        body = s3.get_object(Bucket="bench", Key=key, Range="bytes=%d-%d" % (
            at, at + size - 1))["Body"]._raw_stream
        view, got = memoryview(room.buffer)[:size], 0
        while got < size:
            got += body.readinto(view[got:])
        body.release_conn()
        return got

    pool = ThreadPoolExecutor(threads)
    read(("small", 0, SMALL))
    yield
    assert sum(pool.map(read, parts(kind, total))) == total


def run_awscrt(setting, kind, total):
    """The client cuts a large object itself."""
    from awscrt import auth, http, io, s3
    host = os.environ["AWS_ENDPOINT_URL_S3"].split("://")[1]
    elg = io.EventLoopGroup()
    resolver = io.DefaultHostResolver(elg)
    client = s3.S3Client(
        bootstrap=io.ClientBootstrap(elg, resolver), region="us-east-1",
        tls_mode=s3.S3RequestTlsMode.DISABLED, part_size=PART,
        throughput_target_gbps=float(setting),
        credential_provider=auth.AwsCredentialsProvider.new_static(
            "AKIDEXAMPLE", "secret"))
    slots = threading.Semaphore(UNDER_WAY)
    got = [0]

    def on_body(chunk, offset, **_):
        got[0] += len(chunk)

    def on_done(error, **_):
        slots.release()
        if error is not None:
            print(error, file=sys.stderr)
            os._exit(1)

    def read(key):
        headers = http.HttpHeaders([("host", host)])
        return client.make_request(
            type=s3.S3RequestType.GET_OBJECT, on_body=on_body, on_done=on_done,
            request=http.HttpRequest("GET", "/bench/" + key, headers))

    read("small").finished_future.result()
    slots.release()
    got[0] = 0
    yield
    under_way = []
    for key in ["big"] if kind == "big" else [
            p[0] for p in parts(kind, total)]:
        slots.acquire()
        under_way.append(read(key).finished_future)
    for future in under_way:
        future.result()
    assert got[0] == total, got


def main():
    way, setting, kind, mib = sys.argv[1:5]
    steps = {"boto3": run_boto3, "awscrt": run_awscrt}[way](
        setting, kind, int(mib) << 20)
    next(steps)
    cpu, wall = time.process_time(), time.monotonic()
    next(steps, None)
    print("%.4f %.4f %d" % (
        time.monotonic() - wall, time.process_time() - cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


main()
