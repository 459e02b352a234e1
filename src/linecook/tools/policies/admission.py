"""Whether one more call may begin: everything a ``Limit`` bounds for one key in one runtime, as a plain state machine.

No awaits, no clock, no queue of its own: time comes in as an argument, and ``Room`` is who asks. So every promise here
can be held against a slow and obviously right model (tests/tools/policies/test_admission.py).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from .adaptive import Adaptive
from .breaker import Breaker
from .estimate import check_estimate
from .rates import Rates
from .signals import Signal
from .ticket import NO_COST, Cost, Ticket
from .window import TICK, Window

HISTORY = 200  # changes of the bound that are kept
LONGEST_PAUSE = 600.0  # seconds: who says "come back in ten days" is asked again before, and nobody waits for it
SAME_PAUSE = 0.05  # seconds by which a pause may be lengthened untold: a storm of refusals is one pause

Change = tuple[float, int | None, int | None, str]
"""A change of the bound: when, in the time of the loop; from, to (None: no bound), why."""


def stay_away(seconds: float) -> str:
    """Return the words for a server that said ``Retry-After`` far ahead."""
    return f"the server asked to stay away for more than {LONGEST_PAUSE:g} s; it is asked again in {seconds:.3g} s"


def figure(bound: float) -> int | None:
    """Return *bound* as it is shown: a whole number; None for no bound."""
    return None if math.isinf(bound) else int(bound)


def paused_in_words(reason: str, seconds: float) -> str:
    """Return the words for nobody being let in for *seconds* more."""
    by = "paused by Retry-After" if reason == "Retry-After" else f"the server {reason}: paused"
    return f"{by} for {seconds:.1f} s"


class Admission:
    """The gates of one limit and key. What isn't asked for isn't looked at.

    Args:
      limit: the figures; read again after ``retuned``.
      tell: told of what happens: kind (``limit.changed``, ``limit.paused``, ``limit.opened``, ``limit.closed``) and
        what else is known, by name.

    Attributes:
      taken: calls in flight.
      paused_until: nobody is let in before.
      paused_by: why: ``"Retry-After"``, or ``"refuses everything"``.
      history: the last changes of the bound: when, from, to, why.
    """

    __slots__ = (
        "_adaptive",
        "_bound",
        "_breaker",
        "_latest",
        "_limit",
        "_rates",
        "_skew",
        "_starts",
        "_tell",
        "_tokens",
        "history",
        "paused_by",
        "paused_until",
        "pauses",
        "shut_until",
        "taken",
    )  # fmt: skip

    def __init__(self, limit: Any, tell: Callable[..., None]) -> None:
        self._limit = limit
        self._tell = tell
        self.taken = 0
        self.paused_until = self.shut_until = -math.inf
        self.pauses = 0
        self.paused_by = ""
        self.history: deque[Change] = deque(maxlen=HISTORY)
        self._latest = -math.inf
        self._skew = 0.0  # seconds by which the clock went back so far
        self._adaptive = Adaptive(limit.bounds, self._changed) if limit.bounds else None
        self._breaker = None if limit.breaker is None else Breaker(limit.breaker)
        self._bound: float = 0.0
        self._rates = Rates(limit)
        self._starts, self._tokens = self._rates.starts, self._rates.tokens  # looked at for each call
        self.retuned()

    # -- before ----------------------------------------------------------------------------------------------------

    def said_of(self, args: tuple[Any, ...], kwargs: Any) -> Cost | None:
        """Return what ``estimate=`` says of a call with these arguments; None when there is none."""
        estimate = self._limit.estimate
        return None if estimate is None else check_estimate(estimate(*args, **kwargs), self._limit)

    def reserve(self, said: Cost | None) -> Cost:
        """Return what a call reserves if it is let in now: what is said of it, or what is known of others."""
        return self._rates.reserve(said)

    def never_fits(self, said: Cost | None) -> Window | None:
        """Return the window in which such a call could never begin; None when it could."""
        return self._rates.never_fits(said)

    def refuses(self, now: float) -> str:
        """Return why calls are turned away at once, in words; empty when they may come or wait."""
        now = self._forward(now)
        if now < self.shut_until:
            return stay_away(self.shut_until - now)
        if self._breaker is not None and (wait := self._breaker.refuses(now)) is not None:
            return f"the circuit is {self._breaker.state} after failures in a row; the next try is in {wait:.2g} s"
        return ""

    def try_take(self, now: float, said: Cost | None = None) -> Ticket | None:
        """Let a call in, or return None: something is used up, or nobody is let in for a while.

        Args:
          said: tokens in and out that it is expected to use; None when nobody knows.
        """
        now += self._skew  # _forward, written out here and in give_back (benchmarks: limit_uncontended)
        self._latest = now = now if now >= self._latest else self._forward(now - self._skew)
        adaptive = self._adaptive
        if self.taken >= self._bound or now < self.paused_until:
            return None
        if adaptive is not None and adaptive.is_failing and not adaptive.may_let_in(self.taken):
            return None
        breaker = self._breaker
        if breaker is not None and breaker.failures and breaker.refuses(now) is not None:
            return None
        for window in self._starts:  # has_room, written out: a call each is 0.1 µs (benchmarks: limit_uncontended)
            if now >= window.expires:
                window.expire(now)
            if window.used + window.reserved + 1.0 > window.bound:
                return None
        cost = NO_COST
        if self._tokens:
            cost = self.reserve(said)
            for kind, window, _ in self._tokens:
                if now >= window.expires:
                    window.expire(now)
                if window.used + window.reserved + cost[kind] > window.bound:
                    return None
        return self._let_in(now, cost, said)

    def _let_in(self, now: float, cost: Cost, said: Cost | None) -> Ticket:
        for window in self._starts:
            window.add(now, 1)
        for kind, window, _ in self._tokens:
            window.reserved += cost[kind]
        self.taken += 1
        epoch, adaptive, breaker = 0, self._adaptive, self._breaker
        if adaptive is not None:
            epoch = adaptive.epoch
            if adaptive.is_failing or self.taken > adaptive.peak:
                adaptive.let_in(self.taken)
        return Ticket(now, epoch, cost, said, breaker is not None and breaker.failures > 0 and breaker.let_in())

    def hold(self, ticket: Ticket) -> None:
        """Note that the call of *ticket*, let in just now, waits for something else before it begins."""
        self._rates.hold(ticket)

    def begin(self, ticket: Ticket, now: float) -> None:
        """Note that the call of *ticket*, which was held, begins: what it waited for is no latency of the server."""
        ticket.began = now = self._forward(now)
        self._rates.begin(ticket, now)

    def next_at(self, now: float, said: Cost | None = None) -> float | None:
        """Return when such a call may begin if nothing ends before, later than *now*; None: only an end helps.

        Where several things are used up this is when the last of them has room; it is asked again then.
        """
        now = self._forward(now)
        if self.taken >= self._bound or (self._adaptive is not None and not self._adaptive.may_let_in(self.taken)):
            return None
        free_at = self._rates.next_at(now, said)
        return None if free_at is None else max(free_at, self.paused_until + TICK) - self._skew

    def _forward(self, now: float) -> float:
        """Return *now* on a clock that never goes back: where the loop's does, everything keeps its distance.

        So nobody waits for the time to come again, and no call has taken less than no time.
        """
        now += self._skew
        if now < self._latest:
            self._skew += self._latest - now
            return self._latest
        self._latest = now
        return now

    # -- after -----------------------------------------------------------------------------------------------------

    def charge(self, ticket: Ticket, tokens_in: float, tokens_out: float) -> None:
        """Note what the call of *ticket* used so far. It counts when the call ends."""
        before = ticket.charged or NO_COST
        ticket.charged = (before[0] + tokens_in, before[1] + tokens_out)

    def give_back(self, ticket: Ticket, now: float, signal: Signal = "ok", told: float | None = None) -> None:
        """Note that the call of *ticket* has ended.

        Args:
          signal: what that says about the server.
          told: seconds for which the server asked to stay away; None when it didn't.
        """
        now += self._skew
        self._latest = now = now if now >= self._latest else self._forward(now - self._skew)
        self.taken -= 1
        self._rates.settle(ticket, now, signal, is_last=not self.taken)
        if told:
            self._pause(now, told, "Retry-After")
        if self._adaptive is not None:
            if signal == "ok":
                self._adaptive.succeeded(ticket.epoch, now - ticket.began)
            else:
                self._adapt(self._adaptive, ticket, now, signal)
        if self._breaker is not None and (self._breaker.failures or signal != "ok"):
            self._judge(self._breaker, ticket, now, "nothing" if told else signal)  # who says when to come back is up

    def _adapt(self, adaptive: Adaptive, ticket: Ticket, now: float, signal: Signal) -> None:
        if signal in ("overloaded", "late"):
            pause = adaptive.refused(ticket.epoch)
            if pause:
                self._pause(now, pause, "refuses everything")
        elif signal == "down":
            adaptive.faltered()
        else:
            adaptive.left(ticket.epoch)

    def _judge(self, breaker: Breaker, ticket: Ticket, now: float, signal: Signal) -> None:
        if signal == "ok":
            if not breaker.is_closed:
                self._tell("limit.closed")
            breaker.succeeded()
        elif signal in ("down", "late", "overloaded"):
            if breaker.failed(now, is_probe=ticket.is_probe):
                self._tell("limit.opened", seconds=breaker.refuses(now))
        else:
            breaker.left(is_probe=ticket.is_probe)

    def _pause(self, now: float, seconds: float, reason: str) -> None:
        until = now + min(seconds, LONGEST_PAUSE)
        if seconds > LONGEST_PAUSE:
            self.shut_until = max(self.shut_until, until)
        if until > self.paused_until:
            is_news = until > max(now, self.paused_until) + SAME_PAUSE
            self.paused_until = until
            self.paused_by = reason
            if is_news:
                self.pauses += 1
                self._tell("limit.paused", seconds=until - now, reason=reason)

    def _changed(self, before: float, after: float, reason: str) -> None:
        self._bound = after
        self.history.append((self._latest, figure(before), figure(after), reason))
        self._tell("limit.changed", what="in_flight", before=figure(before), after=figure(after), reason=reason)

    # -- while it runs ---------------------------------------------------------------------------------------------

    def retuned(self) -> None:
        """Take the limit's figures over; who is in flight stays."""
        limit = self._limit
        if limit.bounds is not None and self._adaptive is not None:
            self._adaptive.retune(limit.bounds)
            bound: float = self._adaptive.bound
        elif limit.bounds is not None:
            self._adaptive = Adaptive(limit.bounds, self._changed)
            bound = self._adaptive.bound
        else:
            self._adaptive = None
            bound = math.inf if limit.in_flight is None else limit.in_flight
        if self._bound not in (0.0, bound):  # 0.0: it has none yet
            self._changed(self._bound, bound, "retuned")
        self._bound = bound
        for name, before, after in self._rates.retune(limit):
            self._tell("limit.changed", what=name, before=before, after=after, reason="retuned")

    def is_idle(self, now: float) -> bool:
        """Say whether nothing is in flight and nothing is remembered that a new one wouldn't know."""
        now = self._forward(now)
        if self.taken or now < self.paused_until or (self._breaker is not None and not self._breaker.is_closed):
            return False
        return all(window.is_idle(now) for window in self._rates.windows())

    # -- looking, from any thread --------------------------------------------------------------------------------------

    def held_up(self, now: float, said: Cost | None) -> str:
        """Return why a call that is *said* to use so many tokens isn't let in, in words; empty when it would be.

        Also empty when nothing but a free place is missing: that the figures say.
        """
        now += self._skew
        if now < self.paused_until:
            return paused_in_words(self.paused_by, self.paused_until - now)
        if self._breaker is not None and self._breaker.refuses(now) is not None:
            return f"the circuit is {self._breaker.state}"
        if self.taken >= self._bound:
            return ""
        if self._adaptive is not None and not self._adaptive.may_let_in(self.taken):
            return "after a cut, one is let in for each that succeeds"
        return self._rates.held_up(now, said)

    def _history(self) -> list[Change]:
        """Return the changes of the bound in the time of the loop as it is now, which may have gone back meanwhile."""
        return [(when - self._skew, before, after, why) for when, before, after, why in list(self.history)]

    def statistics(self, now: float) -> dict[str, Any]:
        """Return what is in flight and used, and the bounds."""
        now += self._skew
        shown: dict[str, Any] = {
            "in_flight": self.taken,
            "max_in_flight": figure(self._bound),
        }
        if windows := self._rates.windows():
            shown["used"] = {window.name: (window.used_in(now), window.bound) for window in windows}
        if self._adaptive is not None:
            shown |= {"adaptive": str(self._limit.bounds), "cuts": self._adaptive.cuts, "history": self._history()}
        if self.pauses:
            shown |= {
                "pauses": self.pauses,
                "paused_for": max(0.0, self.paused_until - now),
                "paused_by": self.paused_by,
            }
        if self._breaker is not None:
            shown |= {"circuit": self._breaker.state, "opened": self._breaker.opened}
        return shown
