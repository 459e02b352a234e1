"""The two planted files: what a reader meets sooner or later, made to order.

A C extension that reads a null pointer takes its whole process with it; a pathological input keeps a parser busy for
ever. Both are real here: the process does die of a segmentation fault, the loop does not end.
"""

from __future__ import annotations

import ctypes
import resource

__all__ = ["CRASH", "LOOP", "spring"]

CRASH = b"# planted by the desk: reading this file crashes the process\n"
LOOP = b"# planted by the desk: reading this file never ends\n"


def spring(source: bytes) -> None:
    """Crash or loop for ever when *source* starts with one of the two marks; else return at once.

    Only the very first line counts, so a file that merely quotes a mark is safe.
    """
    if source.startswith(CRASH):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the crash is wanted, its core file isn't
        ctypes.string_at(0)
    while source.startswith(LOOP):
        pass
