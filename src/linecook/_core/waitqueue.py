"""The one fair, bounded queue in which work waits for a place: by priority, first come first served within one.

A lower priority is never starved: every 16th item is taken from the waiting class that was served longest ago.
(Ageing by count rather than by clock: no time is read on the hot path, and a stopped clock can't stop it.)
Safe to use from many threads without a lock: it stands on the atomicity of ``deque.append`` and ``deque.popleft``.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from .context import PRIORITIES, Priority

T = TypeVar("T")

AGEING = 16
_AGED = AGEING - 1  # a power of two less one: the bits that tell every 16th


class WaitQueue(Generic[T]):
    """A queue of *T* with three priorities.

    Attributes:
      classes: what waits, by priority; to append there is to ``put``.
    """

    __slots__ = ("_lines", "_taken", "_turn", "classes")

    def __init__(self) -> None:
        self._lines: tuple[deque[T], deque[T], deque[T]] = (deque(), deque(), deque())
        self.classes: dict[Priority, deque[T]] = dict(zip(PRIORITIES, self._lines, strict=True))
        self._taken = 0
        self._turn = 0

    def __len__(self) -> int:
        return sum(map(len, self._lines))

    def __bool__(self) -> bool:
        first, second, third = self._lines
        return bool(first or second or third)

    def counts(self) -> dict[Priority, int]:
        """Return how many wait in each class."""
        return {name: len(line) for name, line in self.classes.items()}

    def put(self, item: T, priority: Priority = "normal") -> None:
        """Add *item* at the end of its class."""
        self.classes[priority].append(item)

    def put_back(self, item: T, priority: Priority = "normal") -> None:
        """Add *item* at the head of its class: it had its turn already and lost it through no fault of its own."""
        self.classes[priority].appendleft(item)

    def take(self) -> T | None:
        """Return the next item, or None when nothing waits."""
        self._taken = taken = self._taken + 1
        if not taken & _AGED:
            return self._take_aged()
        for line in self._lines:
            if line:
                try:
                    return line.popleft()
                except IndexError:  # another thread was faster
                    continue
        return None

    def _take_aged(self) -> T | None:
        """Take from the waiting class whose turn it is, lowest first: each gets one in three of these."""
        for _ in self._lines:
            self._turn = turn = (self._turn - 1) % len(self._lines)
            line = self._lines[turn]
            if line:
                try:
                    return line.popleft()
                except IndexError:
                    continue
        return None

    def drain(self) -> list[T]:
        """Take everything out, in the order of priority."""
        items: list[T] = []
        for line in self._lines:
            while line:
                try:
                    items.append(line.popleft())
                except IndexError:  # another thread was faster
                    break
        return items
