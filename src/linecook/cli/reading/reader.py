"""Items, made on a thread of their own, a batch at a time and only when asked: constant memory.

A slow pipe, a network disk or a line of 100 MB holds that thread and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Protocol

from ..arguments import BadArguments
from .item import Chunks, Item, Unreadable
from .source import Source

BATCH_ITEMS = 512
BATCH_BYTES = 1 << 18


class Done(Protocol):
    """What an earlier run has done already."""

    def has(self, number: int, digest: int, /) -> bool:
        """Say whether the item is to be skipped, and count it if so."""
        ...


class Reader:
    """Reads the items of a source.

    Args:
      source: the input.
      take: how many items at most, from the first; None for all.
      done: what is to be skipped; None for nothing.

    Attributes:
      total: how many items there are, with those to be skipped, counted meanwhile; None while that isn't known, and
        for a pipe.
      taken: how many items were read, with those skipped.
      skipped: how many were skipped.
      ended: whether every item has been handed out.
      error: what ended the reading before the end of the input, in words; None when nothing did.

    ``batches()`` reads, once; ``stop()`` ends that.
    """

    def __init__(self, source: Source, *, take: int | None = None, done: Done | None = None) -> None:
        self.source = source
        self.total: int | None = None
        self.taken = 0
        self.skipped = 0
        self.ended = False
        self.error: str | None = None
        self._take = take
        self._done = done
        self._stop = threading.Event()
        self._asked: queue.SimpleQueue[asyncio.Future[list[Item]] | None] = queue.SimpleQueue()
        self._wake: tuple[int, int] | None = None  # a pipe, while somebody reads
        self._counter: threading.Thread | None = None

    # -- how many --------------------------------------------------------------------------------------------------

    def start_counting(self, tell: Callable[[int], None]) -> None:
        """Count the items on a thread of its own, once; does nothing for a pipe.

        Args:
          tell: called on that thread with the count.
        """
        if self.source.has_length and self._counter is None:
            self._counter = threading.Thread(target=self._count, args=(tell,), name="linecook-count", daemon=True)
            self._counter.start()

    def wait_total(self, timeout: float | None = None) -> int | None:
        """Wait for the count, at most *timeout* seconds; return ``total``. None waits as long as it takes."""
        self.start_counting(lambda _: None)
        if self._counter is not None:
            self._counter.join(timeout)
        return self.total

    def _count(self, tell: Callable[[int], None]) -> None:
        with contextlib.suppress(OSError, Unreadable):  # the reader meets the same error, and tells it
            self.total = sum(1 for piece in self._pieces(self.source.chunks()) if piece is not None)
            tell(self.total)

    # -- which -----------------------------------------------------------------------------------------------------

    async def batches(self) -> AsyncGenerator[list[Item]]:
        """Yield the items in order, several at once as they come, until the end or ``stop()``."""
        loop = asyncio.get_running_loop()
        self._wake = os.pipe()
        threading.Thread(target=self._serve, args=(loop,), name="linecook-input", daemon=True).start()
        try:
            while not self._stop.is_set():
                future: asyncio.Future[list[Item]] = loop.create_future()
                self._asked.put(future)
                batch = await future
                if not batch:
                    self.ended = not self._stop.is_set() and self.error is None
                    return
                yield batch
        finally:
            self.stop()

    def stop(self) -> None:
        """End the reading, from any thread; whoever waits for a batch gets the end."""
        if not self._stop.is_set():
            self._stop.set()
            if self._wake is not None:
                os.write(self._wake[1], b"x")
            self._asked.put(None)

    @property
    def is_stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stop.is_set()

    def shown(self, item: Item) -> str:
        """Return *item* in a few characters."""
        return self.source.format.shown(item.raw)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        batches = self._batches()
        no_items: list[Item] = []
        try:
            while (future := self._wait_for_work()) is not None:
                batch = next(batches, no_items)
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                    loop.call_soon_threadsafe(_answer, future, batch)
        finally:
            wake, self._wake = self._wake, None
            for fd in wake or ():
                os.close(fd)

    def _wait_for_work(self) -> asyncio.Future[list[Item]] | None:
        """Return who asks for a batch. By this name ``diagnose`` knows a thread of ours that has nothing to do."""
        return self._asked.get()

    def _batches(self) -> Iterator[list[Item]]:
        try:
            yield from self._made()
        except OSError as error:
            self.error = error.strerror or str(error)
        except Unreadable as error:
            self.error = str(error)
        except Exception as error:  # a validator of the user's; whoever waits for a batch must hear of it
            self.error = f"{type(error).__name__}: {error}"

    def _made(self) -> Iterator[list[Item]]:
        batch: list[Item] = []
        weight = 0
        digest_of, weigh, done = self.source.format.digest, self.source.format.weigh, self._done
        for piece in self._pieces(self.source.chunks(self._wake and self._wake[0])):
            if piece is not None:
                number, raw = piece
                self.taken += 1
                digest = digest_of(raw)
                if done is not None and done.has(number, digest):
                    self.skipped += 1
                    continue
                batch.append(self._item(number, digest, raw))
                weight += weigh(raw)
                if len(batch) < BATCH_ITEMS and weight < BATCH_BYTES:
                    continue
            if batch:
                yield batch
                batch, weight = [], 0
            if self._stop.is_set():
                return
        if batch:
            yield batch

    def _pieces(self, chunks: Chunks) -> Iterator[tuple[int, Any] | None]:
        pieces = self.source.format.pieces(chunks)
        return pieces if self._take is None else _first(pieces, self._take)

    def _item(self, number: int, digest: int, raw: Any) -> Item:
        try:
            args, kwargs = self.source.format.bind(raw)
        except Exception as problem:  # a validator of the user's may raise anything, and costs its own item only
            kind = "UnreadableLine" if isinstance(problem, Unreadable) else "BadArguments"
            words = str(problem) if isinstance(problem, Unreadable | BadArguments) else repr(problem)
            return Item(number, digest, raw, problem=f"{self.source.format.unit} {number}: {words}", kind=kind)
        return Item(number, digest, raw, args, kwargs)


def _first(pieces: Iterator[tuple[int, Any] | None], count: int) -> Iterator[tuple[int, Any] | None]:
    real = itertools.count(1)
    for piece in pieces:
        yield piece
        if piece is not None and next(real) >= count:
            return


def _answer(future: asyncio.Future[list[Item]], batch: list[Item]) -> None:
    if not future.done():
        future.set_result(batch)
