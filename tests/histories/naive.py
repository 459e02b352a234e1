"""A naive search, to judge the real one by: every order of arrivals on a queue like asyncio's, one after the other.

It shares no code with linecook, knows no threads, no faults and no tier but the stock loop's, shrinks nothing, and is
slow. ``fewest_overtakings`` says what the cheapest failing schedule of a small program costs.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from types import ModuleType
from typing import Any

TICK = 1e-6  # seconds beyond a timer, as a real clock would be
MOST_STEPS = 5_000

Option = tuple[str, Any]
Script = list[int]


class TooMany(Exception):
    """There are more schedules than asked for."""


class NaiveLoop(asyncio.AbstractEventLoop):
    """One run: at the start of a turn *choose* picks by number what happens: 0 goes on, if something is ready."""

    def __init__(self, choose: Callable[[list[int]], int]) -> None:
        self._choose = choose
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._outside: list[tuple[asyncio.Future[Any], Any]] = []
        self._numbers = itertools.count()
        self._now = 0.0
        self.tasks: list[asyncio.Task[Any]] = []

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tasks are looked at in the end; nothing else may complain."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        self.tasks.append(asyncio.Task(coro, loop=self, **options))
        return self.tasks[-1]

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:
        self._ready.append(asyncio.Handle(callback, args, self, context))
        return self._ready[-1]

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when they surface."""

    async def answer(self, value: Any = None) -> Any:
        """Stand in for ``outside``."""
        future = self.create_future()
        self._outside.append((future, value))
        return await future

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> str | None:
        """Run to the end; return the kind of failure, or None."""
        main, steps = self.create_task(coroutine), 0
        while not main.done():
            if not self._begin_turn():
                return "deadlock"
            steps += self._turn()
            if steps > MOST_STEPS:
                return "hang"
        for _ in range(3):  # what is ready, and nothing from outside: the callbacks of tasks that have ended
            self._turn()
        return self._judged(main)

    def _judged(self, main: asyncio.Task[Any]) -> str | None:
        if main.cancelled() or main.exception():
            return "exception"
        others = [task for task in self.tasks if task is not main]
        if not all(task.done() for task in others):
            return "leaked task"
        if any(task.cancelling() and not task.cancelled() for task in others):
            return "swallowed cancellation"
        unread = [task for task in others if getattr(task, "_log_traceback", False)]
        return "exception never retrieved" if unread else None

    def _turn(self) -> int:
        count = len(self._ready)
        for _ in range(count):
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()
        return count

    def _begin_turn(self) -> bool:
        """Let arrive what is chosen; return False when nothing is ready and nothing can come."""
        while True:
            options = self._options()
            if not options:
                return False
            kind, what = options[self._choose([int(bool(self._ready) and kind != "go") for kind, _ in options])]
            if kind == "go":
                return True
            if kind == "answer":
                self._outside.remove(what)
                self.call_soon(_tell, *what)  # as a selector's event, or call_soon_threadsafe
            else:
                self._fire(only_one=kind == "one timer")

    def _fire(self, *, only_one: bool) -> None:
        """Let time go on to the next timer; those of the same moment are due as well, or, just so, not yet."""
        when = self._timers[0][0]
        self._now = max(self._now, when + TICK)
        while self._timers and self._timers[0][0] <= when + TICK:
            self._ready.append(heapq.heappop(self._timers)[2])
            if only_one:
                return

    def _options(self) -> list[Option]:
        self._outside = [each for each in self._outside if not each[0].done()]
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        options: list[Option] = [("go", None)] if self._ready else []
        options += [("answer", each) for each in self._outside]
        due = [each for each in self._timers if each[0] <= self._timers[0][0] + TICK and not each[2].cancelled()]
        return options + [("timers", None), ("one timer", None)][: len(due)]

    def wind_down(self) -> None:
        """End what is left, so that nothing is said about it."""
        self._outside.clear()
        for task in self.tasks:
            if not task.done():
                task.cancel()
        for _ in range(50):
            self._turn()
        for task in self.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            if task.done() and not task.cancelled():
                task.exception()


def _tell(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


class Enumeration:
    """Every script of choices within *overtakings*, depth first."""

    def __init__(self, program: ModuleType, overtakings: int) -> None:
        self._program = program
        self._most = overtakings
        self._taken: list[tuple[list[int], int]] = []  # at each choice: what could be chosen, and which of these was

    def failures(self, schedules: int) -> set[str]:
        """Return the kinds of failure of all schedules.

        Raises:
          TooMany: there are more than *schedules*.
        """
        kinds, script = set[str](), Script()
        for _ in range(schedules):
            kind = self._run(script)
            if kind is not None:
                kinds.add(kind)
            while self._taken and self._taken[-1][1] == len(self._taken[-1][0]) - 1:
                self._taken.pop()
            if not self._taken:
                return kinds
            could, at = self._taken.pop()
            script = [each[at] for each, at in self._taken] + [could[at + 1]]
        raise TooMany

    def _run(self, script: Script) -> str | None:
        self._taken, spent = [], 0

        def choose(prices: Sequence[int]) -> int:
            nonlocal spent
            could = [number for number, price in enumerate(prices) if spent + price <= self._most]
            at = could.index(script[len(self._taken)]) if len(self._taken) < len(script) else 0
            self._taken.append((could, at))
            spent += prices[could[at]]
            return could[at]

        loop = NaiveLoop(choose)
        if hasattr(self._program, "outside"):
            self._program.outside = loop.answer  # type: ignore[attr-defined]
        gc.disable()
        asyncio._set_running_loop(loop)
        try:
            kind = loop.run(self._program.main())
            invariant = getattr(self._program, "invariant", None)
            if kind is None and invariant is not None and not invariant():
                kind = "invariant"
            loop.wind_down()
            return kind
        finally:
            asyncio._set_running_loop(None)
            gc.enable()


def fewest_overtakings(program: ModuleType, *, most: int, schedules: int) -> tuple[int, set[str]] | None:
    """Return the least that a failure of *program* costs, with the kinds at that cost; None: none up to *most*.

    Raises:
      TooMany: it takes more than *schedules* schedules to say.
    """
    outside = getattr(program, "outside", None)
    try:
        for overtakings in range(most + 1):
            if kinds := Enumeration(program, overtakings).failures(schedules):
                return overtakings, kinds
        return None
    finally:
        if outside is not None:
            program.outside = outside  # type: ignore[attr-defined]
