"""What came of the whole run, in memory that doesn't grow with it, and how it is told at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from .reading.item import short
from .records import Record

KINDS = ("ok", "failed", "timed_out", "cancelled")
MAX_CAUSES = 50
SHOWN_CAUSES = 10
SHOWN_LINES = 5
SHOWN_INPUTS = 3

_VARYING = re.compile(r"""\d[\d.]*(?:e-?\d+)?|"[^"]*"|'[^']*'|`[^`]*`""")


class Tally:
    """Counts by outcome, first failures by cause, the slowest item.

    Attributes:
      counts: items by outcome: ``ok``, ``failed``, ``timed_out``, ``cancelled``.
      slowest: running seconds and line of the slowest item; None before there is one.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.slowest: tuple[float, int] | None = None
        self._longest = 0.0
        self._causes: dict[tuple[str, str], _Cause] = {}
        self._other_causes = 0
        self._began = time.monotonic()

    @property
    def done(self) -> int:
        """How many items have an outcome."""
        return sum(self.counts.values())

    @property
    def lost(self) -> int:
        """How many items failed or timed out; what ``--fail-on`` counts."""
        return self.counts["failed"] + self.counts["timed_out"]

    def add(self, record: Record, shown: Callable[[], str] = str) -> None:
        """Count *record*.

        Args:
          shown: gives its input in a few characters; asked only for those that the summary shows.
        """
        self.counts[record.outcome] += 1
        running = record.running
        if running > self._longest:
            self._longest = running
            self.slowest = (running, record.line)
        if record.error is not None:
            self._add_cause(record, shown)

    def _add_cause(self, record: Record, shown: Callable[[], str]) -> None:
        key = (record.outcome, _cause_key(record))
        cause = self._causes.get(key)
        if cause is None:
            if len(self._causes) >= MAX_CAUSES:
                self._other_causes += 1
                return
            cause = self._causes[key] = _Cause(record)
        cause.add(record.line, shown)

    def summary(self, not_started: str = "0", done_before: str = "", unit: str = "line") -> Iterator[str]:
        """Yield the lines of the summary.

        Args:
          not_started: how many items never began, in words; ``"0"`` leaves the word out.
          done_before: how many an earlier run had done, in words; empty leaves them out.
          unit: what an item is called: ``"line"``, ``"item"`` or ``"file"``.
        """
        seconds = time.monotonic() - self._began
        counted = ", ".join(f"{self.counts[kind]:,} {kind.replace('_', ' ')}" for kind in KINDS if self._is_told(kind))
        rest = "" if not_started == "0" else f"; not started: {not_started}"
        rest += f"; done before: {done_before}" if done_before else ""
        if done_before and not self.done and not rest.startswith("; not started"):
            yield f"nothing left to do; done before: {done_before}"
            return
        items = "1 item" if self.done == 1 else f"{self.done:,} items"
        yield f"{items} in {seconds:.1f} s ({self.done / max(seconds, 1e-9):,.1f}/s): {counted}{rest}"
        causes = sorted(self._causes.values(), key=lambda cause: -cause.count)
        for cause in causes[:SHOWN_CAUSES]:
            yield from cause.told(unit)
        hidden = sum(cause.count for cause in causes[SHOWN_CAUSES:]) + self._other_causes
        if hidden:
            yield f"  {hidden:,} more, of other causes: see the output"
        if self.slowest is not None and self.slowest[0] >= 0.01 and self.done > 1:
            yield f"  slowest: {unit} {self.slowest[1]}, {self.slowest[0]:.2f} s"

    def _is_told(self, kind: str) -> bool:
        return kind == "ok" or self.counts[kind] > 0


class _Cause:
    """One reason for which items were lost: its first words, and the first lines it struck."""

    __slots__ = ("_hint", "_outcome", "_words", "count", "inputs", "lines")

    def __init__(self, record: Record) -> None:
        error = record.error or {}
        place = f" at {error['at']}" if "at" in error else ""
        self._outcome = record.outcome.replace("_", " ")
        self._hint = error.get("hint")
        self._words = f"{error.get('type')}{place}: {_first_words(str(error.get('message', '')))}"
        self.count = 0
        self.lines: list[int] = []
        self.inputs: list[str] = []

    def add(self, line: int, shown: Callable[[], str]) -> None:
        self.count += 1
        if len(self.lines) < SHOWN_LINES:
            self.lines.append(line)
        if len(self.inputs) < SHOWN_INPUTS and len(self.inputs) == len(self.lines) - 1:
            self.inputs.append(shown())

    def told(self, unit: str) -> Iterator[str]:
        yield f"  {self.count:,} {self._outcome}: {self._words}"
        if self._hint:
            yield f"      {self._hint}"
        for line, text in zip(self.lines, self.inputs, strict=False):
            if text:
                yield f"      {unit} {line}: {text}"
        rest = self.lines[sum(map(bool, self.inputs)) :]
        if rest:
            lines = ", ".join(map(str, rest)) + (", …" if self.count > len(self.lines) else "")
            yield f"      {unit}{'s' if len(rest) > 1 or self.count > len(self.lines) else ''} {lines}"


def _cause_key(record: Record) -> str:
    # The same exception from the same line of code is one cause, whatever its text says (a URL, an id). Without a
    # line of the user's, the text decides, numbers and quoted words left out.
    error = record.error or {}
    where = error.get("at") or _VARYING.sub("#", str(error.get("message", ""))[:200])
    return f"{error.get('type')} {where}"


def _first_words(text: str, width: int = 160) -> str:
    return short(text.strip().split("\n", 1)[0], width)  # escaped: words of strangers, and the terminal is the user's
