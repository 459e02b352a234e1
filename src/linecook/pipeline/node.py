"""What stands in a row in a running pipeline: it takes items from before, and gives them to the next."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .item import Item, size_of
from .stages import ended_by

if TYPE_CHECKING:
    from .line import Line

PLENTY = sys.maxsize


class Node:
    """One place in the row. Items go forward by ``accept``; ``on_room`` goes backward when there is room again.

    Attributes:
      name: how reports call it.
      before: who gives it items; None at the source.
      after: who takes them; None at the end.
      wanted: whether who stands before it waits to be told of room.
    """

    before: Node | None = None
    after: Node | None = None
    name = ""
    wanted = False

    def free(self) -> int:
        """Return how many more items it can take."""
        raise NotImplementedError

    def accept(self, item: Item) -> None:
        """Take *item*; it may go on in this very step. Never refuses: whoever gives looks at ``free`` first."""
        raise NotImplementedError

    def input_ended(self) -> None:
        """Nothing more will come."""
        raise NotImplementedError

    def want(self) -> None:
        """Ask to be told by ``on_room`` of the next room."""
        self.wanted = True

    def on_room(self) -> None:
        """There is room in what comes after, as it was asked for."""

    def tell_room(self) -> None:
        """Tell who stands before that there is room."""
        self.wanted = False
        assert self.before is not None
        self.before.on_room()

    def stop(self, reason: str) -> None:
        """Begin nothing more, and ask what runs to end."""

    def tasks(self) -> Iterable[asyncio.Task[Any]]:
        """Return what runs."""
        return ()

    def leave(self) -> None:
        """Leave to the loop's supervisor what still runs after ``stop``."""


class Passing(Node):
    """A node that runs nothing and has no buffer of its own to speak of: its room is that of the next."""

    def want(self) -> None:
        assert self.after is not None
        self.wanted = True
        self.after.want()

    def on_room(self) -> None:
        if self.wanted:
            self.tell_room()


class Outlet(Node):
    """The end of the row: what is finished, until it is read; or a function that takes it.

    Args:
      line: told of the end.
      capacity: most values that wait to be read.
      max_bytes: their most bytes.
      take: gets each value at once; then none waits.
    """

    name = "output"

    def __init__(self, line: Line, capacity: int, max_bytes: int, take: Callable[[Any], object] | None) -> None:
        self._line = line
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._take = take
        self.values: deque[tuple[Any, int]] = deque()
        self.bytes = 0
        self.count = 0
        self._low = capacity // 2

    def free(self) -> int:
        if self._take is not None:
            return PLENTY
        return self._capacity - len(self.values) if self.bytes < self._max_bytes else 0

    def accept(self, item: Item) -> None:
        self.count += 1
        if self._take is not None:
            try:
                self._take(item.value)
            except BaseException as error:
                note = f"raised by the sink, for item {item.origin} of the pipeline's input"
                self._line.fail(ended_by(error, "append of the sink"), note)
            return
        value, values = item.value, self.values
        size = size_of(value)
        self.bytes += size
        values.append((value, size))
        if len(values) == 1:  # a reader waits for the first one only
            self._line.tell()

    def pop(self) -> Any:
        """Take out the value that has waited longest; half empty it asks for more, not for one at a time."""
        value, size = self.values.popleft()
        self.bytes -= size
        if self.wanted and (len(self.values) <= self._low or self.bytes < self._max_bytes <= self.bytes + size):
            self.tell_room()
        return value

    def input_ended(self) -> None:
        self._line.ended()
