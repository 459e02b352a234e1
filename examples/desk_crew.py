"""The desk's crew on linecook: scouts fetch, readers parse, reviewers cross-check, an editor hands out each finding.

scout: a synchronous client on the thread lane; 1.5 s an attempt, 4 attempts, obeys Retry-After.
reader: pure-Python CPU work on the process lane; after 3 s its process is killed, and a crash costs one page.
check: merges a package's pages, on the thread lane.
reviewer: one agent per package, asks a scout and a reader for each page, all at once.
editor: takes the packages as they are done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from desk_plan import AT_ONCE, ATTEMPTS, FETCH_TIMEOUT, READ_TIMEOUT, Plan, Result, read, worth_another_attempt
from desk_rules import Finding, Page
from desk_rules.review import review
from source_client import get_file, in_flight
from source_server import Entry

from linecook import Cancelled, Failed, Ok, Outcome, Retry, TimedOut, agent, as_completed, settle, tool

__all__ = ["Desk", "editor"]


@tool(
    effect="read",
    attempt_timeout=FETCH_TIMEOUT,
    retry=Retry(on=worth_another_attempt, attempts=ATTEMPTS),
    limit=AT_ONCE,
)
def scout(base: str, number: int) -> bytes:
    """Fetch one page. The client blocks, perhaps for ever: that costs a thread, and nobody else's."""
    return get_file(base, "linecook", number)


@tool(effect="read", lane="process", attempt_timeout=READ_TIMEOUT)
def reader(entry: Entry, source: bytes) -> Page:
    """Parse and measure one page, in a process of its own: past the GIL, and it can be killed."""
    return read(entry, source)


@tool(effect="read")
def check(package: str, pages: list[Page]) -> list[Finding]:
    """Cross-check the pages of a package."""
    return review(package, pages)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every agent of the desk needs to know.

    Attributes:
      base: address of the source server.
      show: is handed each finding.
      tick: is called after each page, read or lost.
    """

    base: str
    plan: Plan
    show: Callable[[Finding], None]
    tick: Callable[[], None]


@agent
async def page_of(desk: Desk, entry: Entry) -> Page:
    """Have one page fetched and read."""
    try:
        return await reader(entry, await scout(desk.base, entry.id))
    finally:
        desk.tick()


@agent
async def reviewer(desk: Desk, package: str) -> tuple[list[Outcome[Page]], list[Finding]]:
    """Have every page of a package read, and give what came of each, with the findings of those that were read."""
    pages = await settle((page_of(desk, entry) for entry in desk.plan.packages[package]), limit=AT_ONCE)
    return list(pages), await check(package, pages.results)


@agent
async def editor(desk: Desk) -> Result:
    """Run the crew; hand out each finding the moment it is certain, which is when its package has been reviewed."""
    result, began, names = Result("linecook"), time.monotonic(), list(desk.plan.packages)
    async with as_completed((reviewer(desk, name) for name in names), limit=AT_ONCE) as packages:
        async for outcome in packages:
            pages, findings = outcome.value if isinstance(outcome, Ok) else _none_of(outcome)
            for finding in findings:
                desk.show(finding)
            result.findings += findings
            _take(result, desk.plan.packages[names[_index(outcome)]], pages)
    result.wall = time.monotonic() - began
    result.stuck = in_flight()
    return result


def _index(outcome: Outcome[Any]) -> int:
    assert outcome.call is not None
    assert outcome.call.index is not None
    return outcome.call.index


def _none_of(problem: Failed | TimedOut | Cancelled) -> tuple[list[Outcome[Page]], list[Finding]]:
    raise problem.error  # a reviewer settles its pages, so only an error of ours ends one


def _take(result: Result, entries: list[Entry], pages: list[Outcome[Page]]) -> None:
    for entry, page in zip(entries, pages, strict=True):
        if isinstance(page, Ok):
            result.add(entry, page.value)
        else:
            result.lost[entry.id] = _reason(page)


def _reason(problem: Failed | TimedOut | Cancelled) -> str:
    match problem:
        case TimedOut():
            return f"timed out: {problem.error}"
        case Failed(error):
            return f"{type(error).__name__}: {error}"
        case Cancelled(reason):
            return f"cancelled: {reason}"
