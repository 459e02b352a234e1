"""Critic loop: write, hear what is wrong, write again; boundedly."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .._core.errors import UsageError

R = TypeVar("R")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Reviewed(Generic[R, C]):
    """What ``critic_loop`` ends with.

    Attributes:
      value: the last draft.
      criticism: what the critic said of it last; None when nothing was left to say.
      rounds: how many drafts were made.
    """

    value: R
    criticism: C | None
    rounds: int


async def critic_loop(
    write: Callable[[R | None, C | None], Coroutine[Any, Any, R]],
    criticise: Callable[[R], Coroutine[Any, Any, C | None]],
    *,
    rounds: int = 3,
) -> Reviewed[R, C]:
    """Write, have it criticised, and write again, until the critic is content or *rounds* drafts were made.

    When: faults are easier to see than to avoid. The bound is no formality: critics rarely say that nothing is left.

    Args:
      write: is given the draft before and what was said of it, both None at first, and makes a better one.
      criticise: says what is wrong with a draft; None for nothing.
      rounds: most drafts, ≥ 1; each is criticised, the last one too.

    Raises:
      UsageError: *rounds* is below 1.
      what either raises.

    Source: Madaan et al., "Self-Refine: Iterative Refinement with Self-Feedback", 2023.
    """
    if rounds < 1:
        raise UsageError(f"critic_loop needs at least one draft, not rounds={rounds}")
    draft = await write(None, None)
    criticism = await criticise(draft)
    made = 1
    while criticism is not None and made < rounds:
        draft = await write(draft, criticism)
        criticism = await criticise(draft)
        made += 1
    return Reviewed(draft, criticism, made)
