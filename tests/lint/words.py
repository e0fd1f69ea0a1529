# SPDX-License-Identifier: Apache-2.0
"""Rules about single words of C: banned-call, core-io, typedef, goto, sleep.

A core is a file of proto/, coordinator/ or worker/ that is not named for a
technology: it gets one event, time included, and answers with effects.
"""

import re

from layout import technology_of
from source import finding


def calls(names):
    """Calls by name; a member of that name (x.read, x->read) is not one."""
    return re.compile(rf"(?<![\w.])(?<!->)({'|'.join(names.split())})\s*\(")


BANNED = calls("""sprintf vsprintf strcpy stpcpy strcat strtok atoi atol atoll
    atof gets system popen alloca setjmp longjmp sigsetjmp siglongjmp
    rand srand random srandom""")
CORE_IO = calls("""printf fprintf vprintf vfprintf puts fputs putchar fputc
    putc perror fopen fdopen freopen fclose fread fwrite fgets fgetc getc
    getchar getline getdelim scanf fscanf fflush fseek ftell tmpfile remove
    rename open openat close read write pread pwrite stat fstat lstat unlink
    mkdir rmdir socket connect accept send recv poll select fork execv execvp
    kill getenv secure_getenv setenv unsetenv putenv time clock clock_gettime
    gettimeofday nanosleep sleep usleep pthread_\\w+ thrd_\\w+ mtx_\\w+""")
CORE_CLOCK = re.compile(r"(?<![\w.])(clock_os)\b")
SLEEP = calls("sleep usleep nanosleep clock_nanosleep thrd_sleep")
TYPEDEF = re.compile(r"\btypedef\s+(struct|enum|union)\s+\w*\s*(?:\{|\w+\s*;)")
POINTER_TYPE = re.compile(r"\btypedef\b[^;{]*\(\s*\*\s*(\w+)\s*\)")
GOTO = re.compile(r"\bgoto\s+(?!out\b)(\w+)")

CORES = ("proto", "coordinator", "worker")


def is_core(source):
    return source.folder in CORES and technology_of(source) is None


def rules_for(source):
    yield BANNED, "banned-call", "{} is banned"
    yield TYPEDEF, "typedef", "no typedef of {} types"
    yield POINTER_TYPE, "typedef", "{}: typedef the function, not a pointer"
    yield GOTO, "goto", "goto {}: the one label is out"
    if is_core(source):
        yield CORE_IO, "core-io", "{} in a core: no I/O, clock or thread"
        yield CORE_CLOCK, "core-io", "{} in a core: time comes with the event"
    if source.path.startswith(("tests/unit/", "tests/conformance/")):
        yield SLEEP, "sleep", "{} in a test"


def check(tree):
    for source in tree.values():
        if not source.is_c:
            continue
        for pattern, rule, message in rules_for(source):
            for match in pattern.finditer(source.bare):
                word = match.group(1)
                yield finding(rule, source.path,
                              source.line_of(match.start(1)), word,
                              message.format(word))
