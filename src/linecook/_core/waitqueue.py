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


class WaitQueue(Generic[T]):
    """A queue of *T* with three priorities."""

    __slots__ = ("_classes", "_taken", "_turn")

    def __init__(self) -> None:
        self._classes: dict[Priority, deque[T]] = {name: deque() for name in PRIORITIES}
        self._taken = 0
        self._turn = 0

    def __len__(self) -> int:
        return sum(map(len, self._classes.values()))

    def __bool__(self) -> bool:
        a, b, c = self._classes.values()
        return bool(a or b or c)

    def counts(self) -> dict[Priority, int]:
        """Return how many wait in each class."""
        return {name: len(line) for name, line in self._classes.items()}

    def put(self, item: T, priority: Priority = "normal") -> None:
        """Add *item* at the end of its class."""
        self._classes[priority].append(item)

    def put_back(self, item: T, priority: Priority = "normal") -> None:
        """Add *item* at the head of its class: it had its turn already and lost it through no fault of its own."""
        self._classes[priority].appendleft(item)

    def take(self) -> T | None:
        """Return the next item, or None when nothing waits."""
        self._taken += 1
        if self._taken % AGEING == 0:
            aged = self._take_aged()
            if aged is not None:
                return aged
        for line in self._classes.values():
            if line:
                try:
                    return line.popleft()
                except IndexError:  # another thread was faster
                    continue
        return None

    def _take_aged(self) -> T | None:
        lines = list(self._classes.values())
        for _ in lines:
            self._turn = (self._turn - 1) % len(lines)  # lowest class first
            line = lines[self._turn]
            if line:
                try:
                    return line.popleft()
                except IndexError:
                    continue
        return None

    def drain(self) -> list[T]:
        """Take everything out, in the order of priority."""
        items: list[T] = []
        for line in self._classes.values():
            while line:
                items.append(line.popleft())
        return items
