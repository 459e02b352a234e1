"""What is said and done when a write overwrites what its writer has not seen."""

from __future__ import annotations

import asyncio
import linecache
import logging
import re
import time
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FrameType
from typing import Any, Literal, TypeAlias

from .._core.context import current_runtime, frame_here
from .._core.errors import LostUpdate
from .._core.events import Events
from .._core.perloop import kept_on
from . import hook
from .actors import Actor, Read
from .between import awaits_between
from .lines import Line, line_of, number_of, stands_at
from .shown import shown

State: TypeAlias = tuple[Any, int, Actor, CodeType, int]
"""What a cell holds: value, version, who wrote it, and the instruction that did. Replaced as a whole, never changed."""

_log = logging.getLogger("linecook")
_places: dict[tuple[CodeType, int], float] = {}
_MOST_PLACES = 1000


@dataclass(frozen=True, slots=True)
class Access:
    """One access to a shared value.

    Attributes:
      kind: ``"read"`` or ``"write"``.
      who: the task, call or thread, by name.
      line: where.
      value: what was read or written; where nobody kept it, an object that says so.
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
      writes: how many writes by others lie between the read and the write (of a map: 1 or more).
      now: what the other one does now, in words.
    """

    what: str
    read: Access
    write: Access
    overwritten: Access | None
    awaits: tuple[Line, ...]
    certain: bool = True
    writes: int = 1
    now: str = ""

    def __str__(self) -> str:
        return "\n".join((self._headline(), *(f"  {line}" for line in self._details())))

    def _headline(self) -> str:
        lost = "a deletion" if self.overwritten is None else shown(self.overwritten.value)
        by = "" if self.overwritten is None else f", written by {self.overwritten.who},"
        return f"lost update on {self.what}: {self.write.who} overwrote {lost}{by} without having seen it"

    def _details(self) -> list[str]:
        read, write, other = self.read, self.write, self.overwritten
        lines = [f"{read.who} read {shown(read.value)} at {read.line}"]
        word = "waited at" if self.certain else "may have waited at"
        lines += [f"  {word} {line}" for line in self.awaits]
        if other is not None:
            now = f", and {self.now}" if self.now else ""
            lines.append(f"{other.who} meanwhile wrote {shown(other.value)} at {other.line}{now}")
        lines.append(f"{write.who} wrote {shown(write.value)} at {write.line}")
        lines.append("cure: update(fn), or read it again after the await; set(...) where it should be overwritten")
        return lines


def lost(what: str, mode: str, read: Read, seen: State | None, value: Any, frame: FrameType, actor: Actor) -> None:
    """Say that *actor*, at *frame*, overwrites *seen* with *value* on the strength of a *read* of an older version.

    Raises:
      LostUpdate: *mode* is ``"raise"``.
    """
    loss = _loss(what, read, seen, value, frame, actor)
    observer = hook.observer
    if observer is not None:
        observer.lost(loss)
    if mode == "raise":
        raise LostUpdate(str(loss), loss=loss)
    _emit(loss)
    if observer is None and _is_due(frame.f_code, frame.f_lasti):
        _log.warning("%s", loss)


def _loss(what: str, read: Read, seen: State | None, value: Any, frame: FrameType, actor: Actor) -> Loss:
    version, code, instruction, value_read = read
    awaits, certain = awaits_between(code, instruction, frame)
    other, now, writes = None, "", 1
    if seen is not None:
        by = seen[2]
        other = Access("write", by.name, line_of(seen[3], seen[4]), seen[0])
        now = _words(*stands_at(by))
        writes = seen[1] - version
    return Loss(
        what,
        Access("read", actor.name, line_of(code, instruction), value_read),
        Access("write", actor.name, line_of(frame.f_code, frame.f_lasti), value),
        other,
        awaits,
        certain,
        writes,
        now,
    )


def _words(state: str, line: Line | None) -> str:
    if state == "ended":
        return "has ended"
    return f"is {state} now" if line is None else f"is {state} now at {line}"


def _is_due(code: CodeType, instruction: int) -> bool:
    """Say whether this place has said nothing for a second."""
    place, now = (code, instruction), time.monotonic()
    if now - _places.get(place, -2.0) < 1.0:
        return False
    if len(_places) >= _MOST_PLACES:
        _places.clear()
    _places[place] = now
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


_MADE = re.compile(r"([\w.]+)\s*(?::[^=]*)?=\s*$")


def name_made_at(code: CodeType, instruction: int) -> str:
    """Return the name to which the call at that instruction is assigned; empty: none can be read there."""
    _line, _end, column, _end_column = next(islice(code.co_positions(), instruction // 2, None), (0, 0, 0, 0))
    text = linecache.getline(code.co_filename, number_of(code, instruction)).encode()  # columns count its bytes
    found = _MADE.search(text[: column or 0].decode(errors="replace"))
    return found[1].removeprefix("self.") if found else ""
