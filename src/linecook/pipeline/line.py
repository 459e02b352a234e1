"""One run of a pipeline: its nodes in a row, from the source to the outlet, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .._core.context import current_frame
from .._core.endings import reason_of
from .._core.errors import Interrupted, UsageError
from .._core.supervise import cancel_requests, raise_if_cancelled_since, see_end
from .._runtime import current
from ..tools.completed import tell_left
from ..tools.fanout_frame import FanOutFrame
from .byinput import InputOutlet, Ticket, ticket_of
from .chunking import Chunking, can_be_chunked
from .dead_item import DeadItem
from .gathering import Batching, Grouping, Runs
from .item import Item
from .node import Node, Outlet
from .pulled import PulledSource
from .sharing import Sharing
from .source import IN_MEMORY, AsyncSource, MemorySource, Source
from .splitting import Splitting
from .stages import Batches, Work, ended_by, workers_of
from .station import Station
from .statistics import PipelineStatistics, statistics_of

if TYPE_CHECKING:
    from .recipe import Recipe

_log = logging.getLogger("linecook")

OTHERS_NOTED = 10
"""Errors noted on the one that ended a pipeline: those of items that failed while it was being ended."""


class Line:
    """Runs a recipe once.

    Attributes:
      loop: where.
      nodes: from the source to the outlet.
      is_running: whether items still move; it ends with the last one, with an error and with ``stop``.
      error: what ended it.
      dead: items that were set aside, as many as are kept.
      dead_count: how many were set aside.
      open_ticket: makes what goes along with each item of the source; None where nobody asks for outcomes by input.
      depth: how many stages an item has passed in this very step.
    """

    def __init__(self, recipe: Recipe, take: Callable[[Any], object] | None = None, *, by_input: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.grace = recipe.grace
        self.max_bytes = recipe.max_bytes
        self.is_running = True
        self.error: BaseException | None = None
        self.dead: list[DeadItem] = []
        self.dead_count = self.depth = 0
        self._dead_letters = recipe.dead_letters
        self._others = 0
        self._by_input = by_input
        self.open_ticket: Callable[[Any, int], Ticket] | None = None
        self._input = recipe.source
        self._was_interrupted = False
        self._news: asyncio.Future[None] | None = None
        self._tell_end: list[Callable[[], object]] = []
        self._began = self.now()
        self._ended_at: float | None = None
        self._frame = FanOutFrame("pipeline")
        parent = current_frame.get()
        if parent is not None:
            self._frame.stand_under(parent)
        token = current_frame.set(self._frame)
        try:
            self.nodes = self._build(recipe, take)
        finally:
            current_frame.reset(token)

    def now(self) -> float:
        """Return the loop's time."""
        return self.loop.time()

    def _build(self, recipe: Recipe, take: Callable[[Any], object] | None) -> list[Node]:
        nodes: list[Node] = [_source_for(self, recipe.source.source)]
        splits: list[Splitting] = []
        before = 1
        for stage in recipe.stages:
            node: Node
            if isinstance(stage, Work):
                node = _station_for(self, stage, before)
                before = workers_of(stage)
                if isinstance(node, Splitting):
                    splits.append(node)
            elif isinstance(stage, Batches):
                node = Batching(self, stage.name, stage.size, stage.wait)
            elif stage.key is not None:
                node = Runs(self, stage.name, stage.key)
            else:
                splitting = splits.pop()
                splitting.together = node = Grouping(splitting)
            nodes.append(node)
        nodes.append(self._end_of_row(max(16, before), take))
        for first, second in pairwise(nodes):
            first.after, second.before = second, first
        sharing = [node for node in nodes if isinstance(node, Station) and node.stage.workers == "auto"]
        self._sharing = Sharing(self, sharing) if len(sharing) > 1 else None
        return nodes

    def _end_of_row(self, capacity: int, take: Callable[[Any], object] | None) -> Outlet:
        if not self._by_input:
            return Outlet(self, capacity, self.max_bytes, take)
        outlet = InputOutlet(self, capacity, self.max_bytes)
        self.open_ticket = lambda value, index: Ticket(value, index, outlet.through)
        return outlet

    @property
    def outlet(self) -> Outlet:
        """The end of the row."""
        outlet = self.nodes[-1]
        assert isinstance(outlet, Outlet)
        return outlet

    def start(self) -> None:
        """Begin to read the source."""
        self._input.take()
        source: Any = self.nodes[0]
        runtime = current()
        if runtime.draining:
            source.drain()
            return
        runtime.watch_fanout(source)
        runtime.watch_pipeline(self)
        if self._sharing is not None:
            self._sharing.start()
        source.start()

    # -- what nodes tell ---------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """There is something to read, or the end."""
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    def ended(self) -> None:
        """The last item is out."""
        self._over()

    def interrupt(self) -> None:
        """The runtime drains: what is inside is worked off."""
        self._was_interrupted = True

    def fail(self, error: BaseException, note: str, item: Item | None = None) -> bool:
        """End everything, since *error* came up. The first one counts; others are noted on it.

        Returns whether it went into the outcome of *item*'s input instead, and everything else goes on.
        """
        if not self.is_running:
            self._note_other(error, note)
            return False
        if self._by_input and item is not None and isinstance(error, Exception):
            error.add_note(note)
            ticket = ticket_of(item)
            ticket.error = ticket.error or error
            return True
        error.add_note(note)
        self.error = error
        self.stop("sibling")
        return False

    def _note_other(self, error: BaseException, note: str) -> None:
        if error is self.error or isinstance(error, asyncio.CancelledError):
            return
        if self.error is None:
            _log.warning("a pipeline that was being ended failed: %s", note, exc_info=error)
            return
        self._others += 1
        if self._others <= OTHERS_NOTED:
            self.error.add_note(f"another failure of the same pipeline, {note}: {_shown(error)}")

    def set_aside(self, item: Item, stage: str, error: Exception) -> None:
        """Keep *item*, which failed in *stage*, as a dead letter."""
        letter = DeadItem(item.value, item.origin, stage, error, item.tries)
        self.dead_count += 1
        if self._by_input and isinstance(item.split, Ticket):  # all of an input: an outcome must say so
            item.split.error = item.split.error or error
        try:
            self._dead_letters(letter, self.dead)
        except BaseException as second:
            note = f"raised by dead_letters= of the pipeline, for item {item.origin}, dead in {stage}"
            self.fail(ended_by(second, "dead_letters="), note)

    def on_end(self, tell: Callable[[], object]) -> None:
        """Call *tell* when the run is over."""
        self._tell_end.append(tell)

    def _over(self) -> None:
        if self.is_running:
            self.is_running = False
            self._ended_at = self.now()
            for tell in self._tell_end:
                tell()
        self.tell()

    # -- ending ------------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Begin nothing more and ask what runs to end."""
        self._over()
        for node in self.nodes:
            node.stop(reason)

    async def see_end(self) -> None:
        """After ``stop``: wait for the end of what runs, at most ``grace``."""
        before = cancel_requests()
        if await see_end([task for node in self.nodes for task in node.tasks()], self.grace):
            self._leave()
        raise_if_cancelled_since(before)

    def _leave(self) -> None:
        for node in self.nodes:
            node.leave()

    def close(self) -> None:
        """Cancel what runs, and drop what was not read."""
        self.stop("caller")
        self.outlet.values.clear()

    def abandon(self) -> None:
        """Cancel what runs and leave it to the loop's supervisor: nobody is there to wait."""
        self.close()
        self._leave()

    def drop(self) -> None:
        """The reader has gone in the middle, from whatever thread."""
        if self.is_running and not self.loop.is_closed():
            try:
                self.loop.call_soon_threadsafe(self._abandon_dropped)
            except RuntimeError:  # closed in between
                return

    def _abandon_dropped(self) -> None:
        running = [call for node in self.nodes if isinstance(node, Station) for call in node.running]
        if running:
            cure = "Leave it through 'async with pipeline(...) as results', which also awaits them."
            tell_left("a pipeline", cure, running, self.loop)
        self.abandon()

    # -- reading -----------------------------------------------------------------------------------------------------

    async def next(self) -> Any:
        """Return what came out next.

        Raises:
          StopAsyncIteration: the end.
          what ended the run.
        """
        outlet = self.outlet
        while not outlet.values:
            if not self.is_running:
                await self._raise()
                raise StopAsyncIteration
            if self._news is not None:
                raise UsageError("two tasks read the same run of a pipeline; give each a pipeline of its own")
            self._news = self.loop.create_future()
            try:
                await self._news
            finally:
                self._news = None
        return outlet.pop()

    async def run(self) -> None:
        """Run to the end, for an outlet that takes everything at once."""
        try:
            self.start()
            while self.is_running:
                self._news = self.loop.create_future()
                await self._news
        except asyncio.CancelledError as error:
            self.stop(reason_of(error))
            with suppress(asyncio.CancelledError):
                await self.see_end()
            raise
        except BaseException:  # closed in the middle
            self.abandon()
            raise
        await self._raise()

    async def _raise(self) -> None:
        if self.error is not None:
            await self.see_end()
            raise self.error
        if self._was_interrupted:
            await self.see_end()  # of a generator that is being closed, on a thread
            raise Interrupted(
                f"shutdown came after {getattr(self.nodes[0], 'count', 0)} items of the pipeline's input; "
                f"what was inside has been finished: {self.outlet.count} came out"
            )

    def words(self) -> tuple[str, ...]:
        """Return what is to be told of the run to whoever looks, from any thread."""
        told = self.statistics()
        return (f"pipeline: {told.in_words()}", *(f"  {stage}" for stage in told.stages))

    def statistics(self) -> PipelineStatistics:
        """Return what each stage does."""
        seconds = (self.now() if self._ended_at is None else self._ended_at) - self._began
        return statistics_of(self.nodes, seconds, self.dead_count)


def _shown(error: BaseException) -> str:
    try:
        return repr(error)
    except Exception:  # a repr that fails must not hide that there was an error
        return type(error).__name__


def _source_for(line: Line, source: Any) -> Source:
    if isinstance(source, AsyncIterable):
        return AsyncSource(line, aiter(source))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(source, IN_MEMORY):
        return MemorySource(line, iter(source))  # pyright: ignore[reportUnknownArgumentType]
    return PulledSource(line, source)


def _station_for(line: Line, stage: Work, before: int) -> Station:
    if stage.kind == "flat_map":
        return Splitting(line, stage, before)
    return (Chunking if can_be_chunked(stage) else Station)(line, stage, before)
