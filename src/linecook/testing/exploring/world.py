"""One schedule of the user's program, from a fresh loop to an empty one, and what was wrong with it."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..._core.errors import UsageError
from ...observe.stuck.traced import LockTrace
from .failures import Found, Watch, complaint, is_injected, leaked, main_failed, swallowed, thread_died, unretrieved
from .fakes import Fakes
from .loop.arrivals import FaultKind, ThreadStep
from .loop.loop import ExploredLoop
from .loop.tasks import ExploredTask
from .mistakes import EscapedControl, ReplayMismatch, Stuck, TooLong
from .sealing.blocking import Blocked
from .sealing.chance import Chance
from .sealing.per_process import PerProcess
from .search.choices import Chooses, Plan
from .telling.places import innermost
from .telling.tracer import Tracer
from .telling.waits import waits_on
from .threads.control import Control, here
from .threads.switching import Points
from .threads.threads import ControlledThread

if TYPE_CHECKING:
    from .telling.footprints import Footprints

Main = Callable[[], Coroutine[Any, Any, Any]]

_READS = 50_000  # looks at the clock in one step of the loop
_GARBAGE = 5_000  # young objects that may pile up before they are collected
_WINDING_DOWN = 20_000  # steps that tasks left over have for their clean-up


@dataclass(slots=True)
class World:
    """How schedules of one program are run.

    Attributes:
      main: called afresh for each.
      invariant: what must hold; None: nothing.
      most_steps, faults, holding: as of ``ExploredLoop``.
      points: where threads may be interrupted.
      seed: of ``random`` and everything drawn from it.
      patience: real seconds that one step may take.
      control, chance, per_process, fakes: what stands in for real things; None: nothing does.
      had_threads: whether the program had any.
      loop: that of the schedule under way.
      losses: the lost updates of the schedule under way.
      deaths: exceptions that nobody caught in its plain threads.
    """

    main: Main
    invariant: Callable[..., Any] | None = None
    most_steps: int = 100_000
    faults: frozenset[FaultKind] = frozenset()
    holding: bool = False
    points: Points = "gil"
    seed: int = 0
    patience: float = 10.0
    control: Control | None = None
    chance: Chance | None = None
    per_process: PerProcess | None = None
    fakes: Fakes | None = None
    had_threads: bool = False
    loop: ExploredLoop | None = None
    losses: list[Any] = field(default_factory=list[Any])
    deaths: list[Found] = field(default_factory=list["Found"])
    _sweeps: int = 0
    _read_in: int = 0
    _reads: int = 0
    _ident: int = field(default_factory=threading.get_ident)

    def run(self, plan: Chooses, tracer: Tracer | None = None, footprints: Footprints | None = None) -> Found | None:
        """Run the schedule of *plan*, before the eyes of *tracer* or *footprints*; return what was wrong, or None.

        Raises:
          EscapedControl: the program did something real.
          ReplayMismatch: *plan* doesn't fit the program.
        """
        loop = ExploredLoop(  # type: ignore[abstract]
            plan, most_steps=self.most_steps, faults=self.faults, holding=self.holding, tracer=tracer
        )
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(loop)
        sys.set_asyncgen_hooks(firstiter=loop.first_iteration, finalizer=loop.finalized)
        self.loop = loop
        self.losses.clear()
        self.deaths.clear()
        if self.chance is not None:
            self.chance.begin()
        if self.fakes is not None:
            self.fakes.begin()
        if tracer is not None:
            tracer.loop = loop
        trace = LockTrace(_nobody) if tracer is not None else None
        if trace is not None:
            trace.begin()
        try:
            found = self._play(loop, footprints)
            if loop.escapes:
                raise loop.escapes[0]
            return found
        finally:
            if trace is not None:
                trace.end()
            if self.control is not None and self.control.threads:
                self.had_threads = True
                self.control.clear()
            loop.close()
            self.loop = None
            if self.per_process is not None:
                self.per_process.end()
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(None)
            self._sweep()

    def _sweep(self) -> None:
        """Collect what schedules have left behind, now and then: in between two, where it changes none of them."""
        if gc.get_count()[0] > _GARBAGE:
            self._sweeps += 1
            gc.collect(0 if self._sweeps % 64 else 1)

    # -- what threads ask ----------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        loop = self.loop
        if loop is None:
            return 0.0
        if loop.steps != self._read_in:
            self._read_in, self._reads = loop.steps, 0
        self._reads += 1
        if self._reads > _READS and threading.get_ident() == self._ident:
            self._reads = 0
            raise loop.escaped(
                "waiting for a moment by looking at the clock again and again, on the event loop,",
                "virtual time stands still while a step runs. Await asyncio.sleep()",
            )
        return loop.time()

    def progress(self) -> int | None:
        """Return a number that changes with every step; None while nothing runs."""
        return None if self.loop is None else self.loop.steps + id(self.loop)

    def started(self, thread: ControlledThread) -> None:
        """Take over a thread that the program has started."""
        assert self.loop is not None
        self.loop.expect(ThreadStep(thread))

    def uncaught(self, thread: ControlledThread, error: BaseException) -> None:
        """Note that a plain ``threading.Thread`` died of *error*: the interpreter would only print it."""
        if not is_injected(error):
            self.deaths.append(thread_died(thread.name, error))

    def wait(self, ready: Callable[[], bool], waits_for: object, deadline: float | None) -> bool:
        """Let only threads go on, until *ready*: the loop's own thread is blocked."""
        assert self.loop is not None
        if waits_for == "time.sleep":
            raise self.loop.escaped(
                "time.sleep() on the event loop", "it would stop every agent. Await asyncio.sleep(), or make it a tool"
            )
        return self.loop.block(ready, waits_for, deadline)

    def refuse(self, call: str, cure: str) -> EscapedControl | None:
        """Return the error for the real thing *call*; None when it isn't the program that does it."""
        return self.loop.escaped(call, cure) if self.loop is not None and here() is not None else None

    # ------------------------------------------------------------------------------------------------------------

    def _play(self, loop: ExploredLoop, footprints: Footprints | None) -> Found | None:
        watch = Watch(self.invariant)
        looks: list[Callable[[Any], object]] = [footprints.note] if footprints is not None else []
        looks += [watch.look] if watch.is_continual else []
        if looks:
            loop.after_step = looks[0] if len(looks) == 1 else lambda handle: [look(handle) for look in looks]
        found: Found | None = None
        main = self._begin(loop)
        try:
            loop.run(main.done)
        except Stuck:
            found = Found("deadlock", "nothing is ready and nothing can come: main waits for ever")
            if loop.tracer is not None:
                found.message, loop.tracer.waits = waits_on(loop)
        except TooLong:
            found = Found("hang", f"{_endless(loop)}; steps= allows more")
        except Blocked as error:
            self.patience = 1.0  # it is known now, and will be run again
            place = innermost(error.__traceback__)
            found = Found("hang", f"one step blocks the event loop, for seconds{f', at {place}' if place else ''}")
        except SystemExit as error:
            found = Found("exception", f"main raised {error!r}", error)
        found = self._lost() or found or watch.violation or main_failed(loop, main) or watch.at_end(main)
        found = found or (self.deaths[0] if self.deaths else None) or complaint(loop.complaints)
        found = found or unretrieved(loop, main) or swallowed(loop) or leaked(loop, main)
        loop.after_step = None
        self._wind_down(loop, main)
        return found

    def _lost(self) -> Found | None:
        return Found("lost update", str(self.losses[0]), loss=self.losses[0]) if self.losses else None

    def _begin(self, loop: ExploredLoop) -> ExploredTask[Any]:
        coroutine: Any = self.main()
        if not asyncio.iscoroutine(coroutine):
            raise UsageError(
                f"explore takes an async function without arguments, called afresh for each schedule; {self.main!r} "
                f"returned {coroutine!r}, which is no coroutine. Write explore(main), or explore(lambda: main(1, 2))"
            )
        task: Any = loop.create_task(coroutine)
        return task  # type: ignore[no-any-return]

    def _wind_down(self, loop: ExploredLoop, main: asyncio.Task[Any]) -> None:
        """End what is left, as ``asyncio.run`` does, so that nothing of this schedule lives on in the next."""
        left = loop.alive()
        if not left and not loop.began_generators:
            return
        loop.wind_down(Plan(), _WINDING_DOWN)
        try:
            for task in left:
                task.cancel()
            loop.run(lambda: all(task.done() for task in left))
            if loop.began_generators:
                closing = loop.create_task(loop.shutdown_asyncgens())
                loop.run(closing.done)
        except (Stuck, TooLong, ReplayMismatch, SystemExit):
            pass
        for task in left:  # one that resists is no news: its failure was told, or will be by another schedule
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def _endless(loop: ExploredLoop) -> str:
    """Say what didn't end: a thread, if most of the steps are its, or the program."""
    threads = loop.threads()
    thread = max(threads, key=lambda one: one.turns, default=None)
    if thread is None or thread.turns * (len(threads) + 2) < loop.steps:
        return f"the program has not ended after {loop.steps:,} steps"
    place = thread.at
    return f"{thread.name} has not ended after {thread.turns:,} steps{f': it is at {place}' if place else ''}"


def _nobody(order: object) -> None:
    """Take no note of locks taken in both orders: the search finds out whether that is a deadlock."""
