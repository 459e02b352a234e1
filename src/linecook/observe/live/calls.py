"""Who is alive: every call under way on a runtime's loop and lanes, what each does or waits for, and for how long.

Found by looking, when somebody asks: chains of coroutines (see chains.py), jobs in lanes, threads that were given up.
All calls are glanced at; only those that are shown are looked at closely (see showing.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

from ..._core.callframe import CallFrame
from ..._core.context import Frame
from ..._core.stacks import stacks_of_others
from ..place import call_on_stack, users_spot
from .alive import Alive, Numbers
from .asking import Gone, StandsStill, ask
from .chains import Glance, Standing, Wait, glance_at, standings_of

T = TypeVar("T")


class Look:
    """What a look at one runtime has found.

    Attributes:
      runtime: that one.
      alive: every call, by its frame.
      stands_still: see ``LiveCalls``.
    """

    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime
        self._loop: asyncio.AbstractEventLoop = runtime._loop
        self.alive: dict[Frame, Alive] = {}
        self.stands_still: str | None = None

    def find(self) -> None:
        """Find every call: on the loop if it answers, else from outside. Not to be called on the loop's own thread."""
        tasks = [task for task in _tasks_of(self._loop) if not task.done()]
        try:
            glances = ask(self._loop, lambda: _glances(tasks))
        except StandsStill as still:
            in_a_step = asyncio.current_task(self._loop)  # which can't tell what it stands in; its thread's stack can
            glances = _to_the_end(_glances([task for task in tasks if task is not in_a_step]))
            self._note_standing(still)
        for glance in glances:
            self._add(glance)
        for job in self._abandoned():
            if job.frame is not None:
                self.alive[job.frame] = Alive(job.frame, None, Wait("abandoned", job))
        self._take_times()

    def _add(self, glance: Glance) -> None:
        calls, last = glance.calls, len(glance.calls) - 1
        for place, call in enumerate(calls):
            inner, wait = (None, glance.wait) if place == last else (calls[place + 1], None)
            known = self.alive.get(call)
            if known is None:
                self.alive[call] = found = Alive(call, glance.task, wait, inner)
                if wait is not None and wait.kind == "body":
                    found.awaited_in = glance.task
            elif wait is not None and wait.kind == "body":
                known.awaited_in = glance.task
            else:  # the body, where the other was the wait for it
                known.task, known.wait, known.child = glance.task, wait, inner

    def _note_standing(self, still: StandsStill) -> None:
        """Find the call that keeps the loop, and those that wait for it."""
        frame = stacks_of_others().get(self.runtime.thread_ident)
        if frame is None or not self._loop.is_running():
            self.stands_still = str(still) if self._loop.is_running() else "the event loop isn't running just now"
            return
        self.stands_still = f"{still}: it stands at {users_spot(frame).look_up()}"
        wait: Wait | None = Wait("running", users_spot(frame))
        call, below = call_on_stack(frame, None), None
        while call is not None and call not in self.alive:
            if isinstance(call, CallFrame):
                self.alive[call] = Alive(call, None, wait, below)
                wait, below = None, call
            call = call.parent

    def _abandoned(self) -> list[Any]:
        lane = self.runtime._lanes.thread
        return [] if lane is None else list(lane._abandoned.copy().values())

    def _take_times(self) -> None:
        now, loop_now = time.monotonic(), self._loop.time()
        for each in self.alive.values():
            each.take_time(now, loop_now)
        for each in list(self.alive.values()):  # a call is under way at least as long as what runs under it
            above = each.frame.parent
            while above is not None:
                known = self.alive.get(above)
                if known is not None:
                    if known.exact or known.seconds >= each.seconds:
                        break
                    known.seconds = each.seconds
                above = above.parent

    def closely(self, tasks: Iterable[asyncio.Task[Any]]) -> dict[Frame, Standing]:
        """Look at *tasks* once more, for lines and deadlines."""
        tasks = list(tasks)
        if self.stands_still is None:
            try:
                return ask(self._loop, lambda: _close_looks(tasks))
            except (StandsStill, Gone):
                return {}
        return _to_the_end(_close_looks(tasks))


def _tasks_of(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """Return the tasks of *loop*, from another thread; asyncio tries a thousand times to catch the set at rest."""
    try:
        return list(asyncio.all_tasks(loop))
    except RuntimeError:
        return []


def _glances(tasks: list[asyncio.Task[Any]]) -> Generator[None, None, list[Glance]]:
    found: list[Glance] = []
    for task in tasks:
        if not task.done():
            glance = glance_at(task)
            if glance is not None:
                found.append(glance)
        yield
    return found


def _close_looks(tasks: list[asyncio.Task[Any]]) -> Generator[None, None, dict[Frame, Standing]]:
    found: dict[Frame, Standing] = {}
    for task in tasks:
        if not task.done():
            for standing in standings_of(task):
                if standing.frame not in found or standing.wait is None or standing.wait.kind != "body":
                    found[standing.frame] = standing
        yield
    return found


def _to_the_end(work: Generator[None, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: T = end.value
            return found


def meant_by(look: Look, numbers: Numbers, target: str) -> list[Alive]:
    """Return the calls of *look* with that number, or that path; several may have the same path."""
    if target.isdecimal():
        return [each for frame, each in look.alive.items() if numbers.of(frame)[0] == int(target)]
    return [each for frame, each in look.alive.items() if frame.path == target]
