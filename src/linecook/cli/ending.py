"""What is said at the end of a run, and its exit code."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence

from .exits import ALL_OK, INTERRUPTED, NOT_WRITTEN, PIPE_CLOSED, SOME_FAILED, STOPPED, USAGE
from .job import Job
from .output import NotWritten, PipeClosed

WAIT_TOTAL = 2.0  # seconds for the count of the input, should the rest of it have to be told


def tell(job: Job, command: Sequence[str]) -> int:
    """Tell on standard error what came of *job*, and return the exit code.

    Args:
      command: the words with which the same run is started again.
    """
    with contextlib.suppress(OSError, ValueError):  # the terminal is gone: what was done stands
        for line in _told(job, command):
            print(f"linecook: {line}", file=sys.stderr)
    return exit_code(job)


def exit_code(job: Job) -> int:
    """Return the exit code of *job*, which has ended."""
    # What was lost outweighs why we stopped. Ctrl-C outweighs a closed pipe: it reaches the whole pipeline, and the
    # reader usually goes first.
    if isinstance(job.stopped_by, NotWritten) and not isinstance(job.stopped_by, PipeClosed):
        return NOT_WRITTEN
    if job.interrupted:
        return INTERRUPTED
    if job.stopped_by is not None:
        return PIPE_CLOSED if isinstance(job.stopped_by, PipeClosed) else STOPPED
    if job.reader.error is not None:
        return USAGE
    return ALL_OK if job.tally.done == job.tally.counts["ok"] and not _lost_before(job) else SOME_FAILED


def _told(job: Job, command: Sequence[str]) -> Iterator[str]:
    if job.interrupted:
        yield "interrupted by Ctrl-C."
    elif job.stopped_by is not None:
        yield f"stopped: {job.stop_words}."
    if job.reader.error is not None:
        yield f"the input could not be read to its end: {job.reader.error}."
    not_started = _not_started(job)
    yield from job.tally.summary(not_started, _done_before(job), job.reader.source.format.unit)
    yield from _unwritten(job)
    yield from _grown(job)
    yield from _placement(job)
    yield from _resuming(job, command, is_rest=not_started != "0")


def _unwritten(job: Job) -> Iterator[str]:
    output = job.results.output
    if output.unwritten:
        yield (
            f"{output.unwritten:,} outcomes are not in {output.name}; "
            f"it holds {output.lines:,} whole lines ({output.written_bytes:,} bytes) of this run."
        )


def _grown(job: Job) -> Iterator[str]:
    data = job.reader.source.data
    if job.reader.ended and data is not None and data.grown > 0:
        yield f"the input has grown by {data.grown:,} bytes since the start; they were not read."


def _placement(job: Job) -> Iterator[str]:
    """Yield what would run better elsewhere, if anything would."""
    yield from job.runtime.report().advice


def _resuming(job: Job, command: Sequence[str], *, is_rest: bool) -> Iterator[str]:
    lost = job.tally.lost + _lost_before(job)
    rest = is_rest or job.tally.counts["cancelled"] > 0
    if not job.results.can_resume:
        if rest and job.reader.source.path != "-":
            yield "with --output FILE the same command could go on from here: it skips what the file holds."
        return
    if isinstance(job.stopped_by, NotWritten):
        rest = True
    if rest:
        yield f"to go on with the rest, the same command again: {shlex.join(command)}"
    if lost:
        again = [*command, *([] if "--retry-failed" in command else ["--retry-failed"])]
        yield f"to run the {lost:,} again that {'was' if lost == 1 else 'were'} lost: {shlex.join(again)}"


def _lost_before(job: Job) -> int:
    return 0 if job.results.held is None else job.results.held.skipped_lost


def _done_before(job: Job) -> str:
    held = job.results.held
    if held is None or not job.reader.skipped:
        return ""
    lost = f" ({held.skipped_lost:,} of them lost)" if held.skipped_lost else ""
    return f"{job.reader.skipped:,}{lost}"


def _not_started(job: Job) -> str:
    reader = job.reader
    total = reader.taken if reader.ended else reader.wait_total(WAIT_TOTAL)
    if total is None:
        return "the rest of the input, of unknown length"
    return f"{max(0, total - reader.skipped - job.tally.done):,}"
