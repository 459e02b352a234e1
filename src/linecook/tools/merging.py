"""What reads a merge: it takes the pieces of several streams from their writers, with no task of its own.

A task that reads each stream and a scope around them are objects that stand as long as the merge does. Where 300 people
read at once each collection walks through all of them, and everybody waits for it (benchmarks: sse_users).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any, ClassVar

from .._core.callframe import shown
from .._core.context import Frame
from .._core.supervise import cancel_requests, raise_if_cancelled_since, see_end, supervisor_of
from .._core.timers import Timer, timers_of
from .call import nested
from .pump import Pump
from .reader import Reader
from .stream import Stream, StreamTool, note_reader, writer_of
from .stream_frame import StreamFrame
from .tool import Options

_log = logging.getLogger("linecook")


class MergeFrame(StreamFrame):
    """The place of a merge in the tree of calls: a fan-out, and no call of its own.

    It knows how many streams there are, and not which: their calls know it as their parent, and that would be a circle.
    """

    __slots__ = ("count",)

    is_fan_out: ClassVar[bool] = True

    def __init__(self, count: int) -> None:
        super().__init__(_READING, (), {})
        self.count = count

    @property
    def function(self) -> Callable[..., Any]:
        raise AttributeError("a merge reads streams, and calls no function")

    @property
    def arguments(self) -> dict[str, Any]:
        """Always empty: what it reads are calls of their own."""
        return {}

    def __repr__(self) -> str:
        return f"merge of {self.count} streams"


class MergeReader(Reader):
    """Reads several streams; its ``pieces`` are the writers, one entry for each piece, in order of arrival.

    A writer never makes more than its buffer holds, so a slow reader slows them all.
    """

    def __init__(self, frame: MergeFrame, pairs: Iterable[tuple[Any, Any]]) -> None:
        super().__init__(frame)
        self.pieces: deque[Pump] = deque()
        self._unread = deque(pairs)
        self._open: dict[Pump, Stream[Any]] = {}
        self._failure: BaseException | None = None
        self._leaving = False
        self._patience: Timer | None = None

    @property
    def tasks(self) -> list[Any]:
        return [pump.task for pump in self._open]

    def start(self, parent: Frame | None) -> None:
        if parent is not None:
            if parent.is_tool:
                raise nested(parent, self.tool)
            parent.adopt(self.frame)
        self.frame.attempts = 1
        self.frame.running = -time.monotonic()
        while self._unread:
            self._begin(*self._unread.popleft())
        if not self._open:
            self._end()

    def _begin(self, name: Any, given: Any) -> None:
        stream: Stream[Any] = given
        pump = writer_of(stream) if _is_ours(given) else None
        if pump is None:
            frame = _ReadingFrame(_READING, (name, given), {})
            stream = Stream(frame)
            pump = Pump(frame, most=1)
        pump.merged, pump.title = self, name
        self._open[pump] = stream
        try:
            pump.start(self.frame)
        except Exception as error:
            pump.error = error
            self.over(pump)
            return
        note_reader(stream, pump)
        if self._failure is not None:  # of one before it, which began at once and ended
            self._cancel(pump)

    # -- told by the writers ----------------------------------------------------------------------------------------

    def arrived(self, pump: Pump) -> None:
        """Note that *pump* has made another piece."""
        self.pieces.append(pump)
        self.tell()

    def over(self, pump: Pump) -> None:
        """Note that *pump* makes no further piece."""
        if self._open.pop(pump, None) is None:
            return
        pump.merged = None
        if pump.error is not None:
            self._fail(pump.failure())
        if not self._open and not self._unread:
            self._end()

    def forget(self, pump: Pump) -> None:
        """Drop what *pump* has made: somebody else closed that stream."""
        self.pieces = deque(other for other in self.pieces if other is not pump)

    def _fail(self, error: BaseException) -> None:
        """End the others: what they made before is still read, then comes *error*."""
        if self._leaving:
            _log.warning("%r was left, and one of its streams failed", self.frame, exc_info=error)
        elif self._failure is not None:
            self._failure.add_note(f"another stream of this merge failed as well: {shown(error)}")
        else:
            self._failure = self.frame.told(error)
            for pump in [*self._open]:
                self._cancel(pump)
            if self._open:
                until = self.loop.time() + self._grace()
                self._patience = timers_of(self.loop).at(until, self._give_up, "sibling")

    def _cancel(self, pump: Pump) -> None:
        if pump.frame.attempts:
            pump.running.cancel("caller")
        else:  # let it take its first step, which is due before this: what never begins isn't closed either
            self.loop.call_soon(pump.running.cancel, "caller")

    def _grace(self) -> float:
        return max(pump.tool.asked.grace for pump in self._open)

    def _give_up(self, reason: str) -> None:
        """Leave those that would not end to the supervisor."""
        for pump in [*self._open]:
            if pump.task is not None:
                supervisor_of(self.loop).adopt(pump.task, repr(pump.frame), reason, pump.tool.asked.grace)
            self.over(pump)

    def _end(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self.error, self._failure = self._failure, None
        self.ended = True
        if self.frame.running < 0:
            self.frame.running += time.monotonic()
        self.follow(None)
        self.tell()

    # -- told by the reader -----------------------------------------------------------------------------------------

    def take(self) -> tuple[Any, Any]:
        pump = self.pieces.popleft()
        return pump.title, pump.take()

    async def close(self, reason: str) -> None:
        """End all streams, and wait at most the longest ``grace`` of theirs for that; as ``Reader.close``."""
        self.pieces.clear()
        self._leaving = True
        if not self._open:
            return
        for pump in [*self._open]:
            pump.pieces.clear()
            pump.running.cancel(reason)
        before = cancel_requests()
        await see_end([pump.task for pump in self._open if pump.task is not None], self._grace())
        self._give_up(reason)
        raise_if_cancelled_since(before)

    def drop(self) -> None:
        for pump in [*self._open]:
            pump.drop()


def _is_ours(stream: object) -> bool:
    return isinstance(stream, Stream)


class _ReadingFrame(StreamFrame):
    """The place of what reads a stream that isn't one of ours, or not in the usual way."""

    __slots__ = ()

    is_fan_out: ClassVar[bool] = True  # no call of its own: what it reads may be one

    @property
    def name(self) -> str:
        return "reading"

    def __repr__(self) -> str:
        return f"the reading of the stream named {self.args[0]!r}"


async def _read(_name: Any, stream: AsyncIterable[Any]) -> AsyncIterator[Any]:
    try:
        async for piece in stream:
            yield piece
    finally:
        await close(stream)


async def close(stream: object) -> None:
    """Close *stream*, if that is something it knows."""
    ending = getattr(stream, "aclose", None)
    if ending is not None:
        await ending()


_read.__name__ = _read.__qualname__ = "merge"  # what it is called in errors of a merge that begins in a wrong place
_READING: StreamTool[Any, Any] = StreamTool(_read, Options(), is_tool=False)
