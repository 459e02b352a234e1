"""Edits: a draft that is worked on across awaits and committed as a whole. Of one cell one is open at a time."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Generic, Protocol, TypeVar

from .._core.errors import Conflict, UsageError
from .actors import Actor, actor_here
from .lines import line_of
from .lost import State
from .values import check
from .waiting import Waiter

T = TypeVar("T")


class Edited(Protocol):
    """What can be edited."""

    @property
    def turns(self) -> Turns: ...
    def where(self) -> str: ...
    def look(self, frame: FrameType) -> State: ...
    def commit(self, seen: State, value: Any, frame: FrameType) -> State | None: ...


class Turn:
    """One edit that is open, or waits to be."""

    __slots__ = ("actor", "is_open", "waiter")

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.is_open = False
        self.waiter = Waiter()


class Turns:
    """Whose turn it is to edit one cell, first come first served, across loops and threads.

    Attributes:
      open: the edit that is open; None for none.
      waiting: those that wait for it.
    """

    __slots__ = ("_lock", "open", "waiting")

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.open: Turn | None = None
        self.waiting: deque[Turn] = deque()

    async def take(self, where: Callable[[], str]) -> Turn:
        """Wait for the turn of the task that runs.

        Raises:
          UsageError: it is this very task that has the turn: it would wait for itself.
        """
        turn = Turn(actor_here())
        try:
            with self._lock:
                holder = self.open
                if holder is None:
                    self._give(turn)
                else:
                    self.waiting.append(turn)
            if holder is not None and holder.actor is turn.actor:
                raise UsageError(
                    f"{turn.actor.name} edits {where()} already, and would wait for itself; use that draft"
                )
            while not turn.is_open:
                turn.waiter.look()
                if not turn.is_open:
                    await turn.waiter.wait()
        except BaseException:
            self.leave(turn)
            raise
        return turn

    def leave(self, turn: Turn) -> None:
        """Give the turn on, or give up waiting for it; never waits itself."""
        woken: Turn | None = turn
        while woken is not None:
            with self._lock:
                if self.open is not woken:
                    if woken in self.waiting:
                        self.waiting.remove(woken)
                    return
                self.open = None
                woken = self.waiting.popleft() if self.waiting else None
                if woken is not None:
                    self._give(woken)
            if woken is None or woken.waiter.wake():
                return  # else its loop is closed, and the turn goes on to the next

    def _give(self, turn: Turn) -> None:
        self.open = turn
        turn.is_open = True


class Draft(Generic[T]):
    """What an edit works on; nobody else sees it until the block is left.

    Attributes:
      value: the value so far: to begin with, that of the cell. To assign to it is refused as in the cell itself.
    """

    __slots__ = ("_is_over", "_value", "_where", "is_changed")

    def __init__(self, value: T, where: Callable[[], str]) -> None:
        self._value = value
        self._where = where
        self._is_over = False
        self.is_changed = False

    @property
    def value(self) -> T:
        return self._value

    @value.setter
    def value(self, value: T) -> None:
        if self._is_over:
            raise UsageError(f"the edit of {self._where()} is over; begin another: async with ….edit() as draft")
        check(value, self._where)
        self._value = value
        self.is_changed = True

    def close(self) -> None:
        """Let nothing more be assigned."""
        self._is_over = True


class Edit(Generic[T]):
    """An edit; made by ``edit()``, entered once by ``async with``."""

    __slots__ = ("_base", "_cell", "_draft", "_frame", "_turn")

    def __init__(self, cell: Edited) -> None:
        self._cell = cell
        self._turn: Turn | None = None
        self._draft: Draft[T] | None = None

    async def __aenter__(self) -> Draft[T]:
        if self._turn is not None:
            raise UsageError(f"this edit of {self._cell.where()} was entered before; call edit() for each block")
        self._turn = await self._cell.turns.take(self._cell.where)
        try:
            self._base = self._cell.look(sys._getframe(1))
        except BaseException:  # a search gives this task up here
            self._cell.turns.leave(self._turn)
            raise
        self._draft = Draft[T](self._base[0], self._cell.where)
        return self._draft

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # No await in here: a task that is thrown away in the middle of its edit must still give its turn back.
        assert self._turn is not None
        assert self._draft is not None
        self._draft.close()
        try:
            if kind is None and self._draft.is_changed:
                other = self._cell.commit(self._base, self._draft.value, sys._getframe(1))
                if other is not None:
                    raise Conflict(self._words(other))
        finally:
            self._cell.turns.leave(self._turn)

    def _words(self, other: State) -> str:
        by, line = other[2].name, line_of(other[3], other[4])
        return (
            f"{self._cell.where()} was changed under this edit, by {by} at {line}; nothing was written. Edit it again, "
            "or do it in one step: update(fn)"
        )
