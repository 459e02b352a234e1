"""Who binds which name: the scopes of one file, so that a name is resolved only where it is certain.

The rules follow Python's own (language reference, 4.2 "Naming and binding"): a class body is not seen from the
functions inside it; a name that any statement of a function binds is local to all of it; ``global`` and ``nonlocal``
bind elsewhere. A name bound twice is never certain, whatever the order: the branch taken is not known here.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Bound", "FunctionNode", "Scope", "Tree", "is_bound", "last_name", "lookup", "read_scopes"]

_PLATFORMS = ("jython", "pypy", "ironpython", "windows", "win32", "platform", "type_checking")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Bound:
    """One binding of a name: ``import`` (value: dotted name), ``def``, ``class``, ``param`` or ``assign`` (node)."""

    kind: str
    value: Any
    line: int


@dataclass(slots=True)
class Scope:
    """A module, class or function, with everything its own statements bind and call."""

    kind: str
    name: str
    node: Any
    parent: Scope | None
    bindings: dict[str, list[Bound]] = field(default_factory=dict[str, list[Bound]])
    calls: list[ast.Call] = field(default_factory=list[ast.Call])
    dropped: set[int] = field(default_factory=set[int])
    elsewhere: dict[str, bool] = field(default_factory=dict[str, bool])
    stars: list[int] = field(default_factory=list[int])
    has_yield: bool = False

    def bind(self, name: str, kind: str, value: Any, line: int) -> None:
        self.bindings.setdefault(name, []).append(Bound(kind, value, line))


@dataclass(slots=True)
class Tree:
    """All scopes of a file, the module first, and the attributes it assigns."""

    scopes: list[Scope]
    patched: set[str] = field(default_factory=set[str])
    own_patched: set[str] = field(default_factory=set[str])
    call_count: int = 0


def read_scopes(tree: ast.Module, module: str, is_package: bool) -> Tree:
    """Return every scope of *tree* with its bindings; ``global`` and ``nonlocal`` are already settled."""
    reader = _Reader(module, is_package)
    found = reader.read(tree)
    for scope in found.scopes:
        _settle_elsewhere(scope, found.scopes[0])
    return found


def lookup(scope: Scope, name: str) -> tuple[Scope, Bound] | None:
    """Return the one binding of *name* as seen from *scope*, or ``None`` when there is none or more than one."""
    at: Scope | None = scope
    while at is not None:
        if name in at.bindings and (at is scope or at.kind != "class"):
            bound = _only(at, name)
            return (at, bound) if bound else None
        at = at.parent
    return None


def is_bound(scope: Scope, name: str) -> bool:
    """Return whether any scope around *scope* binds *name*, or might through a star import."""
    at: Scope | None = scope
    while at is not None:
        if at.stars or name in at.bindings:
            return True
        at = at.parent
    return False


def _only(scope: Scope, name: str) -> Bound | None:
    bounds = scope.bindings[name]
    first = bounds[0]
    same_import = first.kind == "import" and all(b.kind == "import" and b.value == first.value for b in bounds)
    if len(bounds) > 1 and not same_import:
        return None
    # A later star import may bind the name again, to something we can't see.
    if any(line > first.line for line in scope.stars):
        return None
    return first


def _settle_elsewhere(scope: Scope, module: Scope) -> None:
    for name, is_global in scope.elsewhere.items():
        bounds = scope.bindings.pop(name, [])
        target = module if is_global else _owner(scope.parent, name)
        if target is not None and bounds:
            # Bound from inside another function: it happens at an unknown time, so the name is never certain.
            target.bindings.setdefault(name, []).extend([Bound("assign", None, b.line) for b in bounds] * 2)


def _owner(scope: Scope | None, name: str) -> Scope | None:
    while scope is not None and not (scope.kind == "function" and name in scope.bindings):
        scope = scope.parent
    return scope


class _Reader:
    """One walk over the tree; a table by node type, because this is where a reader's time goes."""

    def __init__(self, module: str, is_package: bool) -> None:
        self.base = module if is_package else module.rpartition(".")[0]
        self.found = Tree([])
        self.doubted: set[int] = set()
        self.elsewhere_only: set[int] = set()
        self.todo: list[tuple[Scope, list[Any]]] = []

    def read(self, tree: ast.Module) -> Tree:
        self._open(Scope("module", "", tree, None), list(tree.body))
        while self.todo:
            scope, nodes = self.todo.pop()
            self._walk(scope, nodes)
        return self.found

    def _open(self, scope: Scope, nodes: list[Any]) -> None:
        self.found.scopes.append(scope)
        self.todo.append((scope, nodes))

    def _walk(self, scope: Scope, stack: list[Any]) -> None:
        handlers, fields = _HANDLERS, _FIELDS
        stack.reverse()
        while stack:
            node = stack.pop()
            kind = node.__class__
            if kind is ast.Name:  # two nodes of three are names and constants: no call for those
                if node.ctx.__class__ is not ast.Load:
                    scope.bind(node.id, "assign", None, node.lineno)
                continue
            if kind is ast.Constant:
                continue
            handler = handlers.get(kind)
            if handler is not None and handler(self, scope, node, stack):
                continue
            for name in fields[kind]:
                child = getattr(node, name)
                if child.__class__ is list:
                    stack.extend(reversed(child))
                elif child is not None:
                    stack.append(child)

    # Each handler returns True when it has dealt with the children itself.

    def attribute(self, scope: Scope, node: ast.Attribute, stack: list[Any]) -> bool:
        if node.ctx.__class__ is not ast.Load:
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (self.found.own_patched if own else self.found.patched).add(node.attr)
        stack.append(node.value)
        return True

    def assign(self, scope: Scope, node: ast.Assign | ast.AnnAssign, stack: list[Any]) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        target = targets[0]
        if len(targets) > 1 or not isinstance(target, ast.Name):
            stack.extend(targets)
        elif node.value is not None or scope.kind == "function":  # `x: int` alone makes x local to a function
            scope.bind(target.id, "assign", node.value, node.lineno)
        if node.value is not None:
            stack.append(node.value)
        return True

    def expression(self, scope: Scope, node: ast.Expr, stack: list[Any]) -> bool:
        if node.value.__class__ is ast.Call and id(node.value) not in self.doubted:
            scope.dropped.add(id(node.value))
        return False

    def call(self, scope: Scope, node: ast.Call, stack: list[Any]) -> bool:
        if id(node) not in self.elsewhere_only:
            scope.calls.append(node)
        self.found.call_count += 1
        if isinstance(node.func, ast.Name) and node.func.id == "setattr" and len(node.args) == 3:
            name = node.args[1]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                self.found.patched.add(name.value)
        return False

    def function(self, scope: Scope, node: FunctionNode, stack: list[Any]) -> bool:
        if not any(last_name(d) == "overload" for d in node.decorator_list):
            scope.bind(node.name, "def", _inner(scope, node.name), node.lineno)
        arguments = node.args
        stack.extend(node.decorator_list)
        stack.extend(d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None)
        inner = Scope("function", _inner(scope, node.name), node, scope)
        for argument in _all_arguments(arguments):
            inner.bind(argument.arg, "param", argument, node.lineno)
        self._open(inner, list(node.body))
        return True

    def classdef(self, scope: Scope, node: ast.ClassDef, stack: list[Any]) -> bool:
        scope.bind(node.name, "class", _inner(scope, node.name), node.lineno)
        stack.extend(node.decorator_list)
        stack.extend(node.bases)
        self._open(Scope("class", _inner(scope, node.name), node, scope), list(node.body))
        return True

    def lambda_(self, scope: Scope, node: ast.Lambda, stack: list[Any]) -> bool:
        return True  # A lambda's body runs when somebody calls it: not here.

    def generator(self, scope: Scope, node: ast.GeneratorExp, stack: list[Any]) -> bool:
        # Only the first iterable is evaluated here; the rest runs when somebody pulls. A walrus still binds here.
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr) and isinstance(part.target, ast.Name):
                scope.bind(part.target.id, "assign", None, node.lineno)
        stack.append(node.generators[0].iter)
        return True

    def import_(self, scope: Scope, node: ast.Import, stack: list[Any]) -> bool:
        for alias in node.names:
            dotted = alias.name if alias.asname else alias.name.partition(".")[0]
            scope.bind(alias.asname or dotted, "import", dotted, node.lineno)
        return True

    def import_from(self, scope: Scope, node: ast.ImportFrom, stack: list[Any]) -> bool:
        source = self._absolute(node)
        for alias in node.names:
            if alias.name == "*":
                scope.stars.append(node.lineno)
            else:
                scope.bind(alias.asname or alias.name, "import", f"{source}.{alias.name}", node.lineno)
        return True

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.base.split(".") if self.base else []
        if node.level - 1 >= len(parts):
            return "?"
        base = ".".join(parts[: len(parts) - (node.level - 1)])
        return f"{base}.{node.module}" if node.module else base

    def elsewhere(self, scope: Scope, node: ast.Global | ast.Nonlocal, stack: list[Any]) -> bool:
        scope.elsewhere.update(dict.fromkeys(node.names, isinstance(node, ast.Global)))
        return True

    def with_(self, scope: Scope, node: ast.With | ast.AsyncWith, stack: list[Any]) -> bool:
        # `with raises(TypeError): f(wrong=1)` makes no coroutine, and is meant so.
        if any("raises" in last_name(item.context_expr).lower() for item in node.items):
            self._doubt(node.body)
        return False

    def if_(self, scope: Scope, node: ast.If, stack: list[Any]) -> bool:
        # `if is_jython: time.sleep(0.1)` is reached on another machine, or never: CPython's test.support.gc_collect.
        if any(word in name.lower() for name in _names(node.test) for word in _PLATFORMS):
            branches = (part for statement in (*node.body, *node.orelse) for part in ast.walk(statement))
            self.elsewhere_only.update(id(part) for part in branches if isinstance(part, ast.Call))
        return False

    def try_(self, scope: Scope, node: ast.Try, stack: list[Any]) -> bool:
        if any("TypeError" in _names(handler.type) for handler in node.handlers):
            self._doubt(node.body)
        return False

    def _doubt(self, body: list[ast.stmt]) -> None:
        self.doubted.update(
            id(part) for statement in body for part in ast.walk(statement) if isinstance(part, ast.Call)
        )

    def caught(self, scope: Scope, node: ast.ExceptHandler, stack: list[Any]) -> bool:
        if node.name:
            scope.bind(node.name, "assign", None, node.lineno)
        return False

    def captured(self, scope: Scope, node: ast.MatchAs | ast.MatchStar, stack: list[Any]) -> bool:
        if node.name:
            scope.bind(node.name, "assign", None, node.lineno)
        return False

    def mapped(self, scope: Scope, node: ast.MatchMapping, stack: list[Any]) -> bool:
        if node.rest:
            scope.bind(node.rest, "assign", None, node.lineno)
        return False

    def yielded(self, scope: Scope, node: ast.Yield | ast.YieldFrom, stack: list[Any]) -> bool:
        scope.has_yield = True
        return False

    def mapping(self, scope: Scope, node: ast.Dict, stack: list[Any]) -> bool:
        stack.extend(reversed(node.values))
        stack.extend(key for key in reversed(node.keys) if key is not None)  # None stands for `**other`
        return True

    def leaf(self, scope: Scope, node: Any, stack: list[Any]) -> bool:
        return True


def last_name(node: ast.expr) -> str:
    """Return ``c`` for ``c``, ``a.b.c`` and ``a.b.c(...)``; empty for anything else."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.expr | None) -> set[str]:
    parts = list(ast.walk(node)) if node is not None else []
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names | {part.attr for part in parts if isinstance(part, ast.Attribute)}


def _inner(scope: Scope, name: str) -> str:
    if scope.kind == "function":
        return f"{scope.name}.<locals>.{name}"
    return f"{scope.name}.{name}" if scope.name else name


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    extra = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


_HANDLERS: dict[type, Any] = {
    ast.Attribute: _Reader.attribute,
    ast.Assign: _Reader.assign,
    ast.AnnAssign: _Reader.assign,
    ast.Expr: _Reader.expression,
    ast.Call: _Reader.call,
    ast.FunctionDef: _Reader.function,
    ast.AsyncFunctionDef: _Reader.function,
    ast.ClassDef: _Reader.classdef,
    ast.Lambda: _Reader.lambda_,
    ast.GeneratorExp: _Reader.generator,
    ast.Import: _Reader.import_,
    ast.ImportFrom: _Reader.import_from,
    ast.Global: _Reader.elsewhere,
    ast.Nonlocal: _Reader.elsewhere,
    ast.ExceptHandler: _Reader.caught,
    ast.MatchAs: _Reader.captured,
    ast.MatchStar: _Reader.captured,
    ast.MatchMapping: _Reader.mapped,
    ast.Yield: _Reader.yielded,
    ast.YieldFrom: _Reader.yielded,
    ast.With: _Reader.with_,
    ast.AsyncWith: _Reader.with_,
    ast.If: _Reader.if_,
    ast.Try: _Reader.try_,
    ast.Dict: _Reader.mapping,
    ast.Pass: _Reader.leaf,
    ast.MatchSingleton: _Reader.leaf,
}

_SKIP = {"ctx", "op", "ops", "annotation", "returns", "type_comment", "type_params", "kind", "conversion"}
_NODES = [t for t in vars(ast).values() if isinstance(t, type) and issubclass(t, ast.AST)]
_PLAIN = {
    "id",
    "attr",
    "name",
    "names",
    "asname",
    "arg",
    "module",
    "level",
    "rest",
    "tag",
    "simple",
    "is_async",
    "kwd_attrs",
}
_FIELDS: dict[type, tuple[str, ...]] = {
    node: tuple(name for name in node._fields if name not in _SKIP | _PLAIN) for node in _NODES
}
if sys.version_info >= (3, 12):
    _FIELDS[ast.TypeAlias] = ("name",)
