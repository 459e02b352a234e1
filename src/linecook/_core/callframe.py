"""What can be read of one call, by outcomes, errors and reports, wherever it ran."""

from __future__ import annotations

import asyncio
import inspect
import os
import reprlib
import time
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .context import Frame, reset_frame, set_frame
from .endings import contained
from .errors import UsageError

NO_ARGUMENTS: Mapping[str, Any] = {}

_MOST_ARGUMENTS = 8


class _Short(reprlib.Repr):
    """Shows a value in some 40 characters, without building the whole text of a large one."""

    def __init__(self) -> None:
        super().__init__()
        self.maxother = self.maxstring = 40
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = (
            self.maxdict
        ) = 4
        self.maxlevel = 3

    def repr_bytes(self, value: bytes | bytearray, level: int) -> str:
        """Show the first bytes: the usual way would make a text four times as long as a large value."""
        return self.repr_instance(value, level) if len(value) <= 40 else f"{bytes(value[:32])!r}... {len(value)} bytes"

    repr_bytearray = repr_bytes


_short = _Short()


@dataclass(frozen=True, slots=True)
class Times:
    """Where the time of one call went.

    Attributes:
      queued: seconds spent waiting for a limit, for a lane, and between attempts. A fan-out takes an item from its
        input only when its window has a place, so there is no wait for that to count.
      running: seconds the body of the last attempt ran, children included; 0.0 when it never began, and for an async
        body without policies that was simply awaited: only fan-outs, scopes and streams take its time.
      attempts: how often the body was begun.
      lane: where it ran: ``"loop"``, ``"inline"``, ``"thread"`` or ``"process"``.
    """

    queued: float
    running: float
    attempts: int
    lane: str


class CallFrame(Frame):
    """A call as its outcome shows it: function, arguments, place and times."""

    __slots__ = ("_heard", "_key", "args", "attempts", "kwargs", "left_behind", "queued", "running")

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    attempts: int
    left_behind: bool
    queued: float
    running: float
    runtime: Any  # set where the body leaves the loop's thread, which is where runtimes are found
    _heard: int  # id of the error that last came up from a call below
    _key: str

    def start_empty(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Fill in the arguments, and times of a call that has not run."""
        self.args = args
        self.kwargs = kwargs
        self.queued = self.running = 0.0
        self.attempts = 0
        self.left_behind = False
        self.runtime = None

    @property
    def function(self) -> Callable[..., Any]:
        """The function that was called, undecorated."""
        raise NotImplementedError

    @property
    def lane(self) -> str:
        """Where the body runs."""
        return "loop"

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by parameter name, as given (defaults are not filled in)."""
        try:
            return dict(inspect.signature(self.function).bind_partial(*self.args, **self.kwargs).arguments)
        except (TypeError, ValueError):  # no signature to be had, or arguments that don't fit it
            return {**{f"arg{place}": value for place, value in enumerate(self.args)}, **self.kwargs}

    @property
    def times(self) -> Times:
        """Where the time went so far."""
        return Times(self.queued, self.seconds_running(), self.attempts, self.lane)

    def seconds_running(self) -> float:
        """Return how long the body has run; ``running`` below zero is the moment it began, while it is under way."""
        return self.running if self.running >= 0 else time.monotonic() + self.running

    def key(self) -> str:
        """Return the call's idempotency key: random, made when first asked for, the same for all its attempts."""
        try:
            return self._key
        except AttributeError:
            self._key = os.urandom(16).hex()
            return self._key

    def forget_key(self) -> None:
        """Have ``key`` answer anew: the next body that runs under this call is another piece of work."""
        if hasattr(self, "_key"):
            del self._key

    def begin(self, parent: Frame | None) -> Coroutine[Any, Any, Any]:
        """Take the call, as a child of *parent*, and return the coroutine that runs it.

        Raises:
          AlreadyRun: it was taken before.
        """
        raise NotImplementedError

    def open(self, parent: Frame | None, context: Context) -> Coroutine[Any, Any, Any]:
        """Take the call, as a child of *parent*, to run in *context*, which is its own; else as ``begin``."""
        raise NotImplementedError

    def told(self, error: BaseException) -> BaseException:
        """Return what *error*, raised by the body, reaches the caller as."""
        return contained(error, repr(self), self)

    def sign(self, error: BaseException) -> None:
        """Add a note to *error* that names this call, lane and attempt, below the notes of the calls it came through.

        An error object that is raised again and again (a module's only one) sheds the notes of its earlier ways: what
        did not come up from a call below this one begins anew.
        """
        note = f"in {self!r} on lane {self.lane}, attempt {self.attempts}"
        notes: list[str] = getattr(error, "__notes__", [])
        if note not in notes:
            if getattr(self, "_heard", 0) != id(error):  # nothing heard: no slot filled, which every call would pay for
                notes[:] = [other for other in notes if not _is_signature(other)]
            error.add_note(note)
        above = self.parent
        while above is not None:
            if isinstance(above, CallFrame):
                above._heard = id(error)
                return
            above = above.parent

    def discard(self) -> None:
        """Note that the call was handed over and will not run; it isn't reported as never awaited."""

    def __repr__(self) -> str:
        shown = [shorten(value) for value in self.args[:_MOST_ARGUMENTS]]
        shown += [f"{name}={shorten(value)}" for name, value in islice(self.kwargs.items(), _MOST_ARGUMENTS)]
        left_out = len(self.args) + len(self.kwargs) - len(shown)
        shown += [f"... {left_out} more"] if left_out else []
        return f"{self.name}({', '.join(shown)})"


def _is_signature(note: str) -> bool:
    return note.startswith("in ") and " on lane " in note


def shorten(value: Any) -> str:
    """Return *value* as messages show it: its repr, in some 40 characters."""
    try:
        return _short.repr(value)
    except Exception:  # a repr that fails must not hide the error it was wanted for
        return f"<{type(value).__name__}>"


def shown(error: BaseException) -> str:
    """Return *error* as messages about it show it: its repr, whatever becomes of that, in some 500 characters."""
    try:
        text = repr(error)
    except Exception:  # who tells of a failure must not fail by it: its agent would neither end nor start anew
        return f"<{type(error).__name__}>"
    return text if len(text) <= 500 else f"{text[:300]} ... {text[-150:]}"


class ForeignCall(CallFrame):
    """A plain coroutine that was handed to linecook in place of a call."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine  # first: the stall watch may meet this frame at any moment, and asks for its name
        super().__init__()
        self.start_empty((), NO_ARGUMENTS)

    @property
    def name(self) -> str:
        return getattr(self._coroutine, "__qualname__", type(self._coroutine).__name__)

    @property
    def function(self) -> Callable[..., Any]:
        raise AttributeError(f"{self.name} is a plain coroutine; the function that made it isn't known")

    @property
    def arguments(self) -> dict[str, Any]:
        """Always empty: a coroutine doesn't tell what it was called with."""
        return {}

    def begin(self, parent: Frame | None) -> Coroutine[Any, Any, Any]:
        if parent is not None:
            parent.adopt(self)
        return self._run()

    def open(self, parent: Frame | None, context: Context) -> Coroutine[Any, Any, Any]:
        if parent is not None:
            parent.adopt(self)
        context.run(set_frame, self)
        self.attempts, self.running = 1, -time.monotonic()
        return self._coroutine

    async def _run(self) -> Any:
        token = set_frame(self)
        self.attempts, self.running = 1, -time.monotonic()
        try:
            return await self._coroutine
        finally:
            self.running += time.monotonic()
            reset_frame(token)

    def discard(self) -> None:
        self._coroutine.close()

    def __repr__(self) -> str:
        return f"{self.name}(...)"


def call_from(item: object) -> CallFrame:
    """Return *item* as something that can be begun.

    Raises:
      UsageError: it is neither a call nor a coroutine; the message says what it is and what to write.
    """
    if isinstance(item, CallFrame):
        return item
    if isinstance(item, Coroutine):  # types.CoroutineType is registered as one
        return ForeignCall(item)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(item, asyncio.Future):
        raise UsageError(f"{item!r} runs already; hand over the call or coroutine itself, or await it")
    if callable(item):
        raise UsageError(f"{getattr(item, '__qualname__', item)!r} is a function, not a call; call it: f(...)")
    raise UsageError(f"expected a call such as fetch(url), or a coroutine; got {shorten(item)} ({type(item).__name__})")
