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
from .estimate import Estimate, check_estimate
from .signals import Signal
from .window import TICK, Window

HISTORY = 200  # changes of the bound that are kept
LONGEST_PAUSE = 600.0  # seconds: who says "come back in ten days" is asked again before, and nobody waits for it

_SECONDS = {"per_second": 1.0, "per_minute": 60.0}

NO_COST = (0.0, 0.0)
Cost = tuple[float, float]
"""Tokens in and tokens out."""


def window_of(rate: float, seconds: float) -> tuple[float, float]:
    """Return length and bound of the window for *rate* calls in *seconds*: half a call a second is one in two."""
    return (seconds, rate) if rate >= 1 else (seconds / rate, 1.0)


def stay_away(seconds: float) -> str:
    """Return the words for a server that said ``Retry-After`` far ahead."""
    return f"the server asked to stay away for more than {LONGEST_PAUSE:g} s; it is asked again in {seconds:.3g} s"


class Ticket:
    """What one call holds while it is in flight.

    Attributes:
      began: when it was let in.
      epoch: of the adaptive bound at that time.
      reserved: tokens in and out that were set aside for it.
      said: what its estimate was; None when nobody made one.
      is_probe: whether it is the call by which a circuit breaker tries.
      charged: tokens in and out that it was charged, or None: nobody has said.
    """

    __slots__ = ("began", "charged", "epoch", "is_probe", "reserved", "said")

    def __init__(self, began: float, epoch: int, reserved: Cost, said: Cost | None, is_probe: bool) -> None:
        self.began = began
        self.epoch = epoch
        self.reserved = reserved
        self.said = said
        self.is_probe = is_probe
        self.charged: Cost | None = None


class Admission:
    """The gates of one limit and key. What isn't asked for isn't looked at.

    Args:
      limit: the figures; read again after ``retuned``.
      tell: told of what happens: kind (``limit.changed``, ``limit.paused``, ``limit.opened``, ``limit.closed``) and
        what else is known, by name.

    Attributes:
      taken: calls in flight.
      paused_until: nobody is let in before.
      history: the last changes of the bound: when, from, to, why.
    """

    __slots__ = (
        "_adaptive",
        "_bound",
        "_breaker",
        "_estimates",
        "_far",
        "_gates",
        "_latest",
        "_limit",
        "_starts",
        "_tell",
        "_tokens",
        "history",
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
        self.history: deque[tuple[float, int, int, str]] = deque(maxlen=HISTORY)
        self._latest = -math.inf
        self._adaptive = Adaptive(limit.bounds, self._changed) if limit.bounds else None
        self._breaker = None if limit.breaker is None else Breaker(limit.breaker)
        self._bound: float = 0.0
        seconds, minute = limit.per_second, limit.per_minute
        self._starts: list[Window] = []
        if seconds is not None:
            self._starts.append(Window("per_second", *window_of(seconds, 1.0)))
        if minute is not None:
            self._starts.append(Window("per_minute", *window_of(minute, 60.0)))
        into, out = limit.tokens_in_per_minute, limit.tokens_out_per_minute
        self._tokens: list[tuple[int, Window, Estimate]] = []  # (0: in, 1: out; …)
        if into is not None:
            self._tokens.append((0, Window("tokens_in_per_minute", 60.0, into), Estimate(into)))
        if out is not None:
            self._tokens.append((1, Window("tokens_out_per_minute", 60.0, out), Estimate(out)))
        self.retuned()

    # -- before ----------------------------------------------------------------------------------------------------

    def said_of(self, args: tuple[Any, ...], kwargs: Any) -> Cost | None:
        """Return what ``estimate=`` says of a call with these arguments; None when there is none."""
        estimate = self._limit.estimate
        return None if estimate is None else check_estimate(estimate(*args, **kwargs), self._limit)

    def reserve(self, said: Cost | None) -> Cost:
        """Return what a call reserves if it is let in now: what is said of it, or what is known of others."""
        reserved = said or NO_COST
        for kind, _, learned in self._tokens:
            if said is None or learned.corrects:
                amount = learned.unasked() if said is None else learned.corrected(said[kind])
                reserved = (amount, reserved[1]) if kind == 0 else (reserved[0], amount)
        return reserved

    def never_fits(self, said: Cost | None) -> Window | None:
        """Return the window in which such a call could never begin; None when it could."""
        if said is not None:
            for kind, window, _ in self._tokens:
                if said[kind] > window.bound:
                    return window
        return None

    def refuses(self, now: float) -> str:
        """Return why calls are turned away at once, in words; empty when they may come or wait."""
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
        if now < self._latest:
            self._rewind(self._latest - now)
        self._latest = now
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
            if window.used + 1.0 > window.bound:
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

    def next_at(self, now: float, said: Cost | None = None) -> float | None:
        """Return when such a call may begin if nothing ends before, later than *now*; None: only an end helps.

        Where several things are used up this is when the last of them has room; it is asked again then.
        """
        if self.taken >= self._bound or (self._adaptive is not None and not self._adaptive.may_let_in(self.taken)):
            return None
        latest = max(now, self.paused_until) + TICK
        cost = self.reserve(said)
        needs = [(window, 1.0) for window in self._starts]
        needs += [(window, cost[kind]) for kind, window, _ in self._tokens]
        for window, amount in needs:
            if not window.has_room(now, amount):
                free_at = window.next_at(now, amount)
                if free_at is None:
                    return None
                latest = max(latest, free_at)
        return latest

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
        if now < self._latest:
            self._rewind(self._latest - now)
        self._latest = now
        self.taken -= 1
        if self._tokens:
            self._settle(ticket, now, signal)
        if told:
            self._pause(now, told, "Retry-After")
        if self._adaptive is not None:
            if signal == "ok":
                self._adaptive.succeeded(ticket.epoch, now - ticket.began)
            else:
                self._adapt(self._adaptive, ticket, now, signal)
        if self._breaker is not None and (self._breaker.failures or signal != "ok"):
            self._judge(self._breaker, ticket, now, signal)

    def _settle(self, ticket: Ticket, now: float, signal: Signal) -> None:
        """Give back what was reserved and not used. What nobody reports counts as reserved, but for a refused call."""
        charged = ticket.charged
        used = charged if charged is not None else NO_COST if signal == "overloaded" else ticket.reserved
        for kind, window, estimate in self._tokens:
            window.reserved -= ticket.reserved[kind]
            window.add(now, used[kind])
            if charged is not None:
                estimate.charged(charged[kind], None if ticket.said is None else ticket.said[kind])

    def _adapt(self, adaptive: Adaptive, ticket: Ticket, now: float, signal: Signal) -> None:
        if signal == "overloaded":
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
        elif signal in ("down", "overloaded"):
            if breaker.failed(now, is_probe=ticket.is_probe):
                self._tell("limit.opened", seconds=breaker.refuses(now))
        else:
            breaker.left(is_probe=ticket.is_probe)

    def _pause(self, now: float, seconds: float, reason: str) -> None:
        until = now + min(seconds, LONGEST_PAUSE)
        if seconds > LONGEST_PAUSE:
            self.shut_until = max(self.shut_until, until)
        if until > self.paused_until:
            self.paused_until = until
            self.pauses += 1
            self._tell("limit.paused", seconds=until - now, reason=reason)

    def _changed(self, before: int, after: int, reason: str) -> None:
        self._bound = after
        self.history.append((self._latest, before, after, reason))
        self._tell("limit.changed", before=before, after=after, reason=reason)

    # -- while it runs ---------------------------------------------------------------------------------------------

    def retuned(self) -> None:
        """Take the limit's figures over; who is in flight stays."""
        limit = self._limit
        if limit.bounds is not None:
            if self._adaptive is None:
                self._adaptive = Adaptive(limit.bounds, self._changed)
            else:
                self._adaptive.retune(limit.bounds)
            self._bound = self._adaptive.bound
        else:
            self._adaptive = None
            bound = math.inf if limit.in_flight is None else limit.in_flight
            if self._bound not in (0.0, bound) and math.isfinite(self._bound) and math.isfinite(bound):
                self._changed(int(self._bound), int(bound), "retuned")
            self._bound = bound
        for window in self._starts:
            window.retune(*window_of(getattr(limit, window.name), _SECONDS[window.name]))
        for _, window, estimate in self._tokens:
            window.bound = estimate.bound = getattr(limit, window.name)

    def _rewind(self, seconds: float) -> None:
        """Follow a clock that went back: everything keeps its distance, so nobody waits for the time to come again."""
        for window in self._starts:
            window.rewind(seconds)
        for _, window, _ in self._tokens:
            window.rewind(seconds)
        self.paused_until -= seconds
        self.shut_until -= seconds
        if self._breaker is not None:
            self._breaker.rewind(seconds)

    def is_idle(self, now: float) -> bool:
        """Say whether nothing is in flight and nothing is remembered that a new one wouldn't know."""
        if self.taken or now < self.paused_until or (self._breaker is not None and not self._breaker.is_closed):
            return False
        windows = [*self._starts, *(window for _, window, _ in self._tokens)]
        return all(window.is_idle(now) for window in windows)

    def statistics(self, now: float) -> dict[str, Any]:
        """Return what is in flight and used, and the bounds."""
        shown: dict[str, Any] = {
            "in_flight": self.taken,
            "max_in_flight": None if math.isinf(self._bound) else int(self._bound),
        }
        windows = [*self._starts, *(window for _, window, _ in self._tokens)]
        if windows:
            shown["used"] = {window.name: (window.used_in(now), window.bound) for window in windows}
        if self._adaptive is not None:
            shown |= {"adaptive": str(self._limit.bounds), "cuts": self._adaptive.cuts, "history": list(self.history)}
        if self.pauses:
            shown |= {"pauses": self.pauses, "paused_for": max(0.0, self.paused_until - now)}
        if self._breaker is not None:
            shown |= {"circuit": self._breaker.state, "opened": self._breaker.opened}
        return shown
