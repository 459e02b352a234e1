"""Several streams read as one: ``async for name, piece in merge({"cook": cook(order), "waiter": waiter(order)})``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar, TypeVar, cast, overload

from .._core.callframe import shorten
from .._core.errors import CallCancelled, UsageError
from .._core.scope import scope
from .pump import END
from .stream import Stream, StreamTool
from .stream_frame import StreamFrame
from .tool import Options, Tool

K = TypeVar("K")
Piece = TypeVar("Piece")


@overload
def merge(streams: Mapping[K, AsyncIterable[Piece]], /) -> Stream[tuple[K, Piece]]: ...  # type: ignore[overload-overlap]  # streams are no keys
@overload
def merge(streams: Iterable[AsyncIterable[Piece]], /) -> Stream[tuple[int, Piece]]: ...
def merge(streams: Any, /) -> Any:
    """Read several streams at once: their pieces as they arrive, each with the name of the stream that made it.

    Args:
      streams: by name, or a collection, whose names are 0, 1, 2 ...: calls of agents and tools that yield,
        ``ref.stream(...)``, anything that ``async for`` reads. None of them: the end comes at once.

    Returns:
      A stream of pairs *(name, piece)*: of one stream in its order, of several in order of arrival. It ends when all
      have ended. Each stream is read by a task of its own, one piece ahead; a reader that is slow slows them all.

    The first that fails ends it: its error is raised after the pieces that came before, and the others are cancelled.
    To go on with the others, let the agent itself yield what went wrong. Leaving the loop early? As for every stream:
    ``async with merge(...) as pieces: async for name, piece in pieces`` ends them all when the block is left, and so
    does cancelling the task that reads.

    Raises:
      UsageError: something among *streams* can't be read with ``async for``, or stands there twice.
    """
    if not hasattr(streams, "__iter__"):
        raise UsageError(f"merge takes a dict or a list of streams, not {shorten(streams)} ({type(streams).__name__})")
    pairs: list[tuple[Any, Any]] = [*streams.items()] if isinstance(streams, Mapping) else [*enumerate(streams)]
    names: dict[int, Any] = {}  # of what can be read once; a pipeline begins anew
    for name, stream in pairs:
        first = names.setdefault(id(stream), name)
        if first is not name and isinstance(stream, AsyncIterator):
            raise UsageError(
                f"merge got one stream under two names, {first!r} and {name!r}: {shorten(stream)}. Each piece would "
                "go to either of them; make a call for each."
            )
        if not isinstance(stream, AsyncIterable):
            raise UsageError(
                f"merge reads streams, and the one named {name!r} is {shorten(stream)} ({type(stream).__name__}): "
                f"{_cure_for(stream)}"
            )
    return Merged[Any](_reading, (pairs,), {})


def _cure_for(no_stream: object) -> str:
    kind = type(no_stream)
    if hasattr(kind, "stream") and hasattr(kind, "ask"):
        return "ask the agent for one, ref.stream(question)"
    if hasattr(kind, "subscribe"):
        return "pass a subscription, topic.subscribe()"
    return "pass calls of agents that yield; results of several calls are for as_completed"


class MergeFrame(StreamFrame):
    """The place of a merge in the tree of calls: a fan-out, and no call of its own."""

    __slots__ = ()

    is_fan_out: ClassVar[bool] = True

    def __repr__(self) -> str:
        return f"merge of {len(self.args[0])} streams"


class Merged(Stream[Piece]):
    """What ``merge`` returns."""

    def _frame_for(self, tool: Tool[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamFrame:
        return MergeFrame(tool, args, kwargs)

    async def aclose(self) -> None:
        """End all streams that are read, and wait at most their ``grace`` for that."""
        if self._pump is None:
            for _, stream in self._frame.args[0]:
                await _close(stream)
        await super().aclose()


class _Arrivals:
    """What the streams have made, in order of arrival: at most one piece of each.

    An ``asyncio.Queue`` wouldn't do: who puts without waiting overtakes who waits, and one stream would starve another.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, Any, BaseException | None, asyncio.Future[None]]] = deque()
        self._news = asyncio.Event()

    async def put(self, name: Any, piece: Any, error: BaseException | None = None) -> None:
        """Hand over, and wait until it is taken."""
        await self.put_nowait(name, piece, error)

    def put_nowait(self, name: Any, piece: Any, error: BaseException | None = None) -> asyncio.Future[None]:
        """Hand over, and return what ends when it is taken."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, piece, error, taken))
        self._news.set()
        return taken

    async def take(self) -> tuple[Any, Any]:
        """Return the next name and piece; ``END`` for the piece after the last of a stream.

        Raises:
          what the stream failed with.
        """
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        name, piece, error, taken = self._waiting.popleft()
        if not taken.done():
            taken.set_result(None)
        if error is not None:
            raise error
        return name, piece


async def _merged(pairs: list[tuple[Any, AsyncIterable[Any]]]) -> AsyncIterator[tuple[Any, Any]]:
    arrivals = _Arrivals()
    async with scope() as reading:
        for name, stream in pairs:
            reading.start(_read(name, stream, arrivals))
        left = len(pairs)
        while left:
            name, piece = await arrivals.take()
            if piece is END:
                left -= 1
            else:
                yield name, piece


async def _read(name: Any, stream: AsyncIterable[Any], arrivals: _Arrivals) -> None:
    try:
        async for piece in stream:
            await arrivals.put(name, piece)
    except asyncio.CancelledError:  # by somebody else, or nobody reads on: else the reader would wait for ever
        cut_off = CallCancelled(f"reading the stream named {name!r} was cancelled", work="stopped")
        arrivals.put_nowait(name, END, cut_off)
        raise
    except Exception as error:
        await arrivals.put(name, END, error)
    else:
        await arrivals.put(name, END)
    finally:
        await _close(stream)


async def _close(stream: object) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


_merged.__name__ = _merged.__qualname__ = "merge"
_reading = cast("StreamTool[Any, Any]", StreamTool(_merged, Options(), is_tool=False))
