"""Tools and agents that are generators: their calls are streams, read piece by piece with ``async for``.

The body runs in a task of its own and stops when ``BUFFER`` pieces wait to be read: a slow reader slows the writer.
A sync generator holds no thread between pulls (four such generators on four threads, each calling a thread tool, would
otherwise wait for each other for ever); pulls are jobs of its lane, in one context, perhaps on different threads.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from .._core.callframe import CallFrame
from .._core.context import current_frame, frame_here
from .._core.errors import UsageError
from .call import nested
from .pump import Pump
from .reader import END, Reader
from .stream_frame import StreamFrame
from .tool import BoundTool, Options, Tool

P = ParamSpec("P")
Q = ParamSpec("Q")
Piece = TypeVar("Piece")


class StreamTool(Tool[P, Any], Generic[P, Piece]):
    """A generator function under ``@tool`` or ``@agent``: calling it makes a ``Stream``."""

    def __init__(self, body: Callable[P, Any], asked: Options, *, is_tool: bool) -> None:
        super().__init__(body, asked, is_tool=is_tool)
        if self.lane not in ("loop", "thread"):
            raise UsageError(
                f"{self.__name__} is a generator, and generators run on the loop (async def) or on threads (def); "
                f"lane={self.lane!r} is for functions that return once. Return a list, or leave lane= out."
            )
        if asked.attempt_timeout is not None:
            raise UsageError(f"attempt_timeout= of {self.__name__}, which streams: use timeout= or idle_timeout=")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Stream[Piece]:  # type: ignore[override]
        """Make a stream; it begins when it is first read."""
        frame = frame_here()
        if frame is not None and frame.is_tool:
            raise nested(frame, self)
        return Stream(StreamFrame(self, args, kwargs))

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Stream[Piece]:  # type: ignore[override]
        """Make a stream, like calling the tool itself."""
        return self(*args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(
        self: StreamTool[Concatenate[Any, Q], Piece], instance: object, owner: type | None = None
    ) -> BoundStreamTool[Q, Piece]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundStreamTool[Any, Any](self, instance)


class BoundStreamTool(BoundTool[P, Any], Generic[P, Piece]):
    """A stream tool that is a method, bound to its instance."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Stream[Piece]:  # type: ignore[override]
        """Make a stream; it begins when it is first read."""
        made: Any = super().__call__(*args, **kwargs)
        return cast("Stream[Piece]", made)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Stream[Piece]:  # type: ignore[override]
        """Make a stream, like calling the method itself."""
        return self(*args, **kwargs)

    def options(self, **changes: Any) -> BoundStreamTool[P, Piece]:
        """Return the same method with other options; see ``Tool.options``."""
        changed: Any = self.__func__.options(**changes)
        return BoundStreamTool(changed, self.__self__)


class Stream(AsyncIterator[Piece]):
    """The pieces of one call, as they are made: ``async for piece in write(question)``.

    Leaving the loop early? ``async with write(question) as pieces: async for piece in pieces`` ends the body when the
    block is left. A stream that is dropped half read is cancelled too, and seen to its end by the loop's supervisor;
    so is one whose reader is a task that was cancelled, when that task ends. It is read once, by one task at a time;
    one that is dropped unread is reported as a coroutine that was never awaited.
    """

    def __init__(self, frame: StreamFrame) -> None:
        self._frame = frame
        self._pump: Reader | None = None
        self._closed = False
        self._asked = False  # somebody has tried to read it, or was told how

    def _writer(self) -> Pump | None:
        self._asked = True  # by a task it has to be read that was begun, or closed, or bounds how long its reader waits
        if self._pump is not None or self._closed or self._frame.tool.asked.idle_timeout is not None:
            return None
        return Pump(self._frame)

    def _read_by(self, reader: Reader) -> None:
        self._asked = True
        self._pump = reader

    def _open(self) -> Reader:
        return Pump(self._frame)

    @property
    def call(self) -> CallFrame:
        """Function, arguments, path and times."""
        return self._frame

    def __aiter__(self) -> Stream[Piece]:
        return self

    async def __anext__(self) -> Piece:
        """Return the next piece.

        Raises:
          StopAsyncIteration: there is none any more, or the stream was closed.
          TimedOutError: the stream's ``timeout`` or ``idle_timeout`` passed; the body is cancelled.
          the body's own error, after the last piece that it made.
        """
        self._asked = True
        if self._pump is None:
            if self._closed:
                raise StopAsyncIteration
            pump = self._open()
            pump.start(current_frame.get())
            self._read_by(pump)  # not before it has begun: one that was refused would never give a piece
        assert self._pump is not None
        piece = await self._pump.next()
        if piece is END:
            raise StopAsyncIteration
        result: Piece = piece
        return result

    async def aclose(self) -> None:
        """End the body, wait at most its ``grace`` for that, and drop what was not read."""
        self._closed = True
        if self._pump is not None:
            await self._pump.close("caller")

    def discard(self) -> None:
        """Note that the stream was handed over and will not be read; it isn't reported as unread."""
        self._asked = True

    async def __aenter__(self) -> Stream[Piece]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __await__(self) -> Any:
        self._asked = True
        raise UsageError(f"{self!r} is a stream: read it with 'async for', not with 'await'")

    def __iter__(self) -> Any:
        self._asked = True
        raise UsageError(
            f"{self!r} is read with 'async for', not with 'for': linecook runs generators off the reader's task"
        )

    def __del__(self) -> None:
        pump = self._pump
        if pump is not None:
            pump.drop()
        elif not (self._asked or self._closed):  # as a call that was never awaited
            warnings.warn(f"{self!r} was never read", RuntimeWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        return f"<stream {self._frame!r}>"


def writer_of(stream: Stream[Any]) -> Pump | None:
    """Return the writer of *stream*, not begun, to who wants to be told of each piece; None: read it with a task."""
    return stream._writer()


def note_reader(stream: Stream[Any], reader: Reader) -> None:
    """Note by what *stream* is read, which has begun."""
    stream._read_by(reader)
