"""The one place where a search can look on: told before every access to shared state, and of every lost update.

``observer`` is None in production; one test of it for each access is all that this costs (benchmarks: shared_tracked).
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any, Literal, Protocol

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


observer: Observer | None = None


def observe(looker: Observer) -> Callable[[], None]:
    """Tell *looker* of everything from now on, in all threads; the returned function sets back what was before."""
    global observer
    before, observer = observer, looker

    def end() -> None:
        global observer
        observer = before

    return end
