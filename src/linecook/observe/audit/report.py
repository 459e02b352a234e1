"""The report: findings with place, count, cost and cure, as text of 100 columns and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ..._core.place import Place
from .ledger import Sum, Where
from .loops import Loops
from .words import BLIND, HEADINGS, KINDS, WIDTH, Words, cut, says, seconds, shown

_MOST_SHOWN = 20  # findings under one heading, in text
_MOST_WAITS = 5
_MOST_SAID = 4  # details of one finding and subject, in text


Knows = Literal["nothing", "tasks", "coroutines"]
"""Of what the line that made it is known; of coroutines means: of tasks as well."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of trouble at one place.

    Attributes:
      kind: ``stall``, ``stall_held``, ``cpu_thread``, ``pool_wait``, ``own_pool_wait``, ``dns_slow``, ``task_lost``,
        ``task_left``, ``exception_unseen``, ``never_awaited``, ``loop_error``, ``thread_stuck`` or ``wait``.
      place: the line to look at: for tasks and coroutines the one that made them (``details["how"]`` says where it
        isn't); ``line`` 0 when none is known.
      count: how often.
      seconds: what it cost in all; 0.0 where nothing was timed.
      longest: the longest of them, seconds.
      says: one line on what happened.
      cure: one line on what to do; empty for a mere wait.
      details: more, by subject, with weights: seconds for ``behind``, else how often.
    """

    kind: str
    place: Place
    count: int
    seconds: float
    longest: float
    says: str
    cure: str
    details: dict[str, list[tuple[str, float]]] = field(default_factory=dict[str, list[tuple[str, float]]])

    @classmethod
    def of(cls, total: Sum) -> Finding:
        details = {
            subject: [(_told(said), weight) for said, weight in weights.most_common()]
            for subject, weights in total.details.items()
        }
        return cls(
            total.kind, total.where.look_up(), total.count, total.seconds, total.longest,
            says(total), KINDS[total.kind].cure, details,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        place = {"file": self.place.file, "line": self.place.line, "function": self.place.function}
        return {
            "kind": self.kind,
            "place": place | {"source": self.place.source},
            "count": self.count,
            "seconds": round(self.seconds, 4),
            "longest": round(self.longest, 4),
            "says": self.says,
            "cure": self.cure,
            "details": {
                subject: [{"what": what, "weight": round(weight, 4)} for what, weight in said]
                for subject, said in self.details.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Ran:
    """How the program ran: seconds since the audit began, event loops seen, their types, those we see less of."""

    seconds: float
    loops: int
    kinds: tuple[str, ...]
    blind: tuple[str, ...]


def ran(loops: Loops, *, seconds: float) -> Ran:
    """Return how it ran so far."""
    return Ran(seconds, loops.seen, tuple(sorted(loops.kinds)), tuple(sorted(loops.blind)))


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found.

    Attributes:
      findings: under the headings of the text in their order; below each the most costly, then the most frequent first.
      waits: the longest waits of tasks, longest first: no trouble by themselves.
      ran: how the program ran.
      limits: what could not be seen, a line each.
      at_end: whether the program was over.
    """

    findings: list[Finding]
    waits: list[Finding]
    ran: Ran
    limits: list[str]
    at_end: bool

    @classmethod
    def of(
        cls, sums: Iterable[Sum], ran: Ran, *, missed: int, unfollowed: int, knows: Knows, at_end: bool
    ) -> AuditReport:
        known = [each for each in sums if each.kind in KINDS]
        known.sort(key=lambda each: (-each.seconds, -each.count))
        findings = [Finding.of(each) for each in known if each.kind != "wait"]
        findings.sort(key=lambda each: HEADINGS.index(KINDS[each.kind].heading))
        waits = sorted((each for each in known if each.kind == "wait"), key=lambda each: -each.longest)
        limits = list(_limits(ran, missed, unfollowed, knows))
        return cls(findings, [Finding.of(each) for each in waits[:_MOST_SHOWN]], ran, limits, at_end)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it; every finding has a ``kind`` that stays the same from version to version."""
        return {
            "at_end": self.at_end,
            "seconds": round(self.ran.seconds, 3),
            "loops": {"count": self.ran.loops, "types": list(self.ran.kinds)},
            "findings": [each.to_json() for each in self.findings],
            "waits": [each.to_json() for each in self.waits],
            "limits": self.limits,
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _limits(ran: Ran, missed: int, unfollowed: int, knows: Knows) -> Iterator[str]:
    yield from BLIND
    for kind in ran.blind:
        yield f"lost tasks and unseen exceptions of {kind}, which takes no attributes"
    if "uvloop" in ran.kinds:
        yield "name look-ups of uvloop, which makes them on threads of its own"
    if knows == "nothing":
        yield "the lines that made tasks: their functions are named instead (--light)"
    if knows != "coroutines":
        yield "which line made a coroutine never awaited, unless the same line drops it (--origins)"
    if unfollowed:
        yield f"the waits of up to {unfollowed:,} tasks: only some are followed at a time"
    if missed:
        yield f"{missed:,} more facts than could be kept"


def _lines(report: AuditReport) -> Iterator[str]:
    ran = report.ran
    loops = f"{_number(ran.loops, 'event loop')} ({', '.join(ran.kinds)})" if ran.loops else "no event loop has run"
    so_far = "" if report.at_end else " so far"
    found = _number(len(report.findings), "finding") if report.findings else "nothing found"
    yield f"{seconds(ran.seconds)}{so_far}, {loops}, {found}"
    for heading in HEADINGS:
        under = [each for each in report.findings if KINDS[each.kind].heading == heading]
        if under:
            yield ""
            yield heading.upper()
            yield from _section(under)
    if report.waits:
        yield ""
        yield "THE LONGEST WAITS (no trouble by themselves)"
        for wait in report.waits[:_MOST_WAITS]:
            yield cut(f"  {seconds(wait.longest):>8}  {shown(wait.place)}")
    yield ""
    yield from _wrapped("not seen: " + "; ".join(report.limits) + ".", 2)


def _section(findings: list[Finding]) -> Iterator[str]:
    said = ""
    for number, each in enumerate(findings[:_MOST_SHOWN]):
        yield cut(f"  {shown(each.place)}")
        yield from _wrapped(f"    {each.says}", 6)
        yield from _details(each, KINDS[each.kind])
        is_last = number + 1 == len(findings[:_MOST_SHOWN]) or findings[number + 1].kind != each.kind
        if is_last and each.cure != said:
            yield from _wrapped(f"    cure: {each.cure}", 10)
            said = each.cure
    if len(findings) > _MOST_SHOWN:
        yield f"  and {_number(len(findings) - _MOST_SHOWN, 'place')} more, of less cost (--json has all)"


def _details(finding: Finding, words: Words) -> Iterator[str]:
    for subject, word in words.subjects:
        said = finding.details.get(subject, [])
        lead = f"    {word} " if word else "    "
        if subject == "thread":
            yield cut(lead + ", ".join(what for what, _ in said[:_MOST_SAID]) + ", …" * (len(said) > _MOST_SAID))
            continue
        for what, weight in said[:_MOST_SAID]:
            yield cut(lead + what + _much(subject, weight, sum(weight for _, weight in said)))
        if len(said) > _MOST_SAID:
            yield f"    and {len(said) - _MOST_SAID} more"


def _much(subject: str, weight: float, of: float) -> str:
    if subject == "behind":
        return f" ({weight / of:.0%} of the time)" if of else ""
    return f" ({weight:,.0f} times)" if weight > 1 else ""


def _told(said: Where | str) -> str:
    return said if isinstance(said, str) else shown(said.look_up())


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _wrapped(text: str, indent: int) -> Iterator[str]:
    import textwrap

    words = text.lstrip()
    yield from textwrap.wrap(
        words, WIDTH, initial_indent=text[: len(text) - len(words)], subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
