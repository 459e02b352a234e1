"""One outcome for each item of the source: everything that a pipeline made of it, or why it could not.

A ticket goes along with each item: pieces and pieces of pieces hold on to it, and with the last one it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._core.errors import UsageError
from .item import Item, Split, lose
from .node import Outlet
from .stages import Batches, Groups, Stage

if TYPE_CHECKING:
    from .line import Line

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InputOutcome(Generic[T]):
    """What became of one item of a pipeline's source.

    Attributes:
      index: its place in the source, from 0.
      value: the item.
      results: what came out of it, in the order in which it came out; empty when it was filtered out.
      error: why a stage could not do it, or one of its pieces; what came out before stands in ``results`` all the same.
        None: nothing failed that the pipeline doesn't allow to.
    """

    index: int
    value: Any
    results: list[T]
    error: Exception | None


class Ticket(Split):
    """The whole of one item of the source, with what came out of it."""

    __slots__ = ("error", "results", "value")

    def __init__(self, value: Any, index: int, changed: Callable[[Split], None]) -> None:
        super().__init__(Item(value, index), changed)
        self.value = value
        self.results: list[Any] = []
        self.error: Exception | None = None
        self.made, self.has_ended = 1, True

    def outcome(self) -> InputOutcome[Any]:
        """Return what became of it."""
        assert isinstance(self.item.origin, int)
        return InputOutcome(self.item.origin, self.value, self.results, self.error)


def ticket_of(item: Item) -> Ticket:
    """Return the ticket of the input that *item* comes from."""
    split = item.split
    while not isinstance(split, Ticket):
        assert split is not None, "every item of the source has one"
        split = split.item.split
    return split


def pass_on_the_end(split: Split) -> None:
    """Tell what *split* is a piece of that all of it is through: nobody puts it together again."""
    lose(split.item)


class InputOutlet(Outlet):
    """The end of the row, where an outcome waits to be read as soon as all of its input is through."""

    def __init__(self, line: Line, capacity: int, max_bytes: int) -> None:
        super().__init__(line, capacity, max_bytes, None)

    def accept(self, item: Item) -> None:
        ticket_of(item).results.append(item.value)
        lose(item)

    def through(self, ticket: Split) -> None:
        """Take the outcome of an input."""
        assert isinstance(ticket, Ticket)
        super().accept(Item(ticket.outcome(), ticket.item.origin))


def check_by_input(stages: tuple[Stage, ...]) -> None:
    """Refuse stages that put several inputs together.

    Raises:
      UsageError: there is such a stage; the message names it.
    """
    for stage in stages:
        if isinstance(stage, Batches) or (isinstance(stage, Groups) and stage.key is not None):
            raise UsageError(
                f"{stage.name} puts several inputs together, and then no outcome belongs to one of them. Leave it out, "
                "or read the results themselves: async for, collect(), into()"
            )
