"""The reader's side of a stream: the pieces that wait to be read, and the task that waits for the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from .._core.context import Frame
from .._core.endings import contained
from .._core.errors import AlreadyRun, TimedOutError
from .._core.timers import Timer, timers_of
from .stream_frame import StreamFrame

if TYPE_CHECKING:
    from .merging import MergeReader

END = object()
"""What ``Reader.next`` returns when there is no further piece."""


class Reader:
    """Holds the pieces of one stream, or of several merged, until they are read.

    Attributes:
      pieces: what waits to be read, oldest first.
      error: what is to be raised after the last of them; None for the plain end.
      ended: whether no further piece will come.
      news: what the task that reads waits for; None when none does.
      reader: the task that read last.
      merged: what takes the pieces in place of a task that reads; None when no merge does.
    """

    def __init__(self, frame: StreamFrame) -> None:
        self.frame = frame
        self.tool = frame.tool
        self.loop = asyncio.get_running_loop()
        self.pieces: deque[Any] = deque()
        self.error: BaseException | None = None
        self.ended = False
        self.news: asyncio.Future[None] | None = None
        self.reader: asyncio.Task[Any] | None = None
        self.cut_off = False
        self.merged: MergeReader | None = None

    async def next(self) -> Any:
        """Return the next piece, or ``END``."""
        if self.news is not None or self.merged is not None:
            raise AlreadyRun(f"{self.frame!r} is being read by another task; a stream has one reader")
        reader = asyncio.current_task()
        if reader is not self.reader and not self.ended:
            self.follow(reader)
        del reader  # a task that is cancelled here holds this frame by its traceback: a circle
        self.cut_off = False
        idle = self.tool.asked.idle_timeout
        timer: Timer | None = None
        try:
            while not self.pieces:
                if self.ended or self.error is not None:
                    return self._finish()
                if idle is not None and timer is None:
                    now = self.loop.time()
                    timer = timers_of(self.loop).at(now + idle, self.expire, ("idle_timeout", idle, now))
                self.news = self.loop.create_future()
                await self.news
                self.news = None
        except asyncio.CancelledError:
            self.cut_off = True
            raise
        finally:
            self.news = None
            if timer is not None:
                timer.cancel()
        return self.take()

    @property
    def who_reads(self) -> asyncio.Task[Any] | None:
        """The task that read last, perhaps through a merge."""
        return self.reader if self.merged is None else self.merged.who_reads

    def take(self) -> Any:
        """Return the piece that has waited longest; there must be one."""
        return self.pieces.popleft()

    def tell(self) -> None:
        """Wake who waits for a piece, since there is one, or will be none."""
        if self.news is not None and not self.news.done():
            self.news.set_result(None)

    def _finish(self) -> Any:
        if self.error is None:
            return END
        raise self.failure()

    def failure(self) -> BaseException:
        """Take the error out, as it is to be raised; nothing comes after it."""
        error, self.error = self.error, None
        assert error is not None
        self.ended = True
        if isinstance(error, TimedOutError) and self.frame.left_behind:
            error.work = "abandoned"
        return contained(error, repr(self.frame), self.frame)

    def follow(self, reader: asyncio.Task[Any] | None) -> None:
        """Note who reads: should that task be cancelled, and nobody read on, the stream has no reader any more.

        Its being dropped would say so too, but the cancellation's traceback holds it, often until a collection.
        """
        if self.reader is not None:
            self.reader.remove_done_callback(self._reader_ended)
        self.reader = reader
        # A task made for this one read, as asyncio.wait_for does before 3.12, is not the one that reads on.
        code = None if reader is None else getattr(reader.get_coro(), "cr_code", None)
        if reader is not None and (code is None or code.co_name != "__anext__"):
            reader.add_done_callback(self._reader_ended)

    def _reader_ended(self, reader: asyncio.Task[Any]) -> None:
        if self.cut_off or reader.cancelled():
            self.drop()

    def start(self, parent: Frame | None) -> None:
        """Begin, as a child of *parent*.

        Raises:
          CallError: it may not run there.
        """
        raise NotImplementedError

    def expire(self, deadline: tuple[str, float, float]) -> None:
        """A deadline passed, given by name, seconds and since when in the loop's time: have the reader told."""
        raise NotImplementedError

    @property
    def tasks(self) -> list[asyncio.Task[Any] | None]:
        """The tasks that make the pieces."""
        raise NotImplementedError

    async def close(self, reason: str) -> None:
        """Cancel what makes the pieces, and wait at most ``grace`` for its end.

        Raises:
          CancelledError: the caller was cancelled meanwhile; raised when that wait is over.
        """
        raise NotImplementedError

    def drop(self) -> None:
        """The reader is gone: cancel what makes the pieces, from wherever the stream was collected."""
        raise NotImplementedError
