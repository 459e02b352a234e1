"""Where a thread stands, told by its frames: the user's line on the stack, and whether a debugger has stopped it."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FrameType
from typing import NamedTuple

from .._core.context import Frame
from .._core.place import Place, is_installed, is_ours, is_ours_or_pythons

_DEBUGGERS = frozenset(
    ("bdb", "pdb", "ipdb", "pudb", "debugpy", "pydevd", "_pydevd_bundle", "ptvsd", "celery.contrib.rdb")
)


class Spot(NamedTuple):
    """A place not yet looked up: what is cheap to take from a frame that won't stand still."""

    code: CodeType
    line: int

    def look_up(self) -> Place:
        """Read the source line (from the disk, the first time) and return the place."""
        import linecache

        source = linecache.getline(self.code.co_filename, self.line).strip()
        return Place(self.code.co_filename, self.line, self.code.co_qualname, source)


def outwards(frame: FrameType | None, until: FrameType | None = None) -> Iterator[FrameType]:
    """Yield *frame* and its callers, innermost first, up to and without *until*."""
    while frame is not None and frame is not until:
        yield frame
        frame = frame.f_back


def users_spot(frame: FrameType, until: FrameType | None = None) -> Spot:
    """Return the innermost line of the user's own code in *frame* or its callers, up to and without *until*.

    User's own is what belongs neither to the standard library, nor to an installed package, nor to linecook. Where
    there is none, an installed package's line is taken, and failing that the innermost; of an import the line that
    imports.
    """
    installed = None
    for each in outwards(frame, until):
        name = each.f_code.co_filename
        if is_installed(name) and not is_ours(name):
            installed = installed or each
        elif not is_ours_or_pythons(name):
            return _spot(each)
    return _spot(installed or next((each for each in outwards(frame, until) if not _imports(each)), frame))


def _imports(frame: FrameType) -> bool:
    """Say whether *frame* is of the import system, whose lines tell nobody what is imported."""
    return frame.f_code.co_filename.startswith("<frozen importlib")


def is_debugged(frame: FrameType, until: FrameType | None = None) -> bool:
    """Tell whether a debugger is at work in *frame* or its callers: then the program stands still on purpose."""
    for each in outwards(frame, until):
        module = str(each.f_globals.get("__name__", ""))
        if module in _DEBUGGERS or module.partition(".")[0] in _DEBUGGERS or module == "IPython.core.debugger":
            return True
    return False


def stands_in_python(frame: FrameType | None) -> bool:
    """Tell whether *frame* stands where CPython takes the interpreter from Python code, rather than in a call."""
    if frame is None or frame.f_lasti < 0:
        return False
    from opcode import opname

    standing_at = opname[frame.f_code.co_code[frame.f_lasti]]
    return standing_at == "RESUME" or standing_at.startswith(("JUMP_BACKWARD", "POP_JUMP_BACKWARD"))  # POP_: 3.11


def _spot(frame: FrameType) -> Spot:
    return Spot(frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno)


def call_on_stack(innermost: FrameType, bottom: FrameType | None) -> Frame | None:
    """Return the call whose body runs in *innermost*, as linecook's own functions on the stack know it.

    One step of a loop may take several tasks further, one after the other, so the context in which the step began
    doesn't tell.
    """
    frame: FrameType | None = innermost
    while frame is not None and frame is not bottom:
        if frame.f_globals.get("__name__", "").startswith("linecook."):
            call = _call_in(frame)
            if call is not None:
                return call
        frame = frame.f_back
    return None


def _call_in(frame: FrameType) -> Frame | None:
    if frame.f_code.co_name == "__init__":  # a call that is being made: it runs nothing, and knows little of itself yet
        return None
    try:
        known = frame.f_locals
        found = [value for name in ("call", "self") if isinstance(value := known.get(name), Frame)]
    except Exception:  # the thread runs on while we look, and may leave the frame just now
        return None
    return found[0] if found else None
