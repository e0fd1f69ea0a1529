#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Objects of records, and what comes of them.

records.py make lines|files PATH BYTES   a file of lines, or a folder of files
records.py hash FORMAT FILE              a line for each record: of what and how
                                         long; fails where one is not whole
records.py ring FORMAT CHANNEL RANK OUT  the same, of a rank's ring
"""

import hashlib
import random
import struct
import sys
import tarfile

MAGIC = 0xCED7230A


def said(data, key=b""):
    return f"{hashlib.sha1(key + b':' + data).hexdigest()} {len(data)}\n"


def filler(rng, size):
    """Bytes that look like records now and then."""
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(size)
    if kind == 1:
        return (struct.pack("<I", MAGIC) * (size // 4 + 1))[:size]
    return rng.randbytes(size)


def make(what, path, total):
    rng = random.Random(7)
    number = 0
    if what == "lines":
        with open(path, "wb") as out:
            while total > 0:
                size = rng.choice((0, 10, 300, 5000))
                line = b"%d " % number + b"x" * rng.randint(0, size) + b"\n"
                out.write(line)
                total -= len(line)
                number += 1
        return
    while total > 0:
        data = b"%d " % number + filler(rng, rng.randint(0, 200000))
        with open(f"{path}/{number:06d}.bin", "wb") as out:
            out.write(data)
        total -= len(data)
        number += 1


def lines(data):
    if data:
        assert data.endswith(b"\n"), "the last line is torn"
        yield from ((line, b"") for line in data[:-1].split(b"\n"))


def recordio(data):
    at, parts = 0, []
    while at < len(data):
        magic, word = struct.unpack_from("<II", data, at)
        kind, size = word >> 29, word & (1 << 29) - 1
        assert magic == MAGIC and at + 8 + size <= len(data)
        assert (kind in (2, 3)) == bool(parts), "a part stands alone"
        parts.append(data[at + 8:at + 8 + size])
        at += 8 + (size + 3) // 4 * 4
        if kind in (0, 3):
            yield struct.pack("<I", MAGIC).join(parts), b""
            parts = []
    assert not parts and at == len(data)


def tfrecord(data):
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        assert at + 16 + size <= len(data), "a record is torn"
        yield data[at + 12:at + 12 + size], b""
        at += 16 + size


def tar(path):
    with tarfile.open(path, "r|", ignore_zeros=True) as members:
        for member in members:
            data = members.extractfile(member).read()
            assert len(data) == member.size
            yield data, member.name.encode()


def hash_file(form, path):
    if form == "tar":
        records = tar(path)
    else:
        with open(path, "rb") as f:
            data = f.read()
        records = {"lines": lines, "recordio": recordio,
                   "tfrecord": tfrecord}[form](data)
    for data, key in records:
        sys.stdout.write(said(data, key))


def read_ring(form, channel, rank, path):
    import smshard

    with smshard.open(channel, rank=int(rank), records=form) as reader, \
            open(path, "w", encoding="ascii") as out:
        for epoch in reader.epochs():
            for sample in epoch:
                if form == "tar":
                    key = bytes(sample.key, "ascii") \
                        if isinstance(sample.key, str) else bytes(sample.key)
                    out.write(said(bytes(sample["bin"]), key + b".bin"))
                else:
                    out.write(said(bytes(sample.data)))


if __name__ == "__main__":
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "make":
        make(arguments[0], arguments[1], int(arguments[2]))
    elif verb == "hash":
        hash_file(*arguments)
    else:
        read_ring(*arguments)
