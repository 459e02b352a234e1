"""What the desk knows so far. Every agent writes here; each change is one transaction, and nobody holds a lock.

Reviewers are killed in the middle of their work, and its next start does some of it again. So the ledger decides what
counts: a page is read once, and a finding is told once, however often it comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from desk_plan import Plan, Result
from desk_rules import Finding, Page
from source_server import Entry

from linecook import Cancelled, Failed, Ok, Outcome, Shared, SharedMap, TimedOut, transaction

__all__ = ["Ledger", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the desk is.

    Attributes:
      of: pages in all; ``read`` and ``lost`` of them are settled.
      findings: that were told.
      twice: findings that came again, since a reviewer was killed while it sent them, and weren't told again.
      killed: reviewers, so far.
      is_over: nothing more will come.
    """

    of: int
    read: int = 0
    lost: int = 0
    findings: int = 0
    twice: int = 0
    killed: int = 0
    is_over: bool = False


class Ledger:
    """The pages and findings of one run, and how far it is; for every task and thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pages: SharedMap[int, Page] = SharedMap()  # by the number of the entry
        self.lost: SharedMap[int, str] = SharedMap()  # to the reason
        self.findings: SharedMap[Finding, int] = SharedMap()  # to its number, in order of discovery, from 1
        self.progress = Shared(Progress(len(plan.entries)))

    def note(self, entry: Entry, outcome: Outcome[Page]) -> None:
        """Write what came of a page. What is known of it already stays."""

        def write() -> None:
            if entry.id in self.pages or entry.id in self.lost:
                return
            now = self.progress.value
            if isinstance(outcome, Ok):
                self.pages[entry.id] = outcome.value
                self.progress.value = replace(now, read=now.read + 1)
            else:
                self.lost[entry.id] = _reason(outcome)
                self.progress.value = replace(now, lost=now.lost + 1)

        transaction(write)

    def enter(self, finding: Finding) -> int | None:
        """Write a finding; return its number, or None when it stands there already."""

        def write() -> int | None:
            now = self.progress.value
            if finding in self.findings:
                self.progress.value = replace(now, twice=now.twice + 1)
                return None
            self.progress.value = replace(now, findings=now.findings + 1)
            self.findings[finding] = now.findings + 1
            return now.findings + 1

        return transaction(write)

    def missing(self, package: str) -> list[Entry]:
        """Return the pages of *package* that are neither read nor lost."""
        return [e for e in self.plan.packages[package] if e.id not in self.pages and e.id not in self.lost]

    def pages_of(self, package: str) -> list[Page]:
        """Return the pages of *package* that were read."""
        return [page for e in self.plan.packages[package] if (page := self.pages.get(e.id)) is not None]

    def close(self, package: str, outcome: Outcome[None]) -> None:
        """*package* is done: what is missing is lost, and what only the cross-check needed is dropped."""
        if not isinstance(outcome, Ok):
            for entry in self.missing(package):
                self.note(entry, outcome)
        for entry in self.plan.packages[package]:
            if (page := self.pages.get(entry.id)) is not None:
                self.pages[entry.id] = replace(page, functions={}, classes={}, names={})

    async def follow(self) -> AsyncIterator[Progress]:
        """Tell how far the desk is, now and after each change, to the end; who is slow misses what was between."""
        changes = self.progress.changes()
        now = self.progress.peek()
        yield now
        while not now.is_over:
            now = await anext(changes)
            yield now

    def result(self) -> Result:
        """Return what is known now; its wall time, stuck threads and restarts are for others to tell."""
        lost, now = self.lost.snapshot(), self.progress.peek()
        result = Result("linecook", lost=lost, killed=now.killed, twice=now.twice, findings=self.findings.keys())
        for entry in self.plan.entries:
            if (page := self.pages.get(entry.id)) is not None:
                result.add(entry, page)
            else:
                result.lost.setdefault(entry.id, "not reached")
        return result


def _reason(problem: Failed | TimedOut | Cancelled) -> str:
    match problem:
        case TimedOut():
            return f"timed out: {problem.error}"
        case Failed(error):
            return f"{type(error).__name__}: {error}"
        case Cancelled(reason):
            return f"cancelled: {reason}"
