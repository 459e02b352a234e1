"""How linecook speaks in other people's programs: through the log, at most once per place and second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable

_log = logging.getLogger("linecook")


class Voice:
    """Says warnings to ``logging.getLogger("linecook")``; no handler is installed.

    What comes within a second of the last notice about the same place isn't said and isn't lost: it is counted, and
    ``flush`` says "… (and 12 more like it in the last second)" when the second is over. From any thread.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._last: dict[Hashable, float] = {}
        self._held_back: dict[Hashable, tuple[int, Callable[[], str]]] = {}

    def say(self, place: Hashable, message: Callable[[], str]) -> None:
        """Say ``message()`` now, or hold it back when *place* was spoken of within the last second."""
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(place, -self._interval) < self._interval:
                count, _ = self._held_back.get(place, (0, message))
                self._held_back[place] = count + 1, message
                return
            self._last[place] = now
        _log.warning("%s", message())

    def flush(self, *, all_of_it: bool = False) -> None:
        """Say what was held back and whose second is over; with *all_of_it*, whatever was held back."""
        if not self._held_back and not self._last:
            return
        now = time.monotonic()
        with self._lock:
            over = [p for p, last in self._last.items() if all_of_it or now - last >= self._interval]
            ready = [(place, *self._held_back.pop(place)) for place in over if place in self._held_back]
            for place in over:
                del self._last[place]
            self._last.update((place, now) for place, _, _ in ready)
        for _, count, message in ready:
            more = f" (and {count - 1} more like it in the last second)" if count > 1 else ""
            _log.warning("%s%s", message(), more)
