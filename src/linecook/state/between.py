"""The awaits that lie between a read and a write, read from the bytecode: nothing was recorded while they ran.

Of one function: every await on some way from the one instruction to the other. With functions in between, those on the
way through each of them that is still on the stack. Where the reading function has returned, nobody knows from where it
was called; then the awaits before the write are told, as candidates.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any

from .lines import Line, line_at

_ENDS = frozenset(("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "RETURN_GENERATOR"))
_ALWAYS = frozenset(("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_ABSOLUTE"))
_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))


def awaits_between(code: CodeType, instruction: int, frame: FrameType) -> tuple[tuple[Line, ...], bool]:
    """Return the awaits between a read and the write that *frame* stands at, and whether they are certain.

    Args:
      code: of the function that read.
      instruction: where in it.
      frame: of the function that writes.
    """
    below: list[FrameType] = []
    each: FrameType | None = frame
    while each is not None and each.f_code is not code:
        below.append(each)
        each = each.f_back
    found: list[Line] = []
    if each is not None:
        found += _lines(code, instruction, each.f_lasti)
    for one in reversed(below if each is not None else below[:1]):
        found += _lines(one.f_code, None, one.f_lasti)
    return tuple(dict.fromkeys(found)), each is not None


def _lines(code: CodeType, start: int | None, end: int) -> Iterable[Line]:
    """Return the awaits on a way from *start* (None: the beginning) to *end*, without *end* itself."""
    return (line_at(code, number) for number in _numbers(code, start, end))


def _numbers(code: CodeType, start: int | None, end: int) -> list[int]:
    """Return the lines of the awaits, in the order of the text."""
    steps = {step.offset: step for step in dis.get_instructions(code)}
    forward = _ways(code, steps)
    end = _whole(steps, end)
    backward: dict[int, list[int]] = {}
    for offset, targets in forward.items():
        for target in targets:
            backward.setdefault(target, []).append(offset)
    start = None if start is None else _whole(steps, start)
    first = next(iter(steps)) if start is None else start
    between = _reach(forward, first, {end}) & _reach(backward, end, set() if start is None else {start})
    awaits = [steps[offset] for offset in between if steps[offset].opname == "YIELD_VALUE"]
    numbers = [step.positions.lineno for step in awaits if step.positions is not None]
    return sorted({number for number in numbers if number is not None})


def _whole(steps: Iterable[int], offset: int) -> int:
    """Return the instruction that *offset* belongs to: 3.12 stands at the end of its cache, while it calls."""
    return max((step for step in steps if step <= offset), default=0)


def _ways(code: CodeType, steps: dict[int, dis.Instruction]) -> dict[int, list[int]]:
    """Return where each instruction can go on: the next one, the target of its jump, the handler of an exception."""
    order = list(steps)
    following = dict(pairwise(order))
    table: Any = dis.Bytecode(code)
    handlers: list[tuple[int, int, int]] = [(at.start, at.end, at.target) for at in table.exception_entries]
    ways: dict[int, list[int]] = {}
    for offset, step in steps.items():
        targets: list[int] = []
        if step.opname not in _ENDS | _ALWAYS and offset in following:
            targets.append(following[offset])
        if step.opname == "RETURN_GENERATOR" and offset in following:
            targets.append(following[offset])
        if step.opcode in _JUMPS and isinstance(step.argval, int):
            targets.append(step.argval)
        targets += [target for begin, end, target in handlers if begin <= offset < end]
        ways[offset] = targets
    return ways


def _reach(ways: dict[int, list[int]], start: int, stops: Iterable[int]) -> set[int]:
    """Return what can be reached from *start*, itself left out unless it is come back to; nothing beyond *stops*."""
    reached: set[int] = set()
    ahead = list(ways.get(start, ()))
    while ahead:
        offset = ahead.pop()
        if offset in reached:
            continue
        reached.add(offset)
        if offset not in stops and offset != start:
            ahead += ways.get(offset, ())
    return reached
