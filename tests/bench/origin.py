# SPDX-License-Identifier: Apache-2.0
"""Answers the listings of the benchmarks' bucket; nginx, in front of it,
answers for the objects, with the etags that are listed here.

origin.py FOLDER PORT: a bucket is a folder in FOLDER.
"""

import bisect
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import escape

ROOT = sys.argv[1]
PAGE = 1000
OBJECT = ("<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z"
          "</LastModified><ETag>&quot;%s&quot;</ETag><Size>%d</Size>"
          "<StorageClass>STANDARD</StorageClass></Contents>")


def walk(bucket):
    """All (key, size, etag) of a bucket, sorted; read anew each time that its
    first page is asked for would be too slow: once."""
    found = []
    top = os.path.join(ROOT, bucket)
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            st = os.stat(path)
            found.append((os.path.relpath(path, top), st.st_size,
                          "%x-%x" % (int(st.st_mtime), st.st_size)))
    return sorted(found, key=lambda f: f[0].encode())


class Bucket:
    """Pages of a sorted list of keys."""

    def __init__(self, name):
        self.name = name
        self.objects = walk(name)
        self.keys = [o[0] for o in self.objects]

    def page(self, prefix, delimiter, after, most):
        """Objects and common prefixes behind `after`, and whether there are
        more."""
        objects, prefixes, last = [], [], after
        start = max(bisect.bisect_left(self.keys, prefix),
                    bisect.bisect_right(self.keys, after))
        while start < len(self.keys) and self.keys[start].startswith(prefix):
            key = self.keys[start]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            group = key[:cut + len(delimiter)] if cut >= 0 else None
            if group is not None and after.startswith(group):
                start = bisect.bisect_left(self.keys, group + "\U0010ffff")
                continue
            if len(objects) + len(prefixes) == most:
                return objects, prefixes, last
            if group is None:
                objects.append(self.objects[start])
                last = key
                start += 1
            else:
                prefixes.append(group)
                last = group + "\U0010ffff"
                start = bisect.bisect_left(self.keys, last)
        return objects, prefixes, None


class Handler(BaseHTTPRequestHandler):
    """GET /BUCKET?list…"""

    protocol_version = "HTTP/1.1"
    buckets = {}

    def log_message(self, format, *args):
        pass

    def do_HEAD(self):
        self.answer("")

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in
                 parse_qs(parts.query, keep_blank_values=True).items()}
        name = parts.path.strip("/")
        if "location" in query:
            self.answer("<LocationConstraint>us-east-1</LocationConstraint>")
            return
        if name not in self.buckets:
            self.buckets[name] = Bucket(name)
        self.answer(self.listing(self.buckets[name], query))

    def listing(self, bucket, query):
        """One page, of version 1 or 2."""
        prefix = query.get("prefix", "")
        after = query.get("continuation-token") or query.get(
            "start-after") or query.get("marker") or ""
        code = quote if query.get("encoding-type") == "url" else escape
        objects, prefixes, last = bucket.page(
            prefix, query.get("delimiter", ""), after,
            min(int(query.get("max-keys", PAGE)), PAGE))
        out = ["<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/"
               "2006-03-01/\"><Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d"
               "</KeyCount><MaxKeys>%d</MaxKeys><IsTruncated>%s</IsTruncated>"
               % (bucket.name, code(prefix), len(objects) + len(prefixes),
                  PAGE, "true" if last else "false")]
        if query.get("encoding-type") == "url":
            out.append("<EncodingType>url</EncodingType>")
        if last:
            tag = ("NextContinuationToken" if "list-type" in query
                   else "NextMarker")
            out.append("<%s>%s</%s>" % (tag, escape(last), tag))
        out += [OBJECT % (code(k), etag, size) for k, size, etag in objects]
        out += ["<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>"
                % code(p) for p in prefixes]
        out.append("</ListBucketResult>")
        return "".join(out)

    def answer(self, text):
        body = text.encode()
        if body:
            body = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + body
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
