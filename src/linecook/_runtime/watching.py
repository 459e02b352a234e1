"""What a runtime sees of its own loop and threads: stalls, and who holds the interpreter."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core import leftover
from .._core.callframe import CallFrame
from .._core.context import Frame, Mark
from .._core.events import Events
from .._core.meter import Meter
from ..lanes.thread import ThreadLane

if TYPE_CHECKING:
    from ..observe.probe import HoldProbe
    from ..observe.stall import StallWatch
    from ..observe.stuck.watch import StuckWatch
    from ..observe.watched import Stall

_MOST_STALLS = 1000


class Watching:
    """Watches the loop of one runtime, and the threads that serve it, until ``end``.

    Attributes:
      stalls: the latest stalls that have ended.
    """

    def __init__(self, meter: Callable[[Any, str, str], Meter]) -> None:
        self._meter = meter
        self.stalls: deque[Stall] = deque(maxlen=_MOST_STALLS)
        self._ends: list[Callable[[], None]] = []
        self._samples = False

    def watch_loop(self, loop: asyncio.AbstractEventLoop, threshold: float, events: Events) -> None:
        """Report every step of *loop* that lasts longer than *threshold* seconds, and deadlocks, to the log."""
        _shared.forget_closed_loops()
        unwatch = _shared.watch().watch(
            loop, threading.get_ident(), threshold, self._stalled, events=events, on_busy=self._busy
        )
        self._ends += [unwatch, _shared.stuck().watch(loop)]
        _shared.note_watched(loop, self)

    def _stalled(self, stall: Stall) -> None:
        from ..observe.stall import speak

        if stall.ended:
            self.stalls.append(stall)
        speak(stall)

    def _busy(self, frame: Frame, wall: float, cpu: float) -> None:
        """Count a sample of a call at work on the loop: to time each would cost it a tenth (call_overhead)."""
        if isinstance(frame, CallFrame) and frame.lane in ("loop", "inline"):
            meter = self._meter(frame.name, frame.name, frame.lane)
            meter.seen += 1
            meter.held += 1
            meter.wall += wall
            meter.cpu += min(cpu, wall)
            meter.cpu_wall += wall
            meter.cpu_calls += 1

    def sample_threads(self, lane: ThreadLane) -> None:
        """Estimate how long the bodies on *lane* hold the interpreter; asked a second time, do nothing."""
        if not self._samples:
            self._samples = True
            self._ends.append(_shared.probe().watch(lane.running, threading.get_ident()))

    def interpreter_held(self) -> float | None:
        """Return the part of the looks at running bodies that found the interpreter held; None before the first."""
        probe = _shared.probe()
        return probe.waits / probe.looks if probe.looks else None

    def end(self) -> None:
        """Watch no more."""
        _shared.note_ended(self)
        ends, self._ends = self._ends, []
        for end in ends:
            end()


class _Shared:
    """The watches and the one probe of the process, made when first needed: a program that never runs a call pays
    nothing for them (benchmarks: import_time).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watch: StallWatch | None = None
        self._probe: HoldProbe | None = None
        self._stuck: StuckWatch | None = None
        self._watched: dict[Watching, asyncio.AbstractEventLoop] = {}

    def note_watched(self, loop: asyncio.AbstractEventLoop, watching: Watching) -> None:
        with self._lock:
            self._watched[watching] = loop

    def note_ended(self, watching: Watching) -> None:
        with self._lock:
            self._watched.pop(watching, None)

    def forget_closed_loops(self) -> None:
        """End the watch of loops that were closed without ``shutdown_asyncgens``, which would have ended it."""
        with self._lock:
            closed = [watching for watching, loop in self._watched.items() if loop.is_closed()]
        for watching in closed:
            watching.end()

    def watch(self) -> StallWatch:
        with self._lock:
            if self._watch is None:
                from ..observe.stall import StallWatch

                self._watch = StallWatch()
            return self._watch

    def stuck(self) -> StuckWatch:
        with self._lock:
            if self._stuck is None:
                from ..observe.stuck.watch import StuckWatch

                self._stuck = StuckWatch()
            return self._stuck

    def probe(self) -> HoldProbe:
        with self._lock:
            if self._probe is None:
                from ..observe.probe import HoldProbe

                self._probe = HoldProbe()
            return self._probe


_shared = _Shared()


def _left_of_scope(mark: Mark) -> None:
    from ..observe.stuck.leftovers import LEFTOVERS  # imported by programs that leave something

    LEFTOVERS.note(mark)


leftover.on_left = _left_of_scope
