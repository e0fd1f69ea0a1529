#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the files beside this one: records as other programs write them.

The checksum is made here bit by bit, and tars by the tarfile module, so that
none of it comes from the code that is tested.
"""

import io
import os
import struct
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
MAGIC = 0xced7230a


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def tfrecord(data):
    length = struct.pack("<Q", len(data))
    return (length + struct.pack("<I", masked(length)) + data +
            struct.pack("<I", masked(data)))


def part(kind, data):
    return (struct.pack("<II", MAGIC, kind << 29 | len(data)) + data +
            b"\0" * (-len(data) % 4))


def recordio(data):
    magic = struct.pack("<I", MAGIC)
    parts, start = [], 0
    for at in range(0, len(data) - 3, 4):
        if data[at:at + 4] == magic:
            parts.append(data[start:at])
            start = at + 4
    parts.append(data[start:])
    if len(parts) == 1:
        return part(0, data)
    kinds = [1] + [2] * (len(parts) - 2) + [3]
    return b"".join(part(k, p) for k, p in zip(kinds, parts))


def records():
    magic = struct.pack("<I", MAGIC)
    return [b"", b"one", b"four", bytes(range(256)), magic, b"abcd" + magic,
            magic * 3, b"x" + magic + b"yyy" + magic, magic + b"abcd" + magic +
            b"e", b"z" * 1000]


def put(tar, name, data, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.type = kind
    tar.addfile(info, io.BytesIO(data))


LONG = "/".join(["folder-%02d" % i for i in range(12)])
VERY = "v" * 300


def make_tar(name, form, long_names):
    with tarfile.open(os.path.join(HERE, name), "w", format=form) as tar:
        put(tar, "__meta__/about.json", b"{}")
        put(tar, "train", b"", tarfile.DIRTYPE)
        put(tar, "train/0001.jpg", b"J" * 700)
        put(tar, "train/0001.cls", b"7")
        put(tar, "train/0001.SEG.png", b"")
        put(tar, "README", b"no ending")
        put(tar, "train/0002.jpg", b"K" * 512)
        link = tarfile.TarInfo("train/0002.lnk")
        link.type, link.linkname = tarfile.SYMTYPE, "../x"
        tar.addfile(link)
        put(tar, "train/0002.cls", b"8")
        put(tar, LONG + "/0003.txt", b"long")
        for each in long_names:
            put(tar, each + ".a", b"very long a")
            put(tar, each + ".b", b"very long b")
        put(tar, "./0005.txt", b"last")


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(data)


def main():
    write("records.tfrecord", b"".join(map(tfrecord, records())))
    write("records.recordio", b"".join(map(recordio, records())))
    make_tar("ustar.tar", tarfile.USTAR_FORMAT, [])
    make_tar("gnu.tar", tarfile.GNU_FORMAT, [VERY])
    make_tar("pax.tar", tarfile.PAX_FORMAT, [VERY, "\u00e4" * 80])


if __name__ == "__main__":
    main()
