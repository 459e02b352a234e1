"""Ending tasks: ask once, wait a grace, ask again, and in the end say so: never a hang, never a spin.

Asyncio cancels once and hopes; anyio asks on every turn of the loop and spins when somebody cleans up politely. Here a
task is asked ``MAX_RECANCELS`` times, one grace apart. One that still runs then is listed as resisting and reported
with the line where it sits; the loop's supervisor keeps it until it ends by itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Iterable
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from .handlers import line_that_catches
from .perloop import one_per_loop
from .timers import timers_of

MAX_RECANCELS = 3
_MAX_INTERRUPTIONS = 3

_held_back: WeakKeyDictionary[asyncio.Task[Any], Any] = WeakKeyDictionary()

_log = logging.getLogger("linecook")
_NOT_THEIRS = (os.path.dirname(asyncio.__file__), os.path.dirname(os.path.dirname(__file__)))


class PatientFuture(asyncio.Future[None]):
    """What a task awaits while it sees others end: cancelling it is noted, and only the third request wakes it.

    A task that awaits this future stays asleep when somebody cancels it: the clean-up it does is bounded anyway.
    An anyio scope cancels on every turn of the loop (23,662 times in 0.2 s, measured); after the third request the
    wait ends at once, so that such a scope is left quickly and what still runs is handed to the supervisor.
    """

    interruptions = 0
    waiter: asyncio.Task[Any] | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        """Note the request; wake the waiting task when it is the third."""
        if self.done():
            return False
        self.interruptions += 1
        if self.waiter is not None:
            _held_back[self.waiter] = msg
        if self.interruptions >= _MAX_INTERRUPTIONS:
            self.set_result(None)
        return True


async def see_end(tasks: Iterable[asyncio.Task[Any]], grace: float) -> set[asyncio.Task[Any]]:
    """Wait until *tasks* have ended, at most *grace* seconds; return those that have not.

    Cancelling the task that waits here does not end the wait (three times does): the request stays counted on it, and
    whoever called must raise on. Nobody is cancelled here.
    """
    left = {task for task in tasks if not task.done()}
    if not left:
        return left
    loop = asyncio.get_running_loop()
    patience = PatientFuture(loop=loop)
    patience.waiter = asyncio.current_task()

    def one_ended(task: asyncio.Task[Any]) -> None:
        left.discard(task)
        if not left and not patience.done():
            patience.set_result(None)

    for task in list(left):
        task.add_done_callback(one_ended)
    timer = timers_of(loop).at(loop.time() + grace, _wake, patience)
    try:
        await patience
    finally:
        timer.cancel()
        for task in list(left):
            task.remove_done_callback(one_ended)
    return left


def _wake(future: PatientFuture) -> None:
    if not future.done():
        future.set_result(None)


def cancel_requests() -> int:
    """Return how many cancellations of the current task are open, for ``raise_if_cancelled_since``."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def raise_if_cancelled_since(before: int) -> None:
    """Raise the cancellation that ``see_end`` held back from the current task.

    Args:
      before: what ``cancel_requests`` told before the wait.

    Raises:
      CancelledError: somebody asked the task to end meanwhile.
    """
    if cancel_requests() > before:
        raise held_back()


def held_back() -> asyncio.CancelledError:
    """Return the latest cancellation that ``see_end`` held back from the current task, in the words of who asked.

    An anyio scope knows its own by them, and swallows no other.
    """
    task = asyncio.current_task()
    message = None if task is None else _held_back.pop(task, None)
    return asyncio.CancelledError() if message is None else asyncio.CancelledError(message)


class Supervisor:
    """Keeps the tasks of one loop that would not end in time, and goes on asking them, boundedly."""

    def __init__(self) -> None:
        self.resisting: dict[asyncio.Task[Any], str] = {}
        self._asked: dict[asyncio.Task[Any], asyncio.Task[None]] = {}

    def adopt(self, task: asyncio.Task[Any], label: str, reason: str, grace: float, asked: int = 1) -> None:
        """Take over *task*, which was asked to end *asked* times already."""
        if task.done() or task in self._asked:
            return
        asking = task.get_loop().create_task(self._see_to(task, label, reason, grace, asked))
        self._asked[task] = asking
        asking.add_done_callback(lambda _: self._asked.pop(task, None))

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks that were asked to end and have not."""
        return [*self._asked, *(task for task in self.resisting if task not in self._asked)]

    async def _see_to(self, task: asyncio.Task[Any], label: str, reason: str, grace: float, asked: int) -> None:
        while asked < MAX_RECANCELS:
            if not await see_end([task], grace):
                return
            task.cancel(reason)
            asked += 1
        if await see_end([task], grace):
            self.give_up(task, label, asked)

    def give_up(self, task: asyncio.Task[Any], label: str, asked: int) -> None:
        """List *task* as resisting, report where it sits, and note when it ends after all."""
        if task.done() or task in self.resisting:
            return
        self.resisting[task] = label
        task.add_done_callback(lambda ended: self.resisting.pop(ended, None))
        _log.warning(
            "%s was asked %s to end and runs on: it swallowed the cancellation at %s. "
            "Re-raise asyncio.CancelledError there.",
            label,
            "once" if asked == 1 else f"{asked} times",
            _swallowed_at(task),
        )


def _swallowed_at(task: asyncio.Task[Any]) -> str:
    """Return the ``except`` that takes cancellations around where *task* stands, and where that is."""
    for frame in reversed(_users_frames(task)):
        line = line_that_catches(frame.f_code, frame.f_lasti)
        if line:
            return f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}, and stands at {where(task)}"
    return where(task)


def where(task: asyncio.Task[Any]) -> str:
    """Return ``file:line in function`` for the innermost frame of the user's code in which *task* waits."""
    frames = _users_frames(task)
    if not frames:
        return "an unknown place"
    code = frames[-1].f_code
    return f"{code.co_filename}:{frames[-1].f_lineno} in {code.co_name}"


def _users_frames(task: asyncio.Task[Any]) -> list[FrameType]:
    return [frame for frame in _waiting_frames(task) if not frame.f_code.co_filename.startswith(_NOT_THEIRS)]


def _waiting_frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """The frames of a suspended task, outermost first. ``get_stack`` shows no more than the outermost."""
    frames: list[FrameType] = []
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        frames += [frame] if frame is not None else []
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
        if type(waiting).__name__ == "coroutine_wrapper":  # what a call's __await__ hands out hides its coroutine
            waiting = next(iter(gc.get_referents(waiting)), None)
    return frames


async def end_all_tasks(patience: float) -> None:
    """End every other task of the loop before the loop is closed: as ``asyncio.run`` does, but boundedly.

    One that was asked in vain before is waited for no more, any other is asked once and has *patience* seconds. Those
    that still run then are reported, and taken off asyncio's list, at whose end ``asyncio.run`` waits for ever.
    """
    loop = asyncio.get_running_loop()
    supervisor = supervisor_of(loop)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left - supervisor.resisting.keys():
        task.cancel("shutdown")
    await see_end(left - supervisor.resisting.keys(), patience)
    for task in left:
        if not task.done():
            supervisor.give_up(task, f"the task {task.get_name()}", 1)
            asyncio._unregister_task(task)  # pyright: ignore[reportPrivateUsage] - documented for makers of loops
            setattr(task, "_log_destroy_pending", False)  # noqa: B010 - unknown to checkers; it has been reported


def supervisor_of(loop: asyncio.AbstractEventLoop) -> Supervisor:
    """Return the supervisor of *loop*, made on first use."""
    return one_per_loop(loop, Supervisor)
