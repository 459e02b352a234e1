"""What the neighbours of a cell's file do with it: a ``Shared`` as a whole, one key of a map, or all of a map.

Waiting, edits and transactions work on these; so the cells themselves show users nothing but what is theirs.
"""

# These classes are the other half of Shared and SharedMap.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from .actors import Actor, Read, actor_here
from .edits import Turns
from .lost import State
from .values import MISSING, kept
from .waiting import Waits

if TYPE_CHECKING:
    from .shared import Shared
    from .store import SharedMap


class _Part:
    """What a ``Shared`` as a whole, a key of a map and all of a map have in common.

    Attributes:
      key: of a map; None for all of it, and of a ``Shared``.
    """

    __slots__ = ("cell",)

    key: Any = None

    def __init__(self, cell: Any) -> None:
        self.cell = cell

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.cell is other.cell and bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.cell._serial)

    @property
    def lock(self) -> Any:
        """Guards the replacement of the state."""
        return self.cell._lock

    @property
    def serial(self) -> int:
        """Its place in the order in which locks are taken."""
        serial: int = self.cell._serial
        return serial

    @property
    def waiting(self) -> Waits | None:
        """Those who wait for a change; None: nobody ever did, and of a map nobody can."""
        return None

    def where(self) -> str:
        """Return what errors and reports call it."""
        where: str = self.cell.where()
        return where


class Single(_Part):
    """All of a ``Shared``."""

    __slots__ = ()

    cell: Shared[Any]

    @property
    def memory(self) -> int:
        """Under what an actor remembers a read."""
        return self.cell._serial

    @property
    def waiting(self) -> Waits | None:
        """Those who wait for a change; None: nobody ever did."""
        return self.cell._waits

    @property
    def waits(self) -> Waits:
        """Those who wait for a change; made when first asked for."""
        cell = self.cell
        if cell._waits is None:
            made = Waits(cell._lock)
            with cell._lock:
                if cell._waits is None:
                    cell._waiters = made.waiters
                    cell._waits = made
        return cell._waits

    @property
    def turns(self) -> Turns:
        """Those who edit, or wait to; made when first asked for."""
        cell = self.cell
        if cell._turns is None:
            made = Turns(cell._lock)
            with cell._lock:
                if cell._turns is None:
                    cell._turns = made
        return cell._turns

    def state(self) -> State:
        """Return what it holds, untracked."""
        return self.cell._state

    async def until(self, test: Callable[[State], bool]) -> State:
        """Return the first state seen that passes *test*: the present one, or one of those that follow."""
        return await self.waits.until(self, test)

    def look(self, frame: FrameType) -> State:
        """Read, and remember that the code in *frame* did."""
        actor = self.cell._actor("read", frame)
        if actor.transaction is not None:
            before: State = actor.transaction.state(self)
            return (actor.transaction.read(self), *before[1:])
        state = self.cell._state
        self.saw(state, frame)
        return state

    def saw(self, state: State, frame: FrameType) -> None:
        """Remember that the code in *frame* has read *state*."""
        actor_here().remember(self.cell._serial, (state[1], frame.f_code, frame.f_lasti, kept(state[0])))

    def commit(self, seen: State, value: Any, frame: FrameType) -> State | None:
        """Replace *seen* by *value*; return None, or the state that was there instead."""
        actor = self.cell._actor("write", frame)
        return None if self.cell._replace(seen, value, actor, frame) else self.cell._state

    def put(self, value: Any, actor: Actor, frame: FrameType) -> None:
        """Replace the state whatever it is; to be called under the lock."""
        cell = self.cell
        cell._state = (value, cell._state[1] + 1, actor, frame.f_code, frame.f_lasti)

    def look_back(self, read: Read, value: Any, frame: FrameType, actor: Actor) -> None:
        """Say so if *read* is stale for a write of *value*."""
        seen = self.cell._state
        if read[0] != seen[1]:
            self.cell._stale(read, seen, value, frame, actor)


class Place(_Part):
    """One key of a map, as a transaction sees it."""

    __slots__ = ("key",)

    cell: SharedMap[Any, Any]

    def __init__(self, cell: SharedMap[Any, Any], key: Any) -> None:
        super().__init__(cell)
        self.key = key

    def __hash__(self) -> int:
        return hash((self.cell._serial, self.key))

    @property
    def memory(self) -> tuple[int, Any]:
        return (self.cell._serial, self.key)

    def where(self) -> str:
        return self.cell._where_of(self.key)

    def state(self) -> State | None:
        return self.cell._states.get(self.key)

    def now(self) -> Any:
        """Return the value, ``MISSING`` where there is none."""
        state = self.state()
        return MISSING if state is None else state[0]

    def put(self, value: Any, actor: Actor, frame: FrameType) -> None:
        self.cell._place(self.key, (value, self.cell._number + 1, actor, frame.f_code, frame.f_lasti))

    def look_back(self, read: Read, value: Any, frame: FrameType, actor: Actor) -> None:
        seen = self.state()
        if read[0] != (0 if seen is None else seen[1]):
            self.cell._stale(self.key, read, seen, value, frame, actor)


class Whole(_Part):
    """All of a map, as a transaction sees it that has looked at all: any write to it counts."""

    __slots__ = ()

    cell: SharedMap[Any, Any]

    @property
    def memory(self) -> None:
        return

    def state(self) -> int:
        return self.cell._number

    def put(self, value: Any, actor: Actor, frame: FrameType) -> None:
        raise AssertionError("a map is written key by key")

    def look_back(self, read: Read, value: Any, frame: FrameType, actor: Actor) -> None:
        raise AssertionError("a map is written key by key")
