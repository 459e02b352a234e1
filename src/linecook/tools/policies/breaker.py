"""A circuit breaker: after so many failures in a row that say the server is down, calls are refused at once.

After Nygard's Release It! (2007): *closed* lets everything through; *open* nothing, for a while; then *half open* lets
one call through to try: served, it closes; failed, it opens for twice as long.
"""

from __future__ import annotations

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds


class Breaker:
    """Whether a server is worth asking. Time comes in as an argument.

    Args:
      after: consecutive failures that open it, ≥ 1.

    Attributes:
      failures: in a row, so far; 0 where nothing is wrong, and nobody needs to ask.
      opened: how often it has opened.
    """

    __slots__ = ("_after", "_open_until", "_probing", "_wait", "failures", "opened")

    def __init__(self, after: int) -> None:
        self._after = after
        self.failures = 0
        self._open_until = 0.0
        self._wait = 0.0  # 0.0: closed
        self._probing = False
        self.opened = 0

    @property
    def is_closed(self) -> bool:
        """Whether everything is let through."""
        return not self._wait

    def refuses(self, now: float) -> float | None:
        """Return the seconds until the next try when calls are refused now, None when one is let through."""
        if not self._wait:
            return None
        if now < self._open_until:
            return self._open_until - now
        return 0.0 if self._probing else None

    def let_in(self) -> bool:
        """Note that a call is let in; say whether it is the one that tries."""
        if self._wait:
            self._probing = True
            return True
        return False

    def succeeded(self) -> None:
        """Note that the server answered."""
        self.failures = 0
        self._wait = 0.0
        self._probing = False

    def failed(self, now: float, *, is_probe: bool) -> bool:
        """Note a failure of the kind that says the server is down; say whether that opened it."""
        self.failures += 1
        if (is_probe and self._wait) or (not self._wait and self.failures >= self._after):
            self._wait = min(LONGEST_WAIT, 2 * self._wait or FIRST_WAIT)
            self._open_until = now + self._wait
            self._probing = False
            self.opened += 1
            return True
        return False

    def left(self, *, is_probe: bool) -> None:
        """Note a call that told nothing: if it was the one that tries, the next call tries."""
        if is_probe:
            self._probing = False

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half open``."""
        return "closed" if not self._wait else "half open" if self._probing else "open"
