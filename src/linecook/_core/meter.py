"""What is measured of one body: how often it ran, how long, on how much CPU, and an estimate of its hold on the GIL."""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp

_STEPS = 16  # buckets per doubling: an answer is within 1/32 of the truth
_LEAST = -20  # 2**-20 s, about 1 µs, and all below share a bucket
_MOST = 17  # 2**17 s, about 36 hours, and all above share one


class Spread:
    """How long bodies took, in a fixed 5 KB: counts per bucket, sixteen buckets to each doubling of the time.

    After HdrHistogram: the relative error is the same for microseconds and hours. One writer; any thread may read.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = [0] * ((_MOST - _LEAST) * _STEPS)

    def add(self, seconds: float) -> None:
        """Count one body that took *seconds*."""
        part, exponent = frexp(seconds)  # seconds == part * 2**exponent, with part in [0.5, 1)
        place = (exponent - _LEAST - 1) * _STEPS + int((part - 0.5) * 2 * _STEPS)
        if place < 0 or seconds <= 0.0:
            place = 0
        elif place >= len(self._counts):
            place = -1
        self._counts[place] += 1

    def quantiles(self, *shares: float) -> tuple[float | None, ...]:
        """Return the seconds within which these shares (0 to 1, ascending) of all bodies ended, to 3 %.

        By nearest rank: of a single body every quantile is its time. Of none, None.
        """
        counts = self._counts.copy()
        ranks = [max(1.0, share * sum(counts)) for share in shares]
        found: list[float | None] = []
        seen = 0
        for place, count in enumerate(counts):
            seen += count
            while count and len(found) < len(ranks) and seen >= ranks[len(found)]:
                found.append(_middle_of(place))
        return (*found, *[None] * (len(ranks) - len(found)))


def _middle_of(place: int) -> float:
    doubling, step = divmod(place, _STEPS)
    return float(2.0 ** (doubling + _LEAST) * (1 + (step + 0.5) / _STEPS))


@dataclass(slots=True, eq=False)
class Meter:
    """Running totals of one tool or agent in one runtime. Written by lanes; read by the placement report.

    Attributes:
      name: the function's qualified name.
      lane: where it runs.
      calls: bodies that ended, well or badly.
      failures: how many of them raised.
      timeouts: how many were given up at a deadline.
      abandoned: how many of those run on unseen.
      wall: seconds in bodies, summed over ``calls``.
      cpu: CPU seconds of ``cpu_calls`` bodies (sampled: reading the thread's CPU clock costs more than a no-op).
      cpu_wall: wall seconds of those same bodies, so that ``cpu / cpu_wall`` is the CPU share.
      cpu_calls: how many bodies the CPU clock was read for.
      seen: samples of the probe that found this body at work.
      held: the part of them in which it held the interpreter, as far as can be told.
      typical: moving average of a body's wall time, seconds; decides whether a thread hurries (see lanes/thread.py).
      spread: how the wall times are spread; None unless a reader asks for it (see observe/facts.py). Bodies on the
        loop aren't timed one by one, and leave it empty.
    """

    name: str
    lane: str = "loop"
    calls: int = 0
    failures: int = 0
    timeouts: int = 0
    abandoned: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    cpu_wall: float = 0.0
    cpu_calls: int = 0
    seen: int = 0
    held: float = 0.0
    typical: float = 1.0
    spread: Spread | None = None
