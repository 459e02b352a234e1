"""Which waits nobody can end any more: found by what those who can still run can reach.

A task that waits for an Event can be woken only by somebody who has the Event. So: begin with everything that runs, or
will run by itself (threads, modules, the loop's timers and sockets, tasks that are ready), follow every reference, and
leave out the tasks that wait; one whose future is come upon can be woken, and what it refers to is followed as well.
The others wait for ever. Nothing but a cancellation ends that, by whoever holds the task itself.

The algorithm is that of Saioc, Lee, Møller and Chabbi for Go ("Dynamic Partial Deadlock Detection and Recovery via
Garbage Collection", ASPLOS 2025), on CPython's view of who refers to whom. What it doesn't see is what C code keeps to
itself; so an event loop that isn't asyncio's own is not judged.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import weakref
from collections.abc import Iterable, Iterator
from types import FrameType, ModuleType
from typing import Any

from ..._core.stacks import stacks_of_others
from ..live.chains import links_of
from ..place import outwards
from .sightings import SIGHTINGS

MOST_SECONDS = 1.0
"""Seconds that the search may take, at most, before it gives up."""

MOST_TASKS = 50_000
"""Waiting tasks with which a search isn't begun: it would not end in time."""

_BATCH = 5_000
_HERE = __name__.rpartition(".")[0] + "."


def unreachable(tasks: Iterable[asyncio.Task[Any]], seconds: float | None = None) -> list[asyncio.Task[Any]] | None:
    """Return those of the waiting *tasks* that nobody can wake; None: the program is too large to be searched in time.

    Args:
      tasks: all that wait, of every event loop.
      seconds: how long it may take; None: ``MOST_SECONDS``.
    """
    tasks = list(tasks)
    if len(tasks) > MOST_TASKS:
        return None
    search = _Search(tasks)
    deadline = time.monotonic() + (MOST_SECONDS if seconds is None else seconds)
    while search.fresh:
        if time.monotonic() > deadline:
            return None
        search.go_on()
    return search.lost()


class _Search:
    """One search.

    Attributes:
      waiting: the tasks that nobody was found to be able to wake, by their addresses.
      fresh: what was come upon, and not followed yet.
    """

    def __init__(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        self.waiting = {id(task): task for task in tasks}
        self._by_future: dict[int, asyncio.Task[Any]] = {}
        self._futures: dict[int, Any] = {}
        self._inside: dict[int, list[Any]] = {}
        self._seen: set[int] = {id(self), id(self.__dict__), id(SIGHTINGS), *self.waiting}
        for mark, task in self.waiting.items():
            self._futures[mark] = future = getattr(task, "_fut_waiter", None)
            self._by_future[id(future)] = task
            # Its coroutines, too: asyncio.run has the outermost at hand, and doesn't run it.
            self._inside[mark] = [task, *(link for link, _, _ in links_of(task))]
            self._seen.update(map(id, self._inside[mark]))
        self._kept: list[Any] = []  # so that no address is used twice meanwhile
        self._seen |= {id(self.waiting), id(self._by_future), id(self._futures), id(self._inside), id(self._kept)}
        self.fresh: list[Any] = []
        for one in _roots():
            self._come_upon(one)

    def go_on(self) -> None:
        """Follow some references."""
        batch, self.fresh = self.fresh[-_BATCH:], self.fresh[:-_BATCH]
        self._kept.append(batch)
        for value in gc.get_referents(*batch):
            self._come_upon(value)
        for each in batch:
            if issubclass(type(each), weakref.ref):  # whoever has it may ask for what it refers to
                self._come_upon(each())  # pyright: ignore[reportUnknownArgumentType]

    def lost(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that nobody was found to be able to wake, and that nobody has woken during the search.

        The program goes on meanwhile: what a short wait was for may have been let go before it was come upon.
        """
        return [
            task
            for mark, task in self.waiting.items()
            if (future := self._futures[mark]) is not None
            and not future.done()
            and getattr(task, "_fut_waiter", None) is future
        ]

    def _come_upon(self, value: Any) -> None:
        mark = id(value)
        if mark in self._seen or not gc.is_tracked(value):
            return
        self._seen.add(mark)
        if issubclass(type(value), ModuleType):  # isinstance would ask the object, which may be a proxy that raises
            # Not the module itself: what the collector is shown of _asyncio's own state (3.12, 3.13) are objects that
            # are freed and kept for later use, and to hold one of those makes the interpreter go round in circles.
            self._come_upon(value.__dict__)
            return
        self.fresh.append(value)
        task = self._by_future.get(mark)
        if task is not None and self.waiting.pop(id(task), None) is not None:
            self.fresh += self._inside[id(task)]  # it can be woken, and then do whatever it can


def _roots() -> Iterator[Any]:
    """Yield what is there without anybody's help: modules, and what every thread has at hand."""
    yield from list(sys.modules.values())
    for frame in [*stacks_of_others().values(), sys._getframe(1)]:
        for each in outwards(frame):
            if not _is_ours(each):
                yield each.f_globals
                yield from list(each.f_locals.values())


def _is_ours(frame: FrameType) -> bool:
    """Whether *frame* is one that looks: what it knows must not pass for known to the program."""
    return str(frame.f_globals.get("__name__", "")).startswith(_HERE)


def can_be_judged(loop: asyncio.AbstractEventLoop) -> bool:
    """Say whether all that *loop* will do can be seen: it is asyncio's own, or made in Python from it."""
    return isinstance(loop, asyncio.BaseEventLoop)
