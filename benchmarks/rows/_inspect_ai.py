"""inspect_ai's adaptive concurrency, after its documentation and source (util/_concurrency.py, commit 499e615).

Written anew from what it says: the library can't be had without its some eighty dependencies. Start between bounds;
a round is as many clean successes as the bound, four at least; a round in which 80 % of the bound were in use at
once raises it: doubled before the first refusal ever, by 5 % rounded up to a five after it. A refusal cuts it to 80 %,
rounded down to a five, and begins a cool-down of 15 s, or of ``Retry-After`` if that is longer, in which neither
successes nor further refusals count.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

COOL_DOWN = 15.0
FEWEST = 4
SATURATED = 0.8


class Controller:
    """The bound, a semaphore under it, and how it moves."""

    def __init__(self, least: int, start: int, most: int, now: Callable[[], float]) -> None:
        self.least, self.bound, self.most = least, start, most
        self._now = now
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._successes = 0
        self._peak = 0
        self._was_refused = False
        self._cool_until = 0.0

    async def __aenter__(self) -> None:
        if self._in_flight >= self.bound or self._waiting:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        else:
            self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)

    async def __aexit__(self, *_: object) -> None:
        self._in_flight -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._in_flight < self.bound:
            self._in_flight += 1
            self._waiting.popleft().set_result(None)

    def succeeded(self) -> None:
        if self._now() < self._cool_until:
            return
        self._successes += 1
        if self._successes < max(self.bound, FEWEST):
            return
        was_saturated = self._peak >= SATURATED * self.bound
        self._successes = self._peak = 0
        if was_saturated:
            grown = _up(self.bound + max(1, round(self.bound * 0.05))) if self._was_refused else self.bound * 2
            self.bound = min(grown, self.most)
            self._let_in()

    def refused(self, retry_after: float = 0.0) -> None:
        self._successes = self._peak = 0
        self._was_refused = True
        now = self._now()
        if now < self._cool_until:
            self._cool_until = max(self._cool_until, now + retry_after)
            return
        self._cool_until = now + max(retry_after, COOL_DOWN)
        self.bound = max(self.least, 1, _down(int(self.bound * 0.8)))


def _up(value: int) -> int:
    return value if value < 10 else -(-value // 5) * 5


def _down(value: int) -> int:
    return value if value < 10 else value // 5 * 5
