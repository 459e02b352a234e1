"""A message that somebody waits on: the ticket that one answer fits, and no other."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from .._core.callframe import shorten, shown
from .._core.context import get_deadline
from .._core.errors import NoReply, TimedOutError, UsageError
from .._core.timers import Line
from .circle import circle_of
from .message import ANSWERED, DEFERRED, LEFT, QUEUED, TAKEN, WAITING, M_co, Message, R_contra

if TYPE_CHECKING:
    from .mailbox import Mailbox


class Question(Message[M_co, R_contra]):
    """What ``ask`` sends: the message, the deadline of the asker, and what his task waits on, in one object.

    Each question has its own, so a late reply finds a ticket that nobody holds any more. The idea is the alias of
    Erlang's ``gen_server:call``. To be a moment of a ``Line`` it has ``at``, ``waiting`` and ``fire``.

    Attributes:
      at: when the asker's own ``timeout`` is over, in the time of the loop.
      waiting: whether that moment is still wanted.
    """

    is_question = True
    __slots__ = ("_error", "_line", "_value", "at", "waiting")

    _error: BaseException | None
    _line: Line
    _value: Any
    at: float

    def __init__(self, body: M_co, mailbox: Mailbox) -> None:
        # Every slot by hand, and only those that are read before they are written (benchmarks: ask_reply).
        self.body = body
        self._mailbox = mailbox
        self._loop = mailbox.courier.loop
        self._error = None
        self._next = self._wakeup = None
        self._deadline = get_deadline()
        self._state = QUEUED
        self.deliveries = 0
        self.waiting = False

    def expire_in(self, timeout: float) -> None:
        """Give up *timeout* seconds, ≥ 0, from now."""
        timers = self._mailbox.courier.timers
        self._line = line = timers.lines.get(timeout) or timers.line(timeout)
        self.at = at = line.now() + timeout
        self.waiting = True
        moments = line.moments  # its append(), without a call (ask_reply)
        moments.append(self)
        if not line.waiting or len(moments) > line.most:
            line.see_to(self)
        nearest = self._deadline
        if nearest is None or nearest.at > at:
            self._deadline = self

    @property
    def clock(self) -> asyncio.AbstractEventLoop:
        """Whose time ``at`` is in."""
        return self._loop

    # -- the asker's side ----------------------------------------------------------------------------------------

    @types.coroutine
    def answered(self) -> Generator[Any, None, Any]:
        """Wait for the answer, and return it."""
        # No __await__, by way of which the interpreter would leave its loop and enter it again (ask_reply).
        if self._state < ANSWERED:
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException:
                self.leave()
                raise
        self._deadline = None
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error, self  # the traceback would hold what holds it
        return self._value

    def is_woken(self) -> bool:
        return self._state >= ANSWERED

    def fire(self) -> None:
        """The asker's time-out has passed."""
        self._end(self._too_late())

    def leave(self) -> None:
        """The asker waits no more; what the agent has not taken, it won't see."""
        self._end(None)

    def _end(self, error: BaseException | None) -> None:
        """Go from whatever state to LEFT; wake the asker when he is to get *error*."""
        state = self._state
        if state >= ANSWERED:
            return
        self._state = LEFT
        self._deadline = None  # which may be this very object
        if self.waiting:
            self.waiting = False
            self._line.prune()
        if state != TAKEN:
            self._withdraw(state)
        if error is not None:
            self._error = error
            self._mailbox.courier.wake(self)

    def _withdraw(self, state: int) -> None:
        """It is over, and the agent didn't have it at hand: let go of it where it is kept in *state*."""
        if state == DEFERRED:
            self._mailbox.rare.deferred.pop(self, None)
        else:
            self._mailbox.forget(state)

    def lose(self, error: BaseException) -> None:
        self._end(error)

    def _too_late(self) -> TimedOutError:
        box, timeout = self._mailbox, self._line.seconds
        if self._state in (WAITING, QUEUED):
            where = f"it still waited in the mailbox, where there were {box.waiting:,} messages"
        else:
            where = "the agent had taken it; a reply that comes now is dropped"
        others = circle_of(box, asyncio.current_task(self._loop), self)
        circle = f" They ask each other: {' > '.join(others)}." if others else ""
        return TimedOutError(
            f"{self._asked} was not answered within timeout={timeout:g} s: {where}.{circle}",
            call=box.call, work="not started" if self._state in (WAITING, QUEUED) else "abandoned",
            after=timeout, whose=f"timeout of {box.name}.ask",
        )  # fmt: skip

    @property
    def _cure(self) -> str:
        if isinstance(self.body, type):
            return f"That is a class: ask with a question, {self.body.__name__}(...)."
        return "Call message.reply(...) in every branch, or message.defer() when the answer comes later."

    @property
    def _asked(self) -> str:
        return self._mailbox.in_words(self.body)

    # -- the agent's side ----------------------------------------------------------------------------------------

    def reply(self, value: R_contra) -> bool:
        state = self._state
        if state >= ANSWERED:
            return self._is_late("reply")
        self._value = value
        self._state = ANSWERED
        if state != TAKEN:
            self._withdraw(state)
        if self.waiting:
            self.waiting = False
            moments = self._line.moments  # its prune(), without a call (ask_reply)
            while moments and not moments[0].waiting:
                moments.popleft()
        courier = self._mailbox.courier
        courier.ready.append(self)
        if not courier.woken:
            courier.rouse()
        return True

    def fail(self, error: Exception) -> bool:
        if not isinstance(error, Exception) or isinstance(error, StopIteration):  # pyright: ignore[reportUnnecessaryIsInstance]  # no coroutine can raise it
            raise UsageError(f"message.fail takes the error that the asker is to get, not {shown(error)}")
        if self._state >= ANSWERED:
            return self._is_late("fail")
        self.lose(error)
        self._state = ANSWERED
        return True

    def _is_late(self, what: str) -> bool:
        if self._state == ANSWERED:
            raise UsageError(f"{what}: {self!r} was answered before; a question has one answer (pieces go by send)")
        self._mailbox.rare.late += 1
        return False

    def defer(self) -> None:
        if self._state == TAKEN:
            self._state = DEFERRED
            self._mailbox.rare.deferred[self] = None

    async def send(self, piece: R_contra) -> bool:
        if self._state < ANSWERED:
            self.lose(UsageError(f"{self._asked} is answered in pieces: read them by stream(...)"))
        return False

    @property
    def is_wanted(self) -> bool:
        return self._state < ANSWERED

    def pass_over(self) -> None:
        if self._state == TAKEN:
            box = self._mailbox
            self.lose(
                NoReply(
                    f"{box.name} took {shorten(self.body)} and went on without an answer. {self._cure}",
                    call=box.call,
                )
            )
