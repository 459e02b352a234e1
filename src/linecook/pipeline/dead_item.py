"""What becomes of items that fail where failing is allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core.errors import UsageError
from ..tools.tool import BoundTool, Tool, is_async
from .item import Origin

KEPT = 1000


@dataclass(frozen=True, slots=True)
class DeadItem:
    """An item that a stage with ``on_error="skip"`` could not do.

    Attributes:
      value: what that stage got.
      origin: its place in the source, from 0; a tuple of places for what was put together.
      stage: the stage's name, such as ``"map(parse)"``.
      error: why.
      tries: how often it was begun.
    """

    value: Any
    origin: Origin
    stage: str
    error: Exception
    tries: int


def keep(letter: DeadItem, kept: list[DeadItem]) -> None:
    """Keep the first thousand for ``statistics``' reader; the others are counted."""
    if len(kept) < KEPT:
        kept.append(letter)


def sink_for(asked: Any) -> Callable[[DeadItem, list[DeadItem]], None]:
    """Return what takes dead letters: ``keep``, a list's ``append``, or a function.

    Raises:
      TypeError: *asked* is none of these.
      UsageError: it is a tool or an async function, which nobody would await.
    """
    if asked is None:
        return keep
    take = getattr(asked, "append", None) or asked
    if not callable(take):
        raise TypeError(f"dead_letters= of a pipeline must be a list or a function of one letter, not {asked!r}")
    if isinstance(take, (Tool, BoundTool)) or is_async(take):
        raise UsageError(
            "dead_letters= of a pipeline takes a list or a plain function, which takes a letter at once, not "
            f"{take!r:.80}; of an asyncio.Queue give its put_nowait"
        )

    def give(letter: DeadItem, _kept: list[DeadItem]) -> None:
        take(letter)

    return give
