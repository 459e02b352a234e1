"""Which line made each task, for who asks later: noted as tasks are made, from ``begin`` to ``end``.

``create_task`` of asyncio's loops, and of uvloop's where it is imported, is exchanged for one that notes who called it;
``gather``, ``TaskGroup`` and scopes go through it as well. Without it a task knows what it runs, and not who wanted it.

What it can't see: tasks made before it began, those made by ``asyncio.Task(...)`` itself, and loops of other makes.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from types import TracebackType
from typing import Any

from ..audit.makers import noting
from ..audit.patches import Patches


class TaskTrace:
    """Notes who makes tasks from ``begin`` (or ``with``) to ``end``; several may be under way at once."""

    def begin(self) -> TaskTrace:
        """Take note from now on."""
        with _lock:
            if self not in _traces:
                _traces.append(self)
            if len(_traces) == 1:
                for kind in _kinds_of_loops():
                    _exchange(kind)
        return self

    def end(self) -> None:
        """Take note no more; what is noted stays on its task. Twice does no harm."""
        with _lock:
            if self in _traces:
                _traces.remove(self)
                if not _traces:
                    _patches.undo()

    def __enter__(self) -> TaskTrace:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()


_lock = threading.Lock()
_traces: list[TaskTrace] = []
_patches = Patches()


def _kinds_of_loops() -> list[Any]:
    uvloop: Any = getattr(sys.modules.get("uvloop"), "Loop", None)
    return [asyncio.BaseEventLoop] if uvloop is None else [asyncio.BaseEventLoop, uvloop]


def _exchange(kind: Any) -> None:
    ours = noting(kind.create_task, has_steps=issubclass(kind, asyncio.BaseEventLoop))
    if "create_task" in vars(kind):
        _patches.set(kind, "create_task", ours)
    else:
        _patches.shadow(kind, "create_task", ours)
