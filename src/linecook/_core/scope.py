"""A block that owns what it starts: nothing begun inside it is alive after it, but what it lists as abandoned.

It takes the place of ``asyncio.create_task`` and ``TaskGroup``; differences to the latter: handles with typed outcomes,
the first failure is raised itself rather than in a group, and a child that swallows its cancellation can't hang it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

from .callframe import CallFrame, call_from, shown
from .context import Frame, GroupFrame, Mark, get_frame, mark_here, set_deadline
from .deadline import DeadlineScope, check_seconds
from .endings import reason_of
from .errors import UsageError
from .leftover import Marked
from .outcome import Cancelled, Failed, Ok, Outcome, TimedOut
from .running import Running
from .supervise import MAX_RECANCELS, held_back, see_end, supervisor_of

T = TypeVar("T")


class Handle(Generic[T]):
    """A call under way in the background: await it, cancel it, or look at its outcome. Made by ``start``."""

    __slots__ = ("_owner", "_running", "_waiters")

    def __init__(self, running: Running[T], owner: Callable[[Handle[T]], None] | None) -> None:
        self._running = running
        self._waiters: list[asyncio.Future[None]] = []
        self._owner = owner

    @property
    def call(self) -> CallFrame:
        """The call: function, arguments, path, times."""
        return self._running.call

    @property
    def outcome(self) -> Outcome[T] | None:
        """How it ended; None while it runs."""
        return self._running.outcome

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._running.outcome is not None

    def cancel(self, reason: str = "caller") -> None:
        """Ask the call to end; returns at once. ``await handle.wait()`` sees it end."""
        self._running.cancel(reason)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it to end, just now."""
        return any(not waiter.done() for waiter in self._waiters)

    async def wait(self) -> Outcome[T]:
        """Wait until the call has ended, and return its outcome; never raises what the call raised.

        Cancelling the waiting task ends the wait and leaves the call alone.
        """
        while (outcome := self._running.outcome) is None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return outcome

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the call and return its value.

        Raises:
          the call's own error; ``TimedOutError``; ``CallCancelled`` when somebody cancelled the call.
        """
        outcome = yield from self.wait().__await__()
        if isinstance(outcome, Ok):
            return outcome.value
        raise outcome.error

    def __repr__(self) -> str:
        return f"<Handle of {self.call!r}: {self.outcome or 'running'}>"

    def _ended(self, _running: Running[T]) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner(self)  # before the waiters go: it may ask whether there are any
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def start_handle(
    coroutine: Coroutine[Any, Any, T],
    parent: Frame | None,
    owner: Callable[[Handle[T]], None],
    mark: Mark | None = None,
) -> Handle[T]:
    """Start *coroutine* in a task and context of its own, as a child of *parent*.

    One that has no parent outlives whoever starts it, and so isn't bound to his deadline either. *mark* is that of the
    scope that owns it; None where no scope does.
    """
    loop = asyncio.get_running_loop()
    call = call_from(coroutine)
    context = copy_context()
    if parent is None:
        context.run(set_deadline, None)
    if mark_here.get() is not mark:  # it was started from elsewhere, and belongs to who owns it
        context.run(mark_here.set, mark)
    body = call.open(parent, context)
    handle: Handle[T]
    running: Running[T] = Running(call, lambda ended: handle._ended(ended))  # noqa: PLW0108 - it is made in the next line
    handle = Handle(running, owner)
    running.start(body, loop, context)
    return handle


class ScopeFrame(GroupFrame):
    """The place of a scope in the tree of calls."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return "scope"

    def tell_path(self) -> str:
        """Return the path."""
        return self.path


class Scope:
    """A block that owns what it starts; made by ``scope()``.

    Attributes:
      handles: those still running, in the order of starting.
      abandoned: calls that would not end when the block did; filled on leaving it.
    """

    def __init__(self, *, timeout: float | None, grace: float, on_failure: Literal["cancel", "keep"]) -> None:
        self._grace = grace
        self._keep = on_failure == "keep"
        self._deadline = DeadlineScope(timeout, "scope", True)
        self._bounded = timeout is not None
        self._frame = ScopeFrame()
        self._marked = Marked()
        self._task: asyncio.Task[Any] | None = None
        self._open = False
        self._all_ended: asyncio.Future[None] | None = None
        self._failures: list[BaseException] = []
        self._woke_host = False
        self._ending: str | None = None  # why what still runs is asked to end, once the block is being left
        self.handles: dict[Handle[Any], None] = {}
        self.abandoned: list[CallFrame] = []

    async def __aenter__(self) -> Scope:
        if self._task is not None:
            raise UsageError("a scope is entered once; make a new one with scope()")
        self._task = asyncio.current_task()
        parent = get_frame()
        if parent is not None:
            self._frame.stand_under(parent)
        self._open = True
        self._marked.enter(self._frame.tell_path)
        self._deadline.__enter__()
        return self

    def start(self, call: Coroutine[Any, Any, T]) -> Handle[T]:
        """Start *call* now, in a task and context of its own; where the scope is being ended, it is cancelled at once.

        Args:
          call: a call of a tool or agent, or a plain coroutine.

        Raises:
          UsageError: the scope has ended, or *call* isn't one.
          AlreadyRun: *call* was awaited or started before.
        """
        if not self._open:
            _discard(call)
            raise UsageError(f"{call!r} can't be started: the scope has ended, or was not entered with 'async with'")
        handle = start_handle(call, self._frame, self._child_ended, self._marked.mark)
        if not handle.done:
            self.handles[handle] = None
            if self._ending is not None:  # by a call that starts another one in its clean-up
                handle.cancel(self._ending)
        return handle

    def cancel(self, reason: str = "caller") -> None:
        """Ask everything the scope has started to end; the block itself goes on."""
        for handle in list(self.handles):
            handle.cancel(reason)

    def _child_ended(self, handle: Handle[Any]) -> None:
        self.handles.pop(handle, None)
        outcome = handle.outcome
        if isinstance(outcome, (Failed, TimedOut)):
            self._failures.append(outcome.error)
            if not self._keep:
                self._fail_fast()
        if not self.handles and self._all_ended is not None and not self._all_ended.done():
            self._all_ended.set_result(None)

    def _fail_fast(self) -> None:
        self._ask("sibling")
        if self._open and not self._woke_host and self._task is not None:
            self._woke_host = True
            self._task.cancel("sibling: a call of this scope failed")

    def _ask(self, reason: str) -> None:
        """Ask those to end that were not asked before: who cleans up is not disturbed by a second request."""
        for handle in list(self.handles):
            if handle._running.reason is None:  # pyright: ignore[reportPrivateUsage]
                handle.cancel(reason)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:  # not bool, by which type checkers would take every name bound in the block for perhaps unbound
        raised = error
        error = await self._finish(error)
        self._open = False
        self._marked.leave()
        asked_by_us = self._settle_host_cancel()
        try:
            swallowed = self._deadline.__exit__(type(error) if error else None, error, traceback)
        finally:
            if self._bounded and self._deadline.cancelled_caught:
                self._failures.clear()
        if self._raise(error, asked_by_us) or swallowed:
            return True
        if error is not None and error is not raised:
            raise error  # a cancellation that came while the block waited for its calls
        return False

    async def _finish(self, error: BaseException | None) -> BaseException | None:
        """See every child end; return the exception that is to leave the block, if any."""
        try:
            if error is None:
                await self._wait_all()
        except asyncio.CancelledError as cancelled:
            error = cancelled.with_traceback(None)  # it was raised here, and this frame will hold it: a circle
        if self.handles:
            self._ending = reason_of(error) if isinstance(error, asyncio.CancelledError) else "sibling"
            self._ask(self._ending)
            before = self._requests_of_others()
            await self._see_them_end()
            others = self._requests_of_others() > before
            if others and (self._woke_host or not isinstance(error, asyncio.CancelledError)):
                return held_back()  # it came meanwhile, and goes before the block's own error
        return error

    def _requests_of_others(self) -> int:
        """Return how many cancellations of the block's task are open that neither the deadline nor a child caused."""
        if self._task is None:
            return 0
        deadline = self._deadline
        ours = deadline._before + deadline.cancel_called + self._woke_host  # pyright: ignore[reportPrivateUsage]
        return self._task.cancelling() - ours

    async def _wait_all(self) -> None:
        while self.handles:
            self._all_ended = asyncio.get_running_loop().create_future()
            await self._all_ended

    async def _see_them_end(self) -> None:
        asked = MAX_RECANCELS
        for asked in range(1, MAX_RECANCELS + 1):
            running = {handle._running.task: handle for handle in self.handles}  # pyright: ignore[reportPrivateUsage]
            left = await see_end([task for task in running if task is not None], self._grace)
            if not self.handles:
                return
            if asked == MAX_RECANCELS or self._requests_of_others() > 2:
                break
            for task in left:
                task.cancel("scope")
        self._abandon(asked)

    def _abandon(self, asked: int) -> None:
        supervisor = supervisor_of(asyncio.get_running_loop())
        for handle in list(self.handles):
            running = handle._running  # pyright: ignore[reportPrivateUsage]
            assert running.task is not None
            self.abandoned.append(handle.call)
            supervisor.adopt(running.task, repr(handle.call), "scope", self._grace, asked)
            running.end_as(Cancelled(running.reason or "caller", handle.call, work="abandoned"))

    def _settle_host_cancel(self) -> bool:
        """Take back the cancellation with which a failing child woke the block; True when no other is open."""
        if not self._woke_host or self._task is None:
            return False
        return self._task.uncancel() <= self._deadline._before + self._deadline.cancel_called  # pyright: ignore[reportPrivateUsage]

    def _raise(self, error: BaseException | None, asked_by_us: bool) -> bool:
        ours = isinstance(error, asyncio.CancelledError) and asked_by_us
        if error is not None and not ours:
            for failure in self._failures:
                if failure is not error:
                    error.add_note(f"another call of this scope failed as well: {shown(failure)}")
            return False
        if not self._failures:
            return ours
        first, *others = self._failures
        for other in others:
            first.add_note(f"another call of this scope failed as well: {other!r}")
        try:
            raise first
        finally:
            del first, others, error
            self._failures = []


def _discard(call: Any) -> None:
    close = getattr(call, "close", None)
    if close is not None:
        close()


def scope(
    *, timeout: float | None = None, grace: float = 0.5, on_failure: Literal["cancel", "keep"] = "cancel"
) -> Scope:
    """Open a block that owns what it starts.

    As in ``async with scope() as s: handle = s.start(call)``.

    Leaving the block waits for everything it has started. When the block itself raises, or is cancelled, the calls
    are cancelled first and seen to their end.

    Args:
      timeout: seconds for the whole block, its calls included; ``None`` for no limit, ``0`` for what never waits.
      grace: seconds between two requests to end, of which a call gets three. One that still runs then passes to the
        loop's supervisor, is listed in ``Scope.abandoned``, and is reported with the line where it sits.
      on_failure: ``"cancel"``: the first failure of a call cancels the block and the other calls, and is raised when
        the block ends, the others noted on it. ``"keep"``: the others go on; the first failure is raised at the end.

    Raises:
      TimedOutError: on leaving the block, when ``timeout`` ended it.
      ValueError: a number of seconds is negative or NaN.

    The idea is the nursery of trio, on plain asyncio tasks.
    """
    check_seconds(timeout, "scope's timeout")
    check_seconds(grace, "scope's grace")
    if on_failure not in ("cancel", "keep"):
        raise ValueError(f"on_failure must be 'cancel' or 'keep', not {on_failure!r}")
    return Scope(timeout=timeout, grace=grace, on_failure=on_failure)
