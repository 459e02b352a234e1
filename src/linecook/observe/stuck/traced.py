"""Who holds asyncio's locks, whoever took them in whatever way: noted as they are taken, from ``begin`` to ``end``.

``acquire`` and ``release`` of asyncio's Lock and Semaphore, and ``set`` and ``clear`` of its Event, are exchanged for
ones that take note and call the original. Each lock keeps its holders on itself, so nothing outlives it. While a task
takes a lock, those that it holds already are noted as taken before: two locks taken in both orders by different tasks
are reported although nothing has happened yet (unless another lock around both kept them apart), which is what lockdep
does in the Linux kernel.

What it can't see: locks that were taken before it began; those of threads, of anyio and other libraries' own; who
*will* set an Event.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Callable
from itertools import count, pairwise
from types import CodeType, TracebackType
from typing import Any, NamedTuple

from ..._core.place import is_ours_or_pythons
from ..audit.patches import Patches
from ..place import Spot
from ..voice import Voice
from .diagnosis import LockOrder
from .noted import HELD, SAID, Taken, traces
from .words import place_of

_SERIAL = "_linecook_serial"
_MOST_ORDERS = 20_000  # pairs of locks that are remembered
_LONGEST = 6  # locks in a circle that is looked for


class _Order(NamedTuple):
    """One lock taken while another was held."""

    outer: Taken
    inner: Taken
    gates: frozenset[int]


class LockTrace:
    """Notes holders of asyncio's locks from ``begin`` (or ``with``) to ``end``; several may be under way at once.

    Attributes:
      orders: locks that were taken in both orders, as they were found; each pair once.
    """

    def __init__(self, on_order: Callable[[LockOrder], None] | None = None) -> None:
        self.orders: list[LockOrder] = []
        self._on_order = on_order or _speak
        self._seen: dict[tuple[int, int], _Order] = {}
        self._after: dict[int, set[int]] = {}
        self._told: set[frozenset[int]] = set()

    def begin(self) -> LockTrace:
        """Take note from now on."""
        with _lock:
            if self not in traces:
                traces.append(self)
            if len(traces) == 1:
                _exchange()
        return self

    def end(self) -> None:
        """Take note no more; with the last one asyncio's classes are as they were. Twice does no harm."""
        with _lock:
            if self in traces:
                traces.remove(self)
                if not traces:
                    _patches.undo()

    def __enter__(self) -> LockTrace:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def note_order(self, held: dict[int, Taken], serial: int, taken: Taken) -> None:
        """Note that *taken* is being taken as lock *serial* by a task that holds *held*."""
        for outer, how in held.items():
            pair = (outer, serial)
            if outer == serial or pair in self._seen or len(self._seen) >= _MOST_ORDERS:
                continue
            order = self._seen[pair] = _Order(how, taken, frozenset(held.keys() - {outer}))
            self._after.setdefault(outer, set()).add(serial)
            way = self._way(serial, outer, (serial,))
            if way is not None:
                self._tell(order, way)

    def _way(self, start: int, goal: int, way: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return by which locks, each taken after the one before, one comes from *start* to *goal*; None: by none."""
        for after in self._after.get(start, ()):
            if after == goal:
                return (*way, goal)
            if after not in way and len(way) < _LONGEST:
                found = self._way(after, goal, (*way, after))
                if found is not None:
                    return found
        return None

    def _tell(self, order: _Order, way: tuple[int, ...]) -> None:
        back = [self._seen[pair] for pair in pairwise(way)]
        mark = frozenset(way)
        by_one = all(each.outer.task() is order.outer.task() for each in back)
        if mark in self._told or by_one or any(order.gates & each.gates for each in back):
            return
        self._told.add(mark)
        found = LockOrder(_in_words(order), "; and ".join(map(_in_words, back)))
        self.orders.append(found)
        self._on_order(found)


def _in_words(order: _Order) -> str:
    return f"{order.inner.name} took a Lock at {_place(order.inner)} while it held the one of {_place(order.outer)}"


def _place(taken: Taken) -> str:
    return place_of(Spot(taken.code, taken.line))


_VOICE = Voice()


def _speak(order: LockOrder) -> None:
    _VOICE.say(
        order.first,
        lambda: (
            f"two locks were taken in both orders: {order.first}; but {order.second}. Take them in the same order "
            "everywhere, or these may wait for each other one day"
        ),
    )


# -- what stands in asyncio's place --------------------------------------------------------------------------------

_lock = threading.Lock()
_patches = Patches()
_serials = count(1)
_holding: weakref.WeakKeyDictionary[asyncio.Task[Any], dict[int, Taken]] = weakref.WeakKeyDictionary()


def _exchange() -> None:
    for kind in (asyncio.Lock, asyncio.Semaphore):
        _patches.set(kind, "acquire", _acquire_by(kind.acquire, kind is asyncio.Lock))
        _patches.set(kind, "release", _release_by(kind.release))
    _patches.set(asyncio.Event, "set", _saying(asyncio.Event.set, "set"))
    _patches.set(asyncio.Event, "clear", _saying(asyncio.Event.clear, "cleared"))


def _acquire_by(original: Callable[[Any], Any], has_order: bool) -> Callable[[Any], Any]:
    async def acquire(self: Any) -> Any:
        task = asyncio.current_task()
        if task is None:
            return await original(self)
        taken = _taken_here(task)
        held = _holding.setdefault(task, {})
        serial = self.__dict__.get(_SERIAL)
        if serial is None:
            serial = self.__dict__[_SERIAL] = next(_serials)
        if has_order and held:
            for trace in list(traces):
                trace.note_order(dict(held), serial, taken)
        result = await original(self)
        self.__dict__.setdefault(HELD, []).append(taken)
        if has_order:
            held[serial] = taken
        return result

    # A task may run nothing but this, and is called by its code.
    acquire.__code__ = acquire.__code__.replace(co_qualname=original.__qualname__)
    return acquire


def _release_by(original: Callable[[Any], Any]) -> Callable[[Any], None]:
    def release(self: Any) -> None:
        original(self)
        holders: list[Taken] = self.__dict__.get(HELD, [])
        task = _current()
        place = next((place for place, taken in enumerate(holders) if taken.task() is task), 0)
        if holders:  # of several by nobody we know, the oldest
            taken = holders.pop(place)
            owner = taken.task()
            if owner is not None and (held := _holding.get(owner)) is not None:
                held.pop(self.__dict__.get(_SERIAL, 0), None)

    return release


def _saying(original: Callable[[Any], None], said: str) -> Callable[[Any], None]:
    def say(self: Any) -> None:
        original(self)
        task = _current()
        who = "code outside of tasks" if task is None else task.get_name()
        code, line = _users_line()
        self.__dict__[SAID] = (said, who, code, line)

    return say


def _current() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _taken_here(task: asyncio.Task[Any]) -> Taken:
    code, line = _users_line()
    return Taken(weakref.ref(task), task.get_name(), code, line)


def _users_line() -> tuple[CodeType, int]:
    """Return the innermost line on this stack that is neither asyncio's nor ours."""
    frame = first = sys._getframe(2)
    while is_ours_or_pythons(frame.f_code.co_filename):
        if frame.f_back is None:
            frame = first
            break
        frame = frame.f_back
    return frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno
