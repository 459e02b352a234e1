"""Many calls, one per line of the input: at most so many at a time, every outcome written as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from .arguments import BadArguments
from .early import hand_over
from .exits import ALL_OK, INTERRUPTED, NOT_WRITTEN, PIPE_CLOSED, SOME_FAILED, STOPPED, USAGE
from .output import NotWritten, PipeClosed
from .records import Record, Times, record_of
from .tally import Tally

if TYPE_CHECKING:
    from linecook import Call, Outcome

    from .callable import Target
    from .lines import Line, LineReader
    from .output import Output


class Job:
    """One run over an input.

    Args:
      target: what is called for each line.
      reader: the lines.
      output: takes one record per item that began.
      concurrency: most calls under way at a time.
      fail_on: stop when so many have failed or timed out: a count, or a share of the input; None never stops.
      quiet: no progress lines.

    Memory: what is under way, what waits to be written, and one batch of lines; never the input.
    """

    def __init__(
        self,
        target: Target,
        reader: LineReader,
        output: Output,
        *,
        concurrency: int,
        fail_on: int | float | None = None,
        quiet: bool = False,
    ) -> None:
        self._target = target
        self._reader = reader
        self._output = output
        self._concurrency = concurrency
        self._fail_on = fail_on
        self._quiet = quiet
        self._tally = Tally()
        self._taken = 0  # items read from the input, whatever came of them
        self._under_way: dict[int, None] = {}  # lines, in the order of beginning
        self._stopped_by: Exception | None = None
        self._interrupted = False
        self._progress: _Progress = _Silence()

    def run(self) -> int:
        """Run it all, tell the summary on standard error, and return the exit code."""
        from linecook import run

        if not self._quiet:
            from linecook.observe import ProgressLines

            self._progress = ProgressLines(None, sys.stderr)
        self._know_length()
        try:
            hand_over()
            run(self._main())
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            self._progress.close()
            self._end_rest()
            self._tell()
        return self._exit_code()

    def _know_length(self) -> None:
        self._reader.start_counting(self._progress.expect)
        if isinstance(self._fail_on, float):  # a share is a count as soon as the length is known
            self._fail_on = max(1, math.ceil(self._fail_on * (self._reader.wait_total() or 0)))

    async def _main(self) -> None:
        from linecook import as_completed

        items = self._items()
        try:
            async with as_completed(items, limit=self._concurrency) as outcomes:
                async for _ in outcomes:
                    if self._stopped_by is not None:
                        return
        except (NotWritten, _Enough):  # of an unreadable line; ``_record`` has noted it
            pass
        finally:
            self._reader.stop()
            await items.aclose()

    async def _items(self) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        """Yield one call per readable line; a line that can't be read is a failure at once."""
        from linecook import agent

        item = agent(self._item)
        async with contextlib.aclosing(self._reader.lines()) as lines:
            async for line in lines:
                self._taken += 1
                arguments = await self._arguments_of(line)
                if arguments is not None:
                    yield item(line.number, *arguments)

    async def _arguments_of(self, line: Line) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        problem, kind = line.problem, "UnreadableLine"
        if problem is None:
            try:
                return self._target.signature.bind(line.given)
            except BadArguments as misfit:
                problem, kind = str(misfit), "BadArguments"
        error = {"type": kind, "message": f"line {line.number}: {problem}"}
        await self._record(Record(line.number, "failed", error=error, work="not started"))
        return None

    async def _item(self, line: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # The record is made by the item itself, in the step in which it ends: what has ended when the run is stopped
        # is never taken for cancelled, however far behind the reader of the outcomes is.
        from linecook import Failed, Ok, TimedOut
        from linecook.errors import TimedOutError

        self._under_way[line] = None
        call = self._target(*args, **kwargs)
        began = time.monotonic()
        try:
            try:
                outcome: Outcome[Any] = Ok(await call, call)
            finally:
                if call.attempts and not call.running:  # of a call that is simply awaited nobody takes the time
                    call.running = time.monotonic() - began - call.queued
        except asyncio.CancelledError:
            self._cancelled(line, call)
            raise
        except TimedOutError as error:
            outcome = TimedOut(error.after, call, error=error)
        except Exception as error:
            outcome = Failed(error, call)
        del self._under_way[line]
        await self._record(record_of(line, outcome))

    def _cancelled(self, line: int, call: Call[Any]) -> None:
        del self._under_way[line]
        if not call.attempts:  # it waited for a place: nothing was begun
            return
        self._record_cancelled(line, "abandoned" if call.left_behind else "stopped", call.times)

    def _record_cancelled(self, line: int, work: str, times: Times | None = None) -> None:
        error = {"type": "Cancelled", "message": f"cancelled while it ran: {self._stop_words()}"}
        record = Record(line, "cancelled", error=error, work=work, times=times)
        self._tally.add(record)
        self._progress.update("Cancelled")
        with contextlib.suppress(NotWritten):
            self._output.put_nowait(record.encoded())

    async def _record(self, record: Record) -> None:
        """Count and write *record*.

        Raises:
          NotWritten, _Enough: the run is to stop; also kept as ``_stopped_by``.
        """
        self._tally.add(record)
        self._progress.update(_WORDS[record.outcome])
        try:
            await self._output.put(record.encoded())
            if self._fail_on is not None and self._tally.lost >= self._fail_on:
                raise _Enough
        except (NotWritten, _Enough) as stop:
            self._stopped_by = self._stopped_by or stop
            raise

    def _end_rest(self) -> None:
        """Give what would not end when we stopped its record, and see everything written."""
        for line in list(self._under_way):
            self._record_cancelled(line, "abandoned")
        try:
            self._output.close()
        except NotWritten as error:
            self._stopped_by = error

    def _stop_words(self) -> str:
        if isinstance(self._stopped_by, _Enough):
            return f"--fail-on was reached with {self._tally.lost} lost"
        return str(self._stopped_by or "Ctrl-C")

    def _tell(self) -> None:
        for line in self._told():
            print(f"linecook: {line}", file=sys.stderr)

    def _told(self) -> Iterator[str]:
        if self._interrupted:
            yield "interrupted by Ctrl-C."
        elif self._stopped_by is not None:
            yield f"stopped: {self._stop_words()}."
        if self._reader.error is not None:
            yield f"the input could not be read to its end: {self._reader.error.strerror or self._reader.error}."
        yield from self._tally.summary(self._not_started())
        if self._output.unwritten:
            yield (
                f"{self._output.unwritten:,} outcomes are not in {self._output.name}; "
                f"it holds {self._output.lines:,} whole lines ({self._output.written_bytes:,} bytes)."
            )

    def _not_started(self) -> str:
        total = self._taken if self._reader.ended else self._reader.wait_total(2.0)
        return "the rest of the input, of unknown length" if total is None else f"{total - self._tally.done:,}"

    def _exit_code(self) -> int:
        # What was lost outweighs why we stopped. Ctrl-C outweighs a closed pipe: it reaches the whole pipeline, and
        # the reader usually goes first.
        if isinstance(self._stopped_by, NotWritten) and not isinstance(self._stopped_by, PipeClosed):
            return NOT_WRITTEN
        if self._interrupted:
            return INTERRUPTED
        if self._stopped_by is not None:
            return PIPE_CLOSED if isinstance(self._stopped_by, PipeClosed) else STOPPED
        if self._reader.error is not None:
            return USAGE
        return ALL_OK if self._tally.done == self._tally.counts["ok"] else SOME_FAILED


_WORDS = {"ok": "Ok", "failed": "Failed", "timed_out": "TimedOut", "cancelled": "Cancelled"}


class _Enough(Exception):
    """--fail-on was reached."""


class _Progress(Protocol):
    def update(self, outcome_kind: str, /) -> None: ...
    def expect(self, total: int | None, /) -> None: ...
    def close(self) -> None: ...


class _Silence:
    def update(self, outcome_kind: str, /) -> None:
        pass

    def expect(self, total: int | None, /) -> None:
        pass

    def close(self) -> None:
        pass
