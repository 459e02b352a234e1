"""One JSON line per call: how it ended, with what, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

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
      line: number of the input's line, from 1.
      outcome: ``"ok"``, ``"failed"``, ``"timed_out"`` or ``"cancelled"``.
      value: what the function returned; only of an ``"ok"``.
      error: type, message and what else is known of the failure; None for an ``"ok"``.
      work: what became of the body: ``"finished"``, ``"not started"``, ``"stopped"`` or ``"abandoned"``.
      times: where the time went; None for what was never called.
    """

    __slots__ = ("error", "line", "outcome", "times", "value", "work")

    def __init__(
        self,
        line: int,
        outcome: str,
        *,
        value: Any = None,
        error: Mapping[str, Any] | None = None,
        work: str = "finished",
        times: Times | None = None,
    ) -> None:
        self.line = line
        self.outcome = outcome
        self.value = value
        self.error = error
        self.work = work
        self.times = times

    @property
    def running(self) -> float:
        """Seconds the body ran; 0.0 when it never began."""
        return 0.0 if self.times is None else self.times.running

    def encoded(self) -> bytes:
        """Return the record as one line of JSON, with the line's end.

        What JSON can't hold stands as its ``repr``, and ``"not_json"`` names the types: nothing is lost unsaid.
        """
        name = "value" if self.error is None else "error"
        told, foreign = encode(self.value if self.error is None else self.error)
        times = self.times
        rest: dict[str, Any] = {
            "work": self.work,
            "queued": round(times.queued, 6) if times else 0.0,
            "running": round(times.running, 6) if times else 0.0,
            "attempts": times.attempts if times else 0,
            "lane": times.lane if times else None,
        }
        if foreign:
            rest["not_json"] = foreign
        head = f'{{"line":{self.line},"outcome":"{self.outcome}","{name}":'
        return b"".join([head.encode(), told, b",", encode(rest)[0][1:], b"\n"])


def record_of(line: int, outcome: Outcome[Any]) -> Record:
    """Return the record of a call that was run."""
    from linecook import Cancelled, Failed, Ok, TimedOut

    kind = {Ok: "ok", Failed: "failed", TimedOut: "timed_out", Cancelled: "cancelled"}[type(outcome)]
    return Record(
        line,
        kind,
        value=outcome.value if isinstance(outcome, Ok) else None,
        error=None if isinstance(outcome, Ok) else described(outcome.error),
        work=outcome.work,
        times=outcome.times,
    )


def described(error: BaseException) -> dict[str, Any]:
    """Return type, message, place in the user's code, notes and cause of *error*, as far as there are any."""
    told: dict[str, Any] = {"type": type_name(type(error)), "message": message_of(error)}
    place = user_line(error) or (error.__cause__ and user_line(error.__cause__))
    if place:
        told["at"] = place
    notes = getattr(error, "__notes__", None)
    if notes:
        told["notes"] = [_safe(str(note)) for note in notes]
    cause = error.__cause__
    if cause is not None:
        told["cause"] = f"{type_name(type(cause))}: {message_of(cause)}"
    return told


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


def _repr(value: Any) -> str:
    try:
        return _safe(repr(value))
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def _safe(text: str) -> str:
    """Return *text* with what UTF-8 can't hold (a lone surrogate) written as an escape."""
    return text.encode(errors="backslashreplace").decode()
