"""What a read was good for, as far as the text of the program tells; asked only when a lost update is about to be said.

A read that only goes into a ``print``, a log or an ``assert`` decides nothing: a write after it doesn't stand on it.
"""

from __future__ import annotations

import ast
import dis
import linecache
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from .values import NOT_KEPT

_SHOWS = frozenset(("print", "debug", "info", "warning", "warn", "error", "exception", "critical", "log", "pprint"))
_COMPUTES = frozenset(("str", "repr", "len", "sum", "min", "max", "round", "format", "sorted", "type", "list", "get"))
_STORES = ("STORE_FAST", "STORE_DEREF", "STORE_FAST_LOAD_FAST")


@lru_cache(maxsize=256)
def is_only_shown(code: CodeType, instruction: int) -> bool:
    """Say whether what is read at that instruction is printed, logged or asserted, and nothing else is done with it."""
    line, _, column, _ = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
    if line is None or column is None:
        return False
    tree = _parsed(code.co_filename)
    path = [] if tree is None else _path_to(tree, (line, column))
    statement = next((place for place in reversed(range(len(path))) if isinstance(path[place], ast.stmt)), None)
    if statement is None:
        return False
    if isinstance(path[statement], ast.Assert):
        return True
    if not isinstance(path[statement], ast.Expr):
        return False
    return _shows(path[statement + 1 :])


def _shows(path: list[ast.AST]) -> bool:
    """Say whether an expression that is a statement of its own does no more than show what *path* ends in."""
    outermost = True
    for node in path:
        if isinstance(node, (ast.NamedExpr, ast.Await, ast.Lambda, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name not in (_SHOWS if outermost else _COMPUTES):
                return False
            outermost = False
    return True


@lru_cache(maxsize=8)
def _parsed(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _path_to(node: ast.AST, position: tuple[int, int]) -> list[ast.AST]:
    """Return the nodes that enclose *position*, outermost first."""
    path: list[ast.AST] = []
    found: ast.AST | None = node
    while found is not None:
        inner = [child for child in ast.iter_child_nodes(found) if _holds(child, position)]
        found = inner[0] if inner else None
        path += inner[:1]
    return path


def _holds(node: ast.AST, position: tuple[int, int]) -> bool:
    if not isinstance(node, (ast.stmt, ast.expr)):
        return isinstance(
            node, (ast.match_case, ast.ExceptHandler, ast.keyword, ast.withitem, ast.comprehension)
        ) and any(_holds(child, position) for child in ast.iter_child_nodes(node))
    start = (node.lineno, node.col_offset)
    end = (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return start <= position < end


def kept_in_variable(code: CodeType, instruction: int, frame: FrameType) -> Any:
    """Return what was read at that instruction, from the variable it went into, if *frame* or a caller still has it."""
    each: FrameType | None = frame
    while each is not None and each.f_code is not code:
        each = each.f_back
    if each is None:
        return NOT_KEPT
    steps = list(dis.get_instructions(code))
    at = max((place for place, step in enumerate(steps) if step.offset <= instruction), default=0)
    name = _stored(steps[at + 1]) if at + 1 < len(steps) else ""
    if not name or sum(_stored(step) == name for step in steps) != 1:  # else it may hold something else by now
        return NOT_KEPT
    return each.f_locals.get(name, NOT_KEPT)


def _stored(step: dis.Instruction) -> str:
    if step.opname not in _STORES:
        return ""
    return step.argrepr.partition(",")[0]  # of two instructions in one: the first
