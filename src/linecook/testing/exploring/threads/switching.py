"""Where a thread of the program may be stopped.

``"gil"``: where CPython's own evaluation loop looks whether another thread wants the GIL, and nowhere else: the start
of a Python function (a generator's resumption as well), the end of a call into C, a jump backwards. *Not* the return
from a Python function: ``n = get(); self.n = n + 1`` loses no update on a GIL build, ``n = self.n; put(n + 1)`` does.

``"opcodes"``: before each load and store of an attribute, an item, a global or a closure's variable as well. What is
found only there needs an interpreter without a GIL.
"""

from __future__ import annotations

import builtins
import dis
import sys
from types import CodeType, FrameType
from typing import Literal, Protocol

from .users_code import UsersCode

Points = Literal["gil", "opcodes"]

_STATE = ("ATTR", "SUBSCR", "SLICE", "GLOBAL", "DEREF", "LOAD_NAME", "STORE_NAME", "LOAD_METHOD", "CONTAINS_OP")
_ACCESSES = {op for name, op in dis.opmap.items() if any(part in name for part in _STATE)}
_CALLS = {op for name, op in dis.opmap.items() if name in {"CALL", "CALL_KW", "CALL_FUNCTION_EX"}}
_BACK = {op for name, op in dis.opmap.items() if "JUMP_BACKWARD" in name and "NO_INTERRUPT" not in name}


class Stoppable(Protocol):
    """What the hooks need of a thread of the program."""

    ident: int

    def point(self, frame: FrameType, why: str) -> None:
        """Note that the thread may be stopped here; returns when it goes on."""


class Baton:
    """Who runs: one thread of the program, or (``running`` is None) the explorer.

    Attributes:
      running: the thread that runs.
      strays: threads that were given up while they were blocked for real, by ident: they may come back any time.
    """

    __slots__ = ("running", "strays")

    def __init__(self) -> None:
        self.running: Stoppable | None = None
        self.strays: dict[int, Stoppable] = {}


class Hooks(Protocol):
    """The interpreter's hooks, of either kind."""

    def open(self) -> None:
        """Begin to listen."""

    def close(self) -> None:
        """Leave everything as it was."""

    def renew(self) -> None:
        """See to it that everything is listened to again, after the explorer's thread has begun or ended to trace."""

    def enter(self) -> None:
        """Prepare the real thread that runs this, before a body."""

    def leave(self) -> None:
        """Undo ``enter``, after the body."""


def hooks(baton: Baton, code: UsersCode, points: Points) -> Hooks:
    """Return the hooks of this interpreter: ``sys.monitoring`` from 3.12, ``sys.settrace`` before."""
    if sys.version_info >= (3, 12):
        from .monitoring import Monitoring

        return Monitoring(baton, code, points)
    from .tracing import Tracing

    return Tracing(baton, code, points)


def accesses_of(code: CodeType) -> frozenset[int]:
    """Return the offsets of the loads and stores in *code* that may touch what other threads see."""
    return frozenset(each.offset for each in dis.get_instructions(code) if _touches(each))


def calls_of(code: CodeType) -> frozenset[int]:
    """Return the offsets of the calls in *code*."""
    return frozenset(each.offset for each in dis.get_instructions(code) if each.opcode in _CALLS)


def back_jumps_of(code: CodeType) -> frozenset[int]:
    """Return the offsets of the jumps backwards in *code*."""
    return frozenset(each.offset for each in dis.get_instructions(code) if each.opcode in _BACK)


def _touches(instruction: dis.Instruction) -> bool:
    if instruction.opcode not in _ACCESSES:
        return False
    # A builtin's name is a global load too; nobody stores there.
    return not (instruction.opname == "LOAD_GLOBAL" and hasattr(builtins, str(instruction.argval)))
