"""Lines of a program, looked up only for reports: where an instruction stands, and where a suspended task does."""

from __future__ import annotations

import linecache
import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any

from .._core.place import Place, is_ours_or_pythons
from .._core.stacks import stacks_of_others
from .actors import Actor


class Line(Place):
    """A ``Place`` (``file``, ``line``, ``function``, ``source``) that is told as seen from the working folder."""

    __slots__ = ()

    def __str__(self) -> str:
        where = f"{_shortened(self.file)}:{self.line} in {self.function}"
        return f"{where}: {self.source}" if self.source else where


def line_at(code: CodeType, number: int) -> Line:
    """Return line *number* of the file that *code* is from."""
    source = linecache.getline(code.co_filename, number).strip()
    return Line(code.co_filename, number, code.co_qualname, source)


def line_of(code: CodeType, instruction: int) -> Line:
    """Return the line of the instruction at that offset of *code*; below 0: the first line."""
    return line_at(code, number_of(code, instruction))


def number_of(code: CodeType, instruction: int) -> int:
    """Return the number of the line of the instruction at that offset of *code*."""
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            return number
    return code.co_firstlineno


def stands_at(actor: Actor) -> tuple[str, Line | None]:
    """Return what *actor* does now, ``"suspended"``, ``"running"`` or ``"ended"``, and at which line of the user's."""
    if actor.task is None:
        if actor.thread == threading.get_ident():
            return "running", _users(sys._getframe(1))
        frame = stacks_of_others().get(actor.thread)
        return ("ended", None) if frame is None else ("running", _users(frame))
    task = actor.task()
    if task is None or task.done():
        return "ended", None
    return "suspended", _innermost(task.get_coro())


def _innermost(coroutine: Any) -> Line | None:
    """Return the line of the user's own code that is nearest to what *coroutine* waits for."""
    found: Line | None = None
    for _ in range(1000):  # as deep as one may be nested; a chain in a circle can't hold us
        frame: FrameType | None = next(
            (f for name in ("cr_frame", "gi_frame", "ag_frame") if (f := getattr(coroutine, name, None))), None
        )
        if frame is not None and _is_users(frame.f_code):
            found = line_at(frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno)
        names = ("cr_await", "gi_yieldfrom", "ag_await")
        coroutine = next((each for name in names if (each := getattr(coroutine, name, None)) is not None), None)
        if coroutine is None:
            break
    return found


def _users(frame: FrameType | None) -> Line | None:
    while frame is not None:
        if _is_users(frame.f_code):
            return line_at(frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno)
        frame = frame.f_back
    return None


def _is_users(code: CodeType) -> bool:
    return not is_ours_or_pythons(code.co_filename)


def _shortened(file: str) -> str:
    """Return the path as seen from the working folder where it lies below that."""
    try:
        return file.removeprefix(os.getcwd() + os.sep)
    except OSError:  # the working folder is gone
        return file
