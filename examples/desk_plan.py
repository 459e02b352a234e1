"""What every way of running the desk shares: the same pages, the same bounds, the same form of result."""

from __future__ import annotations

import json
import sys
import urllib.error
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from desk_rules import Finding, Page, measure
from source_server import Entry

__all__ = ["Plan", "Result", "emit", "make_plan", "read", "retry_after", "worth_another_attempt"]

ATTEMPTS = 4
FETCH_TIMEOUT = 1.5
"""Seconds for one attempt to fetch a page: ten times the slowest answer."""
READ_TIMEOUT = 3.0
"""Seconds to read one page: ten times what a file of 10,000 lines takes."""
AT_ONCE = 64
EVERY = 20
"""One page in this many is in the sample of the way that goes one after the other."""
STOPPED_AFTER = 20.0
"""Seconds after which the usual way is stopped."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which pages to read, package by package, and what was left out.

    Attributes:
      packages: name to its entries, in the order of work.
      left_out: files that aren't read because of the bound on their number.
      packages_left_out: packages that lost a file that way.
    """

    packages: dict[str, list[Entry]]
    left_out: int
    packages_left_out: int

    @property
    def entries(self) -> list[Entry]:
        return [entry for entries in self.packages.values() for entry in entries]


@dataclass(slots=True)
class Result:
    """How one way did.

    Attributes:
      wall: seconds, from the first fetch to the last finding.
      read: id to digest of the pages that were read.
      lost: id to the reason.
      stuck: threads that sit in a fetch which never returns, at the end.
      lines, functions, async_functions: totals over the pages read.
      killed: reviewers that were killed on purpose; restarts: how often one was started anew.
      twice: findings that came again because of that, and were told once.
    """

    way: str
    wall: float = 0.0
    read: dict[int, str] = field(default_factory=dict[int, str])
    lost: dict[int, str] = field(default_factory=dict[int, str])
    stuck: int = 0
    lines: int = 0
    functions: int = 0
    async_functions: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])
    killed: int = 0
    restarts: int = 0
    twice: int = 0

    def add(self, entry: Entry, page: Page) -> None:
        """Count *page* as read."""
        self.read[entry.id] = page.digest
        self.lines += page.lines
        self.functions += page.function_count
        self.async_functions += page.async_count


def make_plan(files: Iterable[dict[str, Any]], most: int) -> Plan:
    """Choose at most *most* files, the planted ones included: whole packages, the richest in ``async def`` first.

    The planted package is put after the first tenth, so that its files meet a desk at work. A package that doesn't fit
    is passed over while smaller ones do; if nothing fits at all, the first one is cut.
    """
    packages: dict[str, list[Entry]] = {}
    for entry in (Entry(**item) for item in files):
        packages.setdefault(entry.package, []).append(entry)
    planted = packages.pop("planted", [])
    # sorted is stable: packages of the same share stay in the order of the index
    ranked = sorted(packages.items(), key=lambda item: -sum(e.is_async for e in item[1]) / len(item[1]))
    chosen = _fitting(ranked, max(1, most - len(planted)))
    left_out = [len(entries) - len(chosen.get(name, [])) for name, entries in ranked]
    return Plan(_insert(chosen, planted), sum(left_out), sum(1 for count in left_out if count))


def _fitting(ranked: list[tuple[str, list[Entry]]], most: int) -> dict[str, list[Entry]]:
    chosen: dict[str, list[Entry]] = {}
    for name, entries in ranked:
        if len(entries) <= most:
            chosen[name] = entries
            most -= len(entries)
    if not chosen and ranked:
        name, entries = ranked[0]
        chosen[name] = entries[:most]
    return chosen


def _insert(chosen: dict[str, list[Entry]], planted: list[Entry]) -> dict[str, list[Entry]]:
    items = list(chosen.items())
    place = len(items) // 10
    return dict([*items[:place], *([("planted", planted)] if planted else []), *items[place:]])


def read(entry: Entry, source: bytes) -> Page:
    """Parse and measure one page: the work of a reader, whoever calls it."""
    return measure(entry.package, entry.file, entry.module, source)


def worth_another_attempt(error: BaseException) -> bool:
    """Return whether a later attempt to fetch may succeed: too busy, a reset connection, no answer in time."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in (429, 503)
    return isinstance(error, OSError)  # TimeoutError, ConnectionError and URLError are among them


def retry_after(error: BaseException, attempt: int) -> float:
    """Return the seconds to wait after *attempt*: what the server asks for, else 0.1 s, doubled each time."""
    headers = getattr(error, "headers", None)
    told = headers.get("Retry-After") if headers is not None else None
    return float(told) if told else 0.1 * 2.0 ** (attempt - 1)


def emit(**message: Any) -> None:
    """Tell the parent process something: one line of JSON on standard output."""
    sys.stdout.write(json.dumps(message, default=asdict) + "\n")
    sys.stdout.flush()
