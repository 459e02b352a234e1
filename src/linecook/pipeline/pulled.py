"""Lazy iterators, pulled on a thread, since nobody knows what they wait for: a disk, a queue, another program.

One pull gives some 256 items, or what comes within a millisecond: the way to a thread and back costs 20 µs, whatever it
brings (benchmarks: pipeline_million). Items go on as they come, not when the pull has ended: a line that has been read
never waits for the next one.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._core.account import Account
from .._core.meter import SOURCE
from ..tools.direct import DirectCall
from ..tools.tool import Options, Tool
from .item import size_of
from .source import BURST, Source, leave_to_supervisor

if TYPE_CHECKING:
    from .line import Line

T = TypeVar("T")

_log = logging.getLogger("linecook")

CHUNK = 256
SLICE = 0.001
"""Seconds after which a pull gives its thread back."""


class PulledSource(Source):
    """Gives what pulls have brought while there is room, and has more pulled when nothing is left of it."""

    def __init__(self, line: Line, source: Iterable[Any]) -> None:
        super().__init__(line)
        self._read: deque[Any] = deque()
        self._puller = Puller(source, line.max_bytes, self._read, self._tell)
        self._pull = _on_a_thread(self._puller.pull, source)
        self._close = _on_a_thread(self._puller.close, source)
        self._context = copy_context()
        self._pulling: asyncio.Task[bool] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._at_end = self._giving = self._later = False
        self._error: BaseException | None = None

    def start(self) -> None:
        self.on_room()

    def _tell(self) -> None:
        """Something has been read; told from a thread."""
        try:
            self._line.loop.call_soon_threadsafe(self.on_room)
        except RuntimeError:  # the loop has gone
            return

    def on_room(self) -> None:
        if not self._giving and not self._later and not self.has_ended:
            self._giving = True
            try:
                self._give_some()
            finally:
                self._giving = False

    def _give_some(self) -> None:
        after, read = self.after, self._read
        assert after is not None
        for _ in range(BURST):
            if self.has_ended:
                return
            if not read:
                self._have_more_read()
                return
            if after.free() <= 0:
                after.want()
                return
            self._give(read.popleft())
        self._later = True
        self._line.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._later = False
        self.on_room()

    def _have_more_read(self) -> None:
        assert self.after is not None
        if self._pulling is not None:
            return
        if self._error is not None:
            self._fail(self._error)
        elif self._at_end:
            self._end()
        elif self.after.free() > 0:
            # In a context of its own: this may be the step in which some item's body has ended.
            self._pulling = self._line.loop.create_task(self._pull_once(), context=self._context.copy())
            self._pulling.add_done_callback(self._pulled)
        else:
            self.after.want()

    async def _pull_once(self) -> bool:
        return await self._pull()

    def _pulled(self, task: asyncio.Task[bool]) -> None:
        self._pulling = None
        if task.cancelled():
            self._error = asyncio.CancelledError()  # by somebody else, unless it has ended anyway
        else:
            self._error = task.exception()
            self._at_end = self._error is None and task.result()
        self.on_room()

    def drain(self) -> None:
        if not self.has_ended:
            self._line.interrupt()
            self._end()
            self._let_go("shutdown")

    def stop(self, reason: str) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._let_go(reason)

    def _let_go(self, reason: str) -> None:
        self._read.clear()
        if self._pulling is not None:
            self._pulling.cancel(reason)
        if self._puller.leave():
            self._closing = self._line.loop.create_task(self._close_it(), context=self._context.copy())
            self._closing.add_done_callback(self._closed)

    async def _close_it(self) -> None:
        await self._close()

    def _closed(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:  # no thread of the lane was free for it in time
            self._puller.close_beside_the_lane()

    def tasks(self) -> Iterable[asyncio.Task[Any]]:
        found: tuple[asyncio.Task[Any] | None, ...] = (self._pulling, self._closing)
        return [task for task in found if task is not None]

    def leave(self) -> None:
        leave_to_supervisor(self._line, self.tasks())


class Reading(Generic[T]):
    """A step of the reading of *source*, by the name under which reports, ``ps`` and notices show it."""

    def __init__(self, step: Callable[[], T], source: Iterable[Any]) -> None:
        self._step = step
        self.counted_as = self.__name__ = self.__qualname__ = source_name(source)

    def __call__(self) -> T:
        return self._step()


def source_name(source: Iterable[Any]) -> str:
    """Return what *source* is called where tools are: ``source numbers``, by its generator, file or type."""
    try:
        name: Any = getattr(source, "__qualname__", None) or getattr(source, "name", None)
    except Exception:  # a property of the user's
        name = None
    if not isinstance(name, str):
        name = type(source).__qualname__
    return f"{SOURCE} {name.rpartition('/')[2].rpartition('<locals>.')[2]:.40}"


class _ReadingCall(DirectCall[Any]):
    """A call that reads an input: no tool that anybody named, so neither refused nor counted. Its charges count."""

    __slots__ = ()

    def under(self, account: Account) -> None:
        self.account = account


def _on_a_thread(step: Callable[[], T], source: Iterable[Any]) -> Tool[[], T]:
    made: Tool[[], T] = Tool(Reading(step, source), Options(lane="thread"), is_tool=True)
    made._call = _ReadingCall  # pyright: ignore[reportPrivateUsage]
    return made


class Puller:
    """What runs on the threads. One pull at a time; left in the middle of one, that one closes the generator.

    Args:
      source: what is iterated over.
      max_bytes: most bytes read in one pull, but for its last item.
      read: gets what was read.
      tell: called when *read* was empty and is no more.
    """

    def __init__(self, source: Iterable[Any], max_bytes: int, read: deque[Any], tell: Callable[[], None]) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._read = read
        self._tell = tell
        self._iterator: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._pulling = self._left = self._closing = False

    def pull(self) -> bool:
        """Read one item at least, unless the end has come; returns whether it has."""
        with self._lock:
            if self._left:
                return True
            self._pulling = True
        try:
            return self._pull_some()
        finally:
            with self._lock:
                self._pulling = False
                left = self._left
            if left:
                self._read.clear()
                self.close()

    def _pull_some(self) -> bool:
        if self._iterator is None:
            self._iterator = iter(self._source)
        read = self._read
        size, until = 0, time.monotonic() + SLICE
        for count, value in enumerate(self._iterator, 1):
            read.append(value)
            if len(read) == 1:
                self._tell()
            size += size_of(value)
            if count >= CHUNK or size >= self._max_bytes or self._left or time.monotonic() > until:
                return False
        return True

    def leave(self) -> bool:
        """Say that nobody will pull any more; returns whether the caller is to close the iterator."""
        with self._lock:
            self._left = True
            return not self._pulling and inspect.isgenerator(self._iterator)

    def close(self) -> None:
        """Close a generator, whose clean-up may block; an open file is its owner's to close."""
        with self._lock:
            if self._closing or not inspect.isgenerator(self._iterator):
                return
            self._closing = True
        try:
            self._iterator.close()
        except Exception:
            _log.warning("closing the input %r of a pipeline failed", self._source, exc_info=True)

    def close_beside_the_lane(self) -> None:
        """Close it on a thread made for that, unless one has begun to: whatever becomes of the lane, it is closed."""
        if not self._closing:
            threading.Thread(target=self.close, name="linecook-close", daemon=True).start()
