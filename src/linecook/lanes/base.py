"""What lanes share: the job that travels through one, and how its answer gets back to the loop that waits.

A lane takes a job (``submit``), says what cancelling means (``cancel``) and shows what it holds (``statistics``).
Time-outs are not a lane's business: whoever waits for a job decides when to give it up, and then calls ``cancel``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, Protocol

from .._core.context import Frame, Priority
from .._core.errors import Work
from .._core.meter import Meter
from .._core.timers import Moment

NEW, QUEUED, RUNNING, DONE, DROPPED, ABANDONED, KILLED = range(7)
"""States of a job. NEW → QUEUED → RUNNING → DONE; or DROPPED (never began), ABANDONED (a thread runs on), KILLED."""


class Job(Moment):
    """One body on its way through a lane: made by the tool, filled in by the lane, read by whoever waits.

    It can also be the moment at which it is given up (see tools/direct.py): one object less for each call.

    ``future`` belongs to the loop that submitted; lanes answer it only on that loop's thread. ``queued_at``,
    ``started_at`` and ``ended_at`` are ``time.monotonic()`` seconds, 0.0 until they happen; ``started_at`` may be
    written by another thread (or read out of another process) while the job is under way.
    """

    __slots__ = (
        "args",
        "body",
        "context",
        "deadline_left",
        "ended_at",
        "error",
        "frame",
        "future",
        "kwargs",
        "label",
        "meter",
        "port",
        "priority",
        "queued_at",
        "started_at",
        "state",
        "value",
        "waiting",
        "worker",
    )

    def __init__(
        self,
        body: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        meter: Meter,
        future: asyncio.Future[Any],
        label: str = "",
        frame: Frame | None = None,
        context: Context | None = None,
        priority: Priority = "normal",
        deadline_left: float | None = None,
    ) -> None:
        self.body = body
        self.args = args
        self.kwargs = kwargs
        self.meter = meter
        self.future = future
        self.label = label
        self.frame = frame
        self.context = context
        self.priority: Priority = priority
        self.deadline_left = deadline_left
        self.waiting = False
        self.state = NEW
        self.value: Any = None
        self.error: BaseException | None = None
        self.queued_at = 0.0
        self.started_at = 0.0
        self.ended_at = 0.0
        self.port: Any = None
        self.worker: Any = None


class AwaitedJob(Job):
    """A job that one task awaits without a future between them: ``yield job``, as a future does, and look what came.

    A future's answer passes through two queues and five objects before the task goes on; here ``answer`` runs the
    task's next step on the spot: a good part of the 16,000 instructions, of 66,000, by which a call became cheaper
    (benchmarks: thread_noop). It is to be called by the event loop itself, never inside another task's step. To
    asyncio's tasks this is a future, as far as they look at one.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_loop", "_wakeup", "over")

    _context: Context
    _wakeup: Callable[[asyncio.Future[None]], object] | None

    def __init__(
        self,
        body: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        meter: Meter,
        loop: asyncio.AbstractEventLoop,
        label: str,
        frame: Frame,
        context: Context | None,
        priority: Priority,
    ) -> None:
        # Every slot by hand, and only those that are read before they are written on this way (thread_noop).
        self.body = body
        self.args = args
        self.kwargs = kwargs
        self.meter = meter
        self.label = label
        self.frame = frame
        self.context = context
        self.priority = priority
        self.waiting = False
        self.state = NEW
        self.error = None
        self.queued_at = 0.0
        self.started_at = 0.0
        self.ended_at = 0.0
        self.over = False
        self._wakeup = None
        self._loop = loop
        self._asyncio_future_blocking = True

    @property
    def future(self) -> Any:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """Itself, for lanes that answer a future."""
        return self

    def add_done_callback(self, wakeup: Callable[[Any], object], *, context: Context) -> None:
        """Note what makes the task go on; its own way of saying that it waits."""
        self._wakeup = wakeup
        self._context = context

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def done(self) -> bool:
        """Say whether the task was answered or cancelled."""
        return self.over

    def answer(self, nothing: asyncio.Future[None]) -> None:
        """Make the task go on, now, unless it did before; ``value`` or ``error`` is set.

        Args:
          nothing: a future of the loop that has ended with None: all that a task wants to see when it goes on.
        """
        if not self.over:
            self.over = True
            if self._wakeup is not None:
                self._context.run(self._wakeup, nothing)

    def cancel(self, msg: object = None) -> bool:
        """Have the task raise ``CancelledError`` in the next turn; called by ``Task.cancel``."""
        if self.over:
            return False
        self._wake_soon().cancel(msg)
        return True

    def set_exception(self, error: BaseException) -> None:
        """Have the task go on with *error* in the next turn."""
        self.error = error
        self._wake_soon().set_result(None)

    def set_result(self, value: Any) -> None:
        """Have the task go on with *value* in the next turn."""
        self.value = value
        self._wake_soon().set_result(None)

    def _wake_soon(self) -> asyncio.Future[None]:
        self.over = True
        future: asyncio.Future[None] = self._loop.create_future()
        if self._wakeup is not None:
            future.add_done_callback(self._wakeup, context=self._context)
        return future


class Lane(Protocol):
    """Where bodies run."""

    @property
    def name(self) -> str:
        """The word a tool's ``lane=`` uses."""
        ...

    def submit(self, job: Job) -> None:
        """Take *job*; called on the loop's thread, never blocks.

        Raises:
          Refused: a bound of the lane is reached; the job was not taken.
          NotPortable: the job can't travel to this lane's workers; it was not taken.
        """
        ...

    def cancel(self, job: Job) -> Work:
        """Give *job* up, now; its future is the caller's to answer. Called on the loop's thread, never blocks.

        Returns:
          What becomes of the body: ``"not started"``, ``"stopped"``, ``"abandoned"``, or ``"finished"`` when it had
          ended already.
        """
        ...

    def statistics(self) -> Mapping[str, int]:
        """Return counts and bounds: at least running, waiting and the bounds of this lane."""
        ...

    def close(self) -> None:
        """Send the idle workers home and refuse new jobs. Never waits for a body."""
        ...


SLICE = 64
"""Answers handed out in one turn of the loop: all 1,000 at once make a turn of 10 ms (benchmarks: thread_noop)."""


class Delivery:
    """Brings answers made on other threads to one loop, waking it once for as many as have come together.

    ``deliver`` takes so many jobs from the head of the queue and answers them, on the loop's thread; it is given a
    future that has ended with None, for ``AwaitedJob.answer``.

    One self-pipe write per answer, as ``call_soon_threadsafe`` does it, makes two threads fight over the interpreter
    for every call: with ``to_thread`` that is most of its 25 µs (benchmarks: thread_noop).
    """

    __slots__ = ("_deliver", "_loop", "_nothing", "done", "hushed", "urgent", "woken")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deliver: Callable[[deque[Job], int, asyncio.Future[None]], None]
    ) -> None:
        self._loop = loop
        self._nothing: asyncio.Future[None] = loop.create_future()
        self._nothing.set_result(None)
        self._deliver = deliver
        self.done: deque[Job] = deque()
        self.urgent: deque[Job] = deque()  # interactive ones: not behind thousands of others (interactive_under_load)
        self.woken = False
        self.hushed = False  # a thread was woken in this turn of the loop already

    def put(self, job: Job) -> None:
        """Leave *job* for the loop, from any thread; ``wake`` tells the loop."""
        (self.urgent if job.priority == "interactive" else self.done).append(job)

    def wake(self) -> None:
        """Have the loop collect what is there; from any thread; safe when the loop is closed."""
        if not self.woken and (self.done or self.urgent):
            self.woken = True
            try:
                self._loop.call_soon_threadsafe(self._collect)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self.done.clear()
                self.urgent.clear()
                self.woken = False

    def _collect(self) -> None:
        """Hand out what has come, a slice at a time, so that the loop serves others in between."""
        # Clear the flag before looking: a job that is put after the last look must find the flag down.
        self.woken = False
        done, urgent = self.done, self.urgent
        try:
            if urgent:
                self._deliver(urgent, min(len(urgent), SLICE), self._nothing)
            self._deliver(done, min(len(done), SLICE), self._nothing)
        finally:
            if (done or urgent) and not self.woken:
                self.woken = True
                self._loop.call_soon(self._collect)


def answer(job: Job) -> None:
    """Hand the job's value or error to whoever waits; does nothing when nobody does any more."""
    future = job.future
    if future.done():
        return
    if job.error is not None:
        future.set_exception(job.error)
    else:
        future.set_result(job.value)
