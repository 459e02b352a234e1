"""Which handles are steps of tasks: everything else in the queue is a plain callback."""

from __future__ import annotations

import asyncio
from typing import Any

_STEPS = frozenset({"task_wakeup", "TaskStepMethWrapper", "TaskWakeupMethWrapper", "__step", "__wakeup"})


def task_of(handle: asyncio.Handle) -> asyncio.Task[Any] | None:
    """Return the task whose next step *handle* is; None for a plain callback.

    A step is queued as a ``TaskStepMethWrapper`` or the builtin ``task_wakeup``, both with the task as ``__self__``; so
    is what Python's own ``Task`` queues, by the names of its methods.
    """
    callback: Any = handle._callback  # type: ignore[attr-defined]
    owner: Any = getattr(callback, "__self__", None)
    if not isinstance(owner, asyncio.Task):
        return None
    name = type(callback).__name__
    if name not in _STEPS:
        name = getattr(callback, "__name__", "")
    task: asyncio.Task[Any] = owner
    return task if name in _STEPS else None
