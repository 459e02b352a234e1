"""Who is next when calls wait for a limit: by priority, and within one priority fairly between tenants.

Fair queueing with virtual starts (Goyal, Vin and Cheng, 1996): a tenant's next call begins, in virtual time, where its
last one ended, and whoever begins first is served. A call takes its cost divided by its tenant's weight. So tenants
that have calls waiting share by weight, whatever they have queued, and one that was idle neither owes nor saves
anything. Virtual time itself passes as for a server that serves all of them at once (Parekh and Gallager, 1993): were
it the start of whoever is served, as in the first paper, a stream of new tenants would hold all others up for ever.
Priorities age as in ``WaitQueue``: every 16th place goes to the waiting class that was served longest ago.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from ..._core.context import PRIORITIES, Priority
from ..._core.waitqueue import AGEING

T = TypeVar("T")

_SLACK = 64


class _Line(Generic[T]):
    """The calls of one tenant, first come first served."""

    __slots__ = ("finish", "items", "weight")

    def __init__(self) -> None:
        self.items: deque[tuple[T, float]] = deque()
        self.weight = 1.0
        self.finish = 0.0  # virtual time at which its last call served ends


class _Class(Generic[T]):
    """What waits in one priority. ``gone`` says which items wait no more: they cost their tenant nothing."""

    __slots__ = ("_gone", "_heap", "_lines", "_now", "_order", "_weights", "kept")

    def __init__(self, gone: Callable[[T], bool]) -> None:
        self._gone = gone
        self._lines: dict[str, _Line[T]] = {}
        self._heap: list[tuple[float, int, str]] = []  # every tenant whose line isn't empty, by its virtual start
        self._order = count()
        self._now = 0.0  # virtual time
        self._weights = 0.0  # of all tenants in the heap
        self.kept = 0  # items, those that wait no more included

    def put(self, item: T, tenant: str, weight: float, cost: float, *, at_head: bool) -> None:
        line = self._lines.get(tenant)
        if line is None:
            if len(self._lines) > 2 * len(self._heap) + _SLACK:  # those that are idle and owe nothing are forgotten
                now = self._now
                self._lines = {name: one for name, one in self._lines.items() if one.items or one.finish > now}
            line = self._lines[tenant] = _Line()
        if line.items:
            self._weights += weight - line.weight
            line.weight = weight
        else:
            line.weight = weight
            self._enter(tenant, line, max(self._now, line.finish))
        self.kept += 1
        if at_head:
            line.items.appendleft((item, cost))
        else:
            line.items.append((item, cost))

    def _enter(self, tenant: str, line: _Line[T], start: float) -> None:
        heappush(self._heap, (start, next(self._order), tenant))
        self._weights += line.weight

    def peek(self) -> T | None:
        """Return the next item that still waits; None when none does."""
        heap = self._heap
        while heap:
            line = self._lines[heap[0][2]]
            items = line.items
            while items and self._gone(items[0][0]):
                items.popleft()
                self.kept -= 1
            if items:
                return items[0][0]
            heappop(heap)
            self._weights -= line.weight
        self._lines.clear()  # nobody waits: nobody is owed anything
        self._now = self._weights = 0.0
        return None

    def take(self) -> None:
        """Serve what ``peek`` returned."""
        start, _, tenant = heappop(self._heap)
        line = self._lines[tenant]
        _, cost = line.items.popleft()
        self.kept -= 1
        self._now = max(self._now, start) + cost / max(self._weights, line.weight)
        self._weights -= line.weight
        line.finish = start + cost / line.weight
        if line.items:
            self._enter(tenant, line, line.finish)

    def sweep(self) -> None:
        for line in self._lines.values():
            line.items = deque(entry for entry in line.items if not self._gone(entry[0]))
        self._heap = [entry for entry in self._heap if self._lines[entry[2]].items]
        heapify(self._heap)
        self._weights = sum(line.weight for line in self._lines.values() if line.items)
        self.kept = sum(len(line.items) for line in self._lines.values())

    def __iter__(self) -> Iterator[T]:
        for line in self._lines.values():
            for item, _ in line.items:
                if not self._gone(item):
                    yield item


class FairQueue(Generic[T]):
    """A queue of *T* with three priorities, fair between tenants within each.

    Args:
      gone: says whether an item waits no more (its caller left); such items are passed over and cost nothing.

    ``peek`` shows who is next and ``take`` serves it; O(log n) in the number of tenants that wait.
    """

    __slots__ = ("_classes", "_taken", "_turn")

    def __init__(self, gone: Callable[[T], bool]) -> None:
        self._classes: dict[Priority, _Class[T]] = {name: _Class(gone) for name in PRIORITIES}
        self._taken = 0
        self._turn = 0

    def put(
        self,
        item: T,
        priority: Priority = "normal",
        tenant: str = "",
        weight: float = 1.0,
        cost: float = 1.0,
        *,
        at_head: bool = False,
    ) -> None:
        """Add *item* to its tenant's line: at the end, or at the head when it had its turn already and lost it."""
        self._classes[priority].put(item, tenant, weight, cost, at_head=at_head)

    def peek(self) -> T | None:
        """Return the next item that still waits, without serving it; None when none does."""
        found = self._next()
        return None if found is None else found[1]

    def take(self) -> T | None:
        """Serve the next item that still waits, and return it; None when none does."""
        found = self._next()
        if found is None:
            return None
        name, item = found
        self._taken += 1
        if not self._taken % AGEING:
            self._turn = PRIORITIES.index(name)
        self._classes[name].take()
        return item

    def _next(self) -> tuple[Priority, T] | None:
        aged = not (self._taken + 1) % AGEING
        for name in self._by_age() if aged else PRIORITIES:
            item = self._classes[name].peek()
            if item is not None:
                return name, item
        return None

    def _by_age(self) -> list[Priority]:
        """Return the classes, the one served longest ago by ageing first: lowest first at the beginning."""
        places = len(PRIORITIES)
        return [PRIORITIES[(self._turn - step) % places] for step in range(1, places + 1)]

    def sweep(self) -> None:
        """Let go of items that wait no more: the callers of a hung tool may come and time out for ever."""
        for one in self._classes.values():
            one.sweep()

    def __iter__(self) -> Iterator[T]:
        for one in self._classes.values():
            yield from one

    def __len__(self) -> int:
        """Return how many are kept, those that wait no more included."""
        return sum(one.kept for one in self._classes.values())
