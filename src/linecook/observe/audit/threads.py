"""Threads: who holds the interpreter away from the loops, and who stands where, since when.

Sampled from the watch thread. That a thread was on CPU isn't enough (``hashlib`` and numpy let go of the interpreter
meanwhile): it is to blame only when the watch thread had to wait for the interpreter too (see ``pulse.py``).
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as pools
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import NamedTuple

from ..._core.place import is_ours_or_pythons
from ..._core.stacks import stacks_of_others
from ..cpuclock import CPUClocks
from ..place import outwards
from ..probe import _holders
from ..pulse import Wake
from .ledger import Detail, Fact, Where
from .words import cut, shown

_IDLE: CodeType = pools._worker.__code__  # the innermost frame of a pool's thread that has nothing to do
_SHUTDOWN: CodeType = pools.ThreadPoolExecutor.shutdown.__code__
_ANSWERS = {futures.Future[object].set_result.__code__, futures.Future[object].set_exception.__code__}
_DO_SHUTDOWN: CodeType | None = getattr(getattr(asyncio.BaseEventLoop, "_do_shutdown", None), "__code__", None)
_RUN: CodeType = threading.Thread.run.__code__
_MOST_THREADS = 512  # looked at, at each look
_MOST_FUNCTIONS = 500
_SURVEY = 0.25  # seconds between two looks at where every thread stands
_ON_CPU = 0.3  # share of the time that threads without a loop are on CPU, all together, before each is looked at;
_STARVED = 0.1  # or this, on a machine that gives us little, when it is half of what the whole process was given
_WORTH = 0.1  # seconds of holding that are worth a line


@dataclass(frozen=True, slots=True)
class StuckThread:
    """A thread for which the end of the program waits.

    Attributes:
      name: of the thread.
      where: the user's line on its stack.
      seconds: for how long it has stood there, as far as we have seen.
    """

    name: str
    where: Where
    seconds: float

    def __str__(self) -> str:
        return cut(f"  {self.name}, for {self.seconds:.1f} s at least, at {shown(self.where.look_up())}")


@dataclass(slots=True)
class _Holding:
    """What one function has held, in a thread: seconds, and its lines."""

    seconds: float = 0.0
    looks: int = 0
    lines: Counter[int] = field(default_factory=Counter[int])
    names: Counter[str] = field(default_factory=Counter[str])

    def most_seen(self) -> int:
        return max(self.lines.copy().items(), key=lambda line: line[1])[0]


class _Standing(NamedTuple):
    """Where a thread's innermost frame was last seen to move."""

    frame: int
    instruction: int
    since: float


class Threads:
    """Looks at all threads but the watch's own; on the watch thread only, but for what says otherwise."""

    def __init__(self) -> None:
        self._clocks = CPUClocks()
        self._cpu: dict[int, float] = {}
        self._standing: dict[int, _Standing] = {}
        self._holding: dict[tuple[str, str], _Holding] = {}
        self._closing: dict[int, float] = {}
        self.looked = 0.0
        self._others_cpu = 0.0
        self._whole_cpu = 0.0
        self._next_survey = 0.0

    def look(
        self,
        wake: Wake,
        elapsed: float,
        frames: dict[int, FrameType],
        loops: set[int],
        asked_for: Callable[[int], Where | None],
    ) -> bool:
        """Take one look; return whether the next one should come soon.

        Args:
          wake: says whether the interpreter was held.
          elapsed: seconds since the last look.
          frames: where every thread stands.
          loops: idents of the threads in which an event loop runs. Without any, nobody is kept from anything.
          asked_for: returns the line that asked for what a thread of a pool does, for one that runs no line of the
            user's (``to_thread(json.loads, text)``); None: a pool's own book-keeping, and nobody's fault.
        """
        if wake.now >= self._next_survey:
            self._next_survey = wake.now + _SURVEY
            idents = _others(frames)
            self._see_who_moves(wake.now, idents, frames)
            self._see_who_closes(wake.now, idents, frames, loops)
        if loops:
            self.looked += elapsed
        if not loops or not self._are_others_on_cpu(elapsed, loops):
            self._cpu.clear()
            return False
        worked = self._worked(_others(frames), elapsed)
        if wake.naps:
            self._blame(worked, elapsed, frames, loops, asked_for)
        return bool(wake.naps)

    def _are_others_on_cpu(self, elapsed: float, loops: set[int]) -> bool:
        """Whether threads without a loop may have been on CPU since the last look for long enough to look at each.

        Two clocks say so: to read those of 64 threads twenty times a second is what an audit costs (watch_http).
        """
        whole = time.process_time()
        on_cpu = whole - sum(self._clocks.read(ident) or 0.0 for ident in loops)
        since, self._others_cpu = on_cpu - self._others_cpu, on_cpu
        of, self._whole_cpu = whole - self._whole_cpu, whole
        return since >= _ON_CPU * elapsed or since >= max(_STARVED * elapsed, of / 2)

    def _worked(self, idents: list[int], elapsed: float) -> dict[int, float]:
        """Return the share of the time since the last look that each thread was on CPU, if it was at all."""
        before, self._cpu = self._cpu, {}
        worked: dict[int, float] = {}
        for ident in idents:
            cpu = self._clocks.read(ident)
            if cpu is None:
                continue
            self._cpu[ident] = cpu
            if ident in before and cpu > before[ident] and elapsed > 0:
                worked[ident] = min(1.0, (cpu - before[ident]) / elapsed)
        return worked

    def _blame(
        self,
        worked: dict[int, float],
        elapsed: float,
        frames: dict[int, FrameType],
        loops: set[int],
        asked_for: Callable[[int], Where | None],
    ) -> None:
        holders = _holders(worked)
        total = sum(holders.values())
        for ident, share in holders.items():
            if ident in loops or _answers(frames[ident]):
                continue
            where = Where.of(frames[ident])
            at = asked_for(ident) if is_ours_or_pythons(where.file) else where
            if at is not None:
                self._blame_one(elapsed * share / total, ident, at)

    def _blame_one(self, seconds: float, ident: int, where: Where) -> None:
        key = where.file, where.function
        holding = self._holding.get(key)
        if holding is None:
            if len(self._holding) >= _MOST_FUNCTIONS:
                return
            holding = self._holding[key] = _Holding()
        holding.seconds += seconds
        holding.looks += 1
        holding.lines[where.line] += 1
        if len(holding.names) < 20:
            holding.names[_name_of(ident)] += 1

    def _see_who_moves(self, now: float, idents: list[int], frames: dict[int, FrameType]) -> None:
        before, self._standing = self._standing, {}
        for ident in idents:
            frame = frames[ident]
            stood = before.get(ident)
            if stood is None or stood.frame != id(frame) or stood.instruction != frame.f_lasti:
                stood = _Standing(id(frame), frame.f_lasti, now)
            self._standing[ident] = stood

    def _see_who_closes(self, now: float, idents: list[int], frames: dict[int, FrameType], loops: set[int]) -> None:
        closing = [ident for ident in idents if ident not in loops and _shuts_a_default_pool(frames[ident])]
        self._closing = {ident: self._closing.get(ident, now) for ident in closing}

    def closing_for(self, now: float) -> float:
        """Return for how many seconds a loop has waited, in order to end, for its default pool's threads; 0: none."""
        return max((now - since for since in self._closing.values()), default=0.0)

    def holdings(self) -> list[Fact]:
        """Return who held the interpreter, in facts of a kind; from any thread."""
        worth = [each for each in list(self._holding.items()) if each[1].seconds >= _WORTH and each[1].looks >= 3]
        return [
            Fact("cpu_thread", Where(file, held.most_seen(), function), held.seconds, self._more(held))
            for (file, function), held in worth
        ]

    def _more(self, holding: _Holding) -> tuple[tuple[Detail, float], ...]:
        names = [(("thread", name), float(looks)) for name, looks in holding.names.copy().items()]
        share = f"{min(1.0, holding.seconds / self.looked):.0%}" if self.looked else "?"
        return (("share", share), 1.0), *names

    def stuck(self) -> list[StuckThread]:
        """Return the threads for which the interpreter waits at its end, but idle ones of pools; from any thread."""
        now, frames, standing = time.monotonic(), stacks_of_others(), self._standing
        found: list[StuckThread] = []
        for thread in threading.enumerate():
            frame = frames.get(thread.ident or 0)
            if thread.daemon or thread is threading.main_thread() or thread is threading.current_thread():
                continue
            if frame is None or frame.f_code is _IDLE or _shuts_a_default_pool(frame):
                continue
            stood = standing.get(thread.ident or 0)
            still = stood is not None and stood.frame == id(frame) and stood.instruction == frame.f_lasti
            since = stood.since if still and stood is not None else now
            found.append(StuckThread(thread.name, Where.of(frame), now - since))
        return found


def _others(frames: dict[int, FrameType]) -> list[int]:
    own = threading.get_ident()
    return [ident for ident in frames if ident != own][:_MOST_THREADS]


def _answers(frame: FrameType) -> bool:
    """Whether a pool's thread has done its work and tells the loop so: it wakes it, and both want the interpreter."""
    return any(each.f_code in _ANSWERS for each in outwards(frame))


def _shuts_a_default_pool(frame: FrameType) -> bool:
    """Whether a thread does nothing but wait for the threads of a loop's default pool."""
    for each in outwards(frame):
        if each.f_code is _SHUTDOWN:
            caller = each.f_back
            return caller is not None and caller.f_code in (_DO_SHUTDOWN, _RUN)
    return False


def _name_of(ident: int) -> str:
    for thread in threading.enumerate():
        if thread.ident == ident:
            return thread.name
    return "a thread not made by threading"
