"""``SharedMap``: many values by key, each with a version of its own, so that a big store is never copied."""

from __future__ import annotations

import sys
from _thread import RLock  # what threading calls RLock, under a name that nobody patches
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import Any, Generic, Literal, NoReturn, TypeVar, overload

from .._core.errors import Conflict, NotPortable, UsageError
from . import hook
from .actors import Actor, Read, actor_here, task_here
from .lines import line_of
from .lost import State, lost, name_made_at
from .parts import Place, Whole
from .shared import MODES, maker, serials
from .shown import shown
from .transactions import MOST_ATTEMPTS, OWN_WRITES
from .values import FINE, MISSING, Missing, check, kept

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")

_frame = sys._getframe


class SharedMap(Generic[K, V]):
    """Values by key that tasks and threads share: ``notes[topic] = page``, ``notes.update(topic, fn)``.

    Args:
      items: what it holds at first: a mapping, or pairs; copied.
      name: what reports call it; empty: the name to which it was assigned, as far as it can be read there.
      lost_update: as for ``Shared``.

    Raises:
      UsageError: one of the values is a mutable container, or a coroutine; the message names the key.
      ValueError: *lost_update* is no such word.

    Every key has its own version: a write is stale only if the same key was written, or deleted, by somebody else since
    the task read it. That a key is *missing* is something one can have read, too (``get``, ``in``): to fetch what is
    missing and then put it there, while somebody else does the same, is reported. What counts is as for ``Shared``.

    Reading one key at a time is remembered; whole-map readings (``snapshot``, iteration, ``len``) are not, except in a
    transaction, which holds to them. They show one moment: a loop over the map may write to it. It lives in one process
    and refuses to be pickled.
    """

    __slots__ = ("__weakref__", "_lock", "_made", "_mode", "_name", "_number", "_serial", "_states")

    def __init__(
        self,
        items: Mapping[K, V] | Iterable[tuple[K, V]] = (),
        *,
        name: str = "",
        lost_update: Literal["report", "raise"] = "report",
    ) -> None:
        if lost_update not in MODES:
            raise ValueError(f"lost_update must be 'report' or 'raise', not {lost_update!r}")
        frame = maker(_frame(1))
        self._made = (frame.f_code, frame.f_lasti)
        self._name = name
        self._mode = lost_update
        self._serial = next(serials)
        self._lock = RLock()
        self._states: dict[K, State] = {}
        actor = actor_here()
        self._number = 0  # of writes so far; each takes the next as its version, so that none is ever used twice
        for key, value in dict(items).items():
            check(value, partial(self._where_of, key))
            self._number += 1
            self._states[key] = (value, self._number, actor, frame.f_code, frame.f_lasti)

    def __getitem__(self, key: K) -> V:
        """Return the value of *key*; counts as a read, also when it is missing.

        Raises:
          KeyError: there is none.
        """
        value = self._read(key, _frame(1))
        if value is MISSING:
            raise KeyError(key)
        return value  # type: ignore[no-any-return]

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of *key*, or *default* where it is missing; counts as a read."""
        value = self._read(key, _frame(1))
        return default if value is MISSING else value

    def __contains__(self, key: object) -> bool:
        """Say whether *key* has a value; counts as a read."""
        return self._read(key, _frame(1)) is not MISSING

    def __setitem__(self, key: K, value: V) -> None:
        """Write *value*; counts as made on what the task read last under *key*.

        Raises:
          UsageError: *value* is something a map can't hold.
          LostUpdate: in mode ``"raise"``: somebody else has written or deleted it since the read.
        """
        if value.__class__ not in FINE:
            check(value, lambda: self._where_of(key))
        self._write(key, value, _frame(1))

    def __delitem__(self, key: K) -> None:
        """Delete *key*; counts as a write.

        Raises:
          KeyError: there is none.
          LostUpdate: as on assigning.
        """
        if self._write(key, MISSING, _frame(1)) is MISSING:
            raise KeyError(key)

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: D) -> V | D: ...
    def pop(self, key: K, default: Any = MISSING) -> Any:
        """Delete *key* and return the value it had, in one step; *default* where there is none.

        Raises:
          KeyError: there is neither a value nor a default.
        """
        value = self._change(key, lambda value: MISSING, _frame(1), returns_old=True)
        if value is MISSING and default is MISSING:
            raise KeyError(key)
        return default if value is MISSING else value

    def setdefault(self, key: K, value: V) -> V:
        """Return the value of *key*; where it is missing, write *value* and return that. One step."""
        check(value, lambda: self._where_of(key))
        return self._change(key, lambda old: value if old is MISSING else old, _frame(1), is_kept=True)  # type: ignore[no-any-return]

    def update(self, key: K, fn: Callable[[V], V], *, default: V | Missing = MISSING) -> V:
        """Write what *fn* makes of the value of *key*, in one step that nobody can come in between; return it.

        Args:
          key: which.
          fn: a plain function that does nothing but compute; runs again where somebody else wrote this key meanwhile.
          default: what it is given where the key is missing; left out: then that is an error.

        Never waits, and works from any task or thread.

        Raises:
          KeyError: *key* is missing and there is no default.
          UsageError: *fn* is a coroutine function, writes this same key, or returns what a map can't hold.
          Conflict: others were faster 1,000 times in a row.
          Exception: whatever *fn* raises; nothing was written.
        """

        def change(value: Any) -> Any:
            given: Any = default if value is MISSING else value
            if given is MISSING:
                raise KeyError(key)
            made = fn(given)
            check(made, lambda: self._where_of(key))
            return made

        return self._change(key, change, _frame(1))  # type: ignore[no-any-return]

    @overload
    def peek(self, key: K) -> V | None: ...
    @overload
    def peek(self, key: K, default: D) -> V | D: ...
    def peek(self, key: K, default: Any = None) -> Any:
        """Return the value of *key*, or *default*, without this counting as a read."""
        actor = self._actor(key, "read", _frame(1))
        part = Place(self, key)
        value = part.now() if actor.transaction is None else actor.transaction.peek(part)
        return default if value is MISSING else value

    def set(self, key: K, value: V) -> None:
        """Write *value* whatever is there: meant to overwrite, and so never reported."""
        check(value, lambda: self._where_of(key))
        self._change(key, lambda _: value, _frame(1))

    def compare_and_set(self, key: K, expected: V, value: V) -> bool:
        """Write *value* if *key* still holds *expected* (by identity, then ``==``); say whether it did.

        A missing key holds nothing that could be expected; ``setdefault`` writes only there.
        """
        check(value, lambda: self._where_of(key))
        frame = _frame(1)

        def change(now: Any) -> Any:
            if now is MISSING or not (now is expected or now == expected):
                raise _OtherThanExpected
            return value

        try:
            self._change(key, change, frame)
        except _OtherThanExpected:
            return False
        return True

    def snapshot(self) -> dict[K, V]:
        """Return a copy as it is at one moment; in the order in which the keys were first written."""
        actor = self._actor(None, "read", _frame(1))
        return self._all(actor)

    def __iter__(self) -> Iterator[K]:
        """Iterate over the keys as they are now; what is written meanwhile isn't seen."""
        return iter(self._all(self._actor(None, "read", _frame(1))))

    def keys(self) -> list[K]:
        """Return the keys as they are now."""
        return list(self._all(self._actor(None, "read", _frame(1))))

    def values(self) -> list[V]:
        """Return the values as they are now."""
        return list(self._all(self._actor(None, "read", _frame(1))).values())

    def items(self) -> list[tuple[K, V]]:
        """Return pairs of key and value as they are now."""
        return list(self._all(self._actor(None, "read", _frame(1))).items())

    def __len__(self) -> int:
        """Return how many keys there are now."""
        actor = self._actor(None, "read", _frame(1))
        return len(self._states) if actor.transaction is None else len(self._all(actor))

    def where(self) -> str:
        """Return what errors and reports call this map."""
        name = self._name or name_made_at(*self._made)
        return f"SharedMap {name!r}" if name else f"a SharedMap made at {line_of(*self._made)}"

    def _where_of(self, key: Any) -> str:
        """Return what errors and reports call the value of *key*."""
        return f"{self.where()}[{shown(key)}]"

    def __repr__(self) -> str:
        name = self._name or name_made_at(*self._made)
        return f"<SharedMap {name + ' ' if name else ''}with {len(self._states)} keys>"

    def __reduce__(self) -> NoReturn:
        raise NotPortable(
            f"{self.where()} can't be copied, pickled or sent to a process: what is written there would be lost here. "
            "Send snapshot() and let the tool return what should be added, or use lane='thread'."
        )

    def _read(self, key: Any, frame: FrameType) -> Any:
        if hook.observer is not None:
            hook.observer.accessing(self, key, "read", frame)
        try:
            actor: Actor = task_here()._linecook_actor
        except (AttributeError, RuntimeError):
            actor = actor_here()
            if actor.transaction is not None:
                return actor.transaction.read(Place(self, key))
        state = self._states.get(key)
        value: Any
        value, version = (MISSING, 0) if state is None else state[:2]
        actor.remember((self._serial, key), (version, frame.f_code, frame.f_lasti, kept(value)))
        return value

    def _write(self, key: K, value: Any, frame: FrameType) -> Any:
        """Write, or delete; return what was there."""
        actor = self._actor(key, "write", frame)
        if actor.transaction is not None:
            before = actor.transaction.read(Place(self, key)) if value is MISSING else None
            actor.transaction.write(Place(self, key), value, frame)
            return before
        read = actor.reads.pop((self._serial, key), None)
        while True:
            seen = self._states.get(key)
            if value is MISSING and seen is None:  # nothing there to lose
                return MISSING
            if read is not None and read[0] != (0 if seen is None else seen[1]):
                self._stale(key, read, seen, value, frame, actor)
                read = None
            if self._replace(key, seen, value, actor, frame):
                return None if seen is None else seen[0]

    def _change(
        self, key: K, fn: Callable[[Any], Any], frame: FrameType, *, returns_old: bool = False, is_kept: bool = False
    ) -> Any:
        """Replace the value of *key* by what *fn* makes of it, as one step; *is_kept*: not the same again."""
        own = 0
        for _ in range(MOST_ATTEMPTS):
            actor = self._actor(key, "read", frame)
            if actor.transaction is not None:
                part = Place(self, key)
                before = actor.transaction.read(part)
                made = fn(before)
                actor.transaction.write(part, made, frame)
                return before if returns_old else made
            seen = self._states.get(key)
            before = MISSING if seen is None else seen[0]
            made = fn(before)
            if hook.observer is not None:
                hook.observer.accessing(self, key, "write", frame)
            if made is before and (is_kept or made is MISSING):  # there is nothing to write
                actor.reads.pop((self._serial, key), None)
                return made
            if self._replace(key, seen, made, actor, frame):
                return before if returns_old else made
            now = self._states.get(key)
            own = own + 1 if now is not None and now[2] is actor else 0
            if own == OWN_WRITES:
                raise UsageError(
                    f"the function given to update of {self._where_of(key)} writes this same key, so it could never be "
                    "done; let it return the new value"
                )
        raise Conflict(
            f"update of {self._where_of(key)} was overtaken {MOST_ATTEMPTS:,} times: its function takes too long for "
            "so busy a key. Compute before, and let the function only put the result in"
        )

    def _replace(self, key: K, seen: State | None, value: Any, actor: Actor, frame: FrameType) -> bool:
        while True:
            number = self._number
            new = (value, number + 1, actor, frame.f_code, frame.f_lasti)
            with self._lock:
                now = self._states.get(key)
                # The key's own __eq__ has run, perhaps a signal handler: look whether that wrote. From here to the
                # write nothing of the kind can happen.
                if self._number == number:
                    if now is not seen:
                        return False
                    self._place(key, new)
                    break
        actor.reads.pop((self._serial, key), None)
        return True

    def _place(self, key: K, new: State) -> None:
        self._number = new[1]
        if new[0] is not MISSING:
            self._states[key] = new
        elif key in self._states:
            del self._states[key]

    def _all(self, actor: Actor) -> dict[K, V]:
        if actor.transaction is not None:
            actor.transaction.state(Whole(self))
        with self._lock:
            states = self._states.copy()
        found: dict[Any, Any] = {key: state[0] for key, state in states.items()}
        if actor.transaction is not None:
            found |= actor.transaction.written(self)
            found = {key: value for key, value in found.items() if value is not MISSING}
        return found

    def _actor(self, key: Any, kind: Literal["read", "write"], frame: FrameType) -> Actor:
        if hook.observer is not None:
            hook.observer.accessing(self, key, kind, frame)
        try:
            return task_here()._linecook_actor  # type: ignore[no-any-return]
        except (AttributeError, RuntimeError):
            return actor_here()

    def _stale(self, key: Any, read: Read, seen: State | None, value: Any, frame: FrameType, actor: Actor) -> None:
        try:
            lost(self._where_of(key), self._mode, read, seen, value, frame, actor, is_counted=False)
        except BaseException:
            actor.reads[(self._serial, key)] = read  # not written: the read is as stale as before
            raise


class _OtherThanExpected(Exception):
    """What ``compare_and_set`` found isn't what it expects."""
