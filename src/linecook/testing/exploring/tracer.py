"""Notes what a schedule does, step by step: run again only for a report or a token, since noting costs much more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .arrivals import Arrival
from .tasks import ExploredTask

if TYPE_CHECKING:
    from .loop import ExploredLoop, Handle, TimerHandle


class Tracer:
    """Notes names and steps."""

    loop: ExploredLoop

    def task_made(self, task: Any) -> None: ...
    def handle_made(self, handle: Handle) -> None: ...
    def timer_made(self, handle: TimerHandle) -> None: ...
    def arrival_made(self, arrival: Arrival) -> None: ...
    def happens(self, option: Any) -> None: ...
    def before(self, handle: Handle) -> None: ...
    def after(self, handle: Handle) -> None: ...
    def stopped(self, loop: ExploredLoop) -> None: ...
