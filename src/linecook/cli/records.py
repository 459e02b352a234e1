"""One JSON line per call: how it ended, with what, and where its time went."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from linecook import Cancelled, Failed, Ok, TimedOut

from .traces import user_line

if TYPE_CHECKING:
    from linecook import Outcome


class Times(Protocol):
    """Where the time of a call went, in seconds; linecook's own ``Times`` is one."""

    @property
    def queued(self) -> float: ...
    @property
    def running(self) -> float: ...
    @property
    def attempts(self) -> int: ...
    @property
    def lane(self) -> str: ...


class Record:
    """How one input ended, ready to be written.

    Attributes:
      line: number of the input's line, or its place in a list or directory; from 1.
      digest: 64 bits that stand for the input's content.
      outcome: ``"ok"``, ``"failed"``, ``"timed_out"`` or ``"cancelled"``.
      value: what the function returned; only of an ``"ok"``.
      error: type, message and what else is known of the failure; None for an ``"ok"``.
      work: what became of the body: ``"finished"``, ``"not started"``, ``"stopped"`` or ``"abandoned"``.
      times: where the time went; None for what was never called.
    """

    __slots__ = ("digest", "error", "line", "outcome", "times", "value", "work")

    def __init__(
        self,
        line: int,
        digest: int,
        outcome: str,
        *,
        value: Any = None,
        error: Mapping[str, Any] | None = None,
        work: str = "finished",
        times: Times | None = None,
    ) -> None:
        self.line = line
        self.digest = digest
        self.outcome = outcome
        self.value = value
        self.error = error
        self.work = work
        self.times = times

    @property
    def running(self) -> float:
        """Seconds the body ran; 0.0 when it never began."""
        return 0.0 if self.times is None else self.times.running


class Sheet(Protocol):
    """How records are written down."""

    def entry(self, record: Record, /) -> bytes:
        """Return *record* as a line or row, with those that waited for it; empty when it has to wait itself."""
        ...

    def rest(self) -> bytes:
        """Return what still waits."""
        ...


class Lines:
    """Records as JSON lines.

    Args:
      function: what was called; stands in each record, so that an output is known for what it is.

    What JSON can't hold stands as its ``repr``, and ``"not_json"`` names the types: nothing is lost unsaid.
    """

    def __init__(self, function: str) -> None:
        self._tail = b',"function":' + encode(function)[0] + b"}\n"

    def entry(self, record: Record) -> bytes:
        # held.py reads the first three fields without decoding the rest: they stand first, and in this order.
        name = "value" if record.error is None else "error"
        told, foreign = encode(record.value if record.error is None else record.error)
        head = f'{{"line":{record.line},"input":"{record.digest:016x}","outcome":"{record.outcome}","{name}":'
        times = record.times
        if times is None:
            rest = f',"work":"{record.work}","queued":0.0,"running":0.0,"attempts":0,"lane":null'
        else:
            rest = (
                f',"work":"{record.work}","queued":{times.queued:.6f},"running":{times.running:.6f},'
                f'"attempts":{times.attempts},"lane":"{times.lane}"'
            )
        if foreign:
            rest += f',"not_json":{encode(foreign)[0].decode()}'
        return b"".join((head.encode(), told, rest.encode(), self._tail))

    def rest(self) -> bytes:
        return b""


def record_of(line: int, digest: int, outcome: Outcome[Any]) -> Record:
    """Return the record of a call that was run."""
    return Record(
        line,
        digest,
        _KINDS[type(outcome)],
        value=outcome.value if isinstance(outcome, Ok) else None,
        error=None if isinstance(outcome, Ok) else described(outcome.error),
        work=outcome.work,
        times=outcome.times,
    )


_KINDS: dict[type, str] = {Ok: "ok", Failed: "failed", TimedOut: "timed_out", Cancelled: "cancelled"}


def described(error: BaseException) -> dict[str, Any]:
    """Return type, message, place in the user's code, hint, notes and cause of *error*, as far as there are any."""
    told: dict[str, Any] = {"type": type_name(type(error)), "message": message_of(error)}
    place = user_line(error) or (error.__cause__ and user_line(error.__cause__))
    if place:
        told["at"] = place
    hint = hint_for(error)
    if hint:
        told["hint"] = hint
    notes = getattr(error, "__notes__", None)
    if notes:
        told["notes"] = [_safe(str(note)) for note in notes]
    cause = error.__cause__
    if cause is not None:
        told["cause"] = f"{type_name(type(cause))}: {message_of(cause)}"
    return told


def hint_for(error: BaseException) -> str | None:
    """Return what to do about *error* where its own words don't say it; None when there is nothing to add."""
    if isinstance(error, RuntimeError) and "running event loop" in str(error) and "cannot" in str(error):
        return (
            "it runs on linecook's event loop already: await the call there, or write a plain def, which gets a thread"
        )
    return None


def message_of(error: BaseException) -> str:
    """Return what *error* says; an exception whose ``__str__`` fails gets a word for it."""
    try:
        return _safe(str(error))
    except Exception:
        return f"<{type(error).__name__} whose text can't be made>"


def type_of(value: object) -> str:
    """Return the name of the type of *value*."""
    return type_name(type(value))


def type_name(kind: type) -> str:
    """Return the name of *kind*, with its module where that says something."""
    plain = kind.__module__ in {"builtins", "__main__"}
    return kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"


def encode(value: Any) -> tuple[bytes, list[str]]:
    """Return *value* as JSON, and the names of the types in it that JSON can't hold: their repr stands there.

    Dataclasses and structs become objects, sets and tuples lists, bytes base64, times ISO 8601, pydantic models what
    they dump; NaN and infinities become null.
    """
    try:
        return _encoder()(value), []
    except Exception:  # not plain: look at what is in it
        return _encode_all(value)


def _encode_all(value: Any) -> tuple[bytes, list[str]]:
    import msgspec

    foreign: list[str] = []

    def stand_in(found: Any) -> Any:
        dump = getattr(found, "model_dump", None)
        if dump is not None and not isinstance(found, type):
            return dump(mode="json")
        if hasattr(found, "__fspath__"):
            return str(found)
        name = type_of(found)
        if name not in foreign:
            foreign.append(name)
        return _repr(found)

    try:
        return msgspec.json.encode(value, enc_hook=stand_in), foreign
    except Exception:  # a tuple as a key, a lone surrogate, a list that holds itself: the repr of the whole
        return msgspec.json.encode(_repr(value)), [type_of(value)]


@functools.cache
def _encoder() -> Callable[[Any], bytes]:
    import msgspec

    return msgspec.json.Encoder().encode


def _repr(value: Any) -> str:
    try:
        return _safe(repr(value))
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def _safe(text: str) -> str:
    """Return *text* with what UTF-8 can't hold (a lone surrogate) written as an escape."""
    return text.encode(errors="backslashreplace").decode()
