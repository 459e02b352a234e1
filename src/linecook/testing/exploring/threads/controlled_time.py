"""``time`` in virtual time, for whoever is under control; for others it is the real one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .control import active, here

EPOCH = 1_700_000_000.0
"""What ``time.time()`` says when virtual time is 0: the same in every schedule (14 November 2023)."""

_sleep = time.sleep


def sleep(seconds: float) -> None:
    """Let *seconds* of virtual time pass; others go on meanwhile."""
    sleeper = here()
    if sleeper is None:
        _sleep(seconds)
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    sleeper.sleep(seconds)


def _virtual(real: Callable[[], Any], epoch: float, unit: type[float] | type[int]) -> Callable[[], Any]:
    def read() -> Any:
        control = active()
        if control is None or control.running() is None:
            return real()
        now = epoch + control.scheduler.now()
        return round(now * 1e9) if unit is int else now

    read.__name__ = real.__name__
    return read


monotonic: Callable[[], float] = _virtual(time.monotonic, 0.0, float)

NAMES: dict[str, Any] = {
    "sleep": sleep,
    "monotonic": monotonic,
    "perf_counter": _virtual(time.perf_counter, 0.0, float),
    "time": _virtual(time.time, EPOCH, float),
    "monotonic_ns": _virtual(time.monotonic_ns, 0.0, int),
    "perf_counter_ns": _virtual(time.perf_counter_ns, 0.0, int),
    "time_ns": _virtual(time.time_ns, EPOCH, int),
}
"""The names of ``time`` and their stand-ins."""
