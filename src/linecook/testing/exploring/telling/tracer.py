"""Notes what a schedule does, step by step: run again only for a report or a token, since noting costs much more.

Names are made from who asked, not from addresses or times: ``0.2`` is the third task that main made, ``0.2:5`` its
sixth step, ``0.2/1`` the second thing from outside that it asked for, ``0.2~0`` the first callback that it queued.
"""

from __future__ import annotations

import asyncio
import linecache
import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..exploration import Access, Place, Step
from ..loop.arrivals import Arrival, ThreadStep
from ..loop.arriving import BEGINNING
from ..loop.options import Cancellation, FaultyArrival, Handle, HoldBack, Timer, TimerHandle, Way
from ..loop.steps import task_of
from .places import function_of, lock_waited_for, place_of, text_at

if TYPE_CHECKING:
    from ..loop.loop import ExploredLoop
    from ..threads.threads import ControlledThread

_TOP = "L"  # what no task asked for


class Tracer:
    """Notes names and steps of one run.

    Attributes:
      steps: what happened, in order; steps of tasks, arrivals, and callbacks of the user.
      order: the path of each task that made a step, in order.
      waits: who waits where for what when nothing can go on; of a deadlock.
    """

    loop: ExploredLoop

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.order: list[str] = []
        self.waits: list[str] = []
        self.accesses: list[Access] = []
        self._counts: Counter[str] = Counter()
        self._paths: dict[asyncio.Task[Any], str] = {}
        self._stood: dict[asyncio.Task[Any], Place | None] = {}
        self._by: dict[Any, str] = {}  # what queued a handle
        self._names: dict[Any, str] = {}
        self._kept: list[Any] = []  # handles are known by identity, so none may go before the end
        self._own: asyncio.Task[Any] | None = None  # whose handle runs
        self._moved: dict[asyncio.Task[Any], int] = {}  # tasks that another handle has let run, and which of them
        self._called_so: dict[asyncio.Task[Any], str] = {}
        self._named = ""  # of a thread's step under way
        self._here = ""  # what runs now, outside of a task's step
        self._deviates = self._overtakes = False
        self._holders: dict[Any, asyncio.Task[Any]] = {}

    # -- names ---------------------------------------------------------------------------------------------------

    def _number(self, what: str) -> int:
        number = self._counts[what]
        self._counts[what] += 1
        return number

    def path(self, task: asyncio.Task[Any]) -> str:
        """Return the name of *task*, given to it now if it was made behind the loop's back."""
        if task not in self._paths:
            self.task_made(task)
        return self._paths[task]

    def _asker(self) -> str:
        task = asyncio.current_task(self.loop)
        return _TOP if task is None else self.path(task)

    def task_made(self, task: asyncio.Task[Any]) -> None:
        parent = asyncio.current_task(self.loop)
        if parent is task:
            parent = None
        above = "" if parent is None else self.path(parent) + "."
        above = above or ("" if not self._paths else _TOP + ".")
        self._paths[task] = f"{above}{self._number(above)}"

    def handle_made(self, handle: Handle) -> None:
        task = asyncio.current_task(self.loop)
        self._kept.append(handle)
        self._by[handle] = self._here if task is None else self._called(task)
        if task_of(handle) is None:
            asker = self._asker()
            self._names[handle] = f"{asker}~{self._number(asker + '~')}"

    def timer_made(self, handle: TimerHandle) -> None:
        asker = self._asker()
        self._kept.append(handle)
        self._names[handle] = f"{asker}@{self._number(asker + '@')}"
        self._by[handle] = f"a timer of {asker}"

    def arrival_made(self, arrival: Arrival) -> None:
        asker = self._asker()
        arrival.name = f"{asker}/{self._number(asker + '/')}"

    def name(self, option: Any) -> str:
        """Return how a token calls *option*; empty for going on with what is ready."""
        if isinstance(option, ThreadStep):
            return f"{option.name}#{option.thread.points}"
        if isinstance(option, Arrival):
            return option.name
        if isinstance(option, Timer):
            first = self._names.get(self.loop.first_timer(), "@")
            return first if option.every else first + "+"
        if isinstance(option, FaultyArrival):
            return f"{option.arrival.name}!{option.fault}"
        if isinstance(option, Cancellation):
            return f"x{self.path(option.task)}"
        if isinstance(option, Way):
            return option.name
        return "hold" if isinstance(option, HoldBack) else ""

    def anchor(self, options: Any) -> str:
        """Return how a token calls this point of choice: what would happen next if nobody chose."""
        if isinstance(options[0], Way):
            asker = self._asker()
            return f"{asker}&{self._counts[asker + '&']}"
        default, head = self.name(options[0]), self.loop.head()
        if head is None:
            return "-" + default
        task = task_of(head)
        name = self._names.get(head, "?")
        if task is not None:
            name = f"{self.path(task)}:{self._counts[self.path(task) + ':']}"
        return f"{name}|{default}" if default else name

    def _called(self, task: asyncio.Task[Any]) -> str:
        """Return the name that the user gave *task*; else that of its function, numbered from the second one on."""
        known = self._called_so.get(task)
        if known is None:
            known = task.get_name()
            if known.startswith("Task-"):
                function = function_of(task)
                number = self._number(f"called {function}") + 1
                known = function if number == 1 else f"{function}-{number}"
            self._called_so[task] = known
        return known

    def here(self) -> tuple[int, str] | None:
        """Return the number of the step under way, from 0, and who makes it; None: no task does."""
        task = asyncio.current_task(self.loop)
        if task is None:
            return None
        if task is self._own:
            return len(self.steps), self._called(task)
        # A lane's answer runs the next step of whoever waits on the spot: that is no handle of the task's own.
        return len(self.steps) + self._moved.setdefault(task, len(self._moved)), self._called(task)

    # -- steps ---------------------------------------------------------------------------------------------------

    def chose(self, options: Any, picked: int, overtakes: bool) -> None:
        """Note whether what happens next departs from the default, and *overtakes* who could go on."""
        if isinstance(options[0], Way):
            self._number(self._asker() + "&")
        self._deviates = picked > 0
        self._overtakes = overtakes

    def happens(self, option: Any) -> None:
        """Note *option*, which is about to happen; but of a thread's step, who makes it: see ``thread_stepped``."""
        if isinstance(option, ThreadStep):
            self._here = option.what
            self._named = self.name(option)
            return
        if isinstance(option, Arrival):
            what = self._here = option.what
            text = f"{what} arrives"
        elif isinstance(option, FaultyArrival):
            self._here = option.arrival.what
            text = f"{option.arrival.what}: {_FAULTS[option.fault]}"
        elif isinstance(option, Cancellation):
            self._here = "a cancel"
            text = f"{self._called(option.task)} is cancelled at this await"
        elif isinstance(option, Timer):
            self._here = "a timer"
            text = "time goes on to the next timer"
        elif isinstance(option, Way):
            text = option.what
        else:
            return
        self._add(Step("outside", self.name(option), text))

    def thread_stepped(self, option: ThreadStep) -> None:
        """Note a thread's step, with where it has brought it."""
        self._add(Step("outside", self._named, f"{option.what} {_way_of(option.thread)}"))

    def _add(self, step: Step) -> None:
        accesses, self.accesses = tuple(self.accesses), []
        step = replace(
            step,
            deviates=self._deviates,
            overtakes=self._overtakes,
            accesses=accesses,
            time=round(self.loop.time() - BEGINNING, 4),
        )
        self._deviates = self._overtakes = False
        self.steps.append(step)

    def before(self, handle: Handle) -> None:
        self._own = task_of(handle)
        if self._own is None:
            self._here = self._by.get(handle, "") or self._here

    def after(self, handle: Handle) -> None:
        task = task_of(handle)
        by = self._by.get(handle, "")
        if task is None:
            moved, self._moved = list(self._moved), {}
            for one in moved:
                self._stepped(one, self.path(one), "goes on", by)
            if self.accesses:
                self._add(Step("loop", self._names.get(handle, ""), f"callback {handle!r}", woken_by=by))
            return
        self._moved.clear()
        path = self.path(task)
        number = self._number(path + ":")
        self.order.append(path)
        self._stepped(task, f"{path}:{number}", "goes on" if number else "begins", by)

    def _stepped(self, task: asyncio.Task[Any], path: str, what: str, by: str) -> None:
        began, now = self._stood.get(task), None if task.done() else place_of(task)
        self._stood[task] = now
        if task.done():
            error: Any = getattr(task, "_exception", None)  # so looked at, it isn't marked as read
            what = "is cancelled" if task.cancelled() else "ends" if error is None else "fails"
        self._add(Step(self._called(task), path, what, began, now, text_at(now), by))

    def stopped(self, loop: ExploredLoop) -> None:
        """Note who waits for what: nothing can go on."""
        tasks = sorted(loop.alive(), key=self.path)
        for task in tasks:
            place = place_of(task)
            text = (
                f"{self._called(task)} waits at {place}: {text_at(place)}" if place else f"{self._called(task)} waits"
            )
            lock = lock_waited_for(task)
            holder = self._holders.get(lock) if lock is not None else None
            if holder is not None:
                text += f"   (held by {self._called(holder)})"
            self.waits.append(text)

    def accessed(self, cell: Any, key: Any, kind: str, place: Place, thread: Any) -> None:
        """Note a read or write of a ``Shared`` value that is about to happen."""
        task = asyncio.current_task(self.loop)
        party = thread.name if thread is not None else self._called(task) if task is not None else "loop"
        what = cell.where() if key is None else f"{cell.where()}[{key!r}]"
        self.accesses.append(Access(party, kind, what, "", place))

    # -- holders of asyncio's locks ------------------------------------------------------------------------------

    def took(self, lock: Any) -> None:
        """Note that the current task holds *lock*."""
        task = asyncio.current_task()
        if task is not None:
            self._holders[lock] = task

    def gave_back(self, lock: Any) -> None:
        """Note that nobody holds *lock*."""
        self._holders.pop(lock, None)


def _way_of(thread: ControlledThread) -> str:
    """Say in words where a step has brought *thread*."""
    if thread.state == "ended":
        return "ends" if thread.error is None else f"fails: {thread.error!r}"
    at = thread.at
    place = f"{os.path.basename(at.file)}:{at.line}" if at is not None else "?"
    if thread.state == "sleeping":
        return f"sleeps at {place}" if at is not None and at.why == "sleep" else f"runs on at {place}"
    if thread.state == "blocked":
        return f"waits at {place}"
    text = "" if at is None else linecache.getline(at.file, at.line).strip()
    return f"runs to {place}{f': {text}' if text else ''}"


_FAULTS = {
    "raise": "fails",
    "hang": "never comes",
    "late": "comes late",
    "twice": "happens twice",
    "death": "its worker dies",
}
