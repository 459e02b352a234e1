"""How much of a tool, or of several that share a ``Limit``, may be under way at once, a second and a minute."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Callable, Hashable
from typing import Any, Literal
from weakref import WeakKeyDictionary

from ..._core.errors import UsageError
from .adaptive import Bounds, bounds_from
from .signals import Overloaded

WhenFull = Literal["wait", "refuse", "shed_oldest"]
Key = str | Callable[..., Hashable]
Estimator = Callable[..., tuple[float, float]]

_serial = itertools.count()
_RATES = ("per_second", "per_minute", "tokens_in_per_minute", "tokens_out_per_minute")


class Limit:
    """What a server takes, held to by every call that goes there; an object that any number of tools may share.

    Args:
      in_flight: most calls that run at once, ≥ 1; or ``"min-start-max"``, such as ``"8-64-512"``: found out by trying
        (see ``adaptive``). None for no bound.
      name: how reports call it.
      per_second, per_minute: most calls that begin in any window of that length; whole numbers, or less than 1.
      tokens_in_per_minute, tokens_out_per_minute: most tokens used in any 60 seconds. A call reserves what it is
        expected to use, and what it didn't use is given back when it ends. Say what was used with ``charge`` inside
        the tool: what nobody reports counts as used.
      key: one limit per host, model or account: the name of a parameter of the tool, or a function of its arguments.
        The 10,000 keys used last are remembered.
      waiting: most calls that may wait (per key), ≥ 0; one more raises ``Refused`` at once.
      when_full: ``"wait"``; ``"refuse"`` for a call that would have to wait; ``"shed_oldest"``: when as many wait as
        may, the one that has waited longest among the least urgent is refused, in favour of the newcomer.
      estimate: the tokens in and out that a call will use, from its arguments: the most it may use keeps the limit
        exactly. None: what calls were charged before, and a margin. One that is too low is corrected upwards.
      overloaded: says of an error whether it means too much load. None: HTTP status 429 or 503, an error that says when
        to come back, and a time-out, the tool's or the client's own.
      breaker: consecutive failures that say the server is down (5xx, time-outs, what the network raises, 429 without a
        ``Retry-After``), after which calls are refused at once, for 1 s, then 2, at most 60; a single call tries in
        between. None for never.
      retries: most retries as a share of calls, 0..1, beyond ten and one a second: the rest raise. On by default: three
        attempts for each of a thousand calls are what keeps a server down that has stumbled. One whose server said
        when to come back costs nothing. None for what ``Retry`` says.

    Counts are per runtime. Calls wait by priority, and within one fairly between tenants, holding nothing else: no
    thread, no process. (A tool may be under several limits; who waits for one of them holds those before it: what is
    counted by the minute is taken first, then places, each in the order in which the limits were made.) A limit sits on
    tools, which are leaves: so no call that holds a place waits for a child that needs one. A server that says
    ``Retry-After`` is left alone for so long by everybody (of that key), at most 600 s; if it says more, calls are
    refused meanwhile.

    Raises:
      TypeError, ValueError: a figure that makes no sense; the message names it.
    """

    def __init__(
        self,
        in_flight: int | str | None = None,
        *,
        name: str | None = None,
        per_second: float | None = None,
        per_minute: float | None = None,
        tokens_in_per_minute: float | None = None,
        tokens_out_per_minute: float | None = None,
        key: Key | None = None,
        waiting: int = 10_000,
        when_full: WhenFull = "wait",
        estimate: Estimator | None = None,
        overloaded: Overloaded | None = None,
        breaker: int | None = None,
        retries: float | None = 0.1,
    ) -> None:
        self.in_flight, self.bounds = _in_flight_from(in_flight)
        self.name = name
        self.per_second = check_rate(per_second, "Limit's per_second")
        self.per_minute = check_rate(per_minute, "Limit's per_minute")
        self.tokens_in_per_minute = _check_tokens(tokens_in_per_minute, "Limit's tokens_in_per_minute")
        self.tokens_out_per_minute = _check_tokens(tokens_out_per_minute, "Limit's tokens_out_per_minute")
        self.waiting = _check_waiting(waiting)
        if when_full not in ("wait", "refuse", "shed_oldest"):
            raise ValueError(f"Limit's when_full={when_full!r}: there are 'wait', 'refuse' and 'shed_oldest'")
        if key is not None and not isinstance(key, str) and not callable(key):
            raise TypeError(f"Limit's key must be the name of a parameter or a function, not {key!r}")
        for option, function in (("estimate", estimate), ("overloaded", overloaded)):
            if function is not None and not callable(function):
                raise TypeError(f"Limit's {option} must be a function, not {function!r}")
        check_count(breaker, "Limit's breaker", 1)
        self.when_full: WhenFull = when_full
        self.key = key
        self.estimate = estimate
        self.overloaded = overloaded
        self.breaker = breaker
        self.retries = _check_share(retries)
        self.serial = next(_serial)
        self.has_rates = any(getattr(self, name) is not None for name in _RATES)
        # Whether it bounds nothing but a fixed number in flight. Decided here: the way its calls go is composed once.
        self.is_plain = not (self.has_rates or self.bounds or key is not None or breaker is not None)
        self.states: WeakKeyDictionary[Any, asyncio.AbstractEventLoop] = WeakKeyDictionary()  # in each runtime

    @property
    def counts_tokens(self) -> bool:
        """Whether calls reserve tokens."""
        return self.tokens_in_per_minute is not None or self.tokens_out_per_minute is not None

    def retune(
        self,
        *,
        in_flight: int | str | None = None,
        per_second: float | None = None,
        per_minute: float | None = None,
        tokens_in_per_minute: float | None = None,
        tokens_out_per_minute: float | None = None,
        waiting: int | None = None,
    ) -> None:
        """Change figures while calls run, in every runtime; what isn't named stays.

        Lowered below what is in flight nobody is ended: others are let in when enough of them are done. Nor is anybody
        who waits turned away, unless its estimate is more than could ever be let in now. From any thread: loops of
        other threads take the figures over in their next turn.

        Args:
          in_flight: a number from now on, or ``"min-start-max"`` to move between; the bound that was found is kept
            where it lies within them.

        Raises:
          UsageError: the limit was made without that bound, and its tools don't look at it.
          ValueError, TypeError: as when it is made; nothing is changed then.
        """
        rates = {
            "per_second": per_second,
            "per_minute": per_minute,
            "tokens_in_per_minute": tokens_in_per_minute,
            "tokens_out_per_minute": tokens_out_per_minute,
        }
        asked = {option: value for option, value in rates.items() if value is not None}
        for option, value in asked.items():
            if getattr(self, option) is None:
                raise UsageError(
                    f"{self!r} was made without {option}=, so its tools don't look at it; make it with one"
                )
            (_check_tokens if "tokens" in option else check_rate)(value, f"Limit's {option}")
        if isinstance(in_flight, str) and self.is_plain:
            raise UsageError(f'{self!r} was made with a fixed number; make it with "min-start-max" to have it adapt')
        figures = (self.in_flight, self.bounds) if in_flight is None else _in_flight_from(in_flight)
        self.waiting = self.waiting if waiting is None else _check_waiting(waiting)
        self.in_flight, self.bounds = figures  # from here on nothing raises
        for option, value in asked.items():
            setattr(self, option, value)
        for state, loop in list(self.states.items()):
            _on_loop(loop, state.retuned)

    def __repr__(self) -> str:
        first = repr(str(self.bounds)) if self.bounds else repr(self.in_flight)
        rates = [f"{name}={getattr(self, name)}" for name in _RATES if getattr(self, name) is not None]
        return f"Limit({', '.join([first, *rates, f'name={self.name!r}'])})"


def _on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Call *function* now if *loop* runs here, else in its next turn, which may be in another thread or never come."""
    try:
        here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        function()
        return
    with contextlib.suppress(RuntimeError):  # it is closed
        loop.call_soon_threadsafe(function)


def _in_flight_from(in_flight: int | str | None) -> tuple[int | None, Bounds | None]:
    """Return a fixed number, or the bounds of an adaptive one."""
    if isinstance(in_flight, str):
        return None, bounds_from(in_flight, "Limit's in_flight")
    check_count(in_flight, "Limit's in_flight", 1)
    return in_flight, None


def _check_waiting(waiting: int) -> int:
    if waiting is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise TypeError("Limit's waiting must be a whole number: every queue has a bound")
    check_count(waiting, "Limit's waiting", 0)
    return waiting


def check_count(value: object, name: str, least: int) -> None:
    """Refuse what is neither None nor a whole number of *least* or more, naming *name*.

    Raises:
      TypeError: it isn't a whole number.
      ValueError: it is below *least*.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be {least} or more, not {value}")


def check_rate(value: float | None, name: str) -> float | None:
    """Return *value*, calls in a second or minute: a whole number of 1 or more, or a fraction below 1.

    Raises:
      TypeError, ValueError: it is something else; the message names *name* and what to write.
    """
    if value is None:
        return None
    _check_number(value, name)
    if value > 1 and value != int(value):
        raise ValueError(f"{name} must be a whole number, or less than 1, not {value!r}; say it per minute instead")
    return value


def _check_tokens(value: float | None, name: str) -> float | None:
    if value is not None:
        _check_number(value, name)
    return value


def _check_number(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be above 0 and finite (None: no bound), not {value!r}")


def _check_share(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Limit's retries must be a share of the calls, or None, not {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"Limit's retries must be between 0 and 1 (0.1: one retry for ten calls), not {value!r}")
    return float(value)
