"""The way into a limit with more than places: its gates, the room before them, and who tells them what was used."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ..._core.account import charge_listeners
from ..._core.callframe import CallFrame
from ..._core.context import Frame
from ..._core.events import Events
from ..._core.timers import timers_of
from .admission import Admission
from .retry_budget import RetryBudget
from .room import NO_KEY, Room, room_statistics
from .signals import Signal
from .ticket import Cost, Ticket

if TYPE_CHECKING:
    from .limit import Limit


Held = tuple[Admission, Ticket, "Held | None"]

_holders: dict[Frame, Held] = {}  # the calls in flight that reserved tokens; the limit that was taken last comes first


def charged(frame: Frame, tokens_in: float, tokens_out: float) -> None:
    """Note that the call *frame* used so many tokens; for those of its limits that count them. From any thread."""
    held = _holders.get(frame)
    while held is not None:
        gates, ticket, held = held
        gates.charge(ticket, tokens_in, tokens_out)


charge_listeners.append(charged)


class Door:
    """One limit and key in one runtime.

    Attributes:
      gates: what decides.
      room: where calls wait.
      budget: what retries may cost.
    """

    __slots__ = (
        "__weakref__",
        "_counts_tokens",
        "_events",
        "_key",
        "_limit",
        "_now",
        "_said",
        "budget",
        "gates",
        "room",
    )

    def __init__(self, limit: Limit, loop: asyncio.AbstractEventLoop, events: Events, key: Hashable = NO_KEY) -> None:
        self._limit = limit
        self._events = events
        self._key = key
        self._counts_tokens = limit.counts_tokens
        self._now = timers_of(loop).now
        self._said: Cost | None = None  # of a call on its way into the room: an estimate may count tokens, and be slow
        self.gates = Admission(limit, self._tell)
        self.room = Room(self.gates, limit, loop, key)
        self.budget = RetryBudget(limit.retries)

    @property
    def waiting(self) -> int:
        """Calls that wait to be let in."""
        return self.room.waiting

    @property
    def taken(self) -> int:
        """Calls in flight."""
        return self.gates.taken

    @property
    def refused(self) -> int:
        """Calls that were turned away, so far."""
        return self.room.refused

    def _tell(self, kind: str, **data: Any) -> None:
        if self._events.heard:
            known: dict[str, Any] = {"limit": self._limit, **data}
            if self._key is not NO_KEY:
                known["key"] = self._key
            self._events.emit(kind, **known)

    def try_take(self, call: CallFrame) -> Ticket | None:
        """Let *call* in at once, unless something is used up or somebody waits."""
        if self.room.waiting:
            return None
        if not self._counts_tokens:
            return self.gates.try_take(self._now())
        gates = self.gates
        said = gates.said_of(call.args, call.kwargs)
        ticket = gates.try_take(self._now(), said)
        if ticket is None:
            self._said = said
        else:
            _holders[call] = (gates, ticket, _holders.get(call))
        return ticket

    async def take(self, call: CallFrame) -> Ticket:
        """Wait until *call* is let in, which ``try_take`` has just refused; see ``Room.take``."""
        if not self._counts_tokens:
            return await self.room.take(call)
        said, self._said = self._said or self.gates.said_of(call.args, call.kwargs), None
        ticket = await self.room.take(call, said)
        _holders[call] = (self.gates, ticket, _holders.get(call))
        return ticket

    def hold(self, ticket: Ticket) -> None:
        """Note that the call of *ticket* goes on to wait for another limit, and hasn't begun."""
        self.gates.hold(ticket)

    def begin(self, ticket: Ticket) -> None:
        """Note that the call of *ticket*, held until now, begins."""
        self.gates.begin(ticket, self._now())
        if self.room.waiting:
            self.room.let_in()

    def give_back(self, call: CallFrame, ticket: Ticket, signal: Signal, told: float | None = None) -> None:
        """Note that *call* has ended, and let in who is next."""
        if self._counts_tokens:
            before = _holders.pop(call)[2]  # its own: limits are given back in the opposite order
            if before is not None:
                _holders[call] = before
        self.gates.give_back(ticket, self._now(), signal, told)
        if self.room.waiting:
            self.room.let_in()

    def is_busy(self) -> bool:
        """Say whether a call is in flight or waits."""
        return bool(self.gates.taken or self.room.waiting)

    def is_idle(self) -> bool:
        """Say whether it could be made anew and nobody would know."""
        return not self.room.waiting and self.gates.is_idle(self._now())

    def retuned(self) -> None:
        """Take the limit's figures over, and let in who fits now."""
        self.gates.retuned()
        self.room.let_in()

    def statistics(self) -> dict[str, Any]:
        """Return what is in flight, waiting and used, the bounds, and what happened to them."""
        shown = {**self.gates.statistics(self._now()), **room_statistics(self.room, self._limit)}
        if self.budget.spent or self.budget.refused:
            shown |= {"retries": self.budget.spent, "retries_refused": self.budget.refused}
        if self._key is not NO_KEY:
            shown["name"] = self.room.name
        return shown
