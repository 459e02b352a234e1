"""What a line of source reads and writes of state that others may see: attributes, items, globals, outer variables.

Read off the syntax tree: Python tells a tracer which line comes next, and not what it will touch. So this is what
stands in the line itself; what a function that it calls touches is seen in that function's own lines.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Does = Literal["read", "write"]

_CHANGES = frozenset((
    "append", "appendleft", "extend", "extendleft", "insert", "pop", "popleft", "popitem", "remove", "discard", "clear",
    "add", "update", "setdefault", "sort", "reverse", "rotate", "difference_update", "intersection_update",
    "symmetric_difference_update",
))  # fmt: skip
_LOOKS = frozenset(("get", "keys", "values", "items", "copy", "count", "index"))
_LOOKING = frozenset(
    ("len", "sum", "max", "min", "sorted", "list", "tuple", "set", "dict", "any", "all", "bool", "iter")
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing in a line.

    Attributes:
      node: its expression.
      does: what the line does with it.
      after_await: whether that happens after the line has awaited something.
      whole: whether all of it is meant, such as of a list that something is appended to.
    """

    node: ast.expr
    does: Does
    after_await: bool
    whole: bool


Lines = dict[int, tuple[Mention, ...]]


@lru_cache(maxsize=200)
def lines_of(file: str) -> Lines:
    """Return what each line of *file* mentions, reads first; nothing for source that isn't there."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return {}
    found: dict[int, list[Mention]] = {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt):
            for mention in _of_statement(statement):
                found.setdefault(mention.node.lineno, []).append(mention)
    return {line: tuple(sorted(all_, key=lambda one: one.does)) for line, all_ in found.items()}


def _of_statement(statement: ast.stmt) -> Iterator[Mention]:
    own = [node for node in _own(statement) if isinstance(node, ast.expr)]
    waits = any(isinstance(node, ast.Await) for node in own)
    if isinstance(statement, ast.AugAssign):
        yield Mention(statement.target, "read", False, False)
    for node in own:
        yield from _of_expression(node, waits)


def _of_expression(node: ast.expr, waits: bool) -> Iterator[Mention]:
    if isinstance(node, (ast.Attribute, ast.Subscript, ast.Name)):
        if isinstance(node.ctx, ast.Load):
            yield Mention(node, "read", False, False)
        else:
            yield Mention(node, "write", waits, False)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _CHANGES:
            waits_first = any(isinstance(inner, ast.Await) for inner in ast.walk(node))
            yield Mention(node.func.value, "write", waits_first, True)
        elif node.func.attr in _LOOKS:
            yield Mention(node.func.value, "read", False, True)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _LOOKING and node.args:
        yield Mention(node.args[0], "read", False, True)
    elif isinstance(node, ast.Compare):
        for operator, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)):
                yield Mention(other, "read", False, True)


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """Walk through *statement* without the statements, functions and classes inside it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Lambda):
            continue
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        waiting += [] if inside else [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
