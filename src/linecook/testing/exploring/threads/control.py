"""Threads under control: what all threads of one exploration share, and who else must be asked.

One exploration at a time in a process. While it is open, exactly one thread of the program runs at any moment: the
explorer's own (the loop's), or the controlled thread whose turn it is.
"""

from __future__ import annotations

import logging
import os
import sys
from _thread import get_ident
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from .stand_ins import StandIns
from .switching import Baton, Points, hooks
from .users_code import UsersCode
from .workers import Workers

if TYPE_CHECKING:
    from .threads import ControlledThread

Ready = Callable[[], bool]
_pools = logging.getLogger("concurrent.futures")


class Stuck(Exception):
    """Nobody can go on: the program's own thread waits for something that no thread of the program can release."""


class Endless(BaseException):
    """Ends a thread that passes switch point after switch point and never comes to its end.

    No ``Exception``: what the program does about its own errors isn't meant for this one.
    """


class Scheduler(Protocol):
    """What the explorer answers for its threads."""

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        ...

    def started(self, thread: ControlledThread) -> None:
        """Take over *thread*, which the program has started itself (``threading.Thread``, an executor's worker)."""

    def wait(self, ready: Ready, waits_for: object, deadline: float | None) -> bool:
        """Let others go on until *ready* holds or *deadline* (virtual) is there: the loop's own thread is blocked.

        Returns:
          Whether *ready* holds.

        Raises:
          Stuck: nobody is left who could make it true.
        """
        ...


class OldestFirst:
    """The scheduler of those who bring none: the thread that was started first goes on; time jumps when all wait."""

    def __init__(self) -> None:
        self.threads: list[ControlledThread] = []
        self._now = 0.0

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def advance_to(self, moment: float) -> None:
        """Move time on to *moment*; an earlier one changes nothing."""
        self._now = max(self._now, moment)

    def started(self, thread: ControlledThread) -> None:
        """Add *thread*."""
        self.threads.append(thread)

    def wait(self, ready: Ready, waits_for: object, deadline: float | None) -> bool:
        """Step others until *ready* holds, or time has come to *deadline*."""
        while not ready():
            thread = next((each for each in self.threads if each.can_go_on()), None)
            if thread is not None:
                thread.step()
                continue
            due = [each.deadline for each in self.threads if each.state != "ended" and each.deadline is not None]
            if deadline is not None:
                due.append(deadline)
            if not due:
                raise Stuck(f"waiting for {waits_for!r}, which nobody is left to release")
            self.advance_to(min(due))
            if deadline is not None and self._now >= deadline:
                return ready()
        return True


class Control:
    """Opens and closes the control of threads (a context manager).

    Args:
      scheduler: the explorer; None for one that runs the oldest thread first.
      points: where a thread may be stopped: see ``switching``.
      include: beginnings of paths that count as the user's code as well.
      most_points: switch points that one thread may pass; then ``Endless`` is raised in it.
      patience: seconds (real) after which a thread that uses no CPU is held to be blocked for real.

    While it is open, ``threading``'s locks, events, conditions, semaphores, barriers and threads, ``queue``'s queues
    and ``time``'s clocks and ``sleep`` are stand-ins that wait in turn and in virtual time; closing puts back
    everything. The calling thread stays on one CPU meanwhile: only one thread runs at a time, and passing the turn
    within a CPU is much cheaper than across two (benchmarks: explore_speed).
    """

    def __init__(
        self,
        scheduler: Scheduler | None = None,
        *,
        points: Points = "gil",
        include: tuple[str, ...] = (),
        patience: float = 1.0,
        most_points: int = 100_000,
    ) -> None:
        self.scheduler: Scheduler = scheduler or OldestFirst()
        self.points: Points = points
        self.most_points = most_points
        self.baton = Baton()
        self.code = UsersCode(include)
        self.hooks = hooks(self.baton, self.code, points)
        self.workers = Workers(self.baton, self.hooks, patience)
        self.home = 0
        self.threads: list[ControlledThread] = []
        self.thread_locals: list[Any] = []
        self._names: Counter[str] = Counter()
        self._stand_ins = StandIns(self.code)
        self._listening = False
        self._traced: object = None
        self._cpus: set[int] = set()

    def __enter__(self) -> Control:
        global _active
        if _active is not None:
            raise RuntimeError("an exploration is under way in this process already; end it first")
        _active = self
        self.home = get_ident()
        try:
            self._stand_ins.put_in_place()
            self.thread_locals = self._stand_ins.thread_locals()
            self.workers.are_used_again = all(map(_can_be_emptied, self.thread_locals))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _active
        try:
            self.clear()
        finally:
            _active = None
            self._stand_ins.put_back()
            self._stop_listening()
            self.workers.close()

    def empty_thread_locals(self) -> None:
        """Forget what ``threading.local`` keeps for the calling thread: another body will run on it."""
        if self.workers.are_used_again:
            for kept in self.thread_locals:
                kept.__dict__.clear()

    def replaced(self, module: Any, name: str) -> Any:
        """Return what stood under *name* in *module* before a stand-in took its place."""
        return self._stand_ins.original(module, name)

    def listen(self) -> None:
        """Set the hooks, when the first thread is made: a program without threads doesn't pay for them."""
        if not self._listening:
            self.hooks.open()
            self._listening = True
            self._stay_on_one_cpu()
        if sys.gettrace() is not self._traced:
            self._traced = sys.gettrace()
            self.hooks.renew()

    def add(self, thread: ControlledThread, name: str) -> str:
        """Note a new *thread*; return *name*, with a number when there is one of that name already."""
        self.listen()
        self.threads.append(thread)
        name = name or "thread"
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name} ({self._names[name]})"

    def clear(self) -> None:
        """End a schedule: every thread that is still under way unwinds, and names begin to count from one again."""
        was_silent, _pools.disabled = _pools.disabled, True  # a pool's worker that unwinds would be called critical
        try:
            for thread in self.threads:
                thread.abandon()
        finally:
            _pools.disabled = was_silent
            self.threads.clear()
            self._names.clear()
        if isinstance(self.scheduler, OldestFirst):
            self.scheduler.threads.clear()
        self._stand_ins.restart_counting()

    def running(self) -> Any:
        """Return the controlled thread that calls this, the ``Home`` on the loop's thread, None on a foreign one."""
        running = self.baton.running
        ident = get_ident()
        if running is not None and running.ident == ident:
            return running
        return Home(self) if ident == self.home else self.baton.strays.get(ident)

    def _stop_listening(self) -> None:
        if self._listening:
            self._listening = False
            self.hooks.close()
            if self._cpus:
                os.sched_setaffinity(0, self._cpus)

    def _stay_on_one_cpu(self) -> None:
        if not hasattr(os, "sched_setaffinity"):
            return  # not on Linux: slower, and right
        self._cpus = os.sched_getaffinity(0)
        # What a thread starts inherits its CPUs: the workers come after this.
        os.sched_setaffinity(0, {_this_cpu(self._cpus)})


class Home:
    """The explorer's own thread, on which the program's loop runs, as one who waits."""

    name = "the event loop"

    def __init__(self, control: Control) -> None:
        self._scheduler = control.scheduler

    def pause(self, why: str) -> None:
        """Nothing: handles of a loop follow each other without a switch in between."""

    def wait(self, ready: Ready, waits_for: object, timeout: float | None) -> bool:
        """Block the loop until *ready* holds: only threads go on meanwhile."""
        deadline = None if timeout is None else self._scheduler.now() + timeout
        return ready() or self._scheduler.wait(ready, waits_for, deadline)

    def sleep(self, seconds: float) -> None:
        """Block the loop for *seconds* of virtual time: only threads go on meanwhile."""
        self.wait(_never, "time.sleep", seconds)


def _can_be_emptied(kept: object) -> bool:
    """Say whether a ``threading.local`` doesn't make itself up: for one that does, each body gets a new real thread."""
    return "__init__" not in vars(type(kept))


def _never() -> bool:
    return False


_active: Control | None = None


def active() -> Control | None:
    """Return the control that is open in this process, or None."""
    return _active


def here() -> Any:
    """Return who runs this: a controlled thread, the ``Home``, or None outside of any exploration."""
    return None if _active is None else _active.running()


def _this_cpu(allowed: set[int]) -> int:
    try:
        with open("/proc/thread-self/stat") as stat:
            cpu = int(stat.read().rpartition(")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        cpu = -1
    return cpu if cpu in allowed else min(allowed)
