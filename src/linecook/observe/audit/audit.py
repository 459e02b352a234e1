"""``Audit``: begins, ends, and gathers what the other files of this room find."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as pools
import gc
import threading
import time
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from ..._core.stacks import stacks_of_others
from ..pulse import PULSE, Wake
from .ledger import Fact, Ledger
from .loops import Loops
from .patches import Patches
from .pool import Pools
from .tasks import TaskFacts
from .threads import StuckThread, Threads
from .waits import Waits

if TYPE_CHECKING:
    from .report import AuditReport, Knows

_INTERVAL = 0.1  # seconds between two looks: a pool that is full, or a thread on CPU, is there for longer
_CLOSELY = 0.05  # and as long as there is such a one
_CLOSING = 1.0  # seconds that a loop may take to end its default pool before somebody is told

_lock = threading.Lock()
_current: list[Audit] = []


class Audit:
    """Watches every event loop of this process, without a change to the program.

    From ``start`` (or ``with``) to ``stop`` a handful of asyncio's functions are exchanged for ones that take note and
    call the original: ``create_task`` of loops, ``_set_running_loop`` and ``_cancel_all_tasks`` of asyncio, the items
    that ``ThreadPoolExecutor`` queues, and of each loop that runs ``call_exception_handler`` and ``close``. Python's
    own message about a coroutine never awaited is made by us in the same words. ``stop`` gives all of it back. One
    audit at a time.

    Args:
      stall: seconds, > 0, that one step of a loop may last before it is a stall.
      origins: have Python remember the line that makes each coroutine. Without it the line that made a coroutine never
        awaited is known where the same statement drops it, as ``save(x)`` without ``await`` does; else the line that
        dropped it is named, and the function. A library that makes many coroutines is slowed down.
      light: don't note either which line makes each task: tasks are named by the function they run.
      on_closing: called once, on the watch thread, when a loop has waited a second for threads of its default pool in
        order to end; must be quick.

    Raises:
      ValueError: *stall* isn't a number > 0; *origins* and *light* exclude each other.
    """

    def __init__(
        self,
        *,
        stall: float = 0.1,
        origins: bool = False,
        light: bool = False,
        on_closing: Callable[[], None] | None = None,
    ) -> None:
        if not stall > 0:
            raise ValueError(f"stall={stall!r}: seconds, > 0")
        if origins and light:
            raise ValueError("origins=True, light=True: one asks for more than usual, the other for less; choose one")
        self.stall = stall
        self._knows: Knows = "coroutines" if origins else "nothing" if light else "tasks"
        self._on_closing = on_closing
        self._ledger = Ledger()
        self._patches = Patches()
        self._tasks = TaskFacts(self._ledger)
        self._pools = Pools(self._ledger)
        self._threads = Threads()
        self._waits = Waits(self._ledger)
        self._loops = Loops(self._ledger, self._tasks, self._pools, self._patches, stall, self._knows)
        self._end_looks: Callable[[], None] | None = None
        self._looked = 0.0
        self._begun = time.monotonic()
        self._ended: float | None = None
        self._collected = False

    def start(self) -> None:
        """Begin.

        Raises:
          RuntimeError: there is an audit in this process already, or this one has been used.
        """
        with _lock:
            if _current or self._ended is not None:
                raise RuntimeError("one Audit at a time, and each is used once: make another when this one has stopped")
            _current.append(self)
        self._begun = self._looked = time.monotonic()
        self._loops.patch()
        self._patches.set(pools, "_WorkItem", self._pools.item())
        self._patches.set(warnings, "_warn_unawaited_coroutine", self._tasks.never_awaited)
        self._end_looks = PULSE.add(self._look)

    def stop(self) -> None:
        """End, and give back what was exchanged; twice does no harm. ``report`` may still be asked for."""
        with _lock:
            if self not in _current:
                return
            _current.remove(self)
        self._collect()
        self._ended = time.monotonic()
        if self._end_looks is not None:
            self._end_looks()
        self._loops.end()
        self._patches.undo()

    def _collect(self) -> None:
        """Once, at the end: what nobody holds any more says so when it is collected, and not before."""
        if self._loops.seen and not self._collected:
            self._collected = True
            gc.collect()

    def __enter__(self) -> Audit:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _look(self, wake: Wake) -> float:
        running = self._loops.running()
        elapsed, self._looked = wake.now - self._looked, wake.now
        frames = stacks_of_others()
        closely = self._threads.look(wake, elapsed, frames, set(running), self._pools.asked_for)
        self._pools.look(elapsed, frames)
        self._waits.look(wake.now, list(running.values()))
        self._ledger.count()
        if self._on_closing is not None and self._threads.closing_for(wake.now) >= _CLOSING:
            told, self._on_closing = self._on_closing, None
            told()
        return _CLOSELY if closely else _INTERVAL

    def stuck(self) -> list[StuckThread]:
        """Return the threads for which the interpreter would wait at its end; those of a pool that idle left out."""
        return self._threads.stuck()

    def report(self, *, at_end: bool = False) -> AuditReport:
        """Say what was found so far; from any thread.

        Args:
          at_end: the program is over: threads that still run are named, and tasks that have failed with nobody to see.
        """
        from .report import AuditReport, ran

        facts = [*self._threads.holdings(), *self._pools.still_waiting(), *self._pools.slow_look_ups()]
        facts += [*self._loops.stalls_not_over(), *self._waits.not_over()]
        if at_end:
            self._collect()
            self._tasks.unseen_among(_all_done())
        if at_end or self._threads.closing_for(time.monotonic()):
            facts += [_stuck(thread) for thread in self.stuck()]
        return AuditReport.of(
            self._ledger.sums(facts),
            ran(self._loops, seconds=(self._ended or time.monotonic()) - self._begun),
            missed=self._ledger.missed,
            unfollowed=self._waits.unfollowed,
            knows=self._knows,
            at_end=at_end,
        )


def _stuck(thread: StuckThread) -> Fact:
    return Fact("thread_stuck", thread.where, thread.seconds, ((("thread", thread.name), 1.0),))


def _all_done() -> list[asyncio.Task[object]]:
    """Return the tasks that are done and still held by somebody, as far as asyncio knows of them."""
    for name in ("_scheduled_tasks", "_all_tasks"):
        known = getattr(asyncio.tasks, name, None)
        if known is not None:
            return [task for task in list(known) if task.done()]
    return []
