"""What may be spent of one kind at one level: shares set aside, charges counted once at each level, what is left.

Dollars are counted in whole trillionths, so that a sum depends on neither order nor rounding: ten charges of 0.1 use up
1.0, and no remainder is left that lets in one more call. Plain arithmetic; ``account`` holds the lock.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["usd", "tokens", "calls"]
KINDS: tuple[Kind, ...] = ("usd", "tokens", "calls")

UNITS = 10**12  # to the dollar
LOW = 0.8  # share of a grant whose use is worth a notice


@dataclass(frozen=True, slots=True)
class Charge:
    """What was used: tokens in and out, and money in ``UNITS``."""

    tokens_in: int
    tokens_out: int
    units: int


class Purse:
    """What one account has of one kind: whole numbers.

    Attributes:
      grant: what it may spend; None for what the nearest one around it with a grant has left.
      spent: what was spent here and by those inside.
      reserved: what those inside hold, and have not spent.
      held: what is set aside for this one in those around it.
      told: whether the notice was given.
    """

    __slots__ = ("asked", "grant", "held", "outer", "reserved", "spent", "told")

    def __init__(self, asked: int | None, outer: Purse | None) -> None:
        self.asked = asked
        self.outer = outer
        self.spent = self.reserved = self.held = 0
        self.told = False
        self.grant = asked

    def open(self) -> None:
        """Have the grant set aside; it isn't more than the nearest one around has left."""
        if self.grant is None or self.outer is None:
            return
        left = self.outer.left()
        if left is not None:
            self.grant = min(self.grant, left)
            self.held = self.grant
            _pass_out(self.outer, self.held)

    def close(self) -> None:
        """Give back what is left of the grant; what is spent later comes from those around."""
        if self.outer is not None:
            _pass_out(self.outer, -self.held)
        self.held = 0

    def left(self) -> int | None:
        """Return what may still be spent, ≥ 0; None without any bound."""
        least: int | None = None
        purse: Purse | None = self
        while purse is not None:
            if purse.grant is not None:
                own = max(0, purse.grant - purse.spent - purse.reserved)
                least = own if least is None else min(least, own)
                if purse.held or not own:
                    return least  # set aside for it: whatever others spend
            purse = purse.outer
        return least

    def spend(self, amount: int) -> list[Purse]:
        """Count *amount* once at each level; return those of which ``LOW`` is reached just now."""
        low: list[Purse] = []
        released = 0
        purse: Purse | None = self
        while purse is not None:
            purse.spent += amount
            purse.reserved -= released
            if purse.grant is not None:
                # What is spent beyond a share comes out of what is free around it.
                held = min(purse.held, max(0, purse.grant - purse.spent))
                released, purse.held = purse.held - held, held
                if not purse.told and purse.grant and purse.spent >= LOW * purse.grant:
                    purse.told = True
                    low.append(purse)
            purse = purse.outer
        return low


def _pass_out(purse: Purse | None, amount: int) -> None:
    """Reserve *amount* in the nearest purse that has a grant; those on the way have none, and show what is held."""
    while purse is not None:
        purse.reserved += amount
        if purse.grant is not None:
            return
        purse = purse.outer


def charge_from(tokens_in: Any, tokens_out: Any, usd: Any) -> Charge:
    """Return the arguments of ``charge`` as they are counted.

    Raises:
      TypeError, ValueError: one is no number, negative, NaN or infinite; the message names it.
    """
    return Charge(
        whole(tokens_in, "tokens_in of charge"), whole(tokens_out, "tokens_out of charge"), units(usd, "usd of charge")
    )


def whole(value: Any, name: str) -> int:
    """Return *value*, a whole number of 0 or more; *name* is what errors call it."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < 0:
        raise ValueError(f"{name} must be 0 or more, not {number}")
    return number


def units(usd: Any, name: str) -> int:
    """Return *usd* dollars, 0 or more, in ``UNITS``; *name* is what errors call it."""
    try:
        if isinstance(usd, (bool, str)):
            raise TypeError
        dollars = float(usd)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number of dollars, not {usd!r}") from None
    if not (dollars >= 0 and math.isfinite(dollars)):
        raise ValueError(f"{name} must be 0 or more, and finite, not {usd!r}")
    return round(dollars * UNITS)


def in_words(kind: Kind, amount: int) -> float:
    """Return *amount* as users count it: dollars for ``"usd"``."""
    return amount / UNITS if kind == "usd" else amount


def shown(kind: Kind, amount: int) -> str:
    """Return *amount* for a message: ``1.25 usd``, ``4,000 tokens``."""
    return f"{_figure(kind, amount)} {kind if kind == 'usd' or amount != 1 else kind[:-1]}"


def shown_of(kind: Kind, spent: int, granted: int) -> str:
    """Return both for a message: ``1.2 of 1.5 usd``."""
    return f"{_figure(kind, spent)} of {shown(kind, granted)}"


def _figure(kind: Kind, amount: int) -> str:
    return f"{amount / UNITS:.6g}" if kind == "usd" else f"{amount:,}"
