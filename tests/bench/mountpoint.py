# SPDX-License-Identifier: Apache-2.0
"""mountpoint.py BUCKET-FOLDER PREFIX URL MOUNT-POINT FOLDER: in FOLDER, what
Mountpoint's library needs to mount a prefix: a list of the objects and a
configuration. Its memory is the least that it takes."""

import base64
import json
import os
import sys

from awscrt import checksums

bucket, prefix, url, mount, folder = sys.argv[1:6]
text, crc = [], 0
for name in sorted(os.listdir(os.path.join(bucket, prefix))):
    st = os.stat(os.path.join(bucket, prefix, name))
    etag = '"0123456789abcdef0123456789abcdef"'
    row = name.encode() + etag.encode() + st.st_size.to_bytes(8, "big")
    crc = checksums.crc32c(row, crc)
    text.append('"%s","""%s""",%d,%s\n' % (
        name, etag[1:-1], st.st_size, base64.b64encode(
            checksums.crc32c(row).to_bytes(4, "big")).decode()))
manifest = os.path.join(folder, "mountpoint.csv")
with open(manifest, "w", encoding="utf-8") as f:
    f.writelines(text)
with open(os.path.join(folder, "mountpoint.json"), "w",
          encoding="utf-8") as f:
    json.dump({
        "config_version": "0.0.1", "mountpoint": mount, "region": "us-east-1",
        "metadata_store_dir": folder, "event_log_dir": folder,
        "loglevel": "warn,awscrt=off", "endpoint_url": url,
        "allow_other": True,
        "throughput_config": {"type": "Explicit", "throughput": 10.0},
        "channels": [{
            "directory_name": prefix, "bucket_name": "bench",
            "prefix": prefix + "/", "manifest_path": manifest,
            "manifest_checksum": base64.b64encode(
                crc.to_bytes(4, "big")).decode()}]}, f)
