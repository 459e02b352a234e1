"""Who waits for whom when nothing can go on: what ``linecook.observe`` finds, and the threads under control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....observe.stuck.diagnose import MOST, Found
from ....observe.stuck.diagnosis import Deadlock, TaskWait

if TYPE_CHECKING:
    from ..loop.loop import ExploredLoop


def waits_on(loop: ExploredLoop) -> tuple[str, list[str]]:
    """Return the deadlock of *loop* in one sentence, and everybody who waits, in lines."""
    found = Found(loop.alive(), MOST, loop).diagnosis()  # not diagnose(loop): in the order of creation
    lines = [line for one in (*found.deadlocks, *found.unwakeable, *found.waits) for line in str(one).splitlines()]
    threads = [thread for thread in loop.threads() if thread.state != "ended"]
    lines += [f"{thread.name} waits for {thread.waits_for!r} at {thread.at}" for thread in threads]
    if found.deadlocks:
        return _circle(found.deadlocks[0]), lines
    waiting = [*found.unwakeable, *found.waits]
    return (_alone(waiting[0]) if waiting else "nothing is ready and nothing can come: main waits for ever"), lines


def _circle(deadlock: Deadlock) -> str:
    if len(deadlock.circle) == 1:
        return f"{_alone(deadlock.circle[0])}, which it holds itself"
    return "; ".join(f"{wait.who} waits for {wait.what}, {_by(wait)}" for wait in deadlock.circle)


def _by(wait: TaskWait) -> str:
    return f"held by {' and '.join(holder.who for holder in wait.holders)}" if wait.holders else "which nobody can give"


def _alone(wait: TaskWait) -> str:
    place = f" at {wait.place}" if wait.place else ""
    return f"nothing can wake {wait.who}, which waits for {wait.what}{place}"
