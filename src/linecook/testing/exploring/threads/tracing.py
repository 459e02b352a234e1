"""The hooks of Python 3.11: ``sys.settrace`` on the program's threads, opcode by opcode in the user's frames."""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from .switching import Baton, Points, accesses_of, back_jumps_of, calls_of
from .users_code import UsersCode, entry

Tracer = Callable[[FrameType, str, Any], Any]
_NOWHERE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Offsets:
    """Where something happens in a code object."""

    calls: frozenset[int]
    back_jumps: frozenset[int]
    accesses: frozenset[int]


class Tracing:
    """Follows the user's frames, and asks the thread that runs to stop where it may.

    A call from one Python function straight to another has its point at the callee's start; any other call has one at
    its end. (A C function that calls back into Python counts as the former: the interpreter doesn't tell on 3.11.)
    """

    def __init__(self, baton: Baton, code: UsersCode, points: Points) -> None:
        self._baton = baton
        self._code = code
        self._fine = points == "opcodes"
        self._known: dict[CodeType, _Offsets | None] = {}

    def open(self) -> None:
        """Nothing: these hooks are a thread's."""

    def close(self) -> None:
        """Forget the code objects."""
        self._known.clear()

    def renew(self) -> None:
        """Nothing: threads are traced each for itself."""

    def enter(self) -> None:
        """Follow what this thread runs from now on."""
        sys.settrace(_Follower(self).call)

    def leave(self) -> None:
        """Follow it no longer."""
        sys.settrace(None)

    def offsets_of(self, code: CodeType) -> _Offsets | None:
        """Return what matters in *code*, None when it isn't the user's."""
        if code not in self._known:
            self._known[code] = self._look_into(code)
        return self._known[code]

    def _look_into(self, code: CodeType) -> _Offsets | None:
        if not self._code.has(code):
            return None
        return _Offsets(calls_of(code), back_jumps_of(code), accesses_of(code) if self._fine else _NOWHERE)

    def point(self, frame: FrameType, why: str) -> None:
        """Tell the thread that runs this that it may stop."""
        running = self._baton.running
        if running is None or running.ident != get_ident():
            running = self._baton.strays.get(get_ident())
        if running is not None:
            running.point(frame, why)


class _Follower:
    """Follows one thread."""

    def __init__(self, tracing: Tracing) -> None:
        self._offsets_of = tracing.offsets_of
        self._point = tracing.point
        self._calls_python: set[int] = set()  # ids of the frames whose last call began a Python function

    def call(self, frame: FrameType, event: str, _argument: Any) -> Tracer | None:
        """Decide at a frame's start, or a generator's resumption, whether it is followed."""
        if event != "call":
            return None
        self._calls_python.add(id(frame.f_back))
        offsets = self._offsets_of(frame.f_code)
        if offsets is None:
            return self._enter(frame)
        self._point(frame, "call")
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return frame.f_trace or self._follow(offsets)

    def _enter(self, frame: FrameType) -> Tracer | None:
        """Look at a frame that isn't the user's: one that the user's code calls may be a switch point."""
        known = entry(frame.f_code)
        if known is None or frame.f_back is None:
            return None
        if not known.always and self._offsets_of(frame.f_back.f_code) is None:
            return None
        self._point(frame, "call")
        frame.f_trace_lines = False
        return self._leave if known.after else None

    def _leave(self, frame: FrameType, event: str, _argument: Any) -> Tracer:
        if event == "return":
            self._point(frame, "return")
        return self._leave

    def _follow(self, offsets: _Offsets) -> Tracer:
        calls, back_jumps, accesses = offsets.calls, offsets.back_jumps, offsets.accesses
        watched = calls | back_jumps | accesses
        left = -1  # the call or jump that this frame executed last

        def local(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal left
            if event != "opcode":
                return local
            offset = frame.f_lasti
            if left >= 0:
                before, left = left, -1
                if before in back_jumps:
                    if offset < before:
                        self._point(frame, "loop")
                elif id(frame) not in self._calls_python:
                    self._point(frame, "call into C")
            if offset in watched:
                if offset in accesses:
                    self._point(frame, "access")
                else:
                    left = offset
                    self._calls_python.discard(id(frame))
            return local

        return local
