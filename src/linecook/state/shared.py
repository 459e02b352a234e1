"""``Shared``: one value that agents share, with a version; a write on a stale read is noticed at the write.

Two rules keep it right with and without a GIL. The state (value, version, who wrote it and where) is one object, never
changed and replaced as a whole: to read it is to load one reference, without a lock. It is replaced under the lock, and
only where it is still the one that was looked at. Between that look and the replacement no function is called and
nothing is allocated, so no signal handler or finalizer can come in between; the lock is re-entrant for those that come
before. Users' functions, comparisons and wake-ups run outside of it.
"""

from __future__ import annotations

import sys
from _thread import RLock  # what threading calls RLock, under a name that nobody patches
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any, Generic, Literal, NamedTuple, NoReturn, TypeVar

from .._core.deadline import DeadlineScope, check_seconds
from .._core.errors import Conflict, NotPortable, UsageError
from . import hook
from .actors import MOST_READS, Actor, actor_here, task_here
from .edits import Edit, Turns
from .lines import line_of
from .lost import State, lost, name_made_at
from .parts import Single
from .shown import shown
from .transactions import MOST_ATTEMPTS, OWN_WRITES
from .values import FINE, LONG, NOT_KEPT, SCALARS, check, refuse_unawaited
from .waiting import Changes, Waits

T = TypeVar("T")

MODES = ("report", "raise")
serials = count(1)
_frame = sys._getframe


class Seen(NamedTuple, Generic[T]):
    """A value and the version it had.

    Attributes:
      value: the value.
      version: a number that grows with every write; equal versions of one cell are the same write.
    """

    value: T
    version: int


class Shared(Generic[T]):
    """A value that tasks and threads share, and in which no update is lost unnoticed.

    Args:
      value: what it holds at first. It must be something nobody can change in place: a number, a string, a tuple, a
        frozenset, a frozen dataclass. What such an object holds inside is not looked at.
      name: what reports call it; empty: the name to which it was assigned, as far as it can be read there.
      lost_update: what a write on a stale read does: ``"report"`` it in the log, at most once per place and second,
        and as an event, and write; or ``"raise"`` ``LostUpdate`` and write nothing.

    Raises:
      UsageError: *value* is a list, dict, set, bytearray or another mutable container, or a coroutine.
      ValueError: *lost_update* is no such word.

    A read is stale at a write of the same task when somebody else has written in between. Only the task itself counts
    (in a thread: the call that it serves), and only its last ``value`` since its own last write. So none of these is
    reported: reading again before writing, writing without having read, reading in one task and writing in another,
    ``update``, ``compare_and_set``, ``peek``, ``set``, and a read whose result only goes into a ``print``, a log or an
    ``assert``. A value that was changed and changed back counts as changed. Reads of plain callbacks of a loop are not
    remembered, and of one task the last 64.

    It lives in one process: it refuses to be pickled, and so to travel to ``lane="process"``.
    """

    __slots__ = (
        "__weakref__", "_lock", "_made", "_mode", "_name", "_serial", "_state", "_turns", "_waiters", "_waits",
    )  # fmt: skip

    def __init__(self, value: T, *, name: str = "", lost_update: Literal["report", "raise"] = "report") -> None:
        if lost_update not in MODES:
            raise ValueError(f"lost_update must be 'report' or 'raise', not {lost_update!r}")
        frame = maker(_frame(1))
        self._name = name
        self._made = (frame.f_code, frame.f_lasti)
        check(value, self.where)
        self._mode = lost_update
        self._serial = next(serials)
        self._lock = RLock()
        self._waits: Waits | None = None
        self._waiters: Any = None  # those of _waits: one load on the way of every write
        self._turns: Turns | None = None
        self._state: State = (value, 0, actor_here(), frame.f_code, frame.f_lasti)

    @property
    def value(self) -> T:
        """The value. Reading is remembered; assigning writes, and counts as made on what the task read last.

        Raises:
          UsageError: on assigning what a cell can't hold.
          LostUpdate: on assigning, in mode ``"raise"``: somebody else has written since the read.
        """
        frame = _frame(1)
        if hook.observer is not None:
            hook.observer.accessing(self, None, "read", frame)
        try:
            reads = task_here()._linecook_actor.reads
        except (AttributeError, RuntimeError):  # a thread, a task not seen before, or a transaction
            actor = actor_here()
            if actor.transaction is not None:
                return actor.transaction.read(Single(self))  # type: ignore[no-any-return]
            reads = actor.reads
        state = self._state
        value: T = state[0]
        serial = self._serial
        kind = value.__class__
        small = value if kind in SCALARS or (kind is str and len(state[0]) <= LONG) else NOT_KEPT  # kept(), inline
        reads[serial] = (state[1], frame.f_code, frame.f_lasti, small)
        if len(reads) > MOST_READS:
            del reads[next(iter(reads))]
        return value

    @value.setter
    def value(self, value: T) -> None:
        if value.__class__ not in FINE:
            check(value, self.where)
        frame = _frame(1)
        if hook.observer is not None:
            hook.observer.accessing(self, None, "write", frame)
        try:
            actor: Actor = task_here()._linecook_actor
        except (AttributeError, RuntimeError):
            actor = actor_here()
            if actor.transaction is not None:
                actor.transaction.write(Single(self), value, frame)
                return
        read = actor.reads.pop(self._serial, None)
        while True:
            seen = self._state
            version = seen[1]
            if read is not None and read[0] != version:
                self._stale(read, seen, value, frame, actor)
                read = None
            new = (value, version + 1, actor, frame.f_code, frame.f_lasti)
            with self._lock:
                if self._state is seen:
                    self._state = new
                    break
        if self._waiters:
            self._wake()

    def peek(self) -> T:
        """Return the value without this counting as a read: a later write doesn't depend on it."""
        actor = self._actor("read", _frame(1))
        if actor.transaction is not None:
            return actor.transaction.peek(Single(self))  # type: ignore[no-any-return]
        value: T = self._state[0]
        return value

    def set(self, value: T) -> None:
        """Write *value* whatever is there: meant to overwrite, and so never reported.

        Raises:
          UsageError: *value* is something a cell can't hold.
        """
        check(value, self.where)
        frame = _frame(1)
        actor = self._actor("write", frame)
        if actor.transaction is not None:
            actor.transaction.write(Single(self), value, frame)
            return
        while not self._replace(self._state, value, actor, frame):
            pass

    def seen(self) -> Seen[T]:
        """Return the value with its version, for ``compare_and_set``; counts as a read."""
        frame = _frame(1)
        state = Single(self).look(frame)
        return Seen(state[0], state[1])

    def update(self, fn: Callable[[T], T]) -> T:
        """Write what *fn* makes of the value, in one step that nobody can come in between; return it.

        Never waits, and works from any task or thread. *fn* runs outside of every lock: where somebody else was faster
        it runs again, on the newer value, so it should do nothing but compute.

        Raises:
          UsageError: *fn* is a coroutine function, writes this same cell, or returns what a cell can't hold.
          Conflict: others were faster 1,000 times in a row; *fn* takes too long for so busy a cell.
          Exception: whatever *fn* raises; nothing was written.
        """
        frame = _frame(1)
        own = 0
        for _ in range(MOST_ATTEMPTS):
            actor = self._actor("read", frame)
            if actor.transaction is not None:
                made = fn(actor.transaction.read(Single(self)))
                check(made, self.where)
                actor.transaction.write(Single(self), made, frame)
                return made
            seen = self._state
            value = fn(seen[0])
            if value.__class__ not in FINE:
                check(value, self.where)
            if hook.observer is not None:
                hook.observer.accessing(self, None, "write", frame)
            if self._replace(seen, value, actor, frame):
                return value
            own = own + 1 if self._state[2] is actor else 0
            if own == OWN_WRITES:
                raise UsageError(
                    f"the function given to update of {self.where()} writes this same cell, so it could never be done; "
                    "let it return the new value"
                )
        raise Conflict(
            f"update of {self.where()} was overtaken {MOST_ATTEMPTS:,} times: its function takes too long for so busy "
            "a cell. Compute before, and let the function only put the result in"
        )

    def compare_and_set(self, expected: T | Seen[T], value: T) -> bool:
        """Write *value* if the cell still holds *expected*; say whether it did.

        Args:
          expected: the value, compared by identity, then ``==``; or what ``seen()`` returned: then it is the version
            that counts, and a value that was changed and changed back isn't expected any more.
          value: the new one.

        Raises:
          UsageError: *value* is something a cell can't hold.
        """
        check(value, self.where)
        frame = _frame(1)
        actor = self._actor("write", frame)
        if actor.transaction is not None:
            now = actor.transaction.read(Single(self))
            if not is_as_expected((now, actor.transaction.state(Single(self))[1]), expected):
                return False
            actor.transaction.write(Single(self), value, frame)
            return True
        while True:
            seen = self._state
            if not is_as_expected(seen, expected):
                return False
            if self._replace(seen, value, actor, frame):
                return True

    def edit(self) -> Edit[T]:
        """Work on the value across awaits: ``async with cell.edit() as draft``, then ``draft.value``.

        Edits exclude edits, first come first served, on all loops. Leaving the block writes what was assigned to
        ``draft.value``; where nothing was, or the block raises, nothing is. Until then readers see the old value.

        Raises:
          Conflict: on leaving, when somebody wrote by ``value``, ``update`` or otherwise meanwhile: nothing is written.
          UsageError: the task that enters it edits this cell already, or assigns what a cell can't hold.
        """
        return Edit[T](Single(self))

    async def wait_for(self, predicate: Callable[[T], object], *, timeout: float | None = None) -> T:
        """Wait until the value passes *predicate*, and return it; at once where it does already.

        Args:
          predicate: a plain function; runs in this task, on the present value and after each change. What is
            overwritten before this task has its turn isn't seen.
          timeout: seconds, ≥ 0; None waits with the nearest deadline around it (``fail_after``).

        Raises:
          TimedOutError: *timeout* passed.
          UsageError: *predicate* is a coroutine function.
          Exception: whatever *predicate* raises.
        """
        check_seconds(timeout, "timeout")
        found: list[State] = []
        what = "wait_for" if timeout is None else f"{self.where()}.wait_for"
        with DeadlineScope(timeout, what, True):
            found.append(await Single(self).until(lambda state: _passes(predicate, state[0])))
        Single(self).saw(found[0], _frame(1))
        value: T = found[0][0]
        return value

    def changes(self) -> Changes[T]:
        """Return an endless iterator over the values from now on: ``async for value in cell.changes()``.

        A reader that is slower than the writers skips what is overwritten meanwhile and gets the newest; ``missed``
        counts the rest. It holds no queue. Each task needs an iterator of its own. Yielding counts as a read.
        """
        return Changes[T](Single(self), self._state[1])

    def where(self) -> str:
        """Return what errors and reports call this cell."""
        name = self._name or name_made_at(*self._made)
        return f"Shared {name!r}" if name else f"a Shared made at {line_of(*self._made)}"

    def __repr__(self) -> str:
        name = self._name or name_made_at(*self._made)
        return f"<Shared {name + '=' if name else ''}{shown(self._state[0])}>"

    def __reduce__(self) -> NoReturn:
        raise NotPortable(
            f"{self.where()} can't be copied, pickled or sent to a process: what is written there would be lost here. "
            "Send its value and let the tool return what should be added, or use lane='thread'."
        )

    def _actor(self, kind: Literal["read", "write"], frame: FrameType) -> Actor:
        if hook.observer is not None:
            hook.observer.accessing(self, None, kind, frame)
        try:
            return task_here()._linecook_actor  # type: ignore[no-any-return]
        except (AttributeError, RuntimeError):
            return actor_here()

    def _replace(self, seen: State, value: Any, actor: Actor, frame: FrameType) -> bool:
        new = (value, seen[1] + 1, actor, frame.f_code, frame.f_lasti)
        with self._lock:
            if self._state is not seen:
                return False
            self._state = new
        actor.reads.pop(self._serial, None)
        if self._waiters:
            self._wake()
        return True

    def _wake(self) -> None:
        Single(self).waits.wake()

    def _stale(self, read: Any, seen: State, value: Any, frame: FrameType, actor: Actor) -> None:
        try:
            lost(self.where(), self._mode, read, seen, value, frame, actor)
        except BaseException:
            actor.reads[self._serial] = read  # not written: the read is as stale as before
            raise


def maker(frame: FrameType) -> FrameType:
    """Return the frame that makes a cell: ``Shared[int](0)`` comes through typing."""
    while frame.f_globals.get("__name__") == "typing" and frame.f_back is not None:
        frame = frame.f_back
    return frame


def is_as_expected(seen: tuple[Any, ...], expected: Any) -> bool:
    """Say whether *seen* is the version, or holds the value, that is *expected*."""
    if isinstance(expected, Seen):
        return bool(seen[1] == expected.version)
    return seen[0] is expected or bool(seen[0] == expected)


def _passes(predicate: Callable[[Any], object], value: Any) -> bool:
    answer = predicate(value)
    if answer.__class__ not in FINE:
        refuse_unawaited(answer, lambda: "wait_for's predicate")
    return bool(answer)
