"""CancelledCall one call from outside, on the roads by which a caller could: its own task, or the wait for its body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import Any

from .._core.callframe import CallFrame
from .._core.context import Frame
from .._core.running import left_of
from ..observe.live.alive import Alive, Numbers
from ..observe.live.asking import Gone, StandsStill, ask
from ..observe.live.calls import Look, meant_by
from ..observe.live.chains import driver_of, glance_at
from ..observe.live.messages import CancelledCall

_TURNS = 200  # of the loop in which a call that is just going on may come to its next wait
_PATIENCE = 2.0  # seconds to see the call end
_BETWEEN = 0.02  # seconds between two looks whether it has


class NoSuchCall(LookupError):
    """No call, or more than one, is meant; the message says which there are."""


class NotNow(RuntimeError):
    """The call can't be cancelled alone, or not just now; the message says what can be done."""


def cancel(runtimes: list[Any], numbers: Numbers, target: str, reason: str) -> CancelledCall:
    """Cancel the one call of *runtimes* that *target*, its number or its path, means; see it end, for 2 s at most.

    A call in a task of its own is cancelled with that task and ends as ``Cancelled``. Of any other the wait is ended:
    its body is stopped or abandoned as at a time-out, and whoever awaits it gets an error, and goes on.

    Raises:
      NoSuchCall: it means none, or several.
      NotNow: the call can't be ended without ending others: it waits for another call in somebody else's task; or the
        loop stands still. Nothing was cancelled.
    """
    look, each = _find(runtimes, numbers, target)
    number, _ = numbers.of(each.frame)
    task = each.awaited_in or each.task
    if task is None:
        raise NotNow(_why_no_task(each, look))
    word = f"operator: {reason}" if reason else "operator"
    loop = task.get_loop()
    try:
        road = ask(loop, lambda: _ask_to_end(each.frame, task, word))
        ended = _see_end(loop, each.frame, task)
    except StandsStill as still:
        raise NotNow(f"nothing was cancelled, since only the loop could do it: {look.stands_still or still}") from None
    except Gone as gone:
        return CancelledCall(number, each.frame.path, True, "stopped", str(gone))
    frame = each.frame
    work = left_of(frame) if isinstance(frame, CallFrame) and ended else "running"
    return CancelledCall(number, frame.path, ended, work, road if ended else _why_it_runs_on(frame))


def _find(runtimes: list[Any], numbers: Numbers, target: str) -> tuple[Look, Alive]:
    meant: list[tuple[Look, Alive]] = []
    for runtime in runtimes:
        look = Look(runtime)
        look.find()
        meant += [(look, each) for each in meant_by(look, numbers, target)]
    if not meant:
        kind = "number" if target.isdecimal() else "path"
        raise NoSuchCall(f"no call with the {kind} {target} is under way: it may have ended")
    if len(meant) > 1:
        some = ", ".join(str(numbers.of(each.frame)[0]) for _, each in meant[:20])
        raise NoSuchCall(f"{len(meant)} calls have the path {target}: give the number of one ({some})")
    return meant[0]


def _why_no_task(each: Alive, look: Look) -> str:
    if each.wait is not None and each.wait.kind == "abandoned":
        return f"{each.frame.path} was given up before; a thread can't be stopped, and nobody waits for this one"
    return f"{each.frame.path} can't be reached before it lets go of the event loop: {look.stands_still}"


def _ask_to_end(frame: Frame, task: asyncio.Task[Any], word: str) -> Generator[None, None, str]:
    """Ask *frame* to end; on the loop.

    Returns:
      what has come of it when it has ended, in words.
    """
    for _ in range(_TURNS):
        glance = None if task.done() else glance_at(task)
        if glance is None or frame not in glance.calls:
            return "it has ended by itself"
        if frame is glance.calls[0] and (driver := driver_of(task)) is not None:
            driver.cancel(word)
            return "it has ended as Cancelled"
        if frame is not glance.calls[-1]:
            raise NotNow(_why_not_alone(frame, glance.calls, task))
        waiter: Any = getattr(task, "_fut_waiter", None)
        if waiter is not None and not waiter.done():
            # What it waits for, not the task: the task is its caller's, who is to go on, with an error.
            waiter.cancel(word)
            return "whoever awaits it got an error"
        yield
    raise NotNow(f"{frame.path} never waits: it could not be caught at an await in {_TURNS} turns of the loop")


def _why_not_alone(frame: Frame, calls: list[Frame], task: asyncio.Task[Any]) -> str:
    own = f"{calls[0].path} (with it), or " if driver_of(task) is not None else ""
    return (
        f"{frame.path} shares the task of whoever awaits it, and waits for {calls[-1].path}: it can't be ended alone. "
        f"Cancel {own}{calls[-1].path}"
    )


def _see_end(loop: asyncio.AbstractEventLoop, frame: Frame, task: asyncio.Task[Any]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while not (ended := ask(loop, lambda: _has_ended(frame, task))) and time.monotonic() < deadline:
        time.sleep(_BETWEEN)
    return ended


def _has_ended(frame: Frame, task: asyncio.Task[Any]) -> Generator[None, None, bool]:
    yield
    glance = None if task.done() else glance_at(task)
    return glance is None or frame not in glance.calls


def _why_it_runs_on(frame: Frame) -> str:
    return f"it was asked to end, and has not within {_PATIENCE:g} s: `ps` shows where it stands"
