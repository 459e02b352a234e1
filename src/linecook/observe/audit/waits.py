"""The longest waits: at which await which task stands, looked at now and then from the watch thread.

The frames of waiting coroutines are read as they stand; the loop isn't woken. A look at many tasks costs time that the
loop would like to have, so the looks come the more rarely the dearer they are.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

from ..._core.place import is_ours_or_pythons
from .ledger import Detail, Fact, Ledger, Where
from .origins import line_that_made, name_of

_OFTEN = 0.25  # seconds between two looks, at the least
_SHARE = 1000  # a look may cost a 1000th of the time to the next one
_MOST_TASKS = 250  # followed at a time
_WORTH = 0.5  # seconds of waiting that are worth a line
_DEEPEST = 100  # coroutines, one awaiting the next

# Waits for other tasks: those stand in the list with what they wait for.
_GATHERING: type = getattr(asyncio.tasks, "_GatheringFuture", asyncio.Task)
_FOR_CHILDREN = {("taskgroups.py", "__aexit__"), ("tasks.py", "_wait"), ("tasks.py", "wait_for")}


class _Wait(NamedTuple):
    """A task at an await: which one, seen first and last when."""

    task: weakref.ref[asyncio.Task[Any]]
    waiter: int
    where: Where
    what: str
    name: str
    since: float
    seen: float

    def fact(self) -> Fact:
        details: tuple[tuple[Detail, float], ...] = ((("what", self.what), 1.0), (("task", self.name), 1.0))
        return Fact("wait", self.where, self.seen - self.since, details)


class Waits:
    """Follows some tasks of every loop from look to look: those that wait stay, those that go on make room.

    Attributes:
      unfollowed: the most tasks, at any look, for which there was no room.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._followed: dict[int, _Wait] = {}
        self._next = time.monotonic() + _OFTEN
        self.unfollowed = 0

    def look(self, now: float, loops: list[asyncio.AbstractEventLoop]) -> None:
        """Take a look, if it is time for one; on the watch thread only."""
        if now < self._next or not loops:
            return
        begun = time.perf_counter()
        self._look(now, loops)
        self._next = now + max(_OFTEN, _SHARE * (time.perf_counter() - begun))

    def _look(self, now: float, loops: list[asyncio.AbstractEventLoop]) -> None:
        before, self._followed = self._followed, {}
        fresh: list[asyncio.Task[Any]] = []
        for task in _tasks_of(loops):
            known = before.pop(id(task), None)
            if known is None or known.task() is not task:
                fresh.append(task)
            else:
                self._go_on(known, task, now)
        for gone in before.values():
            self._over(gone)
        room = max(0, _MOST_TASKS - len(self._followed))
        for task in fresh[:room]:
            self._follow(task, now)
        self.unfollowed = max(self.unfollowed, len(fresh) - room)

    def _go_on(self, known: _Wait, task: asyncio.Task[Any], now: float) -> None:
        waiter = getattr(task, "_fut_waiter", None)
        if waiter is not None and id(waiter) == known.waiter and not waiter.done():
            self._followed[id(task)] = known._replace(seen=now)
        else:
            self._over(known)
            self._follow(task, now)

    def _over(self, wait: _Wait) -> None:
        if wait.seen - wait.since >= _WORTH:
            self._ledger.note(*wait.fact())

    def _follow(self, task: asyncio.Task[Any], now: float) -> None:
        waiter = getattr(task, "_fut_waiter", None)
        if waiter is None or isinstance(waiter, asyncio.Task | _GATHERING):
            return
        stands = _stands_at(task)
        if stands is not None:
            where, what = stands
            name = name_of(task.get_coro())
            self._followed[id(task)] = _Wait(weakref.ref(task), id(waiter), where, what, name, now, now)

    def not_over(self) -> list[Fact]:
        """Return the waits that go on; from any thread."""
        return [wait.fact() for wait in list(self._followed.values()) if wait.seen - wait.since >= _WORTH]


def _tasks_of(loops: list[asyncio.AbstractEventLoop]) -> Iterator[asyncio.Task[Any]]:
    for loop in loops:
        try:
            yield from asyncio.all_tasks(loop)
        except RuntimeError:  # tasks come and go faster than they can be listed
            continue


def _stands_at(task: asyncio.Task[Any]) -> tuple[Where, str] | None:
    """Return the user's innermost line in a waiting *task*, and what it awaits there; None: it waits for tasks."""
    user: FrameType | None = None
    inner: FrameType | None = None
    coroutine: Any = task.get_coro()
    for _ in range(_DEEPEST):
        frame = _first_of(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None:
            inner = frame
            if not is_ours_or_pythons(frame.f_code.co_filename) and "site-packages" not in frame.f_code.co_filename:
                user = frame
        coroutine = _first_of(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
        if coroutine is None:
            break
    if inner is None:
        return None
    code = inner.f_code
    if is_ours_or_pythons(code.co_filename) and (code.co_filename.rpartition("/")[2], code.co_name) in _FOR_CHILDREN:
        return None
    if user is None and (made := line_that_made(task)) is not None:
        return made, code.co_qualname
    shown = user or inner
    where = Where(shown.f_code.co_filename, shown.f_lineno or shown.f_code.co_firstlineno, shown.f_code.co_qualname)
    return where, code.co_qualname if inner is not user else "a future"


def _first_of(thing: Any, *names: str) -> Any:
    for name in names:
        found = getattr(thing, name, None)
        if found is not None:
            return found
    return None
