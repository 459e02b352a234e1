"""frontrun (https://github.com/lucaswiman/frontrun): its partial-order search and its sampler, with virtual time.

frontrun takes a fixed list of workers over one state. A program whose main makes a state, gathers its agents and then
asserts is given to it in that shape: main runs up to its ``gather``, what was to be gathered are the workers, and the
rest of main is the invariant. Calls of ``to_thread`` become plain thread workers. Any other program is one worker.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Iterator
from types import ModuleType
from typing import Any

from benchmarks.explorers.side import SCHEDULES, SECONDS, Outside, Tried, hop

HUNG = 0.5  # seconds after which a run counts as hung; the default of 5 would leave time for one of them
Settings = dict[str, Any]
ASYNC_SETTINGS: dict[str, Settings] = {
    "dpor": {"strategy": "dpor", "clock": "virtual"},
    "dpor, explored clock": {"strategy": "dpor", "clock": "explored"},
    "random": {"strategy": "random", "clock": "virtual", "max_attempts": SCHEDULES, "seed": 1},
    "random, explored clock": {"strategy": "random", "clock": "explored", "max_attempts": SCHEDULES, "seed": 1},
}
THREAD_SETTINGS: dict[str, Settings] = {
    "dpor": {"strategy": "dpor"},
    "random": {"strategy": "random", "max_attempts": SCHEDULES, "seed": 1},
}


class OtherShape(Exception):
    """The program isn't a ``gather`` with an assertion behind it."""


class Cut:
    """A program's main, stopped at its ``gather``."""

    def __init__(self, program: ModuleType) -> None:
        self._program = program
        self._main: Coroutine[Any, Any, Any] = program.main()
        self._invariant = getattr(program, "invariant", None)
        self.work: list[Any] = []
        self.results: list[Any] = []
        self._keeps_errors = False
        self._error: Exception | None = None
        gather, to_thread = asyncio.gather, asyncio.to_thread
        asyncio.gather, asyncio.to_thread = self._gather, _call  # type: ignore[assignment]
        try:
            self._main.send(None)
        except Exception as problem:
            raise OtherShape(str(problem)) from None
        finally:
            asyncio.gather, asyncio.to_thread = gather, to_thread
        if not self.work:
            self._main.close()
            raise OtherShape("it awaits something else first")
        self.results = [None] * len(self.work)

    def _gather(self, *work: Any, return_exceptions: bool = False) -> Any:
        if not all(isinstance(one, _Call) or inspect.iscoroutine(one) for one in work):
            raise OtherShape("it gathers tasks that run already")
        self.work, self._keeps_errors = list(work), return_exceptions
        return _Parked()

    @property
    def has_threads(self) -> bool:
        return all(isinstance(one, _Call) for one in self.work)

    async def run(self, number: int) -> None:
        """Be worker *number*."""
        work = self.work[number]
        try:
            self.results[number] = await (asyncio.to_thread(work.run) if isinstance(work, _Call) else work)
        except Exception as error:
            self.results[number] = error
            if not self._keeps_errors:
                self._error = self._error or error  # main's to handle, as gather would raise it there

    def call(self, number: int) -> None:
        """Be worker *number* on a thread."""
        self.results[number] = self.work[number].run()

    def holds(self) -> bool:
        """Run the rest of main, in which a call is answered at once: its workers are done."""
        outside = getattr(self._program, "outside", None)
        if outside is not None:
            self._program.outside = _at_once  # type: ignore[attr-defined]
        try:
            if self._error is not None:
                self._main.throw(self._error)
            else:
                self._main.send(self.results)
        except StopIteration:
            return self._invariant is None or bool(self._invariant())
        except Exception:
            return False
        finally:
            if outside is not None:
                self._program.outside = outside  # type: ignore[attr-defined]
        raise OtherShape("it goes on waiting after its gather")


class _Parked:
    """An await that hands back what is sent into it."""

    def __await__(self) -> Iterator[Any]:
        return (yield self)  # type: ignore[return-value]


class _Call:
    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.run = lambda: function(*args)


def _call(function: Callable[..., Any], *args: Any) -> _Call:
    return _Call(function, args)


async def _at_once(value: Any = None) -> Any:
    return value


async def _second(value: Any = None) -> Any:
    await asyncio.sleep(1)
    return value


def tries(name: str, program: ModuleType) -> Iterator[Tried]:
    """Search *program* with every setting."""
    try:
        shape: Cut | None = Cut(program)
    except OtherShape:
        shape = None
    if shape is not None and shape.has_threads:
        for setting, options in THREAD_SETTINGS.items():
            yield _threads(setting, options, program, len(shape.work))
        return
    stand_ins: dict[str, Outside] = {"hops": hop, "seconds": _second} if hasattr(program, "outside") else {"": hop}
    for stand_in, outside in stand_ins.items():
        if stand_in:
            program.outside = outside  # type: ignore[attr-defined]
        for setting, options in ASYNC_SETTINGS.items():
            yield _tasks(f"{setting} {stand_in}".strip(), options, program, len(shape.work) if shape else 0)


def _threads(setting: str, options: Settings, program: ModuleType, count: int) -> Tried:
    import frontrun

    def worker(number: int) -> Callable[[Cut], None]:
        return lambda cut: cut.call(number)

    return _judged(
        setting,
        lambda: frontrun.explore(
            setup=lambda: Cut(program),
            workers=[worker(number) for number in range(count)],
            invariant=lambda cut: cut.holds(),
            reproduce_on_failure=0,
            total_timeout=SECONDS,
            timeout_per_run=HUNG,
            deadlock_timeout=HUNG,
            **options,
        ),
    )


def _tasks(setting: str, options: Settings, program: ModuleType, count: int) -> Tried:
    import frontrun

    def worker(number: int) -> Callable[[Any], Coroutine[Any, Any, None]]:
        async def run(cut: Cut) -> None:
            await cut.run(number)

        return run

    async def alone(_: None) -> None:
        await program.main()

    workers: list[Any] = [worker(number) for number in range(count)] or [alone]
    extra: Settings = {"reproduce_on_failure": 0} if options["strategy"] == "dpor" else {}

    async def search() -> Any:
        return await frontrun.explore(
            setup=(lambda: Cut(program)) if count else (lambda: None),
            workers=workers,
            invariant=(lambda cut: cut.holds()) if count else (lambda _: True),
            total_timeout=SECONDS,
            timeout_per_run=HUNG,
            deadlock_timeout=HUNG,
            **options,
            **extra,
        )

    return _judged(setting if count else f"{setting}, one worker", lambda: asyncio.run(search()))


def _judged(setting: str, search: Callable[[], Any]) -> Tried:
    began = time.monotonic()
    try:
        found = search()
    except Exception as problem:
        return Tried(setting, "doesn't run", 0, time.monotonic() - began, f"{type(problem).__name__}: {problem}"[:200])
    seconds, count = time.monotonic() - began, found.num_explored
    words = (found.explanation or found.inconclusive_reason or "").strip().split("\n")[0][:200]
    if found.property_holds is False:
        # A task whose own time-out cancels it counts as crashed, in any program.
        own = "WorkerCancelledError" in words
        return Tried(setting, "something else" if own else "found", count, seconds, words)
    if found.property_holds is None:
        hung = "timed out" in words
        return Tried(setting, "a run hung" if hung else "nothing found", count, seconds, f"inconclusive: {words}")
    sampled = setting.startswith("random")
    return Tried(setting, "nothing found" if sampled else "claims there is none", count, seconds, "holds")
