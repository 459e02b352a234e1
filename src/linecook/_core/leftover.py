"""Whether anything that was begun inside a scope is still there at its end, for next to nothing.

The scope puts a mark into the context, which every plain ``asyncio.create_task`` inside copies, in its children too. At
the end it takes the mark out again and keeps a weak reference: where that is dead, no context made inside is alive, and
so no task. Where it isn't, somebody looks closely, and most often finds a context that a timer
or a task that is done still holds.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import Token

from .context import Mark, mark_here


class Marked:
    """The mark of one block, from ``enter`` to ``leave``."""

    __slots__ = ("_mark", "_token")

    def enter(self, path: Callable[[], str]) -> None:
        """Mark what is begun from here on; *path* tells what a reader calls the block."""
        mark = Mark(mark_here.get(), path)
        self._mark = weakref.ref(mark)
        self._token: Token[Mark | None] | None = mark_here.set(mark)

    @property
    def mark(self) -> Mark | None:
        """The mark, while something holds it."""
        return self._mark()

    def leave(self) -> None:
        """Mark no more; have it told when something with the mark is left."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            mark_here.reset(token)
        except ValueError:  # left in another context than entered, as in some fixtures: that one keeps the mark
            return
        del token  # which holds the mark
        mark = self._mark()
        if mark is not None:
            mark.ended = True
            on_left(mark)


def _ignore(_mark: Mark) -> None:
    return


on_left: Callable[[Mark], None] = _ignore
"""Told, in the scope's task, of each mark that something holds after the end of its block; set by the runtime."""
