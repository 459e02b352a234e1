"""What would gain where: sentences, each supported by figures that were measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._core.meter import SOURCE
from .table import seconds

if TYPE_CHECKING:
    from .report import Row

# Of the order of what a trip through each lane costs (benchmarks: thread_noop, process_noop).
_WORTH_A_PROCESS = 0.0005  # seconds of CPU per call: the trip costs well below half of it
_TOO_SHORT_FOR_A_THREAD = 0.00005
_TOO_SHORT_FOR_A_PROCESS = 0.0002
_ENOUGH_CALLS = 10


def advise(row: Row, interpreter_held: float | None = None) -> Iterator[str]:
    """Yield what *row* says about its tool's place: nothing, one sentence or two.

    ``interpreter_held``: the part of the time in which the interpreter was held by anybody; None: not known.
    """
    if row.name.startswith(f"{SOURCE} "):
        return  # an input of a pipeline has no lane to be moved to
    if row.lane in ("loop", "inline"):
        yield from _on_the_loop(row)
    elif row.lane == "thread":
        yield from _on_a_thread(row, interpreter_held)
    elif row.lane == "process":
        yield from _in_a_process(row)


def _on_the_loop(row: Row) -> Iterator[str]:
    if row.stalls.count:
        held_up = f"{row.name}: held up the event loop {_times(row.stalls.count)}, {seconds(row.stalls.seconds)} in all"
        cure = (
            "a plain def tool without lane='inline' would run on a thread"
            if row.lane == "inline"
            else "put what blocks into a plain def tool, which runs on a thread, or await something that doesn't block"
        )
        yield f"{held_up}; {cure}."


def _on_a_thread(row: Row, interpreter_held: float | None) -> Iterator[str]:
    if row.mean is None or row.calls < 1:
        return
    if row.mean < _TOO_SHORT_FOR_A_THREAD and row.calls >= _ENOUGH_CALLS and not row.timeouts:
        yield (
            f"{row.name}: {seconds(row.mean)} a call, less than the way to a thread and back; "
            "lane='inline' would be cheaper, if it never waits for anything."
        )
    elif row.cpu is not None and row.cpu_share is not None and row.gil_share is not None:
        yield from _cpu_on_a_thread(row, row.cpu, row.cpu_share, row.gil_share, interpreter_held)


def _cpu_on_a_thread(
    row: Row, cpu: float, cpu_share: float, gil_share: float, interpreter_held: float | None
) -> Iterator[str]:
    each = cpu / max(1, row.calls)
    used = f"{row.name}: {seconds(cpu)} of CPU in {_calls(row.calls)}"
    if each < _WORTH_A_PROCESS:
        return
    if cpu_share > 0.7 and gil_share > 0.5:
        yield (
            f"{used} while holding the interpreter {gil_share:.0%} of the time (n={row.samples}); lane='process' "
            "would let the loop and the other threads run; it costs about 0.1 to 0.2 ms a call."
        )
    elif cpu_share > 0.7 and gil_share < 0.2:
        yield (
            f"{used}, but it held the interpreter only {gil_share:.0%} of the time (n={row.samples}); "
            "it is well placed on threads."
        )
    elif interpreter_held is not None and interpreter_held > 0.7 and gil_share > 0.6 * cpu_share > 0.03:
        yield (
            f"{used} ({cpu_share:.0%} of its wall time), nearly all of it holding the interpreter, which was taken "
            f"{interpreter_held:.0%} of the time: the threads wait for each other (n={row.samples}); "
            "lane='process' would let them run side by side."
        )


def _in_a_process(row: Row) -> Iterator[str]:
    if row.mean is None or row.calls < _ENOUGH_CALLS:
        return
    if row.mean < _TOO_SHORT_FOR_A_PROCESS:
        yield (
            f"{row.name}: {seconds(row.mean)} a call, no more than the way to a process and back (0.1 to 0.2 ms); "
            "lane='thread' would be cheaper, unless it needs to be killed at its time-out."
        )
    elif row.cpu_share is not None and row.cpu_share < 0.2:
        yield (
            f"{row.name}: waits {1 - row.cpu_share:.0%} of its {seconds(row.wall)} in {_calls(row.calls)}; "
            "a thread waits as well, and there are more of them (no lane=), unless it must be killed at its time-out."
        )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
