#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make an S3 Inventory of a folder: inventory_make.py SOURCE CONFIG [FLAGS].

Files of SOURCE are the objects. Below CONFIG, the folder of the inventory's
configuration: data/*.csv.gz and DATE/manifest.json with its checksum, as S3
writes them. Flags make it odd or wrong. With --batch CONFIG is a file: a
manifest of S3 Batch Operations."""

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import random
import urllib.parse

COLUMNS = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag"


def flags():
    p = argparse.ArgumentParser()
    p.add_argument("source")
    p.add_argument("config")
    p.add_argument("--date", default="2026-01-31T12-00Z")
    p.add_argument("--files", type=int, default=3)
    p.add_argument("--columns", default=COLUMNS)
    p.add_argument("--bucket", default="src")
    p.add_argument("--prefix", default="", help="of every key")
    p.add_argument("--format", default="CSV")
    p.add_argument("--spaces", choices=("plus", "percent"), default="plus")
    p.add_argument("--members", type=int, default=1, help="of each gzip")
    p.add_argument("--crlf", action="store_true")
    p.add_argument("--extra", action="append", default=[],
                   help="a row as JSON: {column: value}")
    p.add_argument("--plain", action="store_true", help="no gzip")
    p.add_argument("--spoil", choices=("md5", "cut", "checksum", "unready",
                                       "quote", "percent", "size"))
    p.add_argument("--batch", action="store_true")
    p.add_argument("--versions", action="store_true", help="of a batch")
    return p.parse_args()


def encode(key, spaces):
    # Bytes that are no text stay what they are.
    if spaces == "plus":
        return urllib.parse.quote_plus(key, safe="/-_.*")
    return urllib.parse.quote(key, safe="")


def objects(o):
    for folder, _, names in os.walk(os.fsencode(o.source)):
        for name in names:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, os.fsencode(o.source))
            with open(path, "rb") as f:
                body = f.read()
            yield {
                "Bucket": o.bucket,
                "Key": encode(o.prefix.encode() + key, o.spaces),
                "VersionId": "v1",
                "IsLatest": "true",
                "IsDeleteMarker": "false",
                "Size": str(len(body)),
                "LastModifiedDate": "2026-01-30T00:00:00.000Z",
                "ETag": hashlib.md5(body).hexdigest(),
                "StorageClass": "STANDARD",
            }


def text_of(rows, columns, crlf):
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL,
                        lineterminator="\r\n" if crlf else "\n")
    for row in rows:
        writer.writerow([row.get(c, "") for c in columns])
    return out.getvalue().encode()


def pack(text, o):
    if o.plain:
        return text
    step = len(text) // o.members + 1
    return b"".join(gzip.compress(text[i:i + step])
                    for i in range(0, max(len(text), 1), step))


def make_file(rows, o, number):
    columns = [c.strip() for c in o.columns.split(",")]
    text = text_of(rows, columns, o.crlf)
    if number == 0 and o.spoil == "quote":
        text += b'"never closed'
    if number == 0 and o.spoil == "percent":
        text += text_of([{"Bucket": o.bucket, "Key": "%zz"}], columns, o.crlf)
    body = pack(text, o)
    if number == 0 and o.spoil == "cut":
        body = body[:-9]
    md5 = hashlib.md5(body).hexdigest()
    if number == 0 and o.spoil == "md5":
        md5 = hashlib.md5(b"other").hexdigest()
    name = f"data/{number:02}.csv{'' if o.plain else '.gz'}"
    with open(os.path.join(o.config, name), "wb") as f:
        f.write(body)
    size = len(body) + (1 if number == 0 and o.spoil == "size" else 0)
    return {"key": "some/where/" + name, "size": size, "MD5checksum": md5}


def make_inventory(rows, o):
    folder = os.path.join(o.config, o.date)
    os.makedirs(folder, exist_ok=True)
    os.makedirs(os.path.join(o.config, "data"), exist_ok=True)
    files = [make_file(rows[i::o.files], o, i) for i in range(o.files)]
    manifest = json.dumps({
        "sourceBucket": o.bucket,
        "destinationBucket": "arn:aws:s3:::dest",
        "version": "2016-11-30",
        "creationTimestamp": "1769860800000",
        "fileFormat": o.format,
        "fileSchema": o.columns,
        "files": files,
    }, indent=2).encode()
    checksum = hashlib.md5(manifest).hexdigest()
    if o.spoil == "checksum":
        checksum = hashlib.md5(b"other").hexdigest()
    with open(os.path.join(folder, "manifest.json"), "wb") as f:
        f.write(manifest)
    if o.spoil != "unready":
        with open(os.path.join(folder, "manifest.checksum"), "w",
                  encoding="ascii") as f:
            f.write(checksum)


def make_batch(rows, o):
    columns = ["Bucket", "Key"] + (["VersionId"] if o.versions else [])
    with open(o.config, "wb") as f:
        f.write(pack(text_of(rows, columns, o.crlf), o))


def main():
    o = flags()
    rows = list(objects(o)) + [json.loads(text) for text in o.extra]
    random.Random(1).shuffle(rows)
    if o.batch:
        make_batch(rows, o)
    else:
        make_inventory(rows, o)


if __name__ == "__main__":
    main()
