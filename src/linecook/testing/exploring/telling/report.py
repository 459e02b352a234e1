"""The report of a failure: what, why, the schedule as a table with a column for each party, a repair, the token."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence

from ..exploration import Failure, Kind, Place, Step
from .conflicts import Conflict

_WIDTH = 110
_COLUMNS = 4  # parties with a column of their own; more share the last one
_ROWS = 80

_REPAIRS: dict[Kind, str] = {
    "deadlock": "take the locks in one order everywhere; or don't await somebody else while holding what he needs.",
    "leaked task": "keep the task, and await or cancel it before you return: a TaskGroup or a scope() does both.",
    "lost update": "use update(fn), or edit(): nothing comes in between; or read again after the await.",
    "exception never retrieved": "await every task, or start it in a TaskGroup or scope(), which raise what it raises.",
    "swallowed cancellation": "raise CancelledError again after your clean-up; catch Exception, not BaseException.",
    "hang": "see that the loop that spins awaits something that can happen.",
    "exception": "",
    "invariant": "",
}
_OF_CONFLICTS = {
    "lost update": "keep it in a Shared and use update(fn); or hold one asyncio.Lock from the read to the write; or "
    "read it again after the await.",
    "stale check": "check again after the await, or hold one asyncio.Lock from the check to what follows from it.",
}
_LABELS = {
    "shown on the stock loop": "",
    "not on the stock loop": "needs one more await, an eager task, another loop or Python (stock ones were all tried)",
    "not known on the stock loop": "needs one more await, an eager task, another loop or Python, or a longer search",
    "without the GIL": "",
}


def told(failure: Failure, schedules: int, conflict: Conflict | None = None) -> str:
    """Return *failure* in words.

    Args:
      schedules: how many were run until it was found.
      conflict: the accesses to plain state that explain it; None: there are none.
    """
    parts = [_headline(failure, schedules)]
    if conflict is not None:
        parts.append(_explained(conflict))
    if failure.accesses and conflict is None:
        told = [f"{one.party} {one.kind}s {one.what} = {one.value} at {_short(one.place)}" for one in failure.accesses]
        parts.append("\n".join(told))
    if failure.waits:
        parts.append("\n".join(failure.waits))
    parts.append(_table(failure.steps))
    repair = _OF_CONFLICTS[conflict.kind] if conflict is not None else _REPAIRS[failure.kind]
    if repair:
        parts.append(textwrap.fill(f"repair: {repair}", _WIDTH, subsequent_indent="        "))
    parts.append(f'again: explore(main, token="{failure.token}").check()')
    return "\n\n".join(parts)


def _headline(failure: Failure, schedules: int) -> str:
    cost = [f"{failure.overtakings} overtaking{'s' * (failure.overtakings != 1)}"]
    cost += [f"{failure.faults} fault{'s' * (failure.faults != 1)}"] if failure.faults else []
    label = _LABELS[failure.label]
    told = f"{failure.label}{': ' * bool(label)}{label}"
    return f"{failure.kind}: {failure.message}\nschedule {schedules:,}, {' and '.join(cost)}; {told}"


def _explained(conflict: Conflict) -> str:
    read, other, then = conflict.read, conflict.other, conflict.then
    verb = "read" if conflict.kind == "lost update" else "looked at"
    lines = [f"{read.party} {verb} {read.what} = {read.value}  at {_short(read.place)}"]
    lines += [f"  and waited: {wait.text or 'an await'}  at {_short(wait.place)}" for wait in conflict.waits]
    did = "changed" if other.in_place else "wrote"
    lines += [f"{other.party} {did} {other.what} = {other.value}  at {_short(other.place)}"]
    last = "wrote over it"
    if conflict.kind == "stale check":
        last = f"went on as if nothing had changed, and {'changed' if then.in_place else 'wrote'}"
    lines += [f"{then.party} {last}: {then.what} = {then.value}  at {_short(then.place)}"]
    return f"{conflict.kind} on {read.what}:\n" + textwrap.indent("\n".join(lines), "  ")


def _short(place: Place | None) -> str:
    if place is None:
        return "?"
    return f"{os.path.basename(place.file)}:{place.line}"


# -- the schedule ------------------------------------------------------------------------------------------------


def _table(steps: Sequence[Step]) -> str:
    parties = list(dict.fromkeys(step.party for step in steps if step.party != "outside"))
    columns = parties if len(parties) <= _COLUMNS else [*parties[: _COLUMNS - 1], "others"]
    columns = ["outside", *columns]
    width = max(16, (_WIDTH - 6) // max(len(columns), 1) - 2)
    rows = [_row(at, step, columns, width) for at, step in enumerate(steps, 1)]
    if len(rows) > _ROWS:
        rows = [*rows[: _ROWS // 2], f"      … {len(rows) - _ROWS} steps left out", *rows[-_ROWS // 2 :]]
    head = "      " + "  ".join(name[:width].ljust(width) for name in columns).rstrip()
    legend: list[str] = []
    if any(step.overtakes for step in steps):
        legend.append("> comes before something that is ready")
    if any(step.deviates and not step.overtakes for step in steps):
        legend.append("* another one than the oldest")
    return "\n".join([head, *rows, *(["      " + "; ".join(legend)] if legend else [])])


def _row(at: int, step: Step, columns: list[str], width: int) -> str:
    column = columns.index(step.party) if step.party in columns else len(columns) - 1
    mark = ">" if step.overtakes else "*" if step.deviates else " "
    who = f"{step.party}: " if step.party not in columns else ""
    text = [who + line for line in _said(step)]
    lines = [piece for line in text for piece in textwrap.wrap(line, width, subsequent_indent="  ") or [""]]
    gap = " " * ((width + 2) * column)
    head = f"{at:4}{mark} "
    return "\n".join((head if place == 0 else "      ") + gap + line for place, line in enumerate(lines))


def _said(step: Step) -> list[str]:
    lines = [f"{one.kind} {one.what} = {one.value} :{one.place.line if one.place else '?'}" for one in step.accesses]
    if step.party == "outside":
        return [step.what, *lines]
    if step.place is None:
        return [*lines, step.what]
    first = [] if step.what == "goes on" else [step.what]
    return [*first, *lines, f"{step.awaits or 'waits'} :{step.place.line}"]
