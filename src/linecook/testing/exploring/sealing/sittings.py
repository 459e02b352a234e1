"""What an exploration changes in the process while it lasts, and puts back: clocks, threads, chance, the collector."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from ....state.hook import observe
from ..loop.tasks import ExploredTask, ordered
from ..telling.accesses import Accesses
from ..threads.control import Control, here
from ..world import World
from .blocking import Watchman
from .chance import Chance
from .per_process import PerProcess
from .refusals import Refusals

_monotonic = time.monotonic  # the real one: the stand-ins are in place while schedules run
_names_of_tasks: dict[str, Any] = asyncio.tasks.__dict__
_log = logging.getLogger("linecook")
_CLOCKED = ("linecook._core.", "linecook.tools.", "linecook.agents.")


class Sitting:
    """Opens and closes the control of everything that a schedule must not meet for real (a context manager).

    The first Ctrl-C is noted, and the second one raises ``KeyboardInterrupt`` wherever the program is: so a schedule
    isn't torn, and one that hangs can be left. Where the process has a handler of its own, that one is left alone.

    Attributes:
      interrupted: whether Ctrl-C was pressed: the search ends after the schedule that runs.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = _monotonic()
        self._control = Control(world, points=world.points)
        world.control = self._control
        world.chance = self._chance = Chance(world.seed, lambda: here() is not None)
        self._refusals = Refusals(world.refuse)
        world.per_process = self._per_process = PerProcess(lambda: world.loop is not None and here() is not None)
        self._watchman = Watchman(world.progress, lambda: world.patience)
        self._clocks: list[tuple[Any, Any]] = []
        self._looking: Callable[[], None] = _nothing
        self._was_collecting = gc.isenabled()
        self._listens = False
        self.interrupted = False

    def __enter__(self) -> Self:
        self._control.__enter__()
        self._chance.take_over()
        self._set_our_clocks()
        _names_of_tasks["set"] = ordered  # found there before the builtin
        self._tasks = asyncio.Task, asyncio.tasks.Task
        asyncio.Task = asyncio.tasks.Task = ExploredTask  # type: ignore[misc, assignment]  # for who makes them without the loop
        self._refusals.put_in_place()
        _log.addFilter(self._is_said)
        self._per_process.take_over()
        if self._world.fakes is not None:
            self._world.fakes.put_in_place()
        self._looking = observe(Accesses(self._world))
        self._watchman.begin()
        self._listen_to_ctrl_c()
        gc.disable()  # finalizers would run at moments that no schedule knows; between schedules they may
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._was_collecting:
            gc.enable()
        if self._listens:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._looking()
        del _names_of_tasks["set"]
        asyncio.Task, asyncio.tasks.Task = self._tasks  # type: ignore[misc]
        self._watchman.end()
        if self._world.fakes is not None:
            self._world.fakes.put_back()
        self._per_process.give_back()
        _log.removeFilter(self._is_said)
        self._refusals.put_back()
        self._chance.give_back()
        while self._clocks:
            module, clock = self._clocks.pop()
            module.monotonic = clock
        self._control.__exit__(kind, error, trace)

    def _listen_to_ctrl_c(self) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._asked)
            self._listens = True

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            signal.default_int_handler(number, frame)
        self.interrupted = True

    def _is_said(self, record: logging.LogRecord) -> bool:
        """Say whether a notice of linecook's is for anybody: not while thousands of schedules run."""
        loop = self._world.loop
        return loop is None or loop.tracer is not None

    def _set_our_clocks(self) -> None:
        """Let linecook's own rooms, which have bound the clock to a name, read virtual time as well."""
        for name, module in list(sys.modules.items()):
            if name.startswith(_CLOCKED) and getattr(module, "monotonic", None) is _monotonic:
                self._clocks.append((module, _monotonic))
                module.monotonic = time.monotonic  # type: ignore[attr-defined]  # the stand-in

    def seconds(self) -> float:
        """Return the real seconds since it began."""
        return _monotonic() - self._began

    def had_threads(self) -> bool:
        """Say whether the program had threads."""
        return self._world.had_threads


def _nothing() -> None:
    return
