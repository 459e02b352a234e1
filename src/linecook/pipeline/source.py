"""Where items come from: what stands in memory, and asynchronous iterators; lazy ones are in pulled.py."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .._core.callframe import CallFrame
from .._core.endings import EXITS
from .._core.errors import Interrupted
from .._core.supervise import supervisor_of
from .._core.timers import timers_of
from ..tools.inputs import ending_of
from .item import Item
from .node import Node

if TYPE_CHECKING:
    from .line import Line

_log = logging.getLogger("linecook")

IN_MEMORY = (list, tuple, range, set, frozenset, dict, deque)
BURST = 64
"""Items given in one turn of the loop, at most: stages whose bodies end at once must not keep it from the others."""


class Source(Node):
    """The beginning of the row.

    Attributes:
      count: items that were read.
      has_ended: whether there are no more.

    A runtime sees a fan-out in it, one without calls, and tells it to drain.
    """

    name = "source"
    running: Mapping[CallFrame, asyncio.Task[None]] = MappingProxyType({})
    _limit = 0

    def __init__(self, line: Line) -> None:
        self._line = line
        self.count = 0
        self.has_ended = False

    @property
    def over(self) -> bool:
        """Whether it gives no more."""
        return self.has_ended or not self._line.is_running

    def free(self) -> int:
        return 0

    def accept(self, item: Item) -> None:
        raise AssertionError("nothing comes before the source")

    def input_ended(self) -> None:
        """Nobody is before it."""

    def start(self) -> None:
        """Begin to read."""
        raise NotImplementedError

    def drain(self) -> None:
        """Read nothing more; what was given goes its way."""
        raise NotImplementedError

    def _give(self, value: Any) -> None:
        assert self.after is not None
        split = None if self._line.open_ticket is None else self._line.open_ticket(value, self.count)
        item = Item(value, self.count, split)
        self.count += 1
        self.after.accept(item)

    def _end(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            assert self.after is not None
            self.after.input_ended()

    def _fail(self, error: BaseException) -> None:
        self.has_ended = True
        self._line.fail(ending_of(error, "pipeline"), f"raised by the pipeline's input, after {self.count} items")


class MemorySource(Source):
    """Reads a container, on the loop, while there is room."""

    def __init__(self, line: Line, iterator: Iterator[Any]) -> None:
        super().__init__(line)
        self._iterator = iterator
        self._pulling = self._later = False

    def start(self) -> None:
        self.on_room()

    def on_room(self) -> None:
        if self._pulling or self._later or self.has_ended or not self._line.is_running:
            return
        self._pulling = True
        try:
            self._pull()
        finally:
            self._pulling = False

    def _pull(self) -> None:
        after, iterator = self.after, self._iterator
        assert after is not None
        for _ in range(BURST):
            if self.has_ended:
                return
            if after.free() <= 0:
                after.want()
                return
            try:
                value = next(iterator)
            except StopIteration:
                self._end()
                return
            except Exception as error:  # a dict or set that was changed meanwhile
                self._fail(error)
                return
            self._give(value)
        self._later = True
        self._line.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._later = False
        self.on_room()

    def drain(self) -> None:
        if not self.has_ended:
            self._line.interrupt()
            self._end()

    def stop(self, reason: str) -> None:
        self.has_ended = True


class AsyncSource(Source):
    """Reads an asynchronous iterator, in one task from its first item to its last, and closes it there."""

    def __init__(self, line: Line, iterator: AsyncIterator[Any]) -> None:
        super().__init__(line)
        self._iterator = iterator
        self._drains_itself = getattr(iterator, "drains_itself", False)  # a run of another pipeline
        self._room: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._draining = False

    def start(self) -> None:
        self._task = self._line.loop.create_task(self._run())

    def on_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def _run(self) -> None:
        try:
            await self._read()
        except asyncio.CancelledError as error:
            if self._draining:
                self._end()
            elif self._line.is_running:  # by somebody else
                self._fail(error)
        except BaseException as error:
            if self.has_ended:  # it was left when it would not end
                _log.warning("the input %r of a pipeline failed after it was left", self._iterator, exc_info=error)
            else:
                self._fail(error)
        else:
            self._end()

    async def _read(self) -> None:
        after = self.after
        assert after is not None
        try:
            while True:
                if after.free() <= 0 or self.count % BURST == BURST - 1:
                    await self._wait_room(after)
                try:
                    value = await anext(self._iterator)
                except StopAsyncIteration:
                    return
                if self.has_ended:
                    return
                self._give(value)
                if self._draining and not self._drains_itself:  # it swallowed the request to end
                    return
        except Interrupted:
            if not (self._drains_itself and self._draining):
                raise
        finally:
            await self._close()

    async def _wait_room(self, after: Node) -> None:
        while after.free() <= 0:
            after.want()
            self._room = self._line.loop.create_future()
            await self._room
        if self.count % BURST == BURST - 1:
            await asyncio.sleep(0)

    async def _close(self) -> None:
        aclose = getattr(self._iterator, "aclose", None)
        if aclose is None:
            return
        try:
            await aclose()
        except EXITS:
            raise
        except Exception:
            _log.warning("closing the input %r of a pipeline failed", self._iterator, exc_info=True)

    def drain(self) -> None:
        if self.has_ended:
            return
        self._line.interrupt()
        self._draining = True
        if self._task is None:
            self._end()
        elif not self._drains_itself:  # else it ends by itself, when what is inside has come out
            self._task.cancel("shutdown")
            loop = self._line.loop
            timers_of(loop).at(loop.time() + self._line.grace, AsyncSource._leave_late, self)

    def _leave_late(self) -> None:
        """Wait no longer for an input that doesn't end: what is inside must come out."""
        if not self.has_ended and self._line.is_running:
            self.leave()
            self._end()

    def stop(self, reason: str) -> None:
        if self._task is not None:
            self._task.cancel(reason)

    def tasks(self) -> Iterable[asyncio.Task[None]]:
        return () if self._task is None else (self._task,)

    def leave(self) -> None:
        leave_to_supervisor(self._line, self.tasks())


def leave_to_supervisor(line: Line, tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Have the loop's supervisor see to the end of *tasks*, which read an input."""
    for task in tasks:
        if not task.done():
            supervisor_of(line.loop).adopt(task, "the input of a pipeline", "caller", max(line.grace, 0.05))
