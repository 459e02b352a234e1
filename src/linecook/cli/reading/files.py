"""A directory or a pattern: each file is one item, its path the one argument."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from ..arguments import Signature
from ..exits import BadUsage
from .item import Chunks, short
from .txt import check_takes_one

_PATTERN = frozenset("*?[")


class Files:
    """The files below a directory, or those that a pattern matches: by path, hidden ones left out.

    Args:
      path: as typed.
      leave_out: a file that is no item, since the outcomes are written there; None for none.

    Links to files are followed, links to directories are not. A file counts as changed when its content is another.

    Raises:
      BadUsage: no file is there.
    """

    by_place = False
    unit = "file"

    def __init__(self, signature: Signature, path: str, *, leave_out: str | None = None) -> None:
        self._signature = signature
        check_takes_one(signature, "the path of each file is the one argument")
        found = _below(path) if os.path.isdir(path) else _matching(path)
        self.paths: Sequence[str] = [each for each in found if leave_out is None or not _is_same(each, leave_out)]
        if not self.paths:
            raise BadUsage(f"--input {path}: no file {'is there' if os.path.isdir(path) else 'matches'}.")

    def pieces(self, chunks: Chunks) -> Iterator[tuple[int, str] | None]:
        yield from enumerate(self.paths, 1)

    def digest(self, raw: str) -> int:
        hashed = hashlib.blake2b(os.fsencode(raw) + b"\0", digest_size=8)
        try:
            with open(raw, "rb") as file:
                while chunk := file.read(1 << 20):
                    hashed.update(chunk)
        except OSError:  # it went away, or is not ours to read: that is the function's to say
            hashed.update(b"\0unreadable")
        return int.from_bytes(hashed.digest())

    def weigh(self, raw: str) -> int:
        return 1 << 14  # sixteen files to a batch: each is read for its digest

    def bind(self, raw: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self._signature.bind_one_text(raw)

    def shown(self, raw: str) -> str:
        return short(raw, 100)


def is_pattern(path: str) -> bool:
    """Say whether *path* is a pattern: it has ``*``, ``?`` or ``[`` and is not the name of something itself."""
    return not _PATTERN.isdisjoint(path) and not os.path.exists(path)


def _below(directory: str) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if os.path.isfile(path))


def _matching(pattern: str) -> list[str]:
    return sorted(path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
