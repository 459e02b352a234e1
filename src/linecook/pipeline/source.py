"""Where items come from: a container, a lazy iterator that may block, an asynchronous one, another pipeline.

What stands in memory already is read on the loop. Any other iterator is pulled on a thread, since nobody knows what it
waits for: some 256 items at a time, or what came within a millisecond, so that a slow source delays nothing.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .._core.endings import EXITS
from .._core.errors import UsageError
from .._core.supervise import supervisor_of
from ..tools.inputs import ending_of
from ..tools.tool import Options, Tool
from .item import Item
from .node import Node

if TYPE_CHECKING:
    from .line import Line

_log = logging.getLogger("linecook")

IN_MEMORY = (list, tuple, range, set, frozenset, dict, deque)
CHUNK = 256
SLICE = 0.001
"""Seconds after which a pull on a thread hands over what it has."""


def check_source(source: object) -> None:
    """Refuse what is no input.

    Raises:
      UsageError: it can't be iterated over, or is a text, which would fall into letters.
    """
    if isinstance(source, (str, bytes, bytearray)):
        raise UsageError(f"pipeline({source!r:.40}) would go through it letter by letter; write pipeline([...])")
    if not isinstance(source, (Iterable, AsyncIterable)):
        raise UsageError(f"pipeline needs something to iterate over, not {source!r:.80}")


def source_node(line: Line, source: Any) -> Source:
    """Return what reads *source*."""
    if isinstance(source, AsyncIterable):
        return AsyncSource(line, aiter(source))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(source, IN_MEMORY):
        return MemorySource(line, iter(source))  # pyright: ignore[reportUnknownArgumentType]
    return ThreadSource(line, source)


class Source(Node):
    """The beginning of the row.

    Attributes:
      count: items that were read.
      has_ended: whether there are no more.
    """

    name = "source"

    def __init__(self, line: Line) -> None:
        self._line = line
        self.count = 0
        self.has_ended = False

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
        """Read nothing more; what was read goes its way."""
        raise NotImplementedError

    def _give(self, value: Any) -> None:
        assert self.after is not None
        item = Item(value, self.count)
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
        for _ in range(CHUNK):
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
        self._line.interrupt()
        self._end()


class TaskSource(Source):
    """Reads in one task from the first item to the last, which waits while there is no room."""

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._news: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._draining = False

    def start(self) -> None:
        self._task = self._line.loop.create_task(self._run())

    def on_room(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _room(self) -> int:
        """Wait until there is room, and return how much."""
        after = self.after
        assert after is not None
        while (free := after.free()) <= 0:
            after.want()
            self._news = self._line.loop.create_future()
            await self._news
        return free

    async def _run(self) -> None:
        try:
            await self._read()
        except asyncio.CancelledError as error:
            if self._draining:
                self._end()
            elif self._line.is_running:  # by somebody else
                self._fail(error)
        except BaseException as error:
            self._fail(error)
        else:
            self._end()

    async def _read(self) -> None:
        raise NotImplementedError

    def drain(self) -> None:
        self._line.interrupt()
        self._draining = True
        if self._task is not None:
            self._task.cancel("shutdown")

    def stop(self, reason: str) -> None:
        if self._task is not None:
            self._task.cancel(reason)

    def tasks(self) -> Iterable[asyncio.Task[None]]:
        return () if self._task is None else (self._task,)

    def leave(self) -> None:
        if self._task is not None and not self._task.done():
            supervisor_of(self._line.loop).adopt(
                self._task, "the input of a pipeline", "caller", max(self._line.grace, 0.05)
            )


class AsyncSource(TaskSource):
    """Reads an asynchronous iterator, and closes it."""

    def __init__(self, line: Line, iterator: AsyncIterator[Any]) -> None:
        super().__init__(line)
        self._iterator = iterator

    async def _read(self) -> None:
        try:
            while True:
                await self._room()
                try:
                    value = await anext(self._iterator)
                except StopAsyncIteration:
                    return
                self._give(value)
        finally:
            await self._close()

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


class ThreadSource(TaskSource):
    """Pulls a lazy iterator on threads, and closes a generator there."""

    def __init__(self, line: Line, source: Iterable[Any]) -> None:
        super().__init__(line)
        self._puller = _Puller(source)
        self._pull: Tool[[int], tuple[list[Any], bool]] = Tool(self._puller.pull, Options(lane="thread"), is_tool=True)
        self._close: Tool[[], None] = Tool(self._puller.close, Options(lane="thread"), is_tool=True)

    async def _read(self) -> None:
        try:
            at_end = False
            while not at_end:
                values, at_end = await self._pull(min(await self._room(), CHUNK))
                for value in values:
                    self._give(value)
        finally:
            if self._puller.leave():
                await self._close()


class _Puller:
    """What runs on the threads. One pull at a time; left in the middle of one, that one closes the generator."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._iterator: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._pulling = self._left = False
        self._error: Exception | None = None

    def pull(self, most: int) -> tuple[list[Any], bool]:
        """Return up to *most* values, at least one unless the end has come, and whether it has come."""
        with self._lock:
            if self._left:
                return [], True
            self._pulling = True
        try:
            return self._pull_some(most)
        finally:
            with self._lock:
                self._pulling = False
                left = self._left
            if left:
                self.close()

    def _pull_some(self, most: int) -> tuple[list[Any], bool]:
        if self._error is not None:  # what came before it went first
            raise self._error
        if self._iterator is None:
            self._iterator = iter(self._source)
        values: list[Any] = []
        until = time.monotonic() + SLICE
        try:
            for value in self._iterator:
                values.append(value)
                if len(values) >= most or time.monotonic() > until:
                    return values, False
        except Exception as error:
            if not values:
                raise
            self._error = error
            return values, False
        return values, True

    def leave(self) -> bool:
        """Say that nobody will pull any more; returns whether the caller is to close the iterator."""
        with self._lock:
            self._left = True
            return not self._pulling and inspect.isgenerator(self._iterator)

    def close(self) -> None:
        """Close a generator, whose clean-up may block; an open file is its owner's to close."""
        if not inspect.isgenerator(self._iterator):
            return
        try:
            self._iterator.close()
        except Exception:
            _log.warning("closing the input %r of a pipeline failed", self._source, exc_info=True)
