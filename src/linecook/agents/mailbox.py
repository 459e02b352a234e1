"""Where messages wait for an agent: first come first served, bounded, and kept over the agent's restarts."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Literal, TypeAlias

from .._core.callframe import CallFrame, shorten
from .._core.context import Due
from .._core.errors import MailboxClosed, Refused
from .courier import Courier, Waiter
from .message import QUEUED, TAKEN, WAITING, Message

Full: TypeAlias = Literal["wait", "refuse", "drop_oldest"]
"""What happens to one message more than a mailbox holds."""

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
"""Which end of an agent is followed by a new start: any, a failure, none."""

_SLACK = 64

AnyMessage: TypeAlias = Message[Any, Any]


class Terms:
    """What was asked for when an agent was started; see ``Team.start``. One for all that were started alike."""

    # No dataclass: it would take 0.7 ms of everybody's import (benchmarks: import_time).
    __slots__ = ("capacity", "deliveries", "restart", "when_full")

    def __init__(self, restart: Restart, capacity: int, when_full: Full, deliveries: int) -> None:
        self.restart: Restart = restart
        self.capacity = capacity
        self.when_full: Full = when_full
        self.deliveries = deliveries


class _Rare:
    """What most mailboxes never need, and 100,000 idle ones would pay for (benchmarks: idle_agents).

    Attributes:
      deferred: questions that the agent will answer later.
      late: how many replies came when the asker had left.
      left_room: how many in ``room`` were given up there.
      room: messages that wait for room; None while none does.
      waiters: who waits for the agent to end.
    """

    __slots__ = ("deferred", "late", "left_room", "room", "waiters")

    def __init__(self) -> None:
        self.deferred: dict[AnyMessage, None] = {}  # in order
        self.late = self.left_room = 0
        self.room: deque[AnyMessage] | None = None
        self.waiters: list[asyncio.Future[None]] = []


class Mailbox:
    """The messages of one agent, in the order in which they were sent; linked, so that an empty one holds no list.

    All on the loop's thread, without awaits: nothing here needs a lock.

    Attributes:
      call: the agent's; of the latest start.
      reader: the inbox in which the agent waits for a message; None while it does something else.
      most: from which number waiting on ``put`` has to look closer: the capacity, or 0 when it is closed, or others
        wait for room.
      waiting: how many messages wait.
      taken: how many the agent took.
      closed: why it takes no messages any more; None while it does.
    """

    __slots__ = (
        "_given_up", "_head", "_rare", "_tail", "call", "closed", "courier", "most", "reader", "taken", "terms",
        "waiting",
    )  # fmt: skip

    def __init__(self, call: CallFrame, courier: Courier, terms: Terms) -> None:
        self.call = call
        self.courier = courier
        self.terms = terms
        self.most = terms.capacity
        self._head: AnyMessage | None = None
        self._tail: AnyMessage | None = None
        self._given_up = 0  # messages in the chain whose askers have left
        self._rare: _Rare | None = None
        self.waiting = self.taken = 0
        self.reader: Waiter | None = None
        self.closed: str | None = None

    @property
    def name(self) -> str:
        """The path of the agent."""
        return self.call.path

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which all of this happens."""
        return self.courier.loop

    @property
    def task(self) -> asyncio.Task[Any] | None:
        """In which the agent runs; None when it doesn't."""
        raise NotImplementedError

    @property
    def rare(self) -> _Rare:
        """What is made when there is the first of it."""
        if self._rare is None:
            self._rare = _Rare()
        return self._rare

    @property
    def waiting_for_room(self) -> int:
        """How many wait outside, for room."""
        rare = self._rare
        return 0 if rare is None or rare.room is None else len(rare.room) - rare.left_room

    @property
    def deadline(self) -> Due | None:
        """What bounds the agent itself, whatever message it handles."""
        return None

    def set_aside(self, body: object, why: str, error: BaseException | None) -> None:
        """Keep *body*, which was not handled, where somebody can look."""
        raise NotImplementedError

    def in_words(self, body: object) -> str:
        """Return what was asked, for errors."""
        return f"{self.name}.ask({shorten(body)})"

    # -- the senders' side ---------------------------------------------------------------------------------------

    def put(self, message: AnyMessage) -> None:
        """Add *message* at the end. One that finds no room waits for it; ``await message`` tells when it is in.

        Raises:
          MailboxClosed: the agent has ended.
          Refused: there is no room, and this mailbox lets nobody wait.
        """
        if self.waiting >= self.most:
            self._put_in_full(message)
            return
        self.waiting += 1
        tail = self._tail
        if tail is None:
            self._head = message
        else:
            tail._next = message
        self._tail = message
        reader = self.reader
        if reader is not None:
            self.reader = None
            courier = self.courier
            courier.ready.append(reader)
            if not courier.woken:
                courier.rouse()

    def _put_in_full(self, message: AnyMessage) -> None:
        if self.closed is not None:
            raise self.refusal(message.body)
        when_full = self.terms.when_full
        if when_full == "refuse":
            raise self.too_full(message.body)
        if when_full == "drop_oldest":
            oldest = self.pop()
            assert oldest is not None
            self.drop(oldest, "dropped for a newer message", self._dropped(oldest.body))
            self.put(message)
            return
        rare = self.rare
        if rare.room is None:
            rare.room = deque()
            self.most = 0  # nobody slips in before those who wait
        message._state = WAITING
        message._loop, message._wakeup = self.loop, None
        rare.room.append(message)

    def would_wait(self) -> bool:
        """Say whether one more message, for which there is no room, would have to wait for it."""
        return self.terms.when_full == "wait" and self.closed is None

    def refusal(self, body: object) -> MailboxClosed:
        """Return the error for who sends *body* to an agent that takes no more."""
        return MailboxClosed(f"{self.name} takes no messages: {self.closed}. {shorten(body)} was not handled.",
                             call=self.call, work="not started")  # fmt: skip

    def too_full(self, body: object) -> Refused:
        """Return the error for *body*, which finds no room."""
        return Refused(
            f"{self.name} has {self.waiting:,} messages waiting, and capacity={self.terms.capacity:,}: "
            f"{shorten(body)} was refused. Send less at once, start more such agents, or allow more.",
            call=self.call,
        )

    def _dropped(self, body: object) -> Refused:
        return Refused(
            f"{self.name} has dropped {shorten(body)} for a newer message, since its mailbox was full "
            f"(capacity={self.terms.capacity:,}) and it was started with when_full='drop_oldest'",
            call=self.call,
        )

    def forget(self, state: int) -> None:
        """Note that a message of *state*, WAITING or QUEUED, was given up where it stands.

        It stays there until the agent comes by: who asks a hung agent again and again would fill the memory so, hence
        all are swept out when they outnumber the others.
        """
        if state == WAITING:
            rare = self.rare
            rare.left_room += 1
            if rare.room is not None and rare.left_room > _SLACK and rare.left_room * 2 > len(rare.room):
                rare.room = deque([kept for kept in rare.room if kept._state == WAITING])
                rare.left_room = 0
            return
        self.waiting -= 1
        self._given_up += 1
        if self._given_up > _SLACK and self._given_up > self.waiting:
            self._sweep()
        if not self.most:
            self._let_in()

    def _sweep(self) -> None:
        message, self._head, self._tail, self._given_up = self._head, None, None, 0
        while message is not None:
            following, message._next = message._next, None
            if message._state == QUEUED:
                self._link(message)
            message = following

    def _link(self, message: AnyMessage) -> None:
        if self._tail is None:
            self._head = message
        else:
            self._tail._next = message
        self._tail = message

    def _let_in(self) -> None:
        """There is room for one more: the first who waits for it goes in."""
        rare = self._rare
        if rare is None or rare.room is None:  # closed
            return
        while rare.room:
            message = rare.room.popleft()
            if message._state == WAITING:
                message._state = QUEUED
                self.waiting += 1
                self._link(message)
                if not message.is_question:
                    self.courier.wake(message)
                break
            rare.left_room -= 1
        if not rare.room:
            rare.room = None
            self.most = self.terms.capacity

    # -- the agent's side ----------------------------------------------------------------------------------------

    def pop(self) -> AnyMessage | None:
        """Take the first message that somebody still wants; None when there is none."""
        while (message := self._head) is not None:
            self._head = following = message._next
            if following is None:
                self._tail = None
            else:
                message._next = None
            if message._state == QUEUED:
                self.waiting -= 1
                if not self.most:
                    self._let_in()
                return message
            self._given_up -= 1
        return None

    def put_back(self, messages: list[AnyMessage]) -> None:
        """Put *messages*, which the agent could not handle, at the head, in their order."""
        for message in reversed(messages):
            message._state = QUEUED
            message._next = self._head
            self._head = message
            if self._tail is None:
                self._tail = message
            self.waiting += 1

    def drop(self, message: AnyMessage, why: str, error: BaseException) -> None:
        """Give *message*, which was popped, up: its asker gets *error*; what nobody waits on becomes a dead letter."""
        message._state = TAKEN  # it is in no line any more
        if not message.is_question:
            self.set_aside(message.body, why, error)
        message.lose(error)

    def ended(self) -> MailboxClosed:
        """Return the error for an agent that waits for a message where none will come."""
        return MailboxClosed(f"{self.name} is given no more messages: {self.closed}", call=self.call)

    def give_up_deferred(self) -> list[AnyMessage]:
        """Return the questions to which nobody will reply later any more."""
        if self._rare is None:
            return []
        deferred, self._rare.deferred = self._rare.deferred, {}
        return list(deferred)

    def close(self, why: str) -> None:
        """Take no more messages; those that are in stay. Wakes the agent, for which there may be none to come."""
        if self.closed is None:
            self.closed = why
            self.most = 0
            if self._rare is not None:
                room, self._rare.room = self._rare.room or (), None
                for message in room:
                    if message._state == WAITING:
                        message.lose(self.refusal(message.body))
            reader, self.reader = self.reader, None
            if reader is not None:
                self.courier.wake(reader)

    def empty(self) -> None:
        """Give up all that wait: the agent has ended, and nobody will take them."""
        assert self.closed is not None
        while (message := self.pop()) is not None:
            self.drop(message, self.closed, self.refusal(message.body))


class Shut(Mailbox):
    """In place of the mailbox of a start that won't end, after another one has taken over: always empty."""

    __slots__ = ()

    @property
    def task(self) -> None:
        return None

    def __init__(self, real: Mailbox) -> None:
        super().__init__(real.call, real.courier, real.terms)
        self.close("another start of this agent has taken over")
