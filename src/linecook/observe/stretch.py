"""How long a step has lasted, by which clocks, and what that says of its cause."""

from __future__ import annotations

import gc
import time
from typing import NamedTuple

from .pulse import Wake

_UNNOTICED = 0.02  # seconds of waiting for the interpreter that are counted whatever the CPU clock says


_NAP = 0.02  # seconds that a nap may have stood for, generously


class Look(NamedTuple):
    """What the clocks say at one look, in seconds; ``loop_cpu`` is None when the thread's clock can't be read."""

    at: float
    loop_cpu: float | None
    process_cpu: float
    collections: int

    @classmethod
    def take(cls, at: float, loop_cpu: float | None) -> Look:
        return cls(at, loop_cpu, time.process_time(), gc.get_stats()[-1]["collections"])


class Stretch(NamedTuple):
    """Time spent in one step: in all, while the interpreter was wanted in vain, and on whose CPU. Seconds."""

    seconds: float = 0.0
    held: float = 0.0
    contended: float = 0.0
    loop_cpu: float = 0.0
    process_cpu: float = 0.0
    collections: int = 0

    @classmethod
    def between(cls, before: Look, now: Look, wake: Wake) -> Stretch:
        # What we were late without waiting for the interpreter is the machine's doing, not the step's; and so is what
        # we waited for it without a nap (CPython waits in naps of 5 ms), and without the process using CPU: it was
        # stopped, or starved.
        process_cpu = now.process_cpu - before.process_cpu
        held = min(wake.held, max(2 * process_cpu, wake.naps * _NAP) + _UNNOTICED)
        seconds = max(0.0, now.at - before.at - (wake.late - held))
        known = now.loop_cpu is not None and before.loop_cpu is not None
        return cls(
            seconds=seconds,
            held=min(held, seconds),
            contended=seconds if wake.naps else 0.0,
            loop_cpu=(now.loop_cpu or 0.0) - (before.loop_cpu or 0.0) if known else seconds,
            process_cpu=process_cpu,
            collections=now.collections - before.collections,
        )

    def plus(self, other: Stretch) -> Stretch:
        return Stretch(
            self.seconds + other.seconds,
            self.held + other.held,
            self.contended + other.contended,
            self.loop_cpu + other.loop_cpu,
            self.process_cpu + other.process_cpu,
            self.collections + other.collections,
        )

    def only_held(self) -> Stretch:
        """The part in which the interpreter was held."""
        return Stretch(self.held, self.held, self.held, self.loop_cpu, self.process_cpu, self.collections)

    def was_held_here(self) -> bool:
        """Whether the loop's own thread held the interpreter.

        It did if it was on CPU half of that time, or had half of the CPU that the process got from a busy machine, or
        if no thread was on CPU at all: then it slept with the interpreter in its hand.
        """
        most = min(0.5 * self.held, max(0.5 * self.process_cpu, 0.1 * self.held))
        return self.held > 0.02 and (self.loop_cpu >= most or self.process_cpu < 0.1 * self.held)

    def was_kept_by_others(self) -> bool:
        """Whether the loop's thread wanted to go on, and others held the interpreter."""
        return (
            self.contended > 0.5 * self.seconds
            and self.loop_cpu < 0.3 * self.process_cpu
            and self.process_cpu > 0.2 * self.seconds
        )
