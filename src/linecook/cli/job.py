"""Many calls, one per line of the input: at most so many at a time, every outcome written as it comes."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from .arguments import BadArguments
from .exits import ALL_OK, INTERRUPTED, NOT_WRITTEN, PIPE_CLOSED, SOME_FAILED, STOPPED, USAGE
from .output import NotWritten, PipeClosed
from .records import Record, record_of
from .tally import Tally

if TYPE_CHECKING:
    from linecook import Outcome

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
        self._under_way: dict[int, int] = {}  # index in the fan-out → line
        self._not_begun = 0  # items read that were never started
        self._stopped_by: Exception | None = None
        self._interrupted = False
        self._progress: _Progress = _Silence()

    def run(self) -> int:
        """Run it all, tell the summary on standard error, and return the exit code."""
        from linecook import run

        self._know_length()
        if not self._quiet:
            self._progress = _progress_lines(self._reader)
        try:
            run(self._main())
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            self._progress.close()
            self._end_rest()
            self._tell()
        return self._exit_code()

    def _know_length(self) -> None:
        self._reader.start_counting()
        if isinstance(self._fail_on, float):  # a share is a count as soon as the length is known
            self._fail_on = max(1, math.ceil(self._fail_on * (self._reader.wait_total() or 0)))

    async def _main(self) -> None:
        from linecook import as_completed

        try:
            async with as_completed(self._calls(), limit=self._concurrency) as outcomes:
                async for outcome in outcomes:
                    await self._ended(outcome)
        except (NotWritten, _Enough) as stop:
            self._stopped_by = stop
        finally:
            self._reader.stop()

    async def _calls(self) -> AsyncIterator[Coroutine[Any, Any, Any]]:
        """Yield one call per readable line; what can't be read is a failure at once."""
        index = 0
        async for line in self._reader:
            self._taken += 1
            call = await self._call_of(line)
            if call is not None:
                self._under_way[index] = line.number
                index += 1
                yield call

    async def _call_of(self, line: Line) -> Coroutine[Any, Any, Any] | None:
        problem, kind = line.problem, "UnreadableLine"
        if problem is None:
            try:
                args, kwargs = self._target.signature.bind(line.given)
                return self._target(*args, **kwargs)
            except BadArguments as misfit:
                problem, kind = str(misfit), "BadArguments"
        error = {"type": kind, "message": f"line {line.number}: {problem}"}
        await self._record(Record(line.number, "failed", error=error, work="not started"))
        return None

    async def _ended(self, outcome: Outcome[Any]) -> None:
        assert outcome.call is not None
        assert outcome.call.index is not None  # every item of a fan-out has one
        line = self._under_way.pop(outcome.call.index)
        record = record_of(line, outcome)
        if record.outcome == "cancelled" and record.work == "not started":
            self._not_begun += 1
        else:
            await self._record(record)

    async def _record(self, record: Record) -> None:
        self._tally.add(record)
        self._progress.update(record.outcome)
        await self._output.put(record.encoded())
        if self._fail_on is not None and self._tally.lost >= self._fail_on:
            raise _Enough

    def _end_rest(self) -> None:
        """Give what was still running when we stopped its record, and see everything written."""
        why = "Ctrl-C" if self._interrupted else f"the run stopped: {self._stop_words()}"
        for line in self._under_way.values():
            error = {"type": "Cancelled", "message": f"cancelled while it ran ({why})"}
            record = Record(line, "cancelled", error=error, work="stopped", attempts=1)
            self._tally.add(record)
            with contextlib.suppress(NotWritten):
                self._output.put_nowait(record.encoded())
        self._under_way.clear()
        try:
            self._output.close()
        except NotWritten as error:
            self._stopped_by = error

    def _stop_words(self) -> str:
        if isinstance(self._stopped_by, _Enough):
            return f"--fail-on was reached with {self._tally.lost} lost"
        return str(self._stopped_by or "an error of its own")

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
        if self._reader.ended:
            return f"{self._not_begun:,}"
        total = self._reader.wait_total(2.0)
        if total is None:
            return "the rest of the input (of unknown length)"
        return f"{total - self._taken + self._not_begun:,}"

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


class _Enough(Exception):
    """--fail-on was reached."""


class _Progress(Protocol):
    def update(self, kind: str, /) -> None: ...
    def close(self) -> None: ...


class _Silence:
    def update(self, kind: str, /) -> None:
        pass

    def close(self) -> None:
        pass


def _progress_lines(reader: LineReader) -> _Progress:
    from linecook.observe import ProgressLines

    progress: _Progress = ProgressLines(reader.total, sys.stderr)
    return progress
