"""CPU clocks of other threads: how long each has been on a processor. Linux only; elsewhere nothing is known.

Linux brings the clock of a thread that is running up to date at its timer ticks (each 1 to 10 ms) and when it leaves
the processor: differences over less than about 10 ms say little.
"""

from __future__ import annotations

import sys
import threading
import time


class CPUClocks:
    """Reads the CPU clocks of this process's threads. Used by one thread only.

    ``time.pthread_getcpuclockid`` is given a pthread that may have ended, and then it may crash the process; the
    clock made of the kernel's thread number says ``EINVAL`` instead. So we look the number up, once for each thread.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def read(self, ident: int) -> float | None:
        """Return CPU seconds of the thread with ``threading.get_ident()`` *ident*; None when it can't be known."""
        seconds = self._read(self._numbers.get(ident))
        if seconds is None and self._learn(ident):
            seconds = self._read(self._numbers[ident])
        return seconds

    def _learn(self, ident: int) -> bool:
        """Find the thread's number; True when there is one."""
        alive = {thread.ident: thread.native_id for thread in threading.enumerate()}
        # Those that have ended are forgotten: in a program whose threads come and go the table would grow all day.
        self._numbers = {known: number for known, number in self._numbers.items() if alive.get(known) == number}
        number = alive.get(ident)
        if number is not None:
            self._numbers[ident] = number
        return ident in self._numbers

    def _read(self, number: int | None) -> float | None:
        if number is None or sys.platform != "linux":
            return None
        try:
            return time.clock_gettime((~number << 3) | 6)  # CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED
        except OSError:  # it has ended
            return None
