#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# smshard pack: what others read of its shards is what went in; what is there
# already stays; and what a user sees when it can't be.
# shellcheck disable=SC2016 # what is quoted is another shell's
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

pack() { "$SMSHARD" pack "$@"; }

IN=$T/in
mkdir -p "$IN/deep" "$IN/odd"
i=0
while [ "$i" -lt 120 ]; do
    i=$((i + 1))
    printf 'picture %s\n' "$i" >"$IN/deep/$i.jpg"
    printf '%s' "$i" >"$IN/deep/$i.cls"
done
head -c 300000 /dev/urandom >"$IN/large.bin"
: >"$IN/empty.x"
echo none >"$IN/README"
for name in 'a b.txt' 'ä-€.txt' 'q"uote.txt' 'two
lines.txt' "$(printf '%0150d' 7).txt"; do
    echo "$name" >"$IN/odd/$name"
done
objects=$(find "$IN" -type f -printf x | wc -c)

# ---- Tar.

run pack --size 50KB "$IN/" "$T/tar"
check "tar: exit code" test "$code" -eq 0
check "tar: says how much" grep -q "^$objects objects in [0-9]* shards, " "$T/std.out"
check "tar: names without an ending are told" grep -q 'leave out: 1$' "$T/std.err"
check "tar: more than one shard" test -e "$T/tar/shard-000001.tar"
mkdir "$T/out"
for shard in "$T"/tar/shard-*.tar; do
    tar -xf "$shard" -C "$T/out" 2>>"$T/tar.err"
done
check "tar: all comes out again" diff -r "$IN" "$T/out"
check "tar reads it without a word" test ! -s "$T/tar.err"
check "tar: shards are no larger than told, but for one object" sh -c \
    '[ "$(find "$1" -name "*.tar" -size +50k | wc -l)" = 1 ]' - "$T/tar"
tar -tf "$T/tar/shard-000000.tar" >"$T/names" 2>/dev/null
check "tar: in the order of the keys" sh -c 'LC_ALL=C sort -c "$1"' - "$T/names"
for shard in "$T"/tar/shard-*.tar; do
    tar -tf "$shard" | sed -n 's|^deep/\([0-9]*\)\..*|\1|p'
done | uniq -c >"$T/samples"
check "tar: no sample is torn apart" sh -c \
    '[ "$(grep -c " 2 " "$1")" = 120 ] && [ "$(wc -l <"$1")" = 120 ]' - "$T/samples"

run pack --size 50KB "$IN/" "$T/tar2"
check "the same makes the same" diff -r "$T/tar" "$T/tar2"
run pack --size 50KB --workers 1 "$IN" "$T/tar3"
check "however many make it" sh -c \
    'for f in "$1"/*.tar; do cmp "$f" "$2/${f##*/}" || exit 1; done' - "$T/tar" "$T/tar3"

# ---- Read by others.

cat >"$T/read.py" <<'PYTHON'
import json, os, struct, sys

def crc32c(data, table=[]):
    if not table:
        for n in range(256):
            for _ in range(8):
                n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
            table.append(n)
    crc = 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff

def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff

def tfrecords(data):
    at = 0
    while at < len(data):
        size, crc = struct.unpack_from("<QI", data, at)
        assert crc == masked(data[at:at + 8])
        body = data[at + 12:at + 12 + size]
        if size < 100000:  # This checksum is slow.
            assert masked(body) == struct.unpack_from("<I", data, at + 12 + size)[0]
        yield body
        at += 16 + size

def recordios(data):
    at, parts = 0, []
    magic = struct.pack("<I", 0xced7230a)
    while at < len(data):
        assert data[at:at + 4] == magic
        word, = struct.unpack_from("<I", data, at + 4)
        kind, size = word >> 29, word & (1 << 29) - 1
        parts.append(data[at + 8:at + 8 + size])
        if kind in (0, 3):
            yield magic.join(parts)
            parts = []
        at += 8 + (size + 3) // 4 * 4
    assert not parts

folder, source, read = sys.argv[1], sys.argv[2], globals()[sys.argv[3]]
lines = [json.loads(line) for line in open(folder + "/pack.json", encoding="utf-8")]
head, lines = lines[0], lines[1:]
assert head["shards"] == sum("shard" in line for line in lines)
assert head["objects"] == sum("key" in line for line in lines)
data, records = b"", iter(())
for line in lines:
    if "shard" in line:
        assert next(records, None) is None
        data = open(folder + "/" + line["shard"], "rb").read()
        assert len(data) == line["size"]
        records = read(data)
        continue
    want = open(os.path.join(source, line["key"]), "rb").read()
    assert next(records) == want, line
    assert len(want) == line["size"]
    if not line.get("split"):
        assert data[line["at"]:line["at"] + line["size"]] == want
assert next(records, None) is None
PYTHON

if command -v python3 >/dev/null; then
    python3 -c 'import sys; sys.stdout.buffer.write(b"abcd\x0a\x23\xd7\xce" * 5)' >"$IN/magic.bin"
    for format in tfrecord recordio; do
        run pack --format $format --size 100KB --prefix train "$IN/" "$T/$format"
        check "$format: exit code" test "$code" -eq 0
        check "$format: as another reader reads it" \
            python3 "$T/read.py" "$T/$format" "$IN" ${format}s
    done
    check "recordio: a record with the magic is split" \
        grep -q '"magic.bin".*"split": true' "$T/recordio/pack.json"
else
    skip "records as others read them" "no python3"
fi

# ---- What is there already.

fails "a pack is there" 73 "there is a pack already; --force replaces it" \
    pack "$IN/" "$T/tar"
run pack --force "$IN/deep/" "$T/tar"
check "--force replaces it" test "$code" -eq 0
check "and removes shards that are too many" test \
    "$(find "$T/tar" -name '*.tar' | wc -l)" = 1
check "and says so" grep -q 'shards of a former pack were removed' "$T/std.out"
rm "$T/tar2/pack.json"
fails "half a pack is there" 73 "of a pack that did not end" pack "$IN/" "$T/tar2"
run pack --force "$IN/" "$T/tar2"
check "--force replaces it too" test -e "$T/tar2/pack.json"

# ---- What it refuses.

fails "no words" 64 "a SOURCE-URI and a TARGET-URI are wanted" pack
fails "one word" 64 "a SOURCE-URI and a TARGET-URI are wanted" pack "$IN"
fails "three words" 64 "a SOURCE-URI and a TARGET-URI are wanted" pack a b c
fails "an unknown format" 64 "'zip' is not tar, recordio or tfrecord" \
    pack --format zip "$IN" "$T/x"
fails "a format that is no pack" 64 "'lines' is not tar" pack --format lines "$IN" "$T/x"
fails "a size of nothing" 64 "--size: '12 parsecs' is not a size" \
    pack --size '12 parsecs' "$IN" "$T/x"
fails "a prefix with a slash" 64 "--prefix: 'a/b'" pack --prefix a/b "$IN" "$T/x"
fails "no workers" 64 "--workers: '0'" pack --workers 0 "$IN" "$T/x"
fails "an unknown flag" 64 "did you mean --format?" pack --formt tar "$IN" "$T/x"
fails "into itself" 65 "lies in what" pack "$IN/" "$IN/packed"
fails "into what the source's name starts" 65 "or end the source with '/'" \
    pack "$IN" "$IN-packed"
fails "no source" 66 "nowhere" pack "$T/nowhere/" "$T/x"
mkdir "$T/void"
fails "an empty source" 66 "no object" pack "$T/void/" "$T/x"
check "nothing was written" test ! -e "$T/x/pack.json"
check "the source is as it was" test \
    "$(find "$IN" -type f -printf x | wc -c)" -le $((objects + 1))
check "nor made" test ! -e "$IN/packed"

# ---- On a server.

SERVER=$(dirname "$SMSHARD")/tests/tools/s3_server
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy

if [ -x "$SERVER" ]; then
    serve_s3
    head -c 9000000 /dev/urandom >"$IN/larger.bin"
    run pack "$IN/" s3://bucket/packed
    check "to a server, in parts" test "$code" -eq 0
    fails "a pack is on the server" 73 "there is a pack already" \
        pack "$IN/" s3://bucket/packed
    run pack --format tar s3://bucket/packed/shard- "$T/again"
    check "from a server" test "$code" -eq 0
    mkdir "$T/once" "$T/back"
    tar -xf "$T/again/shard-000000.tar" -C "$T/once"
    tar -xf "$T/once/shard-000000.tar" -C "$T/back" 2>/dev/null
    check "and what went there comes back" diff -r "$IN" "$T/back"
    end_s3

    serve_s3 --fault 'PUT key=shard-000000 act=answer code=403 error=AccessDenied'
    fails "a part is refused" 77 "AccessDenied" pack "$IN/" s3://bucket/p
    end_s3

    # Each part takes seconds: there is time to stop.
    serve_s3 --fault 'PUT key=shard-000000 act=delay ms=4000'
    start stopped "$SMSHARD" pack "$IN/" s3://bucket/q
    until_true grep -q 'SigCgt:.*[37bf]$' "/proc/$pid/status"
    kill -INT "$pid"
    ended "$pid"
    check "stopped by a signal" test "$code" -eq 130
    check "says that it is not whole" grep -q 'the pack is not whole' "$T/stopped.err"
    run pack s3://bucket/q/ "$T/q"
    check "leaves nothing" test "$code" -eq 66
    end_s3
else
    skip "packs on a server" "tests/tools/s3_server is not built"
fi

# ---- Help.

run pack --help
check "--help" grep -q '^usage: smshard pack \[FLAGS\] SOURCE-URI TARGET-URI' "$T/std.out"

finish
