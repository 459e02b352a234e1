"""Many calls, one per item of the input: at most so many at a time, every outcome written as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Coroutine
from time import monotonic
from typing import TYPE_CHECKING, Any

from linecook import Call, Failed, Runtime, TimedOut, as_completed, run
from linecook.errors import Interrupted, TimedOutError, UsageError

from .early import hand_over
from .exits import BadUsage
from .items import refuse_pipeline, refuse_seeming_pipeline
from .output import NotWritten
from .records import Record, Times, record_of
from .tally import Tally

if TYPE_CHECKING:
    from .callable import Target
    from .progress import Progress
    from .reading.item import Item
    from .reading.reader import Reader
    from .results import Results


class Enough(Exception):
    """--fail-on was reached."""


class LoopStopped(Exception):
    """The function has stopped the event loop under everybody."""


class Job:
    """One run over an input.

    Args:
      target: what is called for each item.
      reader: the items.
      results: take one record per item that began.
      progress: what shows how far it is.
      concurrency: most calls under way at a time.
      fail_on: stop when so many have failed or timed out: a count, or a share of the input; None never stops.
      control: whether ``linecook ps``, ``top``, ``tree`` and ``cancel`` can look inside.

    Attributes:
      tally: what came of the items so far.
      stopped_by: what stopped the run before the end of its input, ``Enough``, ``NotWritten`` or ``LoopStopped``; None
        when nothing did.
      interrupted: whether Ctrl-C did.
      runtime: what the calls ran on.

    Memory: what is under way, what waits to be written, and one batch of items; never the input.
    """

    def __init__(
        self,
        target: Target,
        reader: Reader,
        results: Results,
        progress: Progress,
        *,
        concurrency: int,
        fail_on: int | float | None = None,
        control: bool = True,
    ) -> None:
        self.reader = reader
        self.results = results
        self.tally = Tally()
        self.stopped_by: Exception | None = None
        self.interrupted = False
        self.runtime = Runtime(control=control)
        self._target = target
        self._progress = progress
        self._concurrency = concurrency
        self._fail_on = fail_on
        self._under_way: dict[int, Item] = {}  # by number, in the order of beginning
        self._inside: dict[int, tuple[Item, float]] = {}  # of a pipeline, by place in its source: with when it came
        self._total: int | None = None

    def run(self) -> None:
        """Run it all, to the end or until it is stopped; every record is written when this returns."""
        self._know_length()
        try:
            hand_over()
            run(self._main(), runtime=self.runtime)
        except KeyboardInterrupt:
            self.interrupted = True
        except RuntimeError as error:
            if not str(error).startswith("Event loop stopped before"):
                raise
            self.stopped_by = LoopStopped(_LOOP_STOPPED)
        finally:
            if self._total is not None:
                self._progress.expect(self._total - self.reader.skipped)
            self._progress.close()
            self._end_rest()

    @property
    def stop_words(self) -> str:
        """Why the run was stopped."""
        if isinstance(self.stopped_by, Enough):
            return f"--fail-on was reached with {self.tally.lost} lost"
        return str(self.stopped_by or "Ctrl-C")

    def _know_length(self) -> None:
        if self._progress.wants_total:
            self.reader.start_counting(self._expect)
        if isinstance(self._fail_on, float):  # a share is a count as soon as the length is known
            self._fail_on = max(1, math.ceil(self._fail_on * (self.reader.wait_total() or 0)))

    def _expect(self, total: int) -> None:
        self._total = total
        self._progress.expect(total - self.reader.skipped)

    async def _main(self) -> None:
        self._progress.attach(self.runtime)
        if self._target.makes_pipeline:
            await self._through_pipeline()
            return
        items = self._items()
        try:
            async with as_completed(items, limit=self._concurrency) as outcomes:
                async for outcome in outcomes:
                    if self.stopped_by is not None:
                        return
                    if isinstance(outcome, Failed):  # not a target's failure, which has a record: ours
                        raise outcome.error
        except (NotWritten, Enough):  # of an unreadable item; ``_record`` has noted it
            pass
        finally:
            self.reader.stop()
            await items.aclose()

    async def _through_pipeline(self) -> None:
        values = self._values()
        try:
            made = self._target.pipeline(values)
            try:
                run_of_it = made.outcomes()
            except UsageError as error:
                raise BadUsage(f"{self._target.name}: {error}.") from None
            spreads = made.spreads  # 1 µs to find out: once, not for each of a million (benchmarks: run_pipeline_lines)
            async with run_of_it as outcomes:
                async for outcome in outcomes:
                    self._check_is_ours(outcome)
                    await self._keep(outcome, spreads)
            if self._inside and not self.runtime.draining:
                raise self._not_handed_on()
        except (NotWritten, Enough, Interrupted):  # as above; or Ctrl-C, and what was inside is written
            pass
        finally:
            self.reader.stop()
            await values.aclose()

    async def _values(self) -> AsyncGenerator[Any]:
        """Yield the value of each readable item."""
        place = 0
        async with contextlib.aclosing(self._readable()) as items:
            async for item in items:
                self._under_way[item.number] = item
                self._inside[place] = item, monotonic()
                place += 1
                yield item.args[0]

    def _check_is_ours(self, outcome: Any) -> None:
        # A generator of the user's between our items and his pipeline may leave out some, and each outcome after that
        # would be written down under the input of another.
        inside = self._inside.get(outcome.index)
        if inside is None or outcome.value is not inside[0].args[0]:
            raise self._not_handed_on()

    def _not_handed_on(self) -> BadUsage:
        self._under_way.clear()  # they have no outcome, and run again
        return BadUsage(
            f"{self._target.name} does not hand its source to pipeline(...) as it is, so nobody knows which outcome "
            "belongs to which input. Write pipeline(source), and do the rest in stages: .map(...), .filter(...)."
        )

    async def _keep(self, outcome: Any, spreads: bool) -> None:
        """Record what a pipeline made of one item: its result, None when there is none; of one that spreads, a list."""
        item, began = self._inside.pop(outcome.index)
        spent = Spent(monotonic() - began)
        error = outcome.error
        if error is None:
            results = outcome.results
            value = results if spreads else results[0] if results else None
            record = Record(item.number, item.digest, "ok", value=value, times=spent)
        else:
            call = getattr(error, "call", None)
            ended = (
                TimedOut(error.after, call, error=error) if isinstance(error, TimedOutError) else Failed(error, call)
            )
            record = record_of(item.number, item.digest, ended)
            record.times = spent
        del self._under_way[item.number]
        await self._record(item, record)

    async def _items(self) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        """Yield one coroutine per readable item."""
        async with contextlib.aclosing(self._readable()) as items:
            async for item in items:
                yield self._item(item)

    async def _readable(self) -> AsyncGenerator[Item]:
        """Yield the items; one that can't be read is a failure at once."""
        reader = self.reader
        skipped = 0
        async with contextlib.aclosing(reader.batches()) as batches:
            async for batch in batches:
                if reader.skipped != skipped and self._total is not None:
                    skipped = reader.skipped
                    self._progress.expect(self._total - skipped)
                for item in batch:
                    if reader.is_stopped:
                        return
                    if item.problem is None:
                        yield item
                    else:
                        error = {"type": item.kind, "message": item.problem}
                        await self._record(
                            item, Record(item.number, item.digest, "failed", error=error, work="not started")
                        )

    async def _item(self, item: Item) -> None:
        # The record is made by the item itself, in the step in which it ends: what has ended when the run is stopped
        # is never taken for cancelled, however far behind the reader of the outcomes is.
        number = item.number
        self._under_way[number] = item
        call = self._target(*item.args, **item.kwargs)
        began = monotonic()
        try:
            value = await call
            spent = Spent(monotonic() - began) if self._target.is_bare else _timed(call, began)
            record = Record(number, item.digest, "ok", value=value, times=spent)
        except asyncio.CancelledError as error:
            self._cancelled(item, _timed(call, began), asked=bool(error.args))
            raise
        except TimedOutError as error:
            record = record_of(number, item.digest, TimedOut(error.after, _timed(call, began), error=error))
        except Exception as error:
            record = record_of(number, item.digest, Failed(error, _timed(call, began)))
        del self._under_way[number]
        refuse_pipeline(record.value, self._target.name)
        await self._record(item, record)

    _item.__qualname__ = "item"  # by which top, ps and tree show it

    def _cancelled(self, item: Item, call: Call[Any], *, asked: bool) -> None:
        del self._under_way[item.number]
        if not call.attempts:  # it waited for a place: nothing was begun
            return
        why = self._why_cancelled(asked)
        self._record_cancelled(item, "abandoned" if call.left_behind else "stopped", why, call.times)

    def _why_cancelled(self, asked: bool) -> str:
        if self.stopped_by is not None or self.interrupted or self.runtime.draining:
            return self.stop_words
        return "the event loop was stopped" if asked else "its own code asked for it, with task.cancel()"

    def _record_cancelled(self, item: Item, work: str, why: str, times: Times | None = None) -> None:
        error = {"type": "Cancelled", "message": f"cancelled while it ran: {why}"}
        record = Record(item.number, item.digest, "cancelled", error=error, work=work, times=times)
        self._count(item, record)
        with contextlib.suppress(NotWritten):
            self.results.put_nowait(record)

    async def _record(self, item: Item, record: Record) -> None:
        """Count and write *record*.

        Raises:
          NotWritten, Enough: the run is to stop; also kept as ``stopped_by``.
          BadUsage: the first item is lost to its argument, and the function seems to make a pipeline.
        """
        if self.tally.done == 0 and record.error is not None and record.error["type"] in _WRONG_ARGUMENTS:
            refuse_seeming_pipeline(self._target.function, self._target.name)
        self._count(item, record)
        try:
            self.results.put_nowait(record)
            if self.results.output.is_full:
                await self.results.output.wait_room()
            if self._fail_on is not None and self.tally.lost >= self._fail_on:
                raise Enough
        except (NotWritten, Enough) as stop:
            self.stopped_by = self.stopped_by or stop
            raise

    def _count(self, item: Item, record: Record) -> None:
        if record.error is None:
            self.tally.add(record)
        else:
            self.tally.add(record, lambda: self.reader.shown(item))
        self._progress.update(_WORDS[record.outcome])

    def _end_rest(self) -> None:
        """Give what would not end when we stopped its record, and see everything written."""
        for item in list(self._under_way.values()):
            self._record_cancelled(item, "abandoned", self._why_cancelled(asked=True))
        try:
            self.results.close()
        except NotWritten as error:
            self.stopped_by = error


class Spent:
    """The times of a call that is nothing but its async body. (To ask the call itself costs 1 µs: run_lines.)"""

    __slots__ = ("running",)
    queued = 0.0
    attempts = 1
    lane = "loop"

    def __init__(self, running: float) -> None:
        self.running = running


def _timed(call: Call[Any], began: float) -> Call[Any]:
    """Note on *call* how long it ran since *began*: of one that is simply awaited nobody takes the time."""
    if call.attempts and not call.running:
        call.running = monotonic() - began - call.queued
    return call


_LOOP_STOPPED = (
    "the function, or something that it calls, has stopped the event loop (loop.stop()), which is linecook's: every "
    "call under way was cancelled. Raise an error to give up one item"
)
_WRONG_ARGUMENTS = ("BadArguments", "linecook.errors.UsageError")
_WORDS = {"ok": "Ok", "failed": "Failed", "timed_out": "TimedOut", "cancelled": "Cancelled"}
