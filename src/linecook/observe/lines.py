"""Plain progress lines: how many are done, how fast, how long still. For ``linecook run`` and for logs."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TextIO

from .._core.events import Event
from .allowances import in_flight, why_held_up
from .limits import limits_of
from .money import KINDS as OF_MONEY
from .money import Money
from .snapshot import LimitFacts
from .words import dollars

_STILL = 10.0  # seconds without news after which a line says that we still work
_RECENT = 10.0  # seconds over which the rate is taken
_WORDS = {"Failed": "failed", "TimedOut": "timed out", "Cancelled": "cancelled"}


class ProgressLines:
    """Prints at most one line per interval, from a thread of its own: ``1,234 of 5,000 done (24 %), 3 failed, …``.

    With a runtime attached it adds for which limit most calls wait and why, and what was spent.

    No line is printed while nothing changes, but one each 10 s to say that the work goes on; ``close`` prints the
    last one. A stream that is closed, or a pipe nobody reads, ends the lines and nothing else.

    Use it as a context manager, or call ``close``: until then its daemon thread runs.
    """

    def __init__(self, total: int | None, stream: TextIO, interval: float = 1.0) -> None:
        """Begin; the first line comes after the first interval.

        Args:
          total: how many outcomes there will be; None: not known, and no share or time left is shown.
          stream: where the lines go.
          interval: seconds between lines, > 0.

        Raises:
          ValueError: *total* is negative, or *interval* isn't a number > 0.
        """
        if total is not None and total < 0:
            raise ValueError(f"total={total}: say None if it isn't known")
        if not interval > 0:
            raise ValueError(f"interval={interval!r}: seconds between lines, > 0")
        self._total = total
        self._stream: TextIO | None = stream
        self._interval = interval
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._counts = Counter[str]()
        self._recent: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._runtime: Any = None
        self._unsubscribe: Callable[[], None] | None = None
        self._money = Money()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._print, name="linecook-lines", daemon=True)
        self._thread.start()

    def update(self, outcome_kind: str) -> None:
        """Count one outcome: ``"Ok"``, ``"Failed"``, ``"TimedOut"``, ``"Cancelled"`` or another word; any thread."""
        with self._lock:
            self._counts[outcome_kind] += 1

    def expect(self, total: int | None) -> None:
        """Correct the total, once it is known; None: it isn't."""
        self._total = total

    def attach(self, runtime: Any, /) -> None:
        """Tell of *runtime*'s limits and money too, from now on, and of no other's."""
        self._detach()
        self._unsubscribe = runtime.subscribe(self._hear)
        self._runtime = runtime

    def _detach(self) -> None:
        self._runtime = None
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _hear(self, event: Event) -> None:
        if event.kind in OF_MONEY:
            self._money.note(event)

    def close(self) -> None:
        """Print the last line and end the thread; wait at most a second for a stream that takes nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(timeout=1.0)
        self._detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _print(self) -> None:
        told, told_at = 0, self._began
        while not self._closing.wait(self._interval):
            counts, done = self._snapshot()
            now = time.monotonic()
            if done != told:
                told, told_at = done, now
                self._write(", ".join(self._news(counts, done, now)))
            elif now - told_at >= _STILL:
                told_at = now
                share = ", ".join([*self._share(counts, done), *self._allowances()])
                self._write(f"still working: {share}, {_duration(now - self._began)} so far")
        counts, done = self._snapshot()
        self._write(self._summary(counts, done))

    def _snapshot(self) -> tuple[Counter[str], int]:
        with self._lock:
            return self._counts.copy(), self._counts.total()

    def _news(self, counts: Counter[str], done: int, now: float) -> Iterator[str]:
        yield from self._share(counts, done)
        rate = self._rate(done, now)
        yield f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        if self._total is not None and rate > 0 and done < self._total:
            yield f"about {_duration((self._total - done) / rate)} left"
        yield from self._allowances()

    def _allowances(self) -> Iterator[str]:
        limits = limits_of(self._runtime)
        if limits and limits[0].waiting:
            yield _waiting(limits[0])
        yield from self._spent()

    def _spent(self) -> Iterator[str]:
        spent = self._money.spent()
        if spent is not None:
            yield f"{dollars(spent.usd)} spent" if spent.usd else f"{spent.tokens_in + spent.tokens_out:,} tokens"

    def _share(self, counts: Counter[str], done: int) -> Iterator[str]:
        if self._total is None:
            yield f"{done:,} done"
        elif self._total == 0:
            yield f"{done:,} of 0 done"
        else:
            yield f"{done:,} of {self._total:,} done ({done * 100 // self._total} %)"
        for kind, count in counts.items():
            if kind != "Ok" and count:
                yield f"{count:,} {_WORDS.get(kind, kind)}"

    def _rate(self, done: int, now: float) -> float:
        """Outcomes per second, over the last seconds."""
        self._recent.append((now, done))
        while len(self._recent) > 2 and now - self._recent[1][0] >= _RECENT:
            self._recent.popleft()
        at, before = self._recent[0]
        return (done - before) / max(1e-9, now - at)

    def _summary(self, counts: Counter[str], done: int) -> str:
        took = time.monotonic() - self._began
        rate = f"{done / max(took, 1e-9):,.1f}/s"
        return f"{', '.join(self._share(counts, done))} in {', '.join([_duration(took), rate, *self._spent()])}"

    def _write(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError, AttributeError):  # a broken pipe, a full disk; closed; taken apart at exit
            self._stream = None


def _waiting(limit: LimitFacts) -> str:
    """Return who waits for *limit*, and why: ``34 wait for provider (per_second used up, next in 0.3 s)``."""
    return f"{limit.waiting:,} wait for {limit.name} ({why_held_up(limit) or f'{in_flight(limit)} in flight'})"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
