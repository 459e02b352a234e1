"""What was found, counted by kind and place: written from anywhere, without a lock; read by one at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import NamedTuple

from ..._core.place import Place
from ..place import users_spot

_MOST_FACTS = 50_000  # noted and not yet counted; the watch thread counts them some twenty times a second
_MOST_PLACES = 1_000
_MOST_DETAILS = 50  # different words per finding and subject


class Where(NamedTuple):
    """A line of the program, not yet looked up; line 0: only the file, or nothing, is known."""

    file: str
    line: int
    function: str

    @classmethod
    def of(cls, frame: FrameType) -> Where:
        """Return the user's line in *frame* or its callers (see ``place.users_spot``)."""
        spot = users_spot(frame)
        return cls(spot.code.co_filename, spot.line, spot.code.co_qualname)

    @classmethod
    def at(cls, code: CodeType, instruction: int) -> Where:
        """Return the line of *code* to which *instruction* belongs: a frame's ``f_lasti``."""
        for start, end, line in code.co_lines():
            if start <= instruction < end and line is not None:
                return cls(code.co_filename, line, code.co_qualname)
        return cls(code.co_filename, code.co_firstlineno, code.co_qualname)

    def look_up(self) -> Place:
        """Read the source line and return the place."""
        import linecache

        source = linecache.getline(self.file, self.line).strip() if self.line else ""
        return Place(self.file, self.line, self.function, source)


NOWHERE = Where("", 0, "")
Detail = tuple[str, "Where | str"]
"""A subject, such as ``"behind"``, and what is said of it."""


class Fact(NamedTuple):
    """One thing that happened: of which kind, where, how many seconds it cost, and more, each with its weight."""

    kind: str
    where: Where
    seconds: float
    details: tuple[tuple[Detail, float], ...]


class Weights(dict["Where | str", float]):
    """What was said on one subject, each with its weight; the first few words only, of subjects without end."""

    def add(self, said: Where | str, weight: float) -> None:
        if said in self or len(self) < _MOST_DETAILS:
            self[said] = self.get(said, 0.0) + weight

    def most_common(self, count: int | None = None) -> list[tuple[Where | str, float]]:
        """Return the *count* weightiest, the weightiest first; None: all of them."""
        return sorted(self.items(), key=lambda each: -each[1])[:count]


@dataclass(slots=True)
class Sum:
    """All facts of one kind at one place. Seconds."""

    kind: str
    where: Where
    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    details: dict[str, Weights] = field(default_factory=dict[str, Weights])

    def add(self, fact: Fact) -> None:
        self.count += 1
        self.seconds += fact.seconds
        self.longest = max(self.longest, fact.seconds)
        for (subject, said), weight in fact.details:
            self.details.setdefault(subject, Weights()).add(said, weight)

    def copy(self) -> Sum:
        details = {subject: Weights(said) for subject, said in self.details.items()}
        return Sum(self.kind, self.where, self.count, self.seconds, self.longest, details)


class Ledger:
    """Facts in the order of their coming, and their sums.

    ``note`` and ``later`` take no lock: a finalizer, which calls them, may run in the middle of anything, ``note``
    included.

    Attributes:
      missed: facts that were dropped since too many came at once, or at too many places.
    """

    def __init__(self) -> None:
        self._facts: deque[Fact | Callable[[], Fact]] = deque()
        self._sums: dict[tuple[str, Where], Sum] = {}
        self._lock = threading.RLock()
        self.missed = 0

    def note(
        self, kind: str, where: Where | None, seconds: float = 0.0, details: tuple[tuple[Detail, float], ...] = ()
    ) -> None:
        """Write one fact down. From any thread, at any moment."""
        if len(self._facts) >= _MOST_FACTS:
            self.missed += 1
            return
        self._facts.append(Fact(kind, where or NOWHERE, seconds, details))

    def later(self, fact: Callable[[], Fact]) -> None:
        """Write one fact down that takes time to make, and is made when it is counted. Otherwise as ``note``."""
        if len(self._facts) >= _MOST_FACTS:
            self.missed += 1
            return
        self._facts.append(fact)

    def count(self) -> None:
        """Add what was noted to the sums."""
        with self._lock:
            while self._facts:
                fact = self._facts.popleft()
                self._count(fact if isinstance(fact, Fact) else fact())

    def _count(self, fact: Fact) -> None:
        key = fact.kind, fact.where
        found = self._sums.get(key)
        if found is None:
            if len(self._sums) >= _MOST_PLACES:
                self.missed += 1
                return
            found = self._sums[key] = Sum(*key)
        found.add(fact)

    def sums(self, and_these: Iterable[Fact] = ()) -> list[Sum]:
        """Return what stands in the ledger, in the order of first coming, as copies.

        Args:
          and_these: counted in the copies only: what is still going on, and will be noted when it's over.
        """
        with self._lock:
            self.count()
            copies = {key: each.copy() for key, each in self._sums.items()}
        for fact in and_these:
            copies.setdefault((fact.kind, fact.where), Sum(fact.kind, fact.where)).add(fact)
        return list(copies.values())
