"""What was wrong with a schedule's accesses: an update that was lost, a decision on what was true before an await."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..exploration import Access, Place, Step
from .observing import Seen


@dataclass(frozen=True, slots=True)
class Wait:
    """Where a party stood still between two of its accesses."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A read, what another party wrote meanwhile, and what the first one then did.

    Attributes:
      kind: ``"lost update"``: it wrote over the other's value what it had made of the old one; ``"stale check"``: it
        went on, and wrote, as if what it had read were still so. A container that is changed in place, as by
        ``append``, loses nothing of what others did to it: that is a stale check at most.
      read, other, then: the three accesses, in the order in which they happened.
      waits: the awaits of the first party between its read and its write.
    """

    kind: Literal["lost update", "stale check"]
    read: Seen
    other: Seen
    then: Seen
    waits: tuple[Wait, ...]

    @property
    def accesses(self) -> tuple[Access, ...]:
        """The three, as the failure shows them."""
        return tuple(map(_access, (self.read, self.other, self.then)))

    def shown_in(self, steps: Sequence[Step], seen: Sequence[Seen]) -> tuple[Step, ...]:
        """Return *steps*, each with its accesses to what this is about."""
        about = {one.where for one in (self.read, self.other, self.then)}
        told: dict[int, dict[Access, None]] = {}
        for one in seen:
            if one.where in about:
                told.setdefault(one.step, {})[_access(one)] = None
        return tuple(replace(step, accesses=(*step.accesses, *told.get(place, ()))) for place, step in enumerate(steps))


def _access(seen: Seen) -> Access:
    return Access(seen.party, seen.does, seen.what, seen.value, seen.place)


def conflict_in(seen: Sequence[Seen], steps: Sequence[Step]) -> Conflict | None:
    """Return the conflict that explains most, the latest of its kind; None: there is none.

    Only state that was read before an await, written by somebody else during it, and written after it.
    """
    found = [
        conflict
        for place, write in enumerate(seen)
        if write.does == "write" and (conflict := _before(write, seen[:place], steps)) is not None
    ]
    found.sort(key=lambda one: (one.kind == "lost update", one.then.step))
    return found[-1] if found else None


def _before(write: Seen, earlier: Sequence[Seen], steps: Sequence[Step]) -> Conflict | None:
    """Return what *write* follows from wrongly."""
    for place in range(len(earlier) - 1, -1, -1):
        read = earlier[place]
        if read.party != write.party or read.step == write.step or read.does != "read" or not _touch(read, write):
            continue
        between = earlier[place + 1 :]
        others = [one for one in between if one.party != read.party and one.does == "write" and _touch(one, read)]
        if not others or not _waits(read, write, steps):
            continue
        renewed = any(one.party == read.party and one.step == write.step and _touch(one, read) for one in between)
        own = any(one.party == read.party and one.does == "write" and _touch(one, read) for one in between)
        if own or _is_as_it_was(read, write):
            continue
        checked = renewed or read.where != write.where or write.in_place
        return Conflict(
            "stale check" if checked else "lost update", read, others[-1], write, _waits(read, write, steps)
        )
    return None


def _touch(one: Seen, other: Seen) -> bool:
    """Say whether both are about the same: the same place, or one is about the whole of what the other is in."""
    if one.where == other.where:
        return True
    return one.where[0] == other.where[0] and "*" in (one.where[1], other.where[1])


def _is_as_it_was(read: Seen, write: Seen) -> bool:
    """Say whether just before *write* there was still what *read* had found: somebody changed other things nearby."""
    return read.where == write.where and not write.in_place and read.found == write.found


def _waits(first: Seen, last: Seen, steps: Sequence[Step]) -> tuple[Wait, ...]:
    waits: dict[Wait, None] = {}
    for step in steps[first.step : last.step]:
        if step.party == first.party and step.place is not None:
            waits[Wait(step.place, step.awaits)] = None
    return tuple(waits)
