"""The agent's end of its mailbox."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .._core.context import Due, set_deadline
from .._core.deadline import DeadlineScope, check_seconds, move_on_after
from .._core.errors import UsageError
from ..tools.policies.limit import check_count
from .courier import Waiter
from .mailbox import Mailbox, Shut
from .message import ANSWERED, TAKEN, Ask, M_co, Message

if TYPE_CHECKING:
    from .mailbox import AnyMessage

R = TypeVar("R")


class _Batch:
    """Messages that were taken at once, and are at hand as one message is."""

    __slots__ = ("messages",)

    _state = TAKEN

    def __init__(self, messages: list[AnyMessage]) -> None:
        self.messages = messages

    def pass_over(self) -> None:
        """The agent takes its next message."""
        for message in self.messages:
            message.pass_over()


class Inbox(Waiter, Generic[M_co]):
    """What an agent takes its messages from, one at a time; the team supplies it as the first argument.

    ``async for message in inbox`` waits for the next, and ends when the agent is being stopped and has handled what
    was sent before. While the body handles one message nothing else of this agent runs, so its own variables need no
    lock. Each start of the agent has an inbox of its own; the messages that wait are handed over to the next.
    """

    __slots__ = ("_current", "_deadline", "_mailbox", "_outer")

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._loop = mailbox.courier.loop
        self._wakeup = None
        self._current: AnyMessage | _Batch | None = None
        self._outer = mailbox.deadline
        self._deadline: Due | None = None

    def __len__(self) -> int:
        """Return how many messages wait to be taken."""
        return self._mailbox.waiting

    def __bool__(self) -> bool:
        return True

    def __aiter__(self) -> Inbox[M_co]:
        return self

    # Of a question alone the answer's type is known; in a mixed inbox any value may be replied.
    @overload
    def __anext__(self: Inbox[Ask[R]]) -> Awaitable[Message[M_co, R]]: ...
    @overload
    def __anext__(self) -> Awaitable[Message[M_co, Any]]: ...
    @types.coroutine
    def __anext__(self) -> Generator[Any, None, Message[M_co, Any]]:
        """Take the next message; as ``async for`` does.

        Raises:
          StopAsyncIteration: the agent is being stopped, and all that was sent before has been handled.
        """
        current = self._current
        if current is not None:
            self._current = None
            if current._state < ANSWERED:
                current.pass_over()
        mailbox = self._mailbox
        message = None if mailbox._head is None else mailbox.pop()
        while message is None:
            if mailbox.closed is not None or self._wakeup is not None:
                raise self._no_more()
            mailbox.reader = self
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException:
                self._wait_no_more()
                raise
            mailbox = self._mailbox  # another one, if this start was given up meanwhile
            message = mailbox.pop()
        message._state = TAKEN
        message.deliveries += 1
        mailbox.taken += 1
        self._current = message
        deadline: Any = message._deadline  # at and clock are all that a current deadline needs
        if deadline is not self._deadline:
            if self._outer is None:
                self._deadline = deadline
                set_deadline(deadline)
            else:
                self._follow(deadline)
        return message

    @overload
    async def receive(self: Inbox[Ask[R]], *, timeout: float | None = None) -> Message[M_co, R]: ...
    @overload
    async def receive(self, *, timeout: float | None = None) -> Message[M_co, Any]: ...
    async def receive(self, *, timeout: float | None = None) -> Message[M_co, Any]:
        """Take the next message; waits for it.

        Args:
          timeout: seconds to wait, ≥ 0; None waits as long as the agent lives.

        Raises:
          TimedOutError: none came in time.
          MailboxClosed: the agent is being stopped, and all that was sent before has been handled. Let it through:
            the agent has ended as it should.
        """
        check_seconds(timeout, "timeout of Inbox.receive")
        message: Message[M_co, Any] | None = None
        try:
            if timeout is None:
                return await self.__anext__()
            with DeadlineScope(timeout, "Inbox.receive", True):
                message = await self.__anext__()
        except StopAsyncIteration:
            raise self._mailbox.ended() from None
        assert message is not None
        self._follow(message._deadline)  # leaving the block has set back the deadline of the message
        return message

    @overload
    async def receive_many(self: Inbox[Ask[R]], most: int = 100, *, within: float = 0.0) -> list[Message[M_co, R]]: ...
    @overload
    async def receive_many(self, most: int = 100, *, within: float = 0.0) -> list[Message[M_co, Any]]: ...
    async def receive_many(self, most: int = 100, *, within: float = 0.0) -> list[Message[M_co, Any]]:
        """Take several messages at once, in the order in which they were sent; waits for the first.

        For work that is cheaper together, such as one request for many texts. Each of the batch is answered by itself,
        before the next are taken.

        Args:
          most: messages, ≥ 1.
          within: seconds, ≥ 0, to wait for more once there is one; 0 takes what is there.

        Returns:
          At least one message.

        Raises:
          MailboxClosed: as ``receive`` does.
        """
        check_count(most, "most of Inbox.receive_many", 1)
        check_seconds(within, "within of Inbox.receive_many")
        first: AnyMessage = await self.receive()
        batch = [first]
        self._current = _Batch(batch)
        self._follow(None)
        if within:
            with move_on_after(within):
                while len(batch) < most and (message := await self._one_more()) is not None:
                    batch.append(message)
        while len(batch) < most and (message := self._mailbox.pop()) is not None:
            batch.append(self._taken(message))
        return batch

    @types.coroutine
    def _one_more(self) -> Generator[Any, None, AnyMessage | None]:
        """Wait for a message, beside those that are being handled; None when the agent is being stopped."""
        mailbox = self._mailbox
        while (message := mailbox.pop()) is None:
            if mailbox.closed is not None:
                return None
            mailbox.reader = self
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException:
                self._wait_no_more()
                raise
            mailbox = self._mailbox
        return self._taken(message)

    def _taken(self, message: AnyMessage) -> AnyMessage:
        message._state = TAKEN
        message.deliveries += 1
        self._mailbox.taken += 1
        return message

    def _no_more(self) -> Exception:
        if self._wakeup is not None:
            return UsageError(
                f"two tasks wait for a message of {self._mailbox.name}: an inbox has one reader at a time"
            )
        self._follow(None)
        return StopAsyncIteration()

    def _wait_no_more(self) -> None:
        if self._mailbox.reader is self:
            self._mailbox.reader = None

    def is_woken(self) -> bool:
        return self._mailbox.reader is not self

    def _follow(self, deadline: Due | None) -> None:
        """Make the deadline of the message at hand what ``remaining`` tells, unless the agent's own is nearer."""
        self._deadline = deadline
        outer = self._outer
        nearest: Any = outer if deadline is None or (outer is not None and outer.at <= deadline.at) else deadline
        set_deadline(nearest)

    def __repr__(self) -> str:
        return f"<Inbox of {self._mailbox.name}, {self._mailbox.waiting} waiting>"

    def follows(self, deadline: Due) -> bool:
        """Say whether *deadline* is that of the message at hand."""
        return self._deadline is deadline

    # -- for the team --------------------------------------------------------------------------------------------

    def at_hand(self) -> list[AnyMessage]:
        """Return the messages that the agent had taken and not answered, deferred ones first."""
        current, self._current = self._current, None
        held = current.messages if isinstance(current, _Batch) else [] if current is None else [current]
        return [*self._mailbox.give_up_deferred(), *(message for message in held if message._state == TAKEN)]

    def revoke(self) -> None:
        """Give no more messages: this start has ended, or was given up, whatever tasks it has left behind."""
        mailbox = self._mailbox
        self._mailbox = Shut(mailbox)
        if mailbox.reader is self:
            mailbox.reader = None
            mailbox.courier.wake(self)
