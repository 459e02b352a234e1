"""Waiting for a shared value to change: from any loop, each woken on its own, by writers on any thread."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop as running_loop
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

from .._core.errors import UsageError
from .lost import State

T = TypeVar("T")


class Watched(Protocol):
    """What can be waited for."""

    @property
    def waits(self) -> Waits: ...
    def state(self) -> State: ...
    def saw(self, state: State, frame: FrameType) -> None: ...


class Waiter:
    """One task that waits, on its own loop."""

    __slots__ = ("_asked", "_future", "_loop", "_woken")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] | None = None
        self._asked = self._woken = False

    def wake(self) -> bool:
        """Let it look again, from any thread; False when its loop is closed."""
        if running_loop() is self._loop:
            self._wake()
        elif not self._asked:  # a wake under way will look at what is there by then
            self._asked = True
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # its loop is closed: it will never look again
                return False
        return True

    def look(self) -> None:
        """Begin to look: what comes from now on wakes."""
        self._woken = False

    async def wait(self) -> None:
        """Wait for the next wake since ``look``."""
        if not self._woken:
            self._future = self._loop.create_future()
            await self._future

    def _wake(self) -> None:
        self._asked = False
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


class Waits:
    """Those who wait for one cell; changed under the cell's lock."""

    __slots__ = ("_lock", "waiters")

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.waiters: dict[Waiter, None] = {}

    def wake(self) -> None:
        """Wake all of them; to be called after the write, outside of the lock."""
        with self._lock:
            waiting = list(self.waiters)
        for waiter in waiting:
            waiter.wake()

    async def until(self, cell: Watched, test: Callable[[State], bool]) -> State:
        """Return the first state seen that passes *test*: the present one, or one of those that follow."""
        waiter = Waiter()
        with self._lock:
            self.waiters[waiter] = None
        try:
            while True:
                waiter.look()  # first: a test that writes wakes itself
                state = cell.state()
                if test(state):
                    return state
                await waiter.wait()
        finally:
            with self._lock:
                del self.waiters[waiter]


class Changes(Generic[T]):
    """The values that a cell takes from now on; ``async for value in cell.changes()``.

    It holds one version number and nothing else, however slow its reader: what is overwritten before the reader looks
    is skipped, and counted. The newest value is never skipped.

    Attributes:
      missed: how many changes were overwritten before they could be seen, in all.
    """

    __slots__ = ("_cell", "_is_waiting", "_version", "missed")

    def __init__(self, cell: Watched, version: int) -> None:
        self._cell = cell
        self._version = version
        self._is_waiting = False
        self.missed = 0

    def __aiter__(self) -> Changes[T]:
        return self

    async def __anext__(self) -> T:
        """Return the value after the next change; at once where it has changed since the last one.

        Raises:
          UsageError: another task waits here already. Each needs its own ``changes()``.
        """
        import sys

        if self._is_waiting:
            raise UsageError("two tasks wait in one changes(); give each its own")
        self._is_waiting = True
        try:
            state = await self._cell.waits.until(self._cell, lambda state: state[1] != self._version)
        finally:
            self._is_waiting = False
        self.missed += state[1] - self._version - 1
        self._version = state[1]
        self._cell.saw(state, sys._getframe(1))
        value: T = state[0]
        return value


def wake_each(waits: Iterable[Waits | None]) -> None:
    """Wake those who wait for any of several cells."""
    for each in waits:
        if each is not None and each.waiters:
            each.wake()
