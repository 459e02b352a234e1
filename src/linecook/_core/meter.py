"""What is measured of one body: how often it ran, how long, on how much CPU, and an estimate of its hold on the GIL."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, cast

SOURCE = "source"
"""The first word of the name of what reads a pipeline's input on a thread: "source numbers". No function has two."""

LATEST = 1000
"""How many of a function's latest times are kept. A histogram of them all costs each call 0.3 µs, this 0.05 (board)."""


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
      latest: wall times of the latest bodies, seconds; None unless a reader asks for them (see observe/facts.py).
        Bodies on the loop aren't timed one by one, and leave it empty.
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
    latest: deque[float] | None = None

    def listen(self, wanted: bool) -> None:
        """Keep the latest times from now on, or keep them no more."""
        if not wanted:
            self.latest = None
        elif self.latest is None:
            self.latest = deque(maxlen=LATEST)


def name_of_code(body: Any) -> str:
    """Return what all bodies made by the same lines have in common: module, line and name, as one text.

    Meters are kept by it, not by the body: closures, lambdas and bound methods that are made tools anew for each
    request count as one function, and none of them is kept alive by having been counted. A body may say it itself, in
    ``counted_as``.
    """
    said: object = getattr(body, "counted_as", None)
    if isinstance(said, str):
        return said
    function: Any = getattr(body, "__func__", body)
    while isinstance(function, partial):
        function = cast(Any, function).func
    code: Any = getattr(function, "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}:{code.co_qualname}"
    named: Any = function if hasattr(function, "__qualname__") else cast(Any, type(function))
    module: object = getattr(named, "__module__", None) or "builtins"  # methods written in C, str.upper, name none
    return f"{module}:{named.__qualname__}"


def quantile(ascending: list[float], share: float) -> float | None:
    """Return the value within which *share* (0 to 1) of them lie, by nearest rank; None when there are none."""
    if not ascending:
        return None
    return ascending[max(0, ceil(share * len(ascending)) - 1)]
