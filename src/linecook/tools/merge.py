"""Several streams read as one: ``async for name, piece in merge({"cook": cook(order), "waiter": waiter(order)})``."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any, TypeVar, overload

from .._core.callframe import shorten
from .._core.errors import UsageError
from .merging import MergeFrame, MergeReader, close
from .reader import Reader
from .stream import Stream

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
      have ended. Of each agent or tool at most 16 pieces wait to be read, of anything else 1; then it waits: a reader
      that is slow slows them all.

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
    return Merged[Any](pairs)


def _cure_for(no_stream: object) -> str:
    kind = type(no_stream)
    if hasattr(kind, "stream") and hasattr(kind, "ask"):
        return "ask the agent for one, ref.stream(question)"
    if hasattr(kind, "subscribe"):
        return "pass a subscription, topic.subscribe()"
    return "pass calls of agents that yield; results of several calls are for as_completed"


class Merged(Stream[Piece]):
    """What ``merge`` returns."""

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self._merge = MergeFrame(len(pairs))
        super().__init__(self._merge)
        self._pairs = pairs

    def _writer(self) -> None:
        self._asked = True  # and by a task: its pieces come from several writers

    def _open(self) -> Reader:
        return MergeReader(self._merge, self._pairs)

    def _read_by(self, reader: Reader) -> None:
        super()._read_by(reader)
        self._pairs = []  # the reader knows them, for as long as it reads them

    async def aclose(self) -> None:
        """End all streams that are read, and wait at most their ``grace`` for that."""
        for _, stream in self._pairs:
            await close(stream)
        await super().aclose()
