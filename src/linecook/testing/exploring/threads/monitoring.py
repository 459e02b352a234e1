"""The hooks of Python 3.12 and later: ``sys.monitoring``, on the user's code objects alone."""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Callable
from types import CodeType, FrameType, MethodType
from typing import Any

from .controlled_locks import ControlledLock, ControlledRLock
from .switching import Baton, Points, accesses_of
from .users_code import Entry, UsersCode, entry

_MONITORING: Any = getattr(sys, "monitoring", None)


class Monitoring:
    """Listens to what a thread of the program does, and asks it to stop there.

    One global event, the start of a code object, is switched off at once for code that isn't the user's; everything
    else is asked for per code object. The tool id is a free one (4, 3, …): coverage has 1, debuggers 0, profilers 2.
    """

    def __init__(self, baton: Baton, code: UsersCode, points: Points) -> None:
        self._baton = baton
        self._code = code
        self._fine = points == "opcodes"
        self._accesses: dict[CodeType, frozenset[int]] = {}
        self._entries: dict[CodeType, Entry] = {}  # not the user's, but called by the user's code
        self._tool = -1

    def open(self) -> None:
        """Begin to listen.

        Raises:
          RuntimeError: other tools have taken every tool id.
        """
        self._tool = _take_tool()
        for event, callback in self._callbacks():
            _MONITORING.register_callback(self._tool, event, callback)
        _MONITORING.restart_events()  # what an earlier exploration has switched off, place by place
        _MONITORING.set_events(self._tool, _MONITORING.events.PY_START)

    def close(self) -> None:
        """Stop listening, and give the tool id back."""
        _MONITORING.set_events(self._tool, 0)
        for code in (*self._accesses, *self._entries):
            _MONITORING.set_local_events(self._tool, code, 0)
        for event, _callback in self._callbacks():
            _MONITORING.register_callback(self._tool, event, None)
        _MONITORING.free_tool_id(self._tool)
        self._accesses.clear()
        self._entries.clear()

    def renew(self) -> None:
        """Ask for every access anew.

        In CPython 3.12 and 3.13 a code object loses its events per instruction when somebody begins to trace it line by
        line afterwards (``sys.settrace`` on any thread: a debugger, coverage, our own report).
        """
        if self._fine:
            for code in self._accesses:
                events = _MONITORING.get_local_events(self._tool, code)
                _MONITORING.set_local_events(self._tool, code, events & ~_MONITORING.events.INSTRUCTION)
                _MONITORING.set_local_events(self._tool, code, events)

    def enter(self) -> None:
        """Nothing: these hooks are the interpreter's, not a thread's."""

    def leave(self) -> None:
        """Nothing."""

    def _callbacks(self) -> list[tuple[int, Callable[..., object]]]:
        events = _MONITORING.events
        return [
            (events.PY_START, self._start),
            (events.PY_RESUME, self._resume),
            (events.PY_RETURN, self._entry_returns),
            (events.C_RETURN, self._returned),
            (events.JUMP, self._jump),
            (events.INSTRUCTION, self._access),
        ]

    def _start(self, code: CodeType, _offset: int) -> object:
        if code not in self._accesses and code not in self._entries and not self._watch(code):
            return _MONITORING.DISABLE
        return self._point("call") if code in self._accesses else self._at_entry(code, "call")

    def _watch(self, code: CodeType) -> bool:
        """Decide, the first time, whether *code* is listened to."""
        events = _MONITORING.events
        known = entry(code)
        if known is not None:
            self._entries[code] = known
            mask = events.PY_START | (events.PY_RETURN if known.after else 0)
            _MONITORING.set_local_events(self._tool, code, mask)
            return True
        if not self._code.has(code):
            return False
        self._accesses[code] = accesses_of(code) if self._fine else frozenset()
        # CALL brings the end of a call into C with it; nobody reads its beginning.
        mask = events.PY_START | events.PY_RESUME | events.JUMP | events.CALL
        _MONITORING.set_local_events(self._tool, code, mask | (events.INSTRUCTION if self._fine else 0))
        return True

    def _entry_returns(self, code: CodeType, _offset: int, _value: object) -> object:
        return self._at_entry(code, "return")

    def _at_entry(self, code: CodeType, why: str) -> object:
        frame = sys._getframe(2)
        caller = frame.f_back
        if caller is not None and (self._entries[code].always or self._code.has_file(caller.f_code.co_filename)):
            self._stop(frame, why)
        return None

    def _resume(self, _code: CodeType, _offset: int) -> object:
        return self._point("resume")

    def _returned(self, _code: CodeType, _offset: int, called: object, _first: object) -> object:
        # The end of a with block calls a bound method as if it were C; a lock's has its point already.
        if type(called) is MethodType and isinstance(called.__self__, (ControlledLock, ControlledRLock)):
            return None
        return self._point("call into C")

    def _jump(self, _code: CodeType, offset: int, destination: int) -> object:
        return _MONITORING.DISABLE if destination > offset else self._point("loop")

    def _access(self, code: CodeType, offset: int) -> object:
        return self._point("access") if offset in self._accesses[code] else _MONITORING.DISABLE

    def _point(self, why: str) -> object:
        if self._baton.running is not None or self._baton.strays:
            self._stop(sys._getframe(2), why)
        return None

    def _stop(self, frame: FrameType, why: str) -> None:
        running = self._baton.running
        if running is None or running.ident != get_ident():
            running = self._baton.strays.get(get_ident())
        if running is not None:
            running.point(frame, why)


def _take_tool() -> int:
    for tool in (4, 3, 5, 2, 0):
        if _MONITORING.get_tool(tool) is None:
            _MONITORING.use_tool_id(tool, "linecook explore")
            return tool
    raise RuntimeError("explore needs one of the six tool ids of sys.monitoring, and other tools have taken them all")
