"""The one place where a search can look on: told before every access to shared state, and of every lost update.

``observer`` is None in production; one test of it for each access is all that this costs (benchmarks: shared_tracked).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Literal, Protocol

from .._core.errors import NotPortable

_CO_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: functions have it

Kind = Literal["read", "write"]


class Observer(Protocol):
    """Looks on while a program is explored."""

    def accessing(self, cell: Any, key: Any, kind: Kind, frame: FrameType) -> None:
        """Be told that the code in *frame* is about to read or write, on its own thread, outside of every lock.

        Other threads may be let run before this returns: the access takes place afterwards. ``update`` and
        ``transaction`` tell of the read before the function runs and of the write before the commit, each attempt anew.

        Args:
          cell: the ``Shared`` or ``SharedMap``.
          key: of a ``SharedMap``; None otherwise, and where all of its keys are read.
          kind: what is about to happen.
          frame: where: the caller of the method of *cell*.
        """

    def lost(self, loss: Any) -> None:
        """Be told of a ``Loss``, in place of the log, on the thread of the write, before it takes place."""


class _Copies:
    """Looks on in a worker process, where what a module made when it was imported is a copy that nobody else sees."""

    def accessing(self, cell: Any, key: Any, kind: Kind, frame: FrameType) -> None:
        """Refuse the access to a copy, unless the module itself fills it.

        Raises:
          NotPortable: it is one; the message names it and the cure.
        """
        if _is_import(cell._made[0]) and not _is_import(frame.f_code):
            raise NotPortable(
                f"{cell.where()} lives in the process that called; in a worker of lane='process' this is a copy, made "
                "when its module was imported, and nobody would see what is written here. Pass its value as argument, "
                "return what should be added, or use lane='thread'."
            )

    def lost(self, loss: Any) -> None:
        """Say it in the log."""
        logging.getLogger("linecook").warning("%s", loss)


def _is_import(code: CodeType) -> bool:
    """Say whether *code* is the body of a module or a class: what runs when a module is imported."""
    return not code.co_flags & _CO_OPTIMIZED


observer: Observer | None = _Copies() if "_linecook_worker" in sys.modules else None


def observe(looker: Observer) -> Callable[[], None]:
    """Tell *looker* of everything from now on, in all threads; the returned function sets back what was before."""
    global observer
    before, observer = observer, looker

    def end() -> None:
        global observer
        observer = before

    return end
