"""Hand-off: who is to answer turns out on the way."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .._core.errors import Undecided, UsageError

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class HandOff(Generic[A]):
    """What an agent returns in place of an answer: *to* whom, and *what* that one is called with."""

    to: str
    what: A


async def hand_off(
    desks: Mapping[str, Callable[[A], Coroutine[Any, Any, R | HandOff[A]]]], to: str, what: A, *, most: int = 10
) -> R:
    """Pass a request from agent to agent, until one answers it instead of handing it on.

    When: who is to answer turns out on the way, as in a triage. When one agent needs another's answer to go on, it
    calls it: that is no hand-off.

    Args:
      desks: the agents by name.
      to: the name of the first.
      what: what it is called with.
      most: most agents that see it, ≥ 1: two may well hand it to each other for ever.

    Raises:
      Undecided: *most* agents have handed it on; the message names them all.
      UsageError: it was handed to a name that isn't there.
      what an agent raises.
    """
    way: list[str] = []
    while len(way) < most:
        if to not in desks:
            raise UsageError(f"{' > '.join([*way, repr(to)])}: there is no such desk; there are {sorted(desks)}")
        way.append(to)
        answer = await desks[to](what)
        if not isinstance(answer, HandOff):
            return answer
        further: HandOff[A] = answer  # pyright: ignore[reportUnknownVariableType]
        to, what = further.to, further.what
    raise Undecided(f"handed on {most} times without an answer: {' > '.join(way)} > {to}. Grant more with most=.")
