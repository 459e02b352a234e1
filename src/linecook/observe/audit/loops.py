"""Every event loop of the process, from the moment it runs: found without asking the program.

Each loop, asyncio's own or uvloop's, in whatever thread and however it was made, calls ``_set_running_loop`` when it
begins to run and when it stops. That one function is exchanged; a loop seen for the first time gets the few methods
through which asyncio tells what goes wrong shadowed on that one object.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import weakref
from asyncio import events, runners
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..stall import StallWatch
from ..watched import Stall
from .ledger import Detail, Fact, Ledger, Where
from .makers import noting
from .origins import forget_origins, remember_origins
from .patches import Patches
from .pool import Pools
from .tasks import TaskFacts

if TYPE_CHECKING:
    from .report import Knows


class Loops:
    """Sees loops begin and stop; has them watched for stalls while they run.

    Attributes:
      seen: how many loops have run so far.
      kinds: the packages their types are from.
      blind: those of loops that take no attributes, of which less is seen.
    """

    def __init__(
        self, ledger: Ledger, tasks: TaskFacts, pools: Pools, patches: Patches, threshold: float, knows: Knows
    ) -> None:
        self._ledger = ledger
        self._tasks = tasks
        self._pools = pools
        self._patches = patches
        self._threshold = threshold
        self._knows = knows
        self._noting: set[Any] = set()  # the functions that stand before create_task
        self._watch = StallWatch()
        self._lock = threading.RLock()
        self._known: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._running: dict[int, tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = {}
        self._ended = False
        self.seen = 0
        self.kinds: set[str] = set()
        self.blind: set[str] = set()
        self.begun_at: float | None = None

    def patch(self) -> None:
        """Exchange what has to be exchanged; ``Patches.undo`` gives it back."""
        original = events._set_running_loop

        def set_running_loop(loop: asyncio.AbstractEventLoop | None) -> None:
            original(loop)
            if self._ended:  # uvloop, imported meanwhile, calls us for ever
                return
            if loop is None:
                self._stopped()
            else:
                self._began(loop)

        self._patches.set(events, "_set_running_loop", set_running_loop)
        self._patches.set(asyncio, "_set_running_loop", set_running_loop)
        cancel_all = getattr(runners, "_cancel_all_tasks", None)
        if cancel_all is not None:

            def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> Any:
                self._tasks.left(asyncio.all_tasks(loop), "cancelled when the program's main coroutine had ended")
                return cancel_all(loop)

            self._patches.set(runners, "_cancel_all_tasks", cancel_all_tasks)
        self._see_tasks_made(asyncio.BaseEventLoop)
        self._patch_uvloop()
        if (running := asyncio._get_running_loop()) is not None:
            self._began(running)

    def _patch_uvloop(self) -> None:
        """See the loops of a uvloop that was imported before us: it took its own reference to the function then."""
        kind: Any = getattr(sys.modules.get("uvloop"), "Loop", None)
        if kind is None:
            return
        self._see_tasks_made(kind)
        original = kind.run_forever

        def run_forever(loop: asyncio.AbstractEventLoop) -> None:
            self._began(loop)
            try:
                original(loop)
            finally:
                self._stopped()

        self._patches.shadow(kind, "run_forever", run_forever)

    def _see_tasks_made(self, kind: type[asyncio.AbstractEventLoop]) -> None:
        """Have every task that loops of this type make know who made it."""
        original: Any = kind.create_task
        if self._knows == "nothing" or original in self._noting:
            return
        ours = noting(original, has_steps=issubclass(kind, asyncio.BaseEventLoop))
        if "create_task" in vars(kind):
            self._patches.set(kind, "create_task", ours)
        else:
            self._patches.shadow(kind, "create_task", ours)
        self._noting.add(ours)

    def _began(self, loop: asyncio.AbstractEventLoop) -> None:
        ident = threading.get_ident()
        if self._knows == "coroutines":
            remember_origins()
        with self._lock:
            if loop not in self._known:
                self._known.add(loop)
                self._meet(loop)
            unwatch = self._watch.watch(loop, ident, self._threshold, self._stalled)
            self._running[ident] = loop, unwatch

    def _meet(self, loop: asyncio.AbstractEventLoop) -> None:
        self.seen += 1
        self.begun_at = self.begun_at or time.monotonic()
        kind = type(loop).__module__.partition(".")[0]
        self.kinds.add(kind)
        self._see_tasks_made(type(loop))
        shadowed = self._patches.shadow(loop, "call_exception_handler", _telling(loop, self._tasks.told))
        self._patches.shadow(loop, "close", _closing(loop, self._tasks))
        if not isinstance(loop, asyncio.BaseEventLoop):
            self._patches.shadow(loop, "run_in_executor", self._pools.run_in_executor(loop))
        if not shadowed:
            self.blind.add(kind)

    def _stopped(self) -> None:
        with self._lock:
            _, unwatch = self._running.pop(threading.get_ident(), (None, None))
        if unwatch is not None:
            unwatch()

    def _stalled(self, stall: Stall) -> None:
        if stall.ended:
            self._ledger.note(*_fact(stall))

    def stalls_not_over(self) -> list[Fact]:
        """Return the stalls that go on; from any thread."""
        with self._watch._lock:
            watched = [(each._going_on, each._stretch) for each in self._watch._watched]
            return [_fact(stall.stall(stretch, ended=False)) for stall, stretch in watched if stall is not None]

    def running(self) -> dict[int, asyncio.AbstractEventLoop]:
        """Return the loops that run now, by the ident of their thread; from any thread."""
        return {ident: loop for ident, (loop, _) in list(self._running.items())}

    def end(self) -> None:
        """Watch no more; a stall that goes on is noted first."""
        self._ended = True
        with self._lock:
            running, self._running = self._running, {}
        for _, unwatch in running.values():
            unwatch()
        if self._knows == "coroutines":
            forget_origins()


def _fact(stall: Stall) -> Fact:
    place = stall.place
    kind = "stall" if stall.cause == "step" else "stall_held"
    details: list[tuple[Detail, float]] = []
    if stall.collected:
        details.append((("how", "a full garbage collection ran meanwhile"), 1.0))
    return Fact(kind, Where(place.file, place.line, place.function), stall.duration, tuple(details))


def _telling(loop: asyncio.AbstractEventLoop, told: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    original, known = type(loop).call_exception_handler, weakref.ref(loop)

    def call_exception_handler(context: dict[str, Any]) -> None:
        loop = known()
        if loop is not None:
            original(loop, context)
            told(context)

    return call_exception_handler


def _closing(loop: asyncio.AbstractEventLoop, tasks: TaskFacts) -> Callable[[], None]:
    original, known = type(loop).close, weakref.ref(loop)

    def close() -> None:
        loop = known()
        if loop is None:
            return
        if not loop.is_closed() and not loop.is_running():
            tasks.left(asyncio.all_tasks(loop), "still pending when its loop was closed")
        original(loop)

    return close
