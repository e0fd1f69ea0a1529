# SPDX-License-Identifier: Apache-2.0
"""file_crt.py ENDPOINT BUCKET PREFIX COUNT SIZE FOLDER GBPS: the same objects
as bench_file.c, brought by aws-c-s3, and the same three numbers. Each file is
written by the library itself; Python only asks."""

import os
import resource
import sys
import time

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType


def cpu():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def main():
    endpoint, bucket, prefix, count, size, folder, gbps = sys.argv[1:8]
    group = EventLoopGroup()
    bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
    client = S3Client(
        bootstrap=bootstrap,
        region="us-east-1",
        tls_mode=S3RequestTlsMode.DISABLED,
        part_size=8 << 20,
        throughput_target_gbps=float(gbps),
        credential_provider=AwsCredentialsProvider.new_static("AKID", "secret"),
    )
    os.makedirs(os.path.join(folder, os.path.dirname(prefix)), exist_ok=True)
    start, used = time.monotonic(), cpu()
    futures = []
    for i in range(int(count)):
        key = f"{prefix}{i:08d}"
        headers = HttpHeaders([("host", endpoint)])
        futures.append(
            client.make_request(
                type=S3RequestType.GET_OBJECT,
                request=HttpRequest("GET", f"/{bucket}/{key}", headers),
                recv_filepath=os.path.join(folder, key),
            ).finished_future
        )
    for future in futures:
        future.result()
    wall, used = time.monotonic() - start, cpu() - used
    assert os.path.getsize(os.path.join(folder, key)) == int(size)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{wall:.4f} {used:.4f} {rss}")


main()
