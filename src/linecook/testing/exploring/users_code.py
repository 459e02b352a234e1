"""Which code is the user's: only there may a thread of the program be stopped.

Inside the standard library, an installed package or linecook itself a thread might hold a lock that everybody needs.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

_INSTALLED = ("/site-packages/", "/dist-packages/")
_STDLIB = tuple(str(Path(sysconfig.get_path(name)).resolve()) + "/" for name in ("stdlib", "platstdlib"))
_LINECOOK = str(Path(__file__).resolve().parents[2]) + "/"


class UsersCode:
    """Tells the user's code from the rest, by the file it was written in.

    Args:
      include: beginnings of paths that count as the user's as well, such as that of an installed package under test.
    """

    def __init__(self, include: tuple[str, ...] = ()) -> None:
        self._include = include
        self._known: dict[str, bool] = {}

    def has(self, code: CodeType) -> bool:
        """Say whether *code* is the user's. A module's own body isn't: the import system holds a lock around it."""
        return code.co_name != "<module>" and self.has_file(code.co_filename)

    def has_file(self, file: str) -> bool:
        """Say whether what stands in *file* is the user's; text without a file (``python -c``, a notebook) is."""
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._judge(file)
        return known

    def _judge(self, file: str) -> bool:
        if file.startswith("<"):
            return not file.startswith("<frozen")
        path = str(Path(file).resolve())
        if any(path.startswith(beginning) for beginning in self._include):
            return True
        return not (path.startswith((*_STDLIB, _LINECOOK)) or any(part in path for part in _INSTALLED))


_ENTRIES: dict[CodeType, bool] = {}


def switch_at(*functions: Callable[..., Any] | property, after: bool = False) -> None:
    """Let a thread be stopped where the user's code calls one of *functions*, though they aren't the user's.

    Args:
      functions: those that read or change what threads share.
      after: whether it may be stopped at their end as well: they release a lock before they return.
    """
    for function in functions:
        body = function.fget if isinstance(function, property) else function
        code = getattr(body, "__code__", None)
        if isinstance(code, CodeType):
            _ENTRIES[code] = after


def entry(code: CodeType) -> bool | None:
    """Return None when *code* wasn't named to ``switch_at``, else its ``after``."""
    return _ENTRIES.get(code)
