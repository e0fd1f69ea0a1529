# SPDX-License-Identifier: Apache-2.0
"""Rules about files: what may include what, sizes, first lines, company.

include-direction, include-path, technology, spdx, file-size, todo,
header-missing, untested.
"""

import os
import re

from source import finding

LAYERS = ("base", "proto", "store", "coordinator", "worker")
SEEN = {
    "base": ("base",),
    "proto": ("base", "proto"),
    "store": ("base", "proto", "store"),
    "coordinator": ("base", "proto", "store", "coordinator"),
    "worker": ("base", "proto", "store", "worker"),
    "cli": LAYERS + ("cli",),
}

# Which header belongs to which technology. A file named x_TECHNOLOGY.c or .h
# may include it; os is allowed in every file that is named for one.
TECHNOLOGIES = (
    ("zmq", r"(zmq|czmq|zmq_utils|zsock)\.h"),
    ("msgpack", r"msgpack(\.h|/.*)"),
    ("openssl", r"openssl/.*"),
    ("curl", r"curl/.*"),
    ("fuse", r"(fuse|fuse3/.*|fuse_lowlevel)(\.h)?"),
    ("hwloc", r"hwloc(\.h|/.*)"),
    ("jansson", r"jansson\.h"),
    ("expat", r"expat\.h"),
    ("isal", r"(isa-l|isa-l_crypto)(\.h|/.*)"),
    ("archive", r"archive(_entry)?\.h"),
    ("microhttpd", r"microhttpd\.h"),
    ("ncurses", r"(n?curses|ncursesw?/.*)(\.h)?"),
    ("zlib", r"zlib\.h"),
    ("os", r"(sys|linux|net|netinet|arpa|asm|bits)/.*|(aio|dirent|dlfcn|fcntl|"
           r"ftw|glob|grp|ifaddrs|mqueue|netdb|poll|pthread|pwd|sched|"
           r"semaphore|signal|spawn|syslog|termios|threads|time|ucontext|"
           r"unistd|utime|wait)\.h"),
)
NAMED = re.compile(r"_(%s|fs)$" % "|".join(name for name, _ in TECHNOLOGIES))
OS_PLACES = re.compile(
    r"^(store/store_(dir|mem)\w*\.c|base/log\.c|(cli|cluster-sim|tests)/)")
MSGPACK_PLACES = re.compile(r"^proto/wire\w*\.c$")

FILE_LINES = {".c": 800, ".h": 200}
SPDX = "SPDX-License-Identifier: Apache-2.0"
LEFT_OVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b(?!\(#\d+\))")


def technology_of(source):
    match = NAMED.search(source.stem)
    return match.group(1) if match else None


def check_own_include(source, line, header, tree):
    folder = header.split("/")[0]
    if header not in tree:
        yield finding("include-path", source.path, line, header,
                      f'"{header}" is no file; name it from the root')
    elif folder not in SEEN.get(source.folder, (folder,)):
        yield finding("include-direction", source.path, line, header,
                      f"{source.folder}/ must not include {folder}/ "
                      f'("{header}")')


def may_use(source, technology):
    mine = technology_of(source)
    if technology == "os":
        return mine is not None or bool(OS_PLACES.match(source.path))
    if technology == "msgpack" and MSGPACK_PLACES.match(source.path):
        return True
    return mine == technology or source.folder in ("tests", "cluster-sim")


def check_system_include(source, line, header):
    for technology, pattern in TECHNOLOGIES:
        if re.fullmatch(pattern, header) and not may_use(source, technology):
            yield finding("technology", source.path, line, header,
                          f"<{header}> belongs in a file named "
                          f"*_{technology}{source.kind}")


def check_includes(source, tree):
    for line, is_ours, header in source.includes():
        if is_ours:
            yield from check_own_include(source, line, header, tree)
        else:
            yield from check_system_include(source, line, header)


def check_first_line(source):
    lines = source.text.split("\n", 2)
    at = 1 if lines[0].startswith("#!") and len(lines) > 1 else 0
    if SPDX not in lines[at]:
        yield finding("spdx", source.path, at + 1, "-",
                      f"the line {SPDX} is missing")


def check_size(source):
    lines = source.text.count("\n")
    most = FILE_LINES.get(source.kind, lines)
    if lines > most:
        yield finding("file-size", source.path, most + 1, "-",
                      f"{lines} lines; at most {most}", lines)


def check_left_over(source):
    for match in LEFT_OVER.finditer(source.text):
        word = match.group(1)
        yield finding("todo", source.path, source.line_of(match.start()),
                      word, f"{word} without an issue: write {word}(#12)")


def headers_of(source, tree):
    """Of x_part.c: x_part.h and x.h, those that are in the same folder."""
    folder = os.path.dirname(source.path)
    words = source.stem.split("_")
    paths = (f"{folder}/{'_'.join(words[:count])}.h"
             for count in range(len(words), 0, -1))
    return [path for path in paths if path in tree]


def is_tested(header, tested):
    stem = os.path.splitext(os.path.basename(header))[0]
    return re.search(rf'\b({stem}_[a-z]|{stem.upper()}\b)|'
                     rf'"{re.escape(header)}"', tested)


def check_company(source, tree, tested):
    headers = headers_of(source, tree)
    if not headers:
        yield finding("header-missing", source.path, 1, "-",
                      "neither it nor the module it is a part of has a header")
    elif not any(is_tested(header, tested) for header in headers):
        yield finding("untested", source.path, 1, "-",
                      f"no test includes {headers[0]} or names its functions")


def check(tree):
    tested = "\n".join(s.text for s in tree.values()
                       if s.is_c and s.folder in ("tests", "cluster-sim"))
    for source in tree.values():
        yield from check_first_line(source)
        yield from check_left_over(source)
        if not source.is_c:
            continue
        yield from check_includes(source, tree)
        yield from check_size(source)
        if source.folder in LAYERS and source.kind == ".c":
            yield from check_company(source, tree, tested)
