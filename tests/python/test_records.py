# SPDX-License-Identifier: Apache-2.0
"""Records of units, whole and torn between slots, against Python's own
readers."""

import os
import struct
import unittest

import kit
import smshard

DATA = os.path.join(kit.ROOT, "tests", "data", "framing")


class Records(kit.Case):
    """Each format, in slots of which none holds a unit."""

    def read(self, units, records, **numbers):
        server = self.serve(units, **{"size": 4096, "slots": 16, **numbers})
        out = []
        for sample in self.open(server, records):
            out.append((sample.position, sample.record, bytes(sample),
                        sample.is_last))
        server.wait("over")
        self.assertEqual(server.committed(), list(range(len(units))))
        return out

    def test_lines(self):
        lines = [kit.pattern(i, i % 300).replace(b"\n", b" ")
                 for i in range(400)]
        units = [b"\n".join(lines) + b"\n", b"", b"one\ntwo"]
        got = self.read(units, "lines")
        want = [(0, i, line, i == 399) for i, line in enumerate(lines)]
        want += [(2, 0, b"one", False), (2, 1, b"two", True)]
        self.assertEqual(got, want)

    def test_of_a_unit_in_parts_only_the_last_record_is_the_last(self):
        unit = b"".join(b"%0100d\n" % i for i in range(200))
        got = self.read([unit, unit], "lines", entries=1, slots=8)
        self.assertEqual([(at, record) for at, record, _, is_last in got
                          if is_last], [(0, 199), (1, 199)])

    def test_many_lines_in_one_slot(self):
        unit = b"".join(b"%d\n" % i for i in range(5000))
        got = self.read([unit], "lines", size=1 << 16)
        self.assertEqual([int(data) for _, _, data, _ in got],
                         list(range(5000)))
        self.assertEqual([last for *_, last in got], [False] * 4999 + [True])

    def test_recordio(self):
        magic = struct.pack("<I", 0xced7230a)
        records = [kit.pattern(i, 4 * i) for i in range(100)]
        unit = b"".join(magic + struct.pack("<I", len(r)) + r for r in records)
        split = (magic + struct.pack("<I", 1 << 29 | 4) + b"abcd" +
                 magic + struct.pack("<I", 3 << 29 | 2) + b"ef\0\0")
        got = self.read([unit, split], "recordio")
        self.assertEqual([data for _, _, data, _ in got],
                         records + [b"abcd" + magic + b"ef"])

    def test_tfrecord(self):
        with open(os.path.join(DATA, "records.tfrecord"), "rb") as f:
            unit = f.read()
        want, at = [], 0
        while at < len(unit):
            size = struct.unpack_from("<Q", unit, at)[0]
            want.append(unit[at + 12:at + 12 + size])
            at += 16 + size
        got = self.read([unit] * 60, "tfrecord")
        self.assertEqual([data for _, _, data, _ in got], want * 60)

    def test_tar(self):
        samples = [(f"d/{i:04}", {"jpg": kit.pattern(i, 37 * i),
                                  "cls": b"%d" % i, "seg.png": b"s" * i})
                   for i in range(120)]
        server = self.serve([kit.make_tar(samples)] * 2, size=65536,
                            slots=16)
        number = 0
        for sample in self.open(server, "tar"):
            key, members = samples[number % 120]
            self.assertEqual(sample.key, key)
            self.assertEqual(dict(sample.items()), members)
            self.assertEqual(sample["jpg"].nbytes, len(members["jpg"]))
            self.assertEqual(sample.get("none", 5), 5)
            self.assertEqual(sample.record, number % 120)
            with self.assertRaises(KeyError):
                sample["none"]  # pylint: disable=pointless-statement
            view = sample["cls"]
            number += 1
        self.assertEqual(number, 240)
        with self.assertRaises(ValueError):
            view[0]  # pylint: disable=pointless-statement
        server.wait("over")

    def test_samples_of_a_tar_with_other_endings_each(self):
        samples = [(f"{i:03}", {ext: ext.encode() + b"%d" % i
                                for ext in ("", "jpg", "png", "j")[i % 4:]})
                   for i in range(300)]
        server = self.serve([kit.make_tar(samples)], size=1 << 20)
        got = [(sample.key, {ext: bytes(view) for ext, view in sample.items()})
               for sample in self.open(server, "tar")]
        self.assertEqual(got, samples)

    def test_what_is_left_of_a_sample_that_was_released(self):
        samples = [("a", {"jpg": b"x", "cls": b"1"}), ("b", {"jpg": b"y"})]
        server = self.serve([kit.make_tar(samples)] * 2, size=65536)
        reader = self.open(server, "tar")
        first = next(reader)
        views = first["jpg"], first.data
        self.assertIs(first["jpg"], views[0])
        self.assertIs(first.data, views[1])
        second = next(reader)
        self.assertEqual((second.key, bytes(second["jpg"])), ("b", b"y"))
        self.assertEqual((first.key, first.record), ("a", 0))
        for look in (lambda: views[0][0], lambda: views[1][0],
                     lambda: first["jpg"], lambda: first["cls"],
                     lambda: first.data):
            with self.assertRaises(ValueError):
                look()
        second.keep()
        next(reader)
        self.assertEqual(bytes(second["jpg"]), b"y")

    def test_a_slot_goes_back_with_its_last_record(self):
        server = self.serve([b"a\nb\nc\n", b"d\n"], entries=1)
        reader = self.open(server, "lines")
        kept = [next(reader).keep() for _ in range(4)]
        for i in (2, 0):
            kept[i].release()
        kept[3].release()
        server.wait("commit 0 1")
        self.assertEqual(server.committed(), [1])
        kept[1].release()
        server.wait("commit 0 0")

    def test_a_damaged_unit_is_an_error_after_its_good_records(self):
        server = self.serve([b"\x0a\x23\xd7\xce\x04\0\0\0good" + b"rubbish!",
                             b"\x0a\x23\xd7\xce\x04\0\0\0next"], entries=1)
        reader = self.open(server, "recordio")
        self.assertEqual(bytes(next(reader)), b"good")
        with self.assertRaisesRegex(smshard.RecordError, "unit 0.*byte 12"):
            next(reader)
        self.assertEqual(bytes(next(reader)), b"next")
        with self.assertRaises(StopIteration):
            next(reader)

    def test_a_torn_unit_and_a_name_that_leaves_its_folder(self):
        tar = kit.make_tar([("../a", {"jpg": b"x"})])
        torn = "byte 0: the last {} record is torn: {} bytes are left of at " \
            "least {}"
        whole = kit.make_tar([("a", {"jpg": b"x" * 600})])
        for name, unit, records, says in (
                ("recordio", b"\x0a\x23\xd7\xce\x40\0\0\0", "recordio",
                 torn.format("recordio", 8, 72)),
                ("torn", whole[:700], "tar", torn.format("tar", 700, 1536)),
                ("up", tar, "tar", "'../a.jpg' could leave its folder")):
            server = self.serve([unit], name=name)
            reader = self.open(server, records)
            with self.assertRaisesRegex(smshard.RecordError, says):
                next(reader)

    def test_a_format_that_is_none(self):
        with self.assertRaisesRegex(
                smshard.InvalidError, "'parquet' is no format of records; it "
                "is one of raw, parts, lines, recordio, tfrecord, tar"):
            smshard.open("train", records="parquet")


if __name__ == "__main__":
    unittest.main()
