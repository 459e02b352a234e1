"""Coroutines dropped without having been awaited: where that was, and what it tells of the line that made them.

Python says so at the moment at which the last reference goes. For ``save(x)`` without ``await``, the fault there nearly
always is, that is the statement that made the coroutine: its instructions show it.
"""

from __future__ import annotations

from types import CodeType
from typing import NamedTuple

from ..._core.place import is_installed, is_ours_or_pythons
from .ledger import Detail, Fact, Where

_HERE = "let go of on this line, and made there or before (--origins names the line that made it)"
_SOMEWHERE = "its function is named, not the line that made it (--origins names that)"


class Drop(NamedTuple):
    """One coroutine that was dropped: cheap to note from a finalizer, and made a fact of later.

    Attributes:
      code, instruction: where the thread stood when it was; None: nowhere in Python.
      name, what: the name and the qualified name of what it would have run.
      made: the line that made it, where Python remembers it.
      defined: the first line of what it would have run.
    """

    code: CodeType | None
    instruction: int
    name: str
    what: str
    made: Where | None
    defined: Where | None

    def fact(self) -> Fact:
        """Return the finding, at the line that made the coroutine if that is certain, and saying so if it isn't."""
        what: tuple[Detail, float] = (("what", self.what), 1.0)
        if self.made is not None:
            return Fact("never_awaited", self.made, 0.0, (what,))
        if self.code is None or _is_librarys(self.code):
            return Fact("never_awaited", self.defined or Where("", 0, ""), 0.0, (what, (("how", _SOMEWHERE), 1.0)))
        here = Where.at(self.code, self.instruction)
        if _calls_and_drops(self.code, self.instruction, self.name):
            return Fact("never_awaited", here, 0.0, (what,))
        details = (what, (("how", _HERE), 1.0), (("defined", self.defined or "?"), 1.0))
        return Fact("never_awaited", here, 0.0, details)


_verdicts: dict[tuple[int, int, str], tuple[bool, CodeType]] = {}
"""By the id of a code, which is kept so that it stays its own, an instruction, and a name."""


def _calls_and_drops(code: CodeType, instruction: int, name: str) -> bool:
    key = id(code), instruction, name
    known = _verdicts.get(key)
    if known is None:
        if len(_verdicts) >= 1_000:
            _verdicts.clear()
        known = _verdicts[key] = _is_a_call_alone(code, instruction, name), code
    return known[0]


def _is_a_call_alone(code: CodeType, instruction: int, name: str) -> bool:
    """Whether *instruction* throws away the value of a statement in which something called *name* is called.

    Any other instruction that drops a coroutine (a store, a delete, a return, a call that took it) may drop one that
    was made before.
    """
    import dis

    statement: list[dis.Instruction] = []
    for each in dis.get_instructions(code):
        if each.offset > instruction:
            break
        statement.append(each)
    if not statement or statement[-1].opname != "POP_TOP":
        return False
    lines = statement[-1].positions
    if lines is None or lines.lineno is None or lines.end_lineno is None:
        return False
    for each in reversed(statement[:-1]):
        line = each.positions.lineno if each.positions is not None else None
        if line is None or not lines.lineno <= line <= lines.end_lineno:
            return False
        if each.opname.startswith(("LOAD_", "PUSH_NULL")) and _names(each.argval, name):
            return True
        if each.opname in ("SEND", "POP_TOP"):  # what was awaited is another's; the statement before
            return False
    return False


def _names(said: object, name: str) -> bool:
    return said == name or (isinstance(said, tuple) and name in said)


def _is_librarys(code: CodeType) -> bool:
    file = code.co_filename
    return is_ours_or_pythons(file) or is_installed(file)
