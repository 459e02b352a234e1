"""Which code is the user's: only there may a thread of the program be stopped.

Inside the standard library, an installed package or linecook itself a thread might hold a lock that everybody needs.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from ...._core.place import is_installed

_STDLIB = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
_THEIRS = tuple({f"{path}/" for path in _STDLIB} | {f"{Path(path).resolve()}/" for path in _STDLIB})
_LINECOOK = str(Path(__file__).resolve().parents[3]) + "/"


class UsersCode:
    """Tells the user's code from the rest, by the file it was written in.

    Args:
      include: beginnings of paths that count as the user's as well, such as that of an installed package under test.
    """

    def __init__(self, include: tuple[str, ...] = ()) -> None:
        self._include = include
        self._known: dict[str, bool] = {}

    def has(self, code: CodeType) -> bool:
        """Say whether *code* is the user's.

        A module's own body isn't: the import system holds a lock around it. Neither are the methods that dataclasses
        and named tuples write for a class, anybody's class.
        """
        if code.co_name == "<module>" or (code.co_filename == "<string>" and _is_generated(code)):
            return False
        return self.has_file(code.co_filename)

    def has_file(self, file: str) -> bool:
        """Say whether what stands in *file* is the user's; text without a file (``python -c``, a notebook) is."""
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._judge(file)
        return known

    def _judge(self, file: str) -> bool:
        return file.startswith(self._include) or _is_not_installed(file)


@cache  # a program has hundreds of modules, and a test suite hundreds of explorations
def _is_not_installed(file: str) -> bool:
    if file.startswith("<"):
        return not file.startswith("<frozen")
    return not any(
        path.startswith((*_THEIRS, _LINECOOK)) or is_installed(path) for path in (file, str(Path(file).resolve()))
    )


def _is_generated(code: CodeType) -> bool:
    return code.co_name.startswith("__") or code.co_varnames[:1] == ("_cls",)


@dataclass(frozen=True, slots=True)
class Entry:
    """Code that isn't the user's, where a thread may be stopped all the same.

    Attributes:
      after: whether at its end as well as at its start.
      always: whether also when it isn't the user's code that calls it.
    """

    after: bool
    always: bool


_ENTRIES: dict[CodeType, Entry] = {}


def switch_at(*functions: Callable[..., Any] | property, after: bool = False, always: bool = False) -> None:
    """Let a thread be stopped where the user's code calls one of *functions*, though they aren't the user's.

    Args:
      functions: those that read or change what threads share.
      after: whether it may be stopped at their end as well: they release a lock before they return.
      always: whether it may be stopped there whoever calls them.
    """
    for function in functions:
        body = function.fget if isinstance(function, property) else function
        code = getattr(body, "__code__", None)
        if isinstance(code, CodeType):
            _ENTRIES[code] = Entry(after, always)


def entry(code: CodeType) -> Entry | None:
    """Return what ``switch_at`` was told about *code*, or None."""
    return _ENTRIES.get(code)
