"""How much was used in the last so many seconds: a sliding log, so that no window of that length, wherever it begins,
ever holds more than the bound. (A bucket that refills lets through twice its size around the edge of a window.)

An amount counts from the moment it is reserved until one length after it was used: whether the other side counts a
call when it begins or when it ends, it never counts more than we do. Entries closer than a 6,000th of the length are
merged, into the later one, so the log is bounded and errs on the safe side.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

GRAINS = 6_000
TICK = 1e-6  # seconds past the moment at which something expires; without it a timer could be a hair early for ever


class Window:
    """What was used in the last *length* seconds, and what is reserved. Time comes in as an argument.

    Args:
      name: the option it comes from, such as ``"per_minute"``.
      length: seconds, above 0.
      bound: most that may be used in any such window, above 0.

    Attributes:
      used: in the last *length* seconds, once ``expire`` was called for a moment beyond ``expires``.
      reserved: by calls under way.
      expires: when the first of what is used goes, or earlier; infinity for never.
    """

    __slots__ = ("_grain", "_log", "bound", "expires", "length", "name", "reserved", "used")

    def __init__(self, name: str, length: float, bound: float) -> None:
        self.name = name
        self.length = length
        self._grain = length / GRAINS
        self.bound = bound
        self.used = 0.0
        self.reserved = 0.0
        self.expires = math.inf
        self._log: deque[list[float]] = deque()  # [first, last, amount], oldest first

    def has_room(self, now: float, amount: float) -> bool:
        """Say whether *amount* may be used or reserved now."""
        if now >= self.expires:
            self.expire(now)
        return self.used + self.reserved + amount <= self.bound

    def expire(self, now: float) -> None:
        """Forget what was used a *length* ago or more."""
        log = self._log
        while log and now - log[0][1] >= self.length:
            self.used -= log.popleft()[2]
        if log:
            self.expires = log[0][1] + self.length
        else:
            self.used = 0.0  # what adding and taking away of fractions leaves behind
            self.expires = math.inf

    def add(self, now: float, amount: float) -> None:
        """Note that *amount* is used now; it may go beyond the bound, when more was used than was reserved."""
        if not amount:
            return
        log = self._log
        self.used += amount
        if log and now - log[-1][0] < self._grain:
            last = log[-1]
            last[1] = now
            last[2] += amount
        else:
            log.append([now, now, amount])
            if len(log) == 1:
                self.expires = now + self.length

    def undo(self, when: float, amount: float) -> None:
        """Take back what was added at *when*: it was never used."""
        for entry in reversed(self._log):
            if entry[0] <= when:
                if when <= entry[1]:  # else it has expired meanwhile
                    entry[2] -= amount
                    self.used -= amount
                return

    def next_at(self, now: float, amount: float) -> float | None:
        """Return when *amount* will have room if nothing is given back before; None when time alone won't do.

        Never *now* or earlier: whoever sets a timer by it can't spin.
        """
        wait = self._wait(self._log, now, amount)
        return None if wait is None else now + wait + TICK

    def used_in(self, now: float) -> float:
        """Return what was used in the window that ends now, and what is reserved; from any thread, changes nothing."""
        gone = 0.0
        for _, last, amount in list(self._log):
            if now - last < self.length:
                break
            gone += amount
        return max(0.0, self.used - gone) + self.reserved

    def wait_for(self, now: float, amount: float) -> float | None:
        """Return the seconds until *amount* has room if nothing is given back before; 0.0: it has.

        None: time alone won't do. From any thread; changes nothing.
        """
        return self._wait(list(self._log), now, amount)

    def _wait(self, log: Iterable[list[float]], now: float, amount: float) -> float | None:
        if self.reserved + amount > self.bound:
            return None
        short = self.used + self.reserved + amount - self.bound
        if short <= 0:
            return 0.0
        until = now
        for _, last, freed in log:
            until = last + self.length
            short -= freed
            if short <= 0:
                break
        # With the last entry all goes, whatever adding and taking away of fractions has left of the sum: asking for the
        # whole bound must not wait for ever (test_fractions_never_make_who_waits_wait_for_ever).
        return max(0.0, until - now)

    def is_idle(self, now: float) -> bool:
        """Say whether it remembers nothing: it could be made anew and nobody would know."""
        self.expire(now)
        return not self._log and not self.reserved

    def retune(self, length: float, bound: float) -> None:
        """Hold to another bound from now on."""
        self.length, self._grain, self.bound = length, length / GRAINS, bound
        self.expires = -math.inf  # looked at anew

    def __len__(self) -> int:
        return len(self._log)

    def __repr__(self) -> str:
        bound = "no bound" if math.isinf(self.bound) else f"{self.bound:g}"
        return f"<Window {self.name}: {self.used + self.reserved:g} of {bound} in {self.length:g} s>"
