"""A call under way, in words for people: what it does or waits for, where, and for how long."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linecook.observe import LiveCall, LiveCalls, LiveCount

_WAITS: dict[str, Callable[[LiveCall], str]] = {
    "lane": lambda call: f"waits for a free {call.what}",
    "limit": lambda call: f"waits for {call.what}",
    "retry": lambda call: f"waits before {call.what or 'its next attempt'}",
    "child": lambda call: f"waits for {_last_steps(call)}",
    "children": lambda call: f"waits for {call.what or 'what it has started'}",
    "handle": lambda call: f"waits for {call.what or 'a call it has started'}",
    "stream": lambda call: f"waits for the next piece of {call.what or 'a stream'}",
    "reader": lambda call: f"waits for its reader: {call.what}",
    "resource": lambda call: f"waits for resource {call.what} to open",
    "ending": lambda _: "sees the calls end that it has cancelled",
    "body": lambda _: "waits for its body",
    "task": lambda call: f"waits for task {call.what}",
    "sleep": lambda call: f"sleeps, {call.what}" if call.what else "sleeps",
    "asyncio": lambda call: f"awaits {call.what}",
}


def doing(call: LiveCall) -> str:
    """Return what *call* does, in a few words, with the line where it stands."""
    words = _state(call)
    at = f" at {near(call.place).removesuffix(f' in {call.name}')}" if call.place else ""
    asked = "was asked to end; " if call.ending else ""
    return f"{asked}{words}{at}"


def _state(call: LiveCall) -> str:
    if call.state == "running":
        return "keeps the event loop" if call.what == "the event loop" else f"runs in {call.what}"
    if call.state == "abandoned":
        return f"was given up; runs on in {call.what}"
    if call.state == "ended":
        return "has ended; what it left behind runs on"
    if call.state == "ready":
        return "waits for its turn on the event loop"
    if call.waits_for in _WAITS:
        return _WAITS[call.waits_for](call)
    return f"waits for {call.waits_for}" if call.waits_for else "is open"


def _last_steps(call: LiveCall) -> str:
    """Return the path of the child that *call* waits for, as seen from there."""
    return call.what.removeprefix(f"{call.path}/") or "another call"


def near(place: str) -> str:
    """Return ``file:line in function`` with the file as seen from here, if it lies below."""
    path, line, rest = place.rpartition(":")
    if not line:
        return place
    here = os.getcwd() + os.sep
    return f"{path.removeprefix(here)}:{rest}"


def duration(value: float, *, exact: bool = True) -> str:
    """Return *value* seconds: ``0.1 s``, ``59.9 s``, ``12:05``, ``3:12:05``; with ``≥`` when it may be more."""
    if value < 60:
        text = f"{value:.1f} s"
    else:
        minutes, left = divmod(int(value), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
    return text if exact else f"{sign('≥')}{text}"


def sign(character: str) -> str:
    """Return *character*, or what stands for it where standard output can't have it."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        character.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return {"≥": ">=", "├─ ": "|- ", "└─ ": "`- ", "│  ": "|  ", "…": "..."}.get(character, "?")
    return character


def columns() -> int | None:
    """Return how wide a line may be: the terminal's width; None where standard output is no terminal."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


def cut(line: str, width: int | None) -> str:
    """Return *line* as it can be printed, and at most *width* characters long; what is cut off is marked."""
    encoding = sys.stdout.encoding or "utf-8"
    line = "".join(each if each.isprintable() else "?" for each in line).encode(encoding, "replace").decode(encoding)
    return line if width is None or len(line) <= width else line[: max(0, width - 1)] + sign("…")


def counted(counts: Sequence[LiveCount]) -> Iterator[str]:
    """Yield ``1,204 fetch (thread) waiting for lane``, most frequent first, at most 20 of them."""
    for each in counts[:20]:
        lane = f" ({each.lane})" if each.lane else ""
        what = f"{each.state} for {each.waits_for}" if each.waits_for else each.state
        yield f"{each.count:,} {each.name}{lane} {what}"
    if len(counts) > 20:
        yield f"and {len(counts) - 20} other kinds"


def head(calls: LiveCalls, program: str) -> Iterator[str]:
    """Yield the first lines: the process, how many calls, and whether its event loop stands still."""
    many = "1 call" if calls.total == 1 else f"{calls.total:,} calls"
    yield f"{many} under way in process {calls.pid}, {program}"
    if calls.stands_still is not None:
        yield f"! {calls.stands_still}"
