"""What may begin and be used in a second and a minute: the windows of one limit and key, and what calls reserve."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .estimate import Estimate
from .signals import Signal
from .ticket import NO_COST, Cost, Ticket
from .window import TICK, Window

if TYPE_CHECKING:
    from .limit import Limit

_SECONDS = {"per_second": 1.0, "per_minute": 60.0}
_UNSERVED: tuple[Signal, ...] = ("overloaded", "not begun")  # what costs no tokens if nobody says so


def window_of(rate: float, seconds: float) -> tuple[float, float]:
    """Return length and bound of the window for *rate* calls in *seconds*: half a call a second is one in two."""
    return (seconds, rate) if rate >= 1 else (seconds / rate, 1.0)


class Rates:
    """The windows of a limit.

    Attributes:
      starts: how many calls may begin.
      tokens: 0 for in or 1 for out, how many may be used, and what calls are expected to use.
    """

    __slots__ = ("starts", "tokens")

    def __init__(self, limit: Limit) -> None:
        seconds, minute = limit.per_second, limit.per_minute
        self.starts: list[Window] = []
        if seconds is not None:
            self.starts.append(Window("per_second", *window_of(seconds, 1.0)))
        if minute is not None:
            self.starts.append(Window("per_minute", *window_of(minute, 60.0)))
        into, out = limit.tokens_in_per_minute, limit.tokens_out_per_minute
        self.tokens: list[tuple[int, Window, Estimate]] = []  # (0: in, 1: out; …)
        if into is not None:
            self.tokens.append((0, Window("tokens_in_per_minute", 60.0, into), Estimate(into)))
        if out is not None:
            self.tokens.append((1, Window("tokens_out_per_minute", 60.0, out), Estimate(out)))

    def windows(self) -> list[Window]:
        """Return all of them."""
        return [*self.starts, *(window for _, window, _ in self.tokens)]

    def reserve(self, said: Cost | None) -> Cost:
        """Return what a call reserves if it is let in now: what is said of it, or what is known of others."""
        reserved = said or NO_COST
        for kind, _, learned in self.tokens:
            if said is None or learned.corrects:
                amount = learned.unasked() if said is None else learned.corrected(said[kind])
                reserved = (amount, reserved[1]) if kind == 0 else (reserved[0], amount)
        return reserved

    def never_fits(self, said: Cost | None) -> Window | None:
        """Return the window in which such a call could never begin; None when it could."""
        if said is not None:
            for kind, window, _ in self.tokens:
                if said[kind] > window.bound:
                    return window
        return None

    def _needs(self, said: Cost | None) -> list[tuple[Window, float]]:
        cost = self.reserve(said)
        return [(window, 1.0) for window in self.starts] + [(window, cost[kind]) for kind, window, _ in self.tokens]

    def next_at(self, now: float, said: Cost | None) -> float | None:
        """Return when all windows have room for such a call, later than *now*; None when time alone won't do."""
        latest = now + TICK
        for window, amount in self._needs(said):
            if not window.has_room(now, amount):
                free_at = window.next_at(now, amount)
                if free_at is None:
                    return None
                latest = max(latest, free_at)
        return latest

    def held_up(self, now: float, said: Cost | None) -> str:
        """Return which window keeps such a call waiting, in words; empty for none. From any thread."""
        cost = self.reserve(said)
        needs = [(window, 1.0) for window in self.starts]
        needs += [(window, cost[kind]) for kind, window, _ in self.tokens]
        waits = [(window.wait_for(now, amount), window.name) for window, amount in needs]
        # The last of them to have room decides; one that is used up by reservations alone says nothing of when.
        wait, name = max(waits, key=lambda each: math.inf if each[0] is None else each[0], default=(0.0, ""))
        if wait is None:
            return f"{name} is reserved by those in flight"
        return f"{name} used up, next in {_shown(wait)}" if wait else ""

    # -- one call ------------------------------------------------------------------------------------------------------

    def hold(self, ticket: Ticket) -> None:
        """Reserve the start of *ticket*, rather than count it: its call waits for another limit, and begins later."""
        ticket.is_held = True
        for window in self.starts:
            window.undo(ticket.began, 1.0)
            window.reserved += 1.0

    def begin(self, ticket: Ticket, now: float) -> None:
        """Count the start of *ticket* now, which was held."""
        self._let_go(ticket)
        for window in self.starts:
            window.add(now, 1.0)

    def _let_go(self, ticket: Ticket) -> None:
        ticket.is_held = False
        for window in self.starts:
            window.reserved -= 1.0

    def settle(self, ticket: Ticket, now: float, signal: Signal, *, is_last: bool) -> None:
        """Give back what was reserved and not used. What nobody reports counts as used, but for who wasn't served.

        Args:
          is_last: whether nobody else is in flight.
        """
        if ticket.is_held:
            self._let_go(ticket)
        elif signal == "not begun":
            for window in self.starts:
                window.undo(ticket.began, 1.0)
        if not self.tokens:
            return
        charged = ticket.charged
        used = charged if charged is not None else NO_COST if signal in _UNSERVED else ticket.reserved
        for kind, window, estimate in self.tokens:
            # Nobody in flight holds nothing, whatever adding and taking away of fractions has left.
            window.reserved = 0.0 if is_last else window.reserved - ticket.reserved[kind]
            window.add(now, used[kind])
            if charged is not None:
                estimate.charged(charged[kind], None if ticket.said is None else ticket.said[kind])

    # -- while it runs -------------------------------------------------------------------------------------------------

    def retune(self, limit: Limit) -> list[tuple[str, float, float]]:
        """Take the figures of *limit* over; return which changed, from, to."""
        changed: list[tuple[str, float, float]] = []
        for window in self.starts:
            seconds, after = _SECONDS[window.name], getattr(limit, window.name)
            changed.append((window.name, window.bound * seconds / window.length, after))
            window.retune(*window_of(after, seconds))
        for _, window, estimate in self.tokens:
            after = getattr(limit, window.name)
            changed.append((window.name, window.bound, after))
            window.bound = estimate.bound = after
        return [(name, before, after) for name, before, after in changed if not math.isclose(before, after)]


def _shown(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{math.ceil(seconds * 1e3)} ms"
