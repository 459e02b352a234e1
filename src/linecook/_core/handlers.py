"""Which ``with`` block, and which ``except``, an instruction stands in: from the exception table of its function.

Python 3.11 and later keep for each range of instructions only the innermost handler. The handler's own instructions lie
in the range of the next one outwards, so the chain of handlers is the nesting of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import Any

_DEEPEST = 60
_CAUGHT_BY = {"CancelledError", "BaseException"}


def with_lines(code: CodeType, instruction: int) -> list[int]:
    """Return the lines of the ``with`` statements around *instruction*, outermost first."""
    lines = [_line_at(code, target + 2) for target in _handlers(code, instruction) if _is_with(code, target)]
    return [line for line in reversed(lines) if line]


def line_that_catches(code: CodeType, instruction: int) -> int:
    """Return the line of the innermost ``except`` around *instruction* that takes cancellations; 0: there is none."""
    for target in _handlers(code, instruction):
        if not _is_with(code, target) and (line := _line_of_except(code, target)):
            return line
    return 0


def _handlers(code: CodeType, instruction: int) -> Iterator[int]:
    import dis  # here and below: a runtime that is never asked why it is stuck shouldn't pay for it

    parse: Any = getattr(dis, "_parse_exception_table", None)
    if parse is None or instruction < 0:
        return
    entries = parse(code)
    at = instruction
    for _ in range(_DEEPEST):
        entry = next((one for one in entries if one.start <= at < one.end), None)
        if entry is None:
            return
        at = entry.target
        if _name_at(code, at) == "PUSH_EXC_INFO":
            yield at


def _name_at(code: CodeType, offset: int) -> str:
    from opcode import opname

    return opname[code.co_code[offset]] if offset < len(code.co_code) else ""


def _is_with(code: CodeType, target: int) -> bool:
    return _name_at(code, target + 2) == "WITH_EXCEPT_START"


def _line_at(code: CodeType, offset: int) -> int:
    return next((line or 0 for start, end, line in code.co_lines() if start <= offset < end), 0)


def _line_of_except(code: CodeType, target: int) -> int:
    """Return the line of the ``except`` of the handler at *target* that a CancelledError goes into; 0: into none."""
    import dis

    names: set[Any] = set()
    wanted = target + 2
    for instruction in dis.get_instructions(code):
        if instruction.offset < wanted:
            continue
        name = instruction.opname
        if name == "POP_TOP":  # a bare except:
            return 0 if names else _line_at(code, instruction.offset)
        if name == "CHECK_EXC_MATCH":
            if names & _CAUGHT_BY:
                return _line_at(code, instruction.offset)
            names = {""}
        elif name.startswith("POP_JUMP"):  # to the next except of the same try
            wanted = instruction.argval
        elif name.startswith(("LOAD_", "BUILD_TUPLE")):
            names.add(instruction.argval)
        elif name not in ("NOP", "CACHE", "PUSH_NULL"):
            return 0
    return 0
