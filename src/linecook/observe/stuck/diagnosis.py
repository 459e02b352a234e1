"""What ``diagnose`` returns: who is stuck and why, as records, and in words by ``str()``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has what somebody waits for.

    Attributes:
      who: the path of the call, or the name of the task and of what it runs.
      place: ``file:line in function: source`` of where it was taken; where its block stands, when that isn't known.
    """

    who: str
    place: str


@dataclass(frozen=True, slots=True)
class TaskWait:
    """One task that waits.

    Attributes:
      who: the path of the call it stands in, or the name of the task and of what it runs.
      what: what it waits for, such as ``"an asyncio.Lock"`` or ``"Queue.get"``.
      place: the user's line where it waits, with its source; empty when it has none.
      seconds: for how long it has been seen to wait: at least so long.
      ends_in: seconds to the nearest time-out around it; None: there is none.
      holders: who has it, as far as can be seen; or whom it waits for.
      why: why nobody can wake it, or what else is known; may be empty.
      alike: how many more wait for the same at the same line.
      made_at: the line that made the task, when that was noted (``install(trace_tasks=True)``, asyncio's debug mode,
        ``linecook watch``); else empty.
    """

    who: str
    what: str
    place: str
    seconds: float
    ends_in: float | None
    holders: tuple[Holder, ...] = ()
    why: str = ""
    alike: int = 0
    made_at: str = ""

    def __str__(self) -> str:
        return "\n".join(_wait_text(self))


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Tasks that wait for each other.

    Attributes:
      circle: each waits for something that the next one has, the last one for the first.
      behind: how many more tasks can't go on before these do.
      ends_in: seconds to the nearest time-out around one of them; None: nothing ends it.
      cure: what to write instead.
    """

    circle: tuple[TaskWait, ...]
    behind: int
    ends_in: float | None
    cure: str

    def __str__(self) -> str:
        return "\n".join(_deadlock_text(self))


@dataclass(frozen=True, slots=True)
class LockOrder:
    """Two locks that were taken in both orders, by different tasks: a deadlock that has not happened yet.

    Attributes:
      first: who took the one while holding the other, and where both were taken.
      second: the same, the other way round.
    """

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A task that was asked to end, and hasn't.

    Attributes:
      who: the path of its call, or its name and what it runs.
      reason: what it was told; empty when nothing was said.
      asked: how often it was asked.
      state: ``"requested"``: it will learn of it in its next turn; ``"cleaning up"``: it is handling the request;
        ``"swallowed"``: it caught the request and went on.
      place: where it stands.
      caught_at: the ``except`` around that line that takes cancellations; empty when there is none.
    """

    who: str
    reason: str
    asked: int
    state: Literal["requested", "cleaning up", "swallowed"]
    place: str
    caught_at: str = ""


@dataclass(frozen=True, slots=True)
class LeftTask:
    """A task that outlived the call that made it, or failed with nobody looking.

    Attributes:
      what: the function it runs, and its name.
      made_by: the path of the call that made it; empty when it was made outside of calls.
      made_at: the line that made it, when that was noted (``install(trace_tasks=True)``, asyncio's debug mode,
        ``linecook watch``); else where its function begins.
      state: ``"alive"`` or ``"failed"``.
      told: where it stands, or its error.
    """

    what: str
    made_by: str
    made_at: str
    state: Literal["alive", "failed"]
    told: str

    def __str__(self) -> str:
        return _left_text(self)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Who waits on what, and what is stuck, at one moment; ``str()`` of it is for people.

    Attributes:
      pid: the process.
      at: ``time.time()``.
      tasks: how many are alive, on all event loops that were looked at.
      deadlocks: tasks that wait for each other.
      unwakeable: tasks that nothing known to linecook can wake.
      waits: the longest of the other waits.
      counts: what all tasks do, and how many each; most frequent first.
      cancellations: tasks that were asked to end, and haven't.
      left: tasks that outlived who made them, or failed unread.
      orders: locks taken in both orders, from a trace and from earlier looks.
      notes: what is known of the event loops themselves: closed, standing still, with nothing left to do.
      blind: what could not be seen.
      hidden: how many more there are of what is listed above, together.
    """

    pid: int
    at: float
    tasks: int
    deadlocks: tuple[Deadlock, ...] = ()
    unwakeable: tuple[TaskWait, ...] = ()
    waits: tuple[TaskWait, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    cancellations: tuple[Cancellation, ...] = ()
    left: tuple[LeftTask, ...] = ()
    orders: tuple[LockOrder, ...] = ()
    notes: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    hidden: int = 0

    @property
    def is_stuck(self) -> bool:
        """Whether something can't go on: tasks wait for each other, or for what nobody can give."""
        return bool(self.deadlocks or self.unwakeable)

    def __str__(self) -> str:
        return "\n".join(_text_of(self))


def _text_of(found: Diagnosis) -> Iterator[str]:
    yield f"{_many(found.tasks, 'task')} alive in process {found.pid}: {_verdict(found)}"
    yield from (f"  {note}" for note in found.notes)
    for number, deadlock in enumerate(found.deadlocks, 1):
        yield ""
        yield from _deadlock_text(deadlock, f"DEADLOCK {number}" if len(found.deadlocks) > 1 else "DEADLOCK")
    yield from _listed("NOTHING KNOWN CAN WAKE", [line for wait in found.unwakeable for line in _wait_text(wait)])
    yield from _listed("ASKED TO END, AND STILL HERE", [_cancellation_text(one) for one in found.cancellations])
    yield from _listed("LEFT BEHIND", [_left_text(one) for one in found.left])
    yield from _listed("LOCKS TAKEN IN BOTH ORDERS", [line for one in found.orders for line in _order_text(one)])
    yield from _listed("WAITING", [line for wait in found.waits for line in _wait_text(wait)])
    yield from _listed("ALL TASKS", [f"{count:>7,}  {what}" for what, count in found.counts])
    if found.hidden:
        yield f"  and {found.hidden:,} more lines, left out"
    yield from _listed("NOT SEEN", list(found.blind))


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _verdict(found: Diagnosis) -> str:
    if not found.tasks:
        return "nothing waits"
    said: list[str] = []
    if found.deadlocks:
        said.append(f"{_many(len(found.deadlocks), 'deadlock')}")
    if found.unwakeable:
        said.append(f"{sum(1 + wait.alike for wait in found.unwakeable):,} that nothing known can wake")
    return ", ".join(said) or "nothing is known to be stuck"


def _deadlock_text(deadlock: Deadlock, title: str = "DEADLOCK") -> Iterator[str]:
    """Yield the lines that tell of one deadlock."""
    circle = deadlock.circle
    if len(circle) > 1:
        yield f"{title}: these {len(circle)} tasks wait for each other"
    elif any(len(wait.holders) > 1 for wait in circle):
        yield f"{title}: all those who hold it wait for one more"
    else:
        yield f"{title}: this task waits for itself"
    for place, wait in enumerate(circle):
        yield from (f"  {line}" for line in _wait_text(wait, f"{place + 1}. " if len(circle) > 1 else ""))
    if deadlock.behind:
        they_do = "they do" if len(circle) > 1 else "it does"
        yield f"  {_many(deadlock.behind, 'more task')} can't go on before {they_do}."
    if deadlock.ends_in is None:
        yield "  No time-out is set around any of them: nothing ends this."
    else:
        yield f"  Only a time-out ends this, in {deadlock.ends_in:.1f} s."
    yield f"  Cure: {deadlock.cure}"


def _wait_text(wait: TaskWait, number: str = "") -> Iterator[str]:
    since = f"{wait.seconds:.1f} s" if wait.seconds >= 0.05 else "just now"
    ends = f", a time-out in {wait.ends_in:.1f} s" if wait.ends_in is not None else ""
    yield f"{number}{wait.who} waits for {wait.what} ({since}{ends})"
    indent = " " * (len(number) + 2)
    if wait.place:
        yield f"{indent}at {wait.place}"
    for holder in wait.holders:
        yield f"{indent}{_has(wait.what)} {holder.who}{', at ' + holder.place if holder.place else ''}"
    if wait.why:
        yield f"{indent}{wait.why}"
    if wait.made_at:
        yield f"{indent}made at {wait.made_at}"
    if wait.alike:
        yield f"{indent}and {_many(wait.alike, 'more task')} at the same line"


def _has(what: str) -> str:
    if what.startswith(("an asyncio.", "a place", "the edit")):
        return "held by"
    return "which is" if what.startswith(("another task", "tasks", "its calls", "a call", "its body")) else "by"


def _cancellation_text(one: Cancellation) -> str:
    told = f" ({one.reason})" if one.reason else ""
    often = "once" if one.asked == 1 else f"{one.asked} times"
    did = {
        "requested": "will learn of it in its next turn; it stands at",
        "cleaning up": "is cleaning up at",
        "swallowed": "swallowed it and runs on at",
    }[one.state]
    cure = ""
    if one.state == "swallowed":
        where = f"; {one.caught_at} catches it" if one.caught_at else ""
        cure = f"{where}. Re-raise asyncio.CancelledError there."
    return f"{one.who} was asked {often}{told}, {did} {one.place or 'an unknown place'}{cure}"


def _left_text(one: LeftTask) -> str:
    made = f"made by {one.made_by}" if one.made_by else "made outside of calls"
    lives = "is alive" if one.state == "alive" else "failed, and nobody has looked"
    return f"{one.what}, {made}, at {one.made_at or 'an unknown line'}, {lives}: {one.told}"


def _order_text(order: LockOrder) -> Iterator[str]:
    yield order.first
    yield f"  but {order.second}"
    yield "  Take them in the same order everywhere, or these two may wait for each other one day."


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
