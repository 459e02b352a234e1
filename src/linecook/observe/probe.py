"""The probe: an estimate of how much of its time each body holds the interpreter, taken by sampling.

CPU time alone advises wrongly: ``hashlib``, numpy and zlib use the CPU and let go of the interpreter. So the watch
thread wakes some hundred times a second while bodies run on threads, and each time notes whether it had to wait for
the interpreter (see ``pulse.py``). If it had to, the bodies that were on CPU since the last look share the blame.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from .._core.meter import Meter
from .._core.stacks import stacks_of_others
from .cpuclock import CPUClocks
from .place import stands_in_python
from .pulse import PULSE, Pulse, Wake

_INTERVAL = 0.01  # seconds between looks while bodies run; a hundredth of them goes into switching threads, at worst
_IDLE = 0.05  # seconds between looks while none runs
_STALE = 0.1  # seconds after which an old reading of a thread's CPU clock says nothing about its body


class Metered(Protocol):
    """A body at work, as far as the probe is concerned: a lane's job."""

    @property
    def meter(self) -> Meter:
        """Where its samples are counted."""
        ...


Running = Callable[[], Iterable[tuple[Metered, int]]]
"""The bodies now running on threads, each with its thread's ident. Called on the watch thread: return a snapshot."""


class HoldProbe:
    """Samples the bodies of any number of thread lanes; adds to their meters' ``seen`` and ``held``.

    Estimates: a body is *seen* once per look that finds it running, on CPU or not, so ``held / seen`` is the part of
    its wall time in which it held the interpreter. A look that a long hold has kept waiting counts as often as looks
    were missed. Bodies much shorter than 10 ms are met by luck, in proportion to the time they take.

    Attributes:
      looks: looks (missed ones included) that found at least one body running.
      waits: how many of them found the interpreter held, by a body, by the loop or by anybody else.
    """

    def __init__(self, *, pulse: Pulse = PULSE) -> None:
        self.looks = 0
        self.waits = 0
        self._pulse = pulse
        self._lock = threading.Lock()
        self._sources: list[tuple[Running, int | None]] = []
        self._stop: Callable[[], None] | None = None
        self._clocks = CPUClocks()
        self._readings: dict[int, _Reading] = {}

    def watch(self, running: Running, loop_thread: int | None = None) -> Callable[[], None]:
        """Sample what *running* returns; the returned function ends that (twice does no harm).

        Args:
          running: the bodies at work. If it raises, this look is skipped for it.
          loop_thread: ident of the event loop's thread. It shares the blame for a held interpreter; None: no such one.
        """
        source = (running, loop_thread)
        with self._lock:
            self._sources.append(source)
            if self._stop is None:
                self._stop = self._pulse.add(self._look)

        def unwatch() -> None:
            with self._lock:
                if source in self._sources:
                    self._sources.remove(source)
                if not self._sources and self._stop is not None:
                    self._stop()
                    self._stop = None

        return unwatch

    def _look(self, wake: Wake) -> float:
        with self._lock:
            bodies, loops = self._at_work()
            if not bodies:
                self._readings.clear()
                return _IDLE
            missed = int(wake.held / _INTERVAL)
            shares = self._shares({*(ident for _, ident in bodies), *loops}, wake)
            for meter, ident in bodies:
                if ident in shares:
                    meter.seen += 1 + missed
                    meter.held += shares[ident] * (1 + missed)
            self.looks += 1 + missed
            self.waits += 1 + missed if wake.naps else 0
            return self._interval()

    def _at_work(self) -> tuple[list[tuple[Meter, int]], set[int]]:
        bodies: list[tuple[Meter, int]] = []
        loops: set[int] = set()
        for running, loop_thread in self._sources:
            try:
                bodies.extend((job.meter, ident) for job, ident in running())
            except Exception:  # a snapshot that raced with the lane; the next one is 10 ms away
                continue
            if loop_thread is not None:
                loops.add(loop_thread)
        return bodies, loops

    def _shares(self, idents: set[int], wake: Wake) -> dict[int, float]:
        """Return each thread's part of the blame for this look, 0 to 1; without those whose last reading is too old."""
        before, self._readings = self._readings, {}
        worked: dict[int, float] = {}
        for ident in idents:
            cpu = self._clocks.read(ident)
            if cpu is None:
                continue
            self._readings[ident] = _Reading(wake.now, cpu)
            last = before.get(ident)
            if last is not None and wake.now - last.at < _STALE + wake.held:
                worked[ident] = min(1.0, (cpu - last.cpu) / (wake.now - last.at))
        holders = _holders({ident: share for ident, share in worked.items() if share > 0}) if wake.naps else {}
        total = sum(holders.values())
        return {ident: holders.get(ident, 0.0) / total if total else 0.0 for ident in worked}

    def _interval(self) -> float:
        # Neither in step with a body that works every 10 ms, nor random: 8 to 12 ms by the golden ratio.
        return _INTERVAL * (0.8 + 0.4 * (self.looks * 0.6180339887 % 1.0))


class _Reading(NamedTuple):
    at: float
    cpu: float


def _holders(worked: dict[int, float]) -> dict[int, float]:
    """Return those of *worked*, threads with their shares of CPU, that may have held the interpreter.

    A thread that had to give it up stands at a place where CPython gives it up: a jump back or the start of a
    function. Where there are such threads, the others, standing in a call that may have let go of it (``hashlib``), are
    not to blame. Rough for a body that calls a lot of C; only used where two or more were on CPU.
    """
    on_cpu = {ident: share for ident, share in worked.items() if share >= 0.1}
    if len(worked) < 2:
        return on_cpu
    frames = stacks_of_others()
    certain = {ident: share for ident, share in worked.items() if stands_in_python(frames.get(ident))}
    return certain or on_cpu
