"""``transaction``: several cells read and written as one step. Optimistic: nothing is locked while the function runs.

What it reads is logged, what it writes is kept back. At the end, under the locks of all cells it touched (taken in one
order, held for the comparison alone), it is written if everything read is still what it was, else the function runs
again. So a decision on two cells is never made on a mixture, also where only one of them is written (write skew).
While the function runs, every read of another cell first looks whether what was read before still stands: it never
sees a state that never was. As in TL2, but for its global clock: the few versions are compared one by one.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack
from types import CoroutineType, FrameType
from typing import Any, Protocol, TypeVar

from .._core.errors import Conflict, UsageError
from . import hook
from .actors import Actor, actor_here, hold, let_go
from .lines import line_of
from .lost import State
from .values import MISSING
from .waiting import Waits, wake_each

R = TypeVar("R")

MOST_ATTEMPTS = 1_000
"""Times that ``update`` and ``transaction`` run a function that others overtake, before they give up."""

OWN_WRITES = 3
"""Times that the function of ``update`` is overtaken by its own task, until it is taken to write there itself. Once or
twice it may have been a signal handler."""


class Part(Protocol):
    """A cell, one key of a map, or all of a map, as a transaction sees it; equal ones are the same place."""

    @property
    def cell(self) -> Any: ...
    @property
    def key(self) -> Any: ...
    @property
    def lock(self) -> Any: ...
    @property
    def serial(self) -> int: ...
    @property
    def memory(self) -> Any: ...
    @property
    def waiting(self) -> Waits | None: ...
    def where(self) -> str: ...
    def state(self) -> Any: ...
    def put(self, value: Any, actor: Actor, frame: FrameType) -> None: ...
    def look_back(self, read: Any, value: Any, frame: FrameType, actor: Actor) -> None: ...


class _Overtaken(BaseException):
    """Something read was written by others: the function must run again. Not for users' ``except Exception``."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part


class Transaction:
    """One attempt: what was read, and what will be written."""

    __slots__ = ("_actor", "_reads", "_writes")

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._reads: dict[Part, Any] = {}
        self._writes: dict[Part, tuple[Any, FrameType]] = {}

    def read(self, part: Part) -> Any:
        """Return the value of *part* as this transaction sees it."""
        if part in self._writes:
            return self._writes[part][0]
        return value_of(self.state(part))

    def state(self, part: Part) -> Any:
        """Return the state of *part* before this transaction, and hold the commit to it."""
        if part not in self._reads:
            state = part.state()
            self.check()
            self._reads[part] = state
        return self._reads[part]

    def peek(self, part: Part) -> Any:
        """Return the value of *part* without holding the commit to it."""
        return self._writes[part][0] if part in self._writes else value_of(part.state())

    def write(self, part: Part, value: Any, frame: FrameType) -> None:
        """Write *value* at the end."""
        self._writes[part] = (value, frame)

    def written(self, cell: Any) -> dict[Any, Any]:
        """Return what will be written to *cell*, a map, by key."""
        return {part.key: value for part, (value, _) in self._writes.items() if part.cell is cell}

    def check(self) -> None:
        """Raise ``_Overtaken`` where something read is no longer what it was."""
        for part, state in self._reads.items():
            if part.state() is not state:
                raise _Overtaken(part)

    def commit(self) -> None:
        """Write everything in one step.

        Raises:
          _Overtaken: something read has changed; nothing was written.
        """
        for part, (value, frame) in self._writes.items():
            if hook.observer is not None:
                hook.observer.accessing(part.cell, part.key, "write", frame)
            read = None if part in self._reads else self._actor.reads.get(part.memory)
            if read is not None:
                part.look_back(read, value, frame, self._actor)
        with ExitStack() as locked:
            for part in sorted({**self._reads, **self._writes}, key=lambda part: part.serial):
                locked.enter_context(part.lock)
            self.check()
            for part, (value, frame) in self._writes.items():
                part.put(value, self._actor, frame)
        for part in self._writes:
            self._actor.reads.pop(part.memory, None)
        wake_each(dict.fromkeys(part.waiting for part in self._writes))


def value_of(state: State | None) -> Any:
    """Return the value in *state*; ``MISSING`` for None."""
    return MISSING if state is None else state[0]


def transaction(fn: Callable[[], R]) -> R:
    """Run *fn*, and make everything it reads and writes in shared values one step; return what it returns.

    Inside, use cells as always: ``value``, ``update``, ``notes[key]``. Nobody sees a write before the end. If by then
    somebody else has written one of the cells that *fn* read, nothing is written and *fn* runs again: it should do
    nothing but read, compute and write shared values. Never waits, and works from any task or thread. A transaction in
    a transaction is part of it.

    Raises:
      Conflict: others were faster 1,000 times in a row; the message says where.
      UsageError: *fn* is a coroutine function: between awaits nothing could be kept back.
      Exception: whatever *fn* raises on what it saw, if that still stands; nothing was written.
    """
    if inspect.iscoroutinefunction(fn):
        raise UsageError(
            f"transaction takes a plain function, and {_name(fn)} is an async one. Await what it needs before, and let "
            "a plain function read, decide and write"
        )
    actor = actor_here()
    if actor.transaction is not None:
        return fn()
    overtaken: Part | None = None
    for _ in range(MOST_ATTEMPTS):
        try:
            return _attempt(fn, actor)
        except _Overtaken as stale:
            overtaken = stale.part
    assert overtaken is not None
    raise Conflict(
        f"transaction of {_name(fn)} was overtaken {MOST_ATTEMPTS:,} times, the last time on {_by(overtaken)}. Compute "
        "before, and let it only read, decide and write"
    )


def _attempt(fn: Callable[[], R], actor: Actor) -> R:
    attempt = Transaction(actor)
    before = hold(actor)
    actor.transaction = attempt
    try:
        result = fn()
        _refuse_coroutine(fn, result)
    except Exception:
        attempt.check()  # on what is stale it may have failed for no reason: then it runs again
        raise
    finally:
        actor.transaction = None
        let_go(actor, before)
    attempt.commit()
    return result


def _refuse_coroutine(fn: Callable[..., Any], result: object) -> None:
    if not isinstance(result, (CoroutineType, AsyncGenerator)):
        return
    if isinstance(result, CoroutineType):
        result.close()
    raise UsageError(f"the function of transaction, {_name(fn)}, returned a coroutine: that would run after the commit")


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", type(fn).__name__)


def _by(part: Part) -> str:
    state: State | int | None = part.state()
    if not isinstance(state, tuple):
        return part.where()
    return f"{part.where()}, by {state[2].name} at {line_of(state[3], state[4])}"
