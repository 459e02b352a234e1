"""How one call of a fan-out ended, as a value: ``Ok``, ``Failed``, ``TimedOut`` or ``Cancelled``.

``None`` for "timed out" would erase the difference between an answer and none; these don't. They are matched by kind::

    match outcome:
        case Ok(value): ...
        case TimedOut(after): ...
        case Failed(error): ...
        case Cancelled(reason): ...

Plain classes with slots rather than frozen dataclasses: 100,000 of them are made in one fan-out, and a frozen
dataclass takes three times as long to make (benchmarks: fanout_100k).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, NoReturn, TypeAlias, TypeVar, overload

from .callframe import CallFrame, Times
from .errors import CallCancelled, CallError, TimedOutError, Work

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Ended:
    """What the four outcomes share. Treat them as immutable.

    Attributes:
      call: the call that ended: function, arguments, index in the input. None in an outcome made by hand.
    """

    __slots__ = ("call",)
    __match_args__: tuple[str, ...] = ()

    call: CallFrame | None

    @property
    def times(self) -> Times:
        """Where the time of the call went."""
        return Times(0.0, 0.0, 0, "loop") if self.call is None else self.call.times

    @property
    def work(self) -> Work:
        """What became of the body: ``finished``, ``not started``, ``stopped`` or ``abandoned``."""
        return "finished"

    def _told(self) -> Any:
        return getattr(self, self.__match_args__[0])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._told()!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash((type(self), self._told()))


class Ok(_Ended, Generic[T_co]):
    """The call returned ``value``."""

    __slots__ = ("value",)
    __match_args__ = ("value",)

    def __init__(self, value: T_co, call: CallFrame | None = None) -> None:
        self.value: Final = value
        self.call = call


class _Lost(_Ended):
    __slots__ = ("_work", "error")

    error: BaseException

    @property
    def work(self) -> Work:
        return self._work

    _work: Work


class Failed(_Lost):
    """The call raised ``error``."""

    __slots__ = ()
    __match_args__ = ("error",)

    def __init__(self, error: BaseException, call: CallFrame | None = None) -> None:
        self.error = error
        self.call = call
        self._work = error.work if isinstance(error, CallError) else "finished"


class TimedOut(_Lost):
    """A deadline of linecook passed first: the call's own, one inside it that it did not handle, or the fan-out's.

    Attributes:
      after: seconds that the deadline had granted.
      error: the ``TimedOutError`` that awaiting the call would have raised; it says whose deadline it was.
    """

    __slots__ = ("after",)
    __match_args__ = ("after",)

    def __init__(
        self, after: float, call: CallFrame | None = None, *, error: TimedOutError | None = None, work: Work = "stopped"
    ) -> None:
        self.after = after
        self.call = call
        self.error = error or TimedOutError(f"gave up after {after:g} s", call=call, work=work, after=after)
        # A thread that a deadline inside the call left behind is this call's to tell of, whoever raised the error.
        self._work = "abandoned" if call is not None and call.left_behind else self.error.work


class Cancelled(_Lost):
    """The call was cancelled before it ended.

    Attributes:
      reason: who wanted it: ``"sibling"``, ``"caller"``, ``"deadline"`` or ``"shutdown"``, or the words given to
        ``handle.cancel``.
      error: a ``CallCancelled``, for ``raise_all`` and for groups.
    """

    __slots__ = ("reason",)
    __match_args__ = ("reason",)

    def __init__(self, reason: str, call: CallFrame | None = None, *, work: Work = "stopped") -> None:
        self.reason = reason
        self.call = call
        self.error = CallCancelled(f"{call or 'the call'} was cancelled ({reason})", call=call, work=work)
        self._work = work


Outcome: TypeAlias = Ok[T] | Failed | TimedOut | Cancelled


class Settled(Sequence[Outcome[T]], Generic[T]):
    """The outcomes of one fan-out, in input order."""

    __slots__ = ("_outcomes",)

    def __init__(self, outcomes: Sequence[Outcome[T]]) -> None:
        self._outcomes = list(outcomes)

    @overload
    def __getitem__(self, index: int) -> Outcome[T]: ...
    @overload
    def __getitem__(self, index: slice) -> Settled[T]: ...
    def __getitem__(self, index: int | slice) -> Outcome[T] | Settled[T]:
        if isinstance(index, slice):
            return Settled(self._outcomes[index])
        return self._outcomes[index]

    def __len__(self) -> int:
        return len(self._outcomes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settled) and list(self) == list(other)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]

    __hash__ = None  # type: ignore[assignment]

    @property
    def results(self) -> list[T]:
        """The values of those that succeeded, in input order; shorter than the input when some did not."""
        return [outcome.value for outcome in self._outcomes if isinstance(outcome, Ok)]

    @property
    def failures(self) -> list[Failed | TimedOut | Cancelled]:
        """The outcomes that are not ``Ok``, in input order."""
        return [outcome for outcome in self._outcomes if not isinstance(outcome, Ok)]

    @property
    def counts(self) -> dict[str, int]:
        """How many ended how: ``{"ok": …, "failed": …, "timed_out": …, "cancelled": …}``."""
        counts = {"ok": 0, "failed": 0, "timed_out": 0, "cancelled": 0}
        for outcome in self._outcomes:
            counts[kind_of(outcome)] += 1
        return counts

    def raise_all(self) -> None:
        """Raise an ``ExceptionGroup`` of every failure, in input order; do nothing when there is none."""
        errors = [outcome.error for outcome in self.failures]
        if errors:
            _raise_group(f"{len(errors)} of {len(self)} calls did not succeed", errors)

    def __repr__(self) -> str:
        told = ", ".join(f"{count} {kind}" for kind, count in self.counts.items() if count)
        return f"<Settled: {told or 'empty'}>"


def kind_of(outcome: Outcome[Any]) -> str:
    """Return ``"ok"``, ``"failed"``, ``"timed_out"`` or ``"cancelled"``."""
    match outcome:
        case Ok():
            return "ok"
        case Failed():
            return "failed"
        case TimedOut():
            return "timed_out"
        case Cancelled():
            return "cancelled"


def _raise_group(message: str, errors: list[BaseException]) -> NoReturn:
    raise BaseExceptionGroup(message, errors)  # an ExceptionGroup when all are plain exceptions


def failure_from(error: BaseException, call: CallFrame | None) -> Failed | TimedOut:
    """Return the outcome of a call that raised *error*: ``TimedOut`` for a deadline of linecook, else ``Failed``."""
    if isinstance(error, TimedOutError):
        return TimedOut(error.after, call, error=error)
    return Failed(error, call)
