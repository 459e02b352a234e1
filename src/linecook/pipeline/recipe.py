"""What a pipeline is made of: checked as it is written, and never changed by a run."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .._core.callframe import shorten
from .._core.errors import UsageError
from .dead_item import DeadItem
from .stages import Batches, Groups, Stage, Work, discard

MAX_BYTES = 64 * 2**20


class Input:
    """A source, and whether a run has begun to read it.

    Attributes:
      source: what is iterated over.
    """

    def __init__(self, source: Any) -> None:
        self.source = source
        self._is_used_up = False

    def take(self) -> None:
        """Begin to read it.

        Raises:
          UsageError: it gives each item once only, and an earlier run has read them.
        """
        if self._is_used_up:
            raise UsageError(
                f"{shorten(self.source)} gives its items once, and an earlier run has read them; a second one "
                "would come out empty, without a word. Give pipeline() a list, or an object whose __iter__ begins "
                "anew; or make a pipeline for each run."
            )
        self._is_used_up = isinstance(self.source, (Iterator, AsyncIterator))


@dataclass(frozen=True)
class Recipe:
    """A source, stages, and the bounds of a run.

    Attributes:
      source: where items come from.
      stages: in their order.
      max_bytes: most bytes in each buffer.
      grace: seconds for the clean-up of what is cancelled.
      dead_letters: takes what is set aside.
    """

    source: Input
    stages: tuple[Stage, ...]
    max_bytes: int
    grace: float
    dead_letters: Callable[[DeadItem, list[DeadItem]], None]


def check_source(source: object) -> None:
    """Refuse what is no input.

    Raises:
      UsageError: it can't be iterated over, or is a text, which would fall into letters.
    """
    if isinstance(source, (str, bytes, bytearray)):
        raise UsageError(f"pipeline({source!r:.40}) would go through it letter by letter; write pipeline([...])")
    if not isinstance(source, (Iterable, AsyncIterable)):
        hint = "; call it: what it returns may be one" if callable(source) else ""
        hint = "; await it: what it answers may be one" if discard(source) else hint
        raise UsageError(f"pipeline needs something to iterate over, not {shorten(source)}{hint}")


def check_groups(stages: tuple[Stage, ...]) -> None:
    """Refuse a ``group()`` that has nothing to put together.

    Raises:
      UsageError: there is no ``flat_map`` before one, or its pieces were put into lists.
    """
    packed_by: list[str] = []  # for each flat_map that is open: what put its pieces into lists
    for stage in stages:
        if isinstance(stage, Work) and stage.kind == "flat_map":
            packed_by.append("")
        elif isinstance(stage, Batches) or (isinstance(stage, Groups) and stage.key is not None):
            packed_by = [stage.name for _ in packed_by]
        elif isinstance(stage, Groups):
            if not packed_by:
                raise UsageError("group() puts together what a flat_map took apart, and none stands before it")
            if packer := packed_by.pop():
                raise UsageError(f"group() can't tell pieces apart that {packer} has put into lists before it")


def is_spread(stages: tuple[Stage, ...]) -> bool:
    """Say whether there are more ``flat_map`` than ``group()``."""
    made = sum(isinstance(stage, Work) and stage.kind == "flat_map" for stage in stages)
    return made > sum(isinstance(stage, Groups) and stage.key is None for stage in stages)
