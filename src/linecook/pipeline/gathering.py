"""``batch`` and ``group``: several items become one. They run nothing: an item passes in the step in which it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.timers import Timer, timers_of
from .item import Item, Origin, Split, lose, size_of
from .node import Passing

if TYPE_CHECKING:
    from .line import Line

_NOTHING = object()


class Batching(Passing):
    """Lists of *size* items; a shorter one when its first item has waited for *wait* seconds, and at the end."""

    def __init__(self, line: Line, name: str, size: int, wait: float | None) -> None:
        self.name = name
        self._line = line
        self._size = size
        self._wait = wait
        self._items: list[Item] = []
        self._bytes = 0
        self._timer: Timer | None = None

    def free(self) -> int:
        assert self.after is not None
        free = self.after.free() if self._bytes < self._line.max_bytes else 0
        return free * self._size - len(self._items)

    def accept(self, item: Item) -> None:
        self._items.append(item)
        self._bytes += size_of(item.value)
        if len(self._items) >= self._size:
            self._send()
        elif self._wait is not None and self._timer is None:
            loop = self._line.loop
            self._timer = timers_of(loop).at(loop.time() + self._wait, Batching._on_time, self)

    def _on_time(self) -> None:
        self._timer = None
        if self._line.is_running and self._items:
            self._send()

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        items, self._items, self._bytes = self._items, [], 0
        assert self.after is not None
        self.after.accept(Item([item.value for item in items], origins_of(items)))

    def input_ended(self) -> None:
        if self._items:
            self._send()
        assert self.after is not None
        self.after.input_ended()

    def stop(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Grouping(Passing):
    """The pieces of one ``flat_map`` together again, in their order, as soon as the last one is there."""

    name = "group()"

    def __init__(self) -> None:
        self._open: set[Split] = set()
        self._ended = False

    def free(self) -> int:
        assert self.after is not None
        return self.after.free()

    def accept(self, item: Item) -> None:
        split = item.split
        assert split is not None, "the recipe was checked: there is a flat_map before"
        self._open.add(split)
        split.parts[item.piece] = item.value
        split.look()

    def look_at(self, split: Split) -> None:
        """Send *split* on: it is whole."""
        self._open.discard(split)
        whole = split.item
        if split.is_broken:
            return  # the stage that broke has set it aside
        values = [split.parts[piece] for piece in sorted(split.parts)]
        assert self.after is not None
        self.after.accept(Item(values, whole.origin, whole.split, whole.piece))

    def input_ended(self) -> None:
        assert self.after is not None
        self.after.input_ended()


class Runs(Passing):
    """Runs of items with the same key, as ``itertools.groupby``."""

    def __init__(self, line: Line, name: str, key: Callable[[Any], Any]) -> None:
        self.name = name
        self._line = line
        self._key = key
        self._items: list[Item] = []
        self._last: Any = _NOTHING

    def free(self) -> int:
        assert self.after is not None
        return self.after.free()

    def accept(self, item: Item) -> None:
        try:
            key = self._key(item.value)
            differs = self._last is not _NOTHING and key != self._last
        except Exception as error:
            lose(item)
            self._line.fail(error, f"the key of {self.name}, for item {item.origin} of the pipeline's input")
            return
        if differs:
            self._send()
        self._last = key
        self._items.append(item)

    def _send(self) -> None:
        items, self._items = self._items, []
        assert self.after is not None
        self.after.accept(Item([item.value for item in items], origins_of(items)))

    def input_ended(self) -> None:
        if self._items:
            self._send()
        assert self.after is not None
        self.after.input_ended()


def origins_of(items: list[Item]) -> Origin:
    """Return where *items* came from, each place once, in the order of the items."""
    places: dict[int, None] = {}
    for item in items:
        places.update(dict.fromkeys((item.origin,) if isinstance(item.origin, int) else item.origin))
    return tuple(places)
