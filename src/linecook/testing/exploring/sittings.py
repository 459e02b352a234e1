"""What an exploration changes in the process while it lasts, and puts back: clocks, threads, chance, the collector."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from .control import Control, Ready
from .switching import Points
from .threads import ControlledThread
from .world import World

_monotonic = time.monotonic  # the real one: the stand-ins are in place while schedules run


class Sitting:
    """Opens and closes the control of everything that a schedule must not meet for real (a context manager)."""

    def __init__(self, world: World, points: Points) -> None:
        self._world = world
        self._began = _monotonic()
        self._control = Control(world, points=points)
        world.control = self._control
        self._was_collecting = gc.isenabled()

    def __enter__(self) -> Self:
        self._control.__enter__()
        gc.disable()  # finalizers would run at moments that no schedule knows; between schedules they may
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._was_collecting:
            gc.enable()
        self._control.__exit__(kind, error, trace)

    def seconds(self) -> float:
        """Return the real seconds since it began."""
        return _monotonic() - self._began

    def had_threads(self) -> bool:
        """Say whether the program had threads."""
        return self._world.had_threads
