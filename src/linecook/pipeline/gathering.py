"""``batch`` and ``group``: several items become one. They run nothing: an item passes in the step in which it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.timers import Timer, timers_of
from .item import Item, Origin, Split, lose
from .node import Node, Passing
from .stages import ended_by, refuse_coroutine

if TYPE_CHECKING:
    from .line import Line

_NOTHING = object()


class Gathering(Passing):
    """What keeps items until there are enough for a list of them."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def _send(self) -> None:
        items, self._items = self._items, []
        assert self.after is not None
        self.after.accept(Item([item.value for item in items], origins_of(items)))

    def input_ended(self) -> None:
        if self._items:
            self._send()
        assert self.after is not None
        self.after.input_ended()


class Batching(Gathering):
    """Lists of *size* items; a shorter one when its first item has waited for *wait* seconds, and at the end.

    However large its items are, it waits for *size* of them: that is what it was asked for.
    """

    def __init__(self, line: Line, name: str, size: int, wait: float | None) -> None:
        super().__init__()
        self.name = name
        self._line = line
        self._size = size
        self._wait = wait
        self._timer: Timer | None = None
        self._is_due = False  # its time came when there was no room for it

    def free(self) -> int:
        assert self.after is not None
        return self.after.free() * self._size - len(self._items)

    def accept(self, item: Item) -> None:
        self._items.append(item)
        if len(self._items) >= self._size:
            self._send()
        elif self._wait is not None and self._timer is None and not self._is_due:
            loop = self._line.loop
            self._timer = timers_of(loop).at(loop.time() + self._wait, Batching._on_time, self)

    def _on_time(self) -> None:
        self._timer = None
        if not self._line.is_running:
            return
        assert self.after is not None
        if self.after.free() > 0:
            self._send()
        else:
            self._is_due = True
            self.after.want()

    def on_room(self) -> None:
        assert self.after is not None
        if self._is_due and self.after.free() > 0:
            self._send()
        elif self._is_due:
            self.after.want()
        super().on_room()

    def _send(self) -> None:
        self._is_due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super()._send()

    def stop(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Grouping(Passing):
    """The pieces of one ``flat_map`` together again, in their order, as soon as the last one is there.

    Pieces that have come wait for the others: at most those of the items that its workers take apart, and of those with
    pieces under way. It begins no other item while there is no room for another whole: one without pieces takes no room
    on the way.

    Attributes:
      splitting: that ``flat_map``.
    """

    name = "group()"

    def __init__(self, splitting: Node) -> None:
        self.splitting = splitting
        self._is_waited_for = False

    def free(self) -> int:
        assert self.after is not None
        return self.after.free()

    def want_whole(self) -> None:
        """Ask to have the ``flat_map`` told by ``on_room`` when there is room for another whole."""
        assert self.after is not None
        self._is_waited_for = True
        self.after.want()

    def on_room(self) -> None:
        super().on_room()
        if self._is_waited_for:
            self._is_waited_for = False
            self.splitting.on_room()

    def accept(self, item: Item) -> None:
        split = item.split
        assert split is not None, "the recipe was checked: there is a flat_map before"
        split.parts[item.piece] = item.value
        split.look()

    def look_at(self, split: Split) -> None:
        """Send *split* on: it is whole."""
        if split.is_broken:
            return  # the stage that broke has set it aside
        whole = split.item
        values = [split.parts[piece] for piece in sorted(split.parts)]
        assert self.after is not None
        self.after.accept(Item(values, whole.origin, whole.split, whole.piece))

    def input_ended(self) -> None:
        assert self.after is not None
        self.after.input_ended()


class Runs(Gathering):
    """Runs of items with the same key, as ``itertools.groupby``; a run is held until its end."""

    def __init__(self, line: Line, name: str, key: Callable[[Any], Any]) -> None:
        super().__init__()
        self.name = name
        self._line = line
        self._key = key
        self._last: Any = _NOTHING

    def free(self) -> int:
        assert self.after is not None
        return self.after.free()

    def accept(self, item: Item) -> None:
        try:
            key = self._key(item.value)
            refuse_coroutine(key, f"the key of {self.name}")
            differs = self._last is not _NOTHING and key != self._last
        except BaseException as error:
            lose(item)
            whose = f"the key of {self.name}"
            self._line.fail(ended_by(error, whose), f"{whose}, for item {item.origin} of the pipeline's input")
            return
        if differs:
            self._send()
        self._last = key
        self._items.append(item)


def origins_of(items: list[Item]) -> Origin:
    """Return where *items* came from, each place once, in the order of the items."""
    places: dict[int, None] = {}
    for item in items:
        places.update(dict.fromkeys((item.origin,) if isinstance(item.origin, int) else item.origin))
    return tuple(places)
