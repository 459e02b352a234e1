"""One item on its way through a pipeline: its value, where it came from, and what it is a piece of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Any

Origin = int | tuple[int, ...]
"""The place in the source, from 0; a tuple of them for what ``batch`` or ``group`` put together."""

_MOST_LOOKED_AT = 1000  # elements of one container; the others are taken for as large


class Item:
    """What stands in a buffer between two stages; stages replace its value.

    Attributes:
      value: what the next stage gets.
      origin: see ``Origin``.
      split: what it is a piece of, once a ``flat_map`` made it; None before.
      piece: which piece, from 0.

    A stage that takes it sets, as far as it needs them:
      place: the order in which it came into the stage.
      tries: how often the stage began it, in vain.
      size: bytes it is counted for, while it waits in the buffer.
    """

    __slots__ = ("origin", "piece", "place", "size", "split", "tries", "value")

    place: int
    tries: int
    size: int

    def __init__(self, value: Any, origin: Origin, split: Split | None = None, piece: int = 0) -> None:
        self.value = value
        self.origin = origin
        self.split = split
        self.piece = piece


class Split:
    """The pieces of one item that a ``flat_map`` took apart, for ``group`` to put together again.

    Attributes:
      item: the whole.
      made: pieces so far.
      has_ended: whether no more will be made.
      gone: pieces that will not come: filtered out, skipped.
      parts: those that have come, by their number.
      is_broken: whether the making of pieces failed: the whole is set aside, and its pieces lead nowhere.
    """

    __slots__ = ("_changed", "gone", "has_ended", "is_broken", "item", "made", "parts")

    def __init__(self, item: Item, changed: Callable[[Split], None] | None) -> None:
        self.item = item
        self.made = 0
        self.has_ended = False
        self.gone = 0
        self.parts: dict[int, Any] = {}
        self.is_broken = False
        self._changed = changed

    @property
    def is_whole(self) -> bool:
        """Whether every piece has come or is gone."""
        return self.has_ended and len(self.parts) + self.gone == self.made

    def end(self, is_broken: bool = False) -> None:
        """Note that no more pieces will be made."""
        self.has_ended, self.is_broken = True, is_broken
        self.look()

    def lose_one(self) -> None:
        """Note that one piece goes no further."""
        self.gone += 1
        self.look()

    def look(self) -> None:
        """Have whoever puts it together look whether it is whole."""
        if self._changed is not None and self.is_whole:
            self._changed(self)


def lose(item: Item) -> None:
    """Note that *item* goes no further: what it is a piece of doesn't wait for it."""
    if item.split is not None:
        item.split.lose_one()


def size_of(value: Any) -> int:
    """Return how many bytes *value* is counted for: exactly for data, its shallow size for other objects."""
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind in _SMALL:
        return 32
    if kind in _DATA:
        return len(value)
    if kind in _CONTAINERS:
        return _size_of_all(value.values() if kind is dict else value, value)
    try:
        nbytes = getattr(value, "nbytes", 256)  # memoryview, numpy arrays
    except Exception:  # whatever a property of the user's raises: a guess is no place to fail
        return 256
    return nbytes if isinstance(nbytes, int) else 256


_SMALL = frozenset((int, float, bool, complex, type(None)))
_DATA = frozenset((str, bytes, bytearray))
_CONTAINERS = frozenset((list, tuple, dict, set, frozenset))


def _size_of_all(values: Iterable[Any], container: Sized) -> int:
    """Of nested containers only the first level is looked into: a bound on buffers needs no more."""
    total = 64
    try:
        for place, value in enumerate(values):
            if place == _MOST_LOOKED_AT:
                return total * len(container) // place
            size = len(value) if type(value) in _DATA else getattr(value, "nbytes", 64)
            total += size if isinstance(size, int) else 64
    except Exception:  # as above
        return 64 * (1 + len(container))
    return total
