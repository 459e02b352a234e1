"""A small explorer of threads alone: every order of their steps, depth first, or random walks; nothing clever."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from linecook.testing.exploring.threads.control import Control, OldestFirst
from linecook.testing.exploring.threads.threads import ControlledThread

Program = Callable[[], tuple[list[Callable[[], Any]], Callable[[], Any]]]
"""Makes fresh state, and returns the bodies of the threads and what is looked at when they have ended."""


def outcomes(
    program: Program, *, points: Any = "gil", most: int = 20_000, control: Any = None, random_walks: int = 0
) -> list[Any]:
    """Return what *program* came to in each schedule; ``"deadlock"`` where nobody could go on.

    With *random_walks*, that many schedules are drawn instead, always the same ones.
    """
    if control is None:
        with Control(OldestFirst(), points=points, patience=2.0) as opened:
            return outcomes(program, most=most, control=opened, random_walks=random_walks)
    return list(_walks(program, control, random_walks) if random_walks else _each(program, control, most))


def _each(program: Program, control: Control, most: int) -> Iterator[Any]:
    prefix: list[int] | None = []
    count = 0
    while prefix is not None:
        count += 1
        assert count <= most, f"more than {most} schedules"
        taken: list[tuple[int, int]] = []
        yield _run(program, control, _following(prefix), taken)
        control.clear()
        prefix = _next(taken)


def _walks(program: Program, control: Control, count: int) -> Iterator[Any]:
    dice = random.Random(1)
    for _ in range(count):
        yield _run(program, control, lambda _at, of: dice.randrange(of), [])
        control.clear()


def _following(prefix: list[int]) -> Callable[[int, int], int]:
    return lambda at, _of: prefix[at] if at < len(prefix) else 0


def _run(program: Program, control: Control, choose: Callable[[int, int], int], taken: list[tuple[int, int]]) -> Any:
    bodies, look = program()
    scheduler = control.scheduler
    assert isinstance(scheduler, OldestFirst)
    for number, body in enumerate(bodies):
        scheduler.started(ControlledThread(body, name=f"t{number}"))
    while True:
        able = [each for each in scheduler.threads if each.can_go_on()]
        if not able:
            left = [each for each in scheduler.threads if each.state != "ended"]
            if not left:
                break
            due = [each.deadline for each in left if each.deadline is not None]
            if not due:
                return "deadlock"
            scheduler.advance_to(min(due))
            continue
        if len(able) == 1:
            able[0].step()
            continue
        chosen = choose(len(taken), len(able))
        taken.append((chosen, len(able)))
        able[chosen].step()
    for thread in scheduler.threads:
        thread.result()
    return look()


def _next(taken: list[tuple[int, int]]) -> list[int] | None:
    while taken:
        chosen, of = taken.pop()
        if chosen + 1 < of:
            return [each for each, _of in taken] + [chosen + 1]
    return None
