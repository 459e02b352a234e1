"""The places of a limit that bounds nothing but a fixed number in flight: the short way for most limits there are.

Taking a place and giving it back read no clock and make no object (benchmarks: limit_uncontended).
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from ..._core.callframe import CallFrame
from ..._core.events import Events
from ..._core.timers import timers_of
from .admission import LONGEST_PAUSE, SAME_PAUSE, figure, paused_in_words, stay_away
from .retry_budget import RetryBudget
from .room import Room, room_statistics
from .signals import Signal, retry_after
from .ticket import NO_COST, Cost, Ticket
from .window import TICK, Window

if TYPE_CHECKING:
    from .limit import Limit

_PLACE = Ticket(0.0, 0, NO_COST, None, False)


class Places:
    """The places of one limit in one runtime.

    Attributes:
      bound: most calls in flight; 0 while nobody is let in, so that a pause costs the usual way nothing.
      taken: calls in flight.
      room: where the others wait.
      budget: what retries may cost.
    """

    __slots__ = (
        "__weakref__", "_events", "_limit", "_loop", "_now", "_paused_until", "_shut_until", "_tuned", "bound",
        "budget", "pauses", "room", "taken",
    )  # fmt: skip

    def __init__(self, limit: Limit, loop: asyncio.AbstractEventLoop, events: Events) -> None:
        self._limit = limit
        self._events = events
        self._loop = loop
        self._now = timers_of(loop).now
        self._paused_until = self._shut_until = -math.inf
        self.bound = self._tuned = _bound_of(limit)
        self.taken = 0
        self.pauses = 0
        self.room = Room(self, limit, loop)
        self.budget = RetryBudget(limit.retries)

    @property
    def waiting(self) -> int:
        """Calls that wait for a place."""
        return self.room.waiting

    # -- the usual way -----------------------------------------------------------------------------------------------

    def try_take_place(self) -> bool:
        """Take a place if one is free and nobody waits for it."""
        if self.taken < self.bound and not self.room.waiting:
            self.taken += 1
            return True
        return False

    async def take_place(self, call: CallFrame) -> None:
        """Wait for a place, and take it.

        Raises:
          Refused: as many wait already as may, or the limit lets nobody wait.
        """
        await self.room.take(call)

    def give_place_back(self) -> None:
        """Free a place, for whoever is next."""
        self.taken -= 1
        if self.room.waiting:
            self.room.let_in()

    # -- what the room asks ------------------------------------------------------------------------------------------

    def try_take(self, now: float, said: Cost | None) -> Ticket | None:
        """Take a place for whoever is next in the room."""
        if self.taken >= self.bound:
            return None
        self.taken += 1
        return _PLACE

    def next_at(self, now: float, said: Cost | None) -> float | None:
        """Return None: only a call that ends helps, or the end of a pause, which has its timer."""
        return None

    def give_back(self, ticket: Ticket, now: float, signal: Signal) -> None:
        """Free the place of one who left the room in the moment in which he was let in."""
        self.taken -= 1

    def refuses(self, now: float) -> str:
        """Say why nobody is let in for long; empty else."""
        if now >= self._shut_until:
            return ""
        return stay_away(self._shut_until - now)

    def never_fits(self, said: Cost | None) -> Window | None:
        """A place fits everybody."""
        return None

    def reserve(self, said: Cost | None) -> Cost:
        """A place is all that a call takes."""
        return NO_COST

    def held_up(self, now: float, said: Cost | None) -> str:
        """Say why nobody is let in, if not for want of a place; from any thread."""
        left = self._paused_until - now
        return paused_in_words("Retry-After", left) if left > 0 else ""

    # -- pauses ------------------------------------------------------------------------------------------------------

    def look_at(self, error: BaseException) -> None:
        """Let nobody in for as long as the server that raised *error* asks for."""
        told = retry_after(error)
        if told:
            self._pause(told)

    def _pause(self, seconds: float) -> None:
        now = self._now()
        until = now + min(seconds, LONGEST_PAUSE)
        if seconds > LONGEST_PAUSE:
            self._shut_until = max(self._shut_until, until)
        if until <= self._paused_until:
            return
        is_news = until > max(now, self._paused_until) + SAME_PAUSE
        self._paused_until = until
        self.bound = 0
        self.pauses += is_news
        timers_of(self._loop).at(until + TICK, self._resume)
        if is_news and self._events.heard:
            self._events.emit("limit.paused", limit=self._limit, seconds=until - now, reason="Retry-After")
        if self._shut_until > now:
            self.room.let_in()  # which turns them away

    def _resume(self, _: object) -> None:
        if self._now() >= self._paused_until:
            self.bound = self._tuned
            self.room.let_in()

    # -- looking and retuning ----------------------------------------------------------------------------------------

    def is_idle(self) -> bool:
        """Say whether it could be made anew and nobody would know."""
        return not (self.taken or self.room.waiting) and self._now() >= self._paused_until

    def retuned(self) -> None:
        """Take the limit's figures over; who is in flight stays."""
        before, self._tuned = self._tuned, _bound_of(self._limit)
        if self.bound:  # else it is paused, and the figure holds from the end of that
            self.bound = self._tuned
        if self._events.heard and before != self._tuned:
            self._events.emit(
                "limit.changed", limit=self._limit,
                what="in_flight", before=figure(before), after=figure(self._tuned), reason="retuned",
            )  # fmt: skip
        self.room.let_in()

    def statistics(self) -> dict[str, Any]:
        """Return how many are in flight and waiting, the bounds, and how many were refused."""
        shown = {
            "in_flight": self.taken,
            "max_in_flight": self._limit.in_flight,
            **room_statistics(self.room, self._limit),
        }
        if self.pauses:
            left = max(0.0, self._paused_until - self._now())
            shown |= {"pauses": self.pauses, "paused_for": left, "paused_by": "Retry-After"}
        if self.budget.spent or self.budget.refused:
            shown |= {"retries": self.budget.spent, "retries_refused": self.budget.refused}
        return shown


def _bound_of(limit: Limit) -> float:
    return math.inf if limit.in_flight is None else limit.in_flight
