"""What is said and done when a write overwrites what its writer has not seen."""

from __future__ import annotations

import asyncio
import linecache
import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FrameType
from typing import Any, Literal, TypeAlias, TypeVar

from .._core.context import current_runtime, frame_here
from .._core.errors import LostUpdate
from .._core.events import Events
from .._core.perloop import kept_on
from . import hook
from .actors import Actor, Read
from .between import awaits_between
from .lines import Line, line_of, number_of, stands_at
from .shown import shown
from .uses import is_only_shown, kept_in_variable
from .values import MISSING, NOT_KEPT

State: TypeAlias = tuple[Any, int, Actor, CodeType, int]
"""What a cell holds: value, version, who wrote it, and the instruction that did. Replaced as a whole, never changed."""

_log = logging.getLogger("linecook")
_places: dict[tuple[CodeType, int], float] = {}
_MOST_PLACES = 1000
_NO_AWAITS: tuple[tuple[Line, ...], bool] = ((), False)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Access:
    """One access to a shared value.

    Attributes:
      kind: ``"read"`` or ``"write"``.
      who: the task, call or thread, by name.
      line: where.
      value: what was read or written. Of a read only a small value is kept; of another one, what the variable holds
        that it went into, or an object that says that it was not kept. A missing key: an object that says so.
    """

    kind: Literal["read", "write"]
    who: str
    line: Line
    value: Any


@dataclass(frozen=True, slots=True)
class Loss:
    """A lost update: a value was written on the strength of a read that another write had overtaken.

    Attributes:
      what: the cell, as it was written where it was made, with the key of a map.
      read: the read that was stale at the write.
      write: the write that was made on it, and overwrote what it had not seen.
      overwritten: the write that is lost, the last one if there were several; None when a deletion is.
      awaits: the awaits between read and write, in the order of the text; empty where there is none (threads).
      certain: whether those awaits are known; False when they are candidates, since the reading function has returned.
      writes: how many writes lie between the read and the write; of a map always 1.
      now: what the other one does now, in words.
      is_refused: whether the write was refused (``LostUpdate`` is raised) rather than made.
    """

    what: str
    read: Access
    write: Access
    overwritten: Access | None
    awaits: tuple[Line, ...]
    certain: bool = True
    writes: int = 1
    now: str = ""
    is_refused: bool = False

    def __str__(self) -> str:
        return "\n".join((self._headline(), *(f"  {line}" for line in self._details())))

    def _headline(self) -> str:
        lost = "a deletion" if self.overwritten is None else shown(self.overwritten.value)
        by = "" if self.overwritten is None else f", written by {self.overwritten.who},"
        before = f" and {self.writes - 1} before it" if self.writes > 1 else ""
        overwrote = "would overwrite" if self.is_refused else "overwrote"
        return f"lost update on {self.what}: {self.write.who} {overwrote} {lost}{by}{before} without having seen it"

    def _details(self) -> list[str]:
        read, write, other = self.read, self.write, self.overwritten
        lines = [f"{read.who} read {shown(read.value)} at {read.line}"]
        word = "waited at" if self.certain else "may have waited at"
        lines += [f"  {word} {line}" for line in self.awaits]
        if other is not None:
            lines.append(f"{other.who} meanwhile wrote {shown(other.value)} at {other.line}")
            lines += [f"  {other.who} {self.now}"] if self.now else []
        lines.append(f"{write.who} {self._wrote()} at {write.line}")
        lines.append("cure: update(fn), or read it again after the await; set(...) where it should be overwritten")
        return lines

    def _wrote(self) -> str:
        if self.write.value is MISSING:
            return "was about to delete it" if self.is_refused else "deleted it"
        return f"{'was about to write' if self.is_refused else 'wrote'} {shown(self.write.value)}"


def lost(
    what: str,
    mode: str,
    read: Read,
    seen: State | None,
    value: Any,
    frame: FrameType,
    actor: Actor,
    *,
    is_counted: bool = True,
) -> None:
    """Say that *actor*, at *frame*, overwrites *seen* with *value* on the strength of a *read* of an older version.

    Where *is_counted*, versions are numbers of writes to this very value. Nothing is said where no update is lost: what
    was read was only shown, or was overwritten by what this very thread called in between (a loop that it ran).

    Raises:
      LostUpdate: *mode* is ``"raise"``.
    """
    observer = hook.observer
    place = (frame.f_code, frame.f_lasti)
    is_heard = mode == "raise" or observer is not None or _is_due(place)
    if not is_heard or _was_called_by(actor, seen) or _safely(False, is_only_shown, read[1], read[2]):
        return
    writes = seen[1] - read[0] if seen is not None and is_counted else 1
    loss = _loss(what, read, seen, value, frame, actor, mode == "raise", writes)
    if observer is not None:
        observer.lost(loss)
    if mode == "raise":
        raise LostUpdate(str(loss), loss=loss)
    _emit(loss)
    if observer is None:
        _log.warning("%s", loss)
        _places[place] = time.monotonic()


def _was_called_by(actor: Actor, seen: State | None) -> bool:
    return actor.task is None and seen is not None and seen[2].task is not None and seen[2].thread == actor.thread


def _loss(
    what: str,
    read: Read,
    seen: State | None,
    value: Any,
    frame: FrameType,
    actor: Actor,
    is_refused: bool,
    writes: int,
) -> Loss:
    _version, code, instruction, value_read = read
    if value_read is NOT_KEPT:
        value_read = _safely(NOT_KEPT, kept_in_variable, code, instruction, frame)
    awaits, certain = _safely(_NO_AWAITS, awaits_between, code, instruction, frame)
    other, now = None, ""
    if seen is not None:
        by = seen[2]
        other = Access("write", by.name, line_of(seen[3], seen[4]), seen[0])
        now = _words(*stands_at(by))
    first = Access("read", actor.name, line_of(code, instruction), value_read)
    last = Access("write", actor.name, line_of(frame.f_code, frame.f_lasti), value)
    return Loss(what, first, last, other, awaits, certain, writes, now, is_refused)


def _safely(otherwise: R, look: Callable[..., R], *args: Any) -> R:
    """Return what *look* finds in code of whatever origin; a report that knows less must not break the program."""
    try:
        return look(*args)
    except Exception:
        _log.debug("%s found nothing", look.__name__, exc_info=True)
        return otherwise


def _words(state: str, line: Line | None) -> str:
    if state == "ended":
        return "has ended"
    return f"is {state} now" if line is None else f"is {state} now at {line}"


def _is_due(place: tuple[CodeType, int]) -> bool:
    """Say whether this place has said nothing for a second."""
    if time.monotonic() - _places.get(place, -math.inf) < 1.0:
        return False
    if len(_places) >= _MOST_PLACES:
        _places.clear()
    return True


def _emit(loss: Loss) -> None:
    """Tell the listeners of the runtime in which this happens, if one is known here."""
    frame = frame_here()
    events = _events()
    if events is not None and events.heard:
        events.emit("state.lost_update", frame, loss=loss)


def _events() -> Events | None:
    runtime: Any = current_runtime.get()
    frame = frame_here()
    while runtime is None and frame is not None:
        runtime, frame = frame.runtime, frame.parent
    if runtime is None:
        try:
            kept = kept_on(asyncio.get_running_loop())
        except (RuntimeError, TypeError):
            return None
        runtime = next((each for each in kept.values() if isinstance(getattr(each, "events", None), Events)), None)
    events = getattr(runtime, "events", None)
    return events if isinstance(events, Events) else None


_MADE = re.compile(r"(?:^|;)\s*([\w.]+)\s*(?::[^=]*)?=\s*$")


def name_made_at(code: CodeType, instruction: int) -> str:
    """Return the name to which the call at that instruction is assigned; empty: none can be read there."""
    _line, _end, column, _end_column = next(islice(code.co_positions(), instruction // 2, None), (0, 0, 0, 0))
    text = linecache.getline(code.co_filename, number_of(code, instruction)).encode()  # columns count its bytes
    found = _MADE.search(text[: column or 0].decode(errors="replace"))
    return found[1].removeprefix("self.") if found else ""
