"""What travels to an agent: ``Ask[R]``, from which questions are made, and the ``Message`` in which one arrives."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from .._core.callframe import shorten
from .._core.context import Due
from .courier import Waiter

if TYPE_CHECKING:
    from .mailbox import Mailbox

R_co = TypeVar("R_co", covariant=True)
R_contra = TypeVar("R_contra", contravariant=True)
M_co = TypeVar("M_co", covariant=True)

WAITING, QUEUED, TAKEN, DEFERRED, ANSWERED, LEFT = range(6)
"""States of a message. WAITING for room → QUEUED → TAKEN → ANSWERED, perhaps by way of DEFERRED. LEFT: given up."""


class Ask(Generic[R_co]):
    """A question whose answer is an *R*: ``class Order(Ask[Dish])``, and ``await cook.ask(Order("soup"))`` is a Dish.

    To be inherited by what carries the question, such as a frozen dataclass; it says the type and does nothing. What
    wants no answer needn't inherit it: it is sent with ``tell``.
    """

    __slots__ = ()


class Message(Waiter, Generic[M_co, R_contra]):
    """Something sent to an agent, as it comes out of the inbox.

    What was sent by ``tell`` wants no answer: ``reply`` does nothing then.

    Attributes:
      body: what was sent.
      deliveries: how often it was handed to the agent, this time included; above 1 only after a crash of an agent that
        was started with ``deliveries`` above 1.
    """

    __slots__ = ("_deadline", "_mailbox", "_next", "_state", "body", "deliveries")

    is_question: ClassVar[bool] = False

    body: M_co
    deliveries: int
    _deadline: Due | None
    _next: Message[Any, Any] | None

    def __init__(self, body: M_co, mailbox: Mailbox) -> None:
        self.body = body
        self._mailbox = mailbox
        self._next = self._deadline = None
        self._state = QUEUED
        self.deliveries = 0

    def reply(self, value: R_contra) -> bool:
        """Answer: ``ask`` returns *value*. Never waits.

        Returns:
          Whether somebody waits for it. False: it was sent by ``tell``, or the asker has left, since his deadline
          passed or he was cancelled. The value is dropped then: it can't be taken for the answer to a later question.

        Raises:
          UsageError: it was answered before.
        """
        return False

    def fail(self, error: Exception) -> bool:
        """Answer with an error: ``ask`` raises *error*, and the agent goes on unharmed. Else as ``reply``."""
        return False

    def defer(self) -> None:
        """Say that the answer comes later: the agent may take other messages before it replies to this one.

        A question that the agent goes on from without a reply or this fails with ``NoReply`` for the asker. One that
        was deferred fails with ``AgentFailed`` when the agent crashes or ends first.
        """

    async def send(self, piece: R_contra) -> bool:
        """Send a piece of the answer to the reader of ``stream``; waits while he has 16 that he has not read.

        The stream ends with ``reply``, which sends the last piece, with ``fail``, or when the agent takes the next
        message. Who asked by ``ask`` gets a ``UsageError`` that says so: he waits for one answer.

        Returns:
          Whether somebody reads on. False: he has left, or never was: more pieces are of no use.
        """
        return False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for an answer; False for what was sent by ``tell``."""
        return False

    def remaining(self) -> float | None:
        """Return the seconds until the asker gives up, ≥ 0; None when he waits without a deadline, or nobody waits.

        ``linecook.remaining()`` tells the same, or less, until the agent takes the next message.
        """
        deadline = self._deadline
        return None if deadline is None else max(0.0, deadline.at - deadline.clock.time())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {shorten(self.body)} to {self._mailbox.name}>"

    # -- the sender's side, and the mailbox's --------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for room in the mailbox.

        Raises:
          MailboxClosed: the agent ended first.
        """
        while self._state == WAITING:
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException:
                self.leave()
                raise
        if self._state == LEFT:
            raise self._mailbox.refusal(self.body)

    def is_woken(self) -> bool:
        return self._state != WAITING

    def cancel(self, msg: object = None) -> bool:
        is_told = super().cancel(msg)
        self.leave()  # now, and not when the task hears of it: the agent could take it before (test_house_mailbox)
        return is_told

    def leave(self) -> None:
        """The sender waits for room no more, and the agent won't see it, unless it has just taken it."""
        state = self._state
        if state in (WAITING, QUEUED):
            self._state = LEFT
            self._mailbox.forget(state)

    @property
    def is_over(self) -> bool:
        """Whether nobody has to see to it any more."""
        return self._state >= ANSWERED

    def pass_over(self) -> None:
        """The agent takes its next message, or has ended as it should: this one is done with."""
        self._state = ANSWERED

    def lose(self, error: BaseException) -> None:
        """The agent won't answer: whoever waits gets *error*."""
        waits, self._state = self._state == WAITING, LEFT
        if waits:
            self._mailbox.courier.wake(self)
