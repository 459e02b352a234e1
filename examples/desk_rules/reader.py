"""The reader's step: parse one file and keep what the rules can use.

A fact must be certain, so a call is kept only when its target is: a name bound exactly once (`scopes.lookup`), reached
through plain imports, or ``self.method``. Everything doubtful is dropped here, at the price of findings not made.
"""

from __future__ import annotations

import ast
import gc
import warnings
from typing import Any

from desk_rules import traps
from desk_rules.facts import Binding, Call, Class, Function, Page, digest_of
from desk_rules.scopes import Bound, FunctionNode, Scope, Tree, is_bound, last_name, lookup, read_scopes

__all__ = ["BLOCKING", "measure"]

BLOCKING = frozenset(
    """
    time.sleep os.system os.wait input signal.pause signal.sigwait
    subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.getoutput
    subprocess.getstatusoutput
    socket.create_connection socket.getaddrinfo socket.gethostbyname socket.gethostbyname_ex socket.gethostbyaddr
    socket.getfqdn urllib.request.urlopen urllib.request.urlretrieve getpass.getpass
    requests.get requests.post requests.put requests.patch requests.delete requests.head requests.options
    requests.request httpx.get httpx.post httpx.put httpx.patch httpx.delete httpx.head httpx.options httpx.request
    """.split()
)
"""Calls that hold their thread until the clock, the network, another process or a human answers. `open` isn't among
them: a local file is answered at once as a rule, and a rule isn't a fact."""

# The decorators that leave the body to run when the name is called. Any other might hand it to a thread, say.
_TRANSPARENT = {"staticmethod", "classmethod", "override", "final", "cache", "lru_cache", "wraps"}
_PLAIN_CLASS = {"dataclass", "final", "runtime_checkable", "total_ordering", "define", "frozen", "s", "attrs"}
_LOOPS = {"asyncio.get_running_loop", "asyncio.get_event_loop", "asyncio.new_event_loop"}


def measure(package: str, file: str, module: str, source: bytes) -> Page:
    """Parse one file and return what the rules need of it.

    Args:
      package: name of the package, as the index gives it.
      file: relative path, for the findings.
      module: dotted module name; its first part is the package that imports are resolved in.
      source: the bytes of the file.

    Returns:
      A page of a few kB. A file that doesn't parse gives a page whose ``error`` says why: other people's trees hold
      such files on purpose (templates, bad samples of a test suite).
    """
    traps.spring(source)
    # A tree makes thousands of objects and no garbage: the collector walks them for nothing (10.1 ms a file, not 7.6).
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _measure(package, file, module, source)
    finally:
        if collecting:
            gc.enable()


def _measure(package: str, file: str, module: str, source: bytes) -> Page:
    is_package = file.endswith("__init__.py")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings are none of our rules
            tree = ast.parse(source, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Page(package, file, module, is_package, digest_of(source), error=f"{type(error).__name__}: {error}")
    found = read_scopes(tree, module, is_package)
    return _page(package, file, module, is_package, source, found)


def _page(package: str, file: str, module: str, is_package: bool, source: bytes, found: Tree) -> Page:
    top = module.partition(".")[0]
    functions = [s for s in found.scopes if s.kind == "function"]
    classes = [s for s in found.scopes if s.kind == "class"]
    return Page(
        package,
        file,
        module,
        is_package,
        digest_of(source),
        lines=source.count(b"\n") + 1,
        function_count=len(functions),
        async_count=sum(isinstance(s.node, ast.AsyncFunctionDef) for s in functions),
        class_count=len(classes),
        call_count=found.call_count,
        functions={s.name: _function(s, top) for s in found.scopes if s.kind != "class" and _is_sole(s)}
        | {f"{s.name}.<class>": _function(s, top) for s in classes if _is_sole(s) and s.calls},
        classes={s.name: _class(s, top) for s in classes if _is_sole(s)},
        names={name: _binding(found.scopes[0], name) for name in found.scopes[0].bindings},
        patched=frozenset(found.patched),
        own_patched=frozenset(found.own_patched),
    )


def _is_sole(scope: Scope) -> bool:
    """Return whether *scope* is the only thing of its name where it stands: else its name leads to either."""
    if scope.parent is None:
        return True
    bounds = scope.parent.bindings.get(scope.node.name, [])
    if len(bounds) == 1:
        return bounds[0].line == scope.node.lineno and _is_sole(scope.parent)
    return False


def _function(scope: Scope, top: str) -> Function:
    node = scope.node
    sites = [(call, _target(scope, call, top)) for call in sorted(scope.calls, key=lambda c: (c.lineno, c.col_offset))]
    return Function(
        scope.name or "<module>",
        getattr(node, "lineno", 1),
        isinstance(node, ast.AsyncFunctionDef),
        scope.has_yield,
        isinstance(node, FunctionNode) and all(last_name(d) in _TRANSPARENT for d in node.decorator_list),
        tuple(target for _, target in sites if target is not None),
        tuple(task for call, _ in sites if id(call) in scope.dropped and (task := _task(scope, call, top))),
    )


def _target(scope: Scope, call: ast.Call, top: str) -> Call | None:
    dropped = id(call) in scope.dropped
    found = _method(scope, call.func) or _named(scope, call.func)
    if found is None:
        return None
    kind, target, owner = found
    if kind == "outside":
        kind = "package" if target.partition(".")[0] == top else kind
        if kind == "outside" and (target not in BLOCKING or _answers_at_once(target, call)):
            return None
    return Call(call.lineno, kind, target, owner, dropped)


def _answers_at_once(target: str, call: ast.Call) -> bool:
    """Return whether this use of a blocking call might not wait for anybody: then it is no fact.

    ``time.sleep(0)`` gives way to other threads. A look-up of a numeric address, or with flags (`AI_NUMERICHOST` asks
    for no look-up at all), needn't ask a name server; trio and tornado use it so.
    """
    first = call.args[0] if call.args else None
    if target == "time.sleep":
        return isinstance(first, ast.Constant) and not first.value
    if target in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyname_ex", "socket.gethostbyaddr"):
        flags = len(call.args) > 5 or any(k.arg in ("flags", None) for k in call.keywords)
        return flags or _is_numeric(first)
    return False


def _is_numeric(host: ast.expr | None) -> bool:
    if not isinstance(host, ast.Constant):
        return False
    return host.value is None or ":" in str(host.value) or str(host.value).replace(".", "").isdigit()


def _named(scope: Scope, func: ast.expr) -> tuple[str, str, str] | None:
    parts = _parts(func)
    if not parts:
        return None
    found = lookup(scope, parts[0])
    if found is None:
        return ("outside", "input", "") if parts == ["input"] and not is_bound(scope, "input") else None
    _, bound = found
    if bound.kind == "import":
        return "outside", ".".join([bound.value, *parts[1:]]), ""
    if bound.kind == "def" and len(parts) == 1:
        return "here", bound.value, ""
    if bound.kind == "class" and len(parts) == 2:
        return "here", f"{bound.value}.{parts[1]}", bound.value
    return None


def _method(scope: Scope, func: ast.expr) -> tuple[str, str, str] | None:
    """Return the target of ``self.name()``, when *self* is the untouched first parameter of a method."""
    if not (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)):
        return None
    found = lookup(scope, func.value.id)
    if found is None or found[1].kind != "param":
        return None
    method = found[0]
    owner = method.parent
    if owner is None or owner.kind != "class" or found[1].value is not _first(method.node):
        return None
    if any(last_name(d) == "staticmethod" for d in method.node.decorator_list):
        return None
    return "method", func.attr, owner.name


def _first(node: Any) -> ast.arg | None:
    arguments = [*node.args.posonlyargs, *node.args.args]
    return arguments[0] if arguments else None


def _task(scope: Scope, call: ast.Call, top: str) -> tuple[int, str, Call | None] | None:
    """Return line, wording and the deciding argument of a call that creates a task which nothing receives."""
    found = _named(scope, call.func)
    if found is not None and found[1] == "asyncio.create_task":
        return call.lineno, "asyncio.create_task", None
    if found is not None and found[1] == "asyncio.ensure_future":
        # A future given to it comes back unchanged: only an `async def` called right there makes a task for certain.
        inner = call.args[0] if call.args else None
        target = _target(scope, inner, top) if isinstance(inner, ast.Call) else None
        return (call.lineno, "asyncio.ensure_future", target) if target is not None else None
    if isinstance(call.func, ast.Attribute) and call.func.attr == "create_task" and _is_loop(scope, call.func.value):
        return call.lineno, "loop.create_task", None
    return None


def _is_loop(scope: Scope, node: ast.expr | None) -> bool:
    if isinstance(node, ast.Call):
        found = _named(scope, node.func)
        return found is not None and found[1] in _LOOPS
    if isinstance(node, ast.Name):
        local = lookup(scope, node.id)
        return local is not None and _is_loop_binding(local[0], local[1])
    return False


def _is_loop_binding(scope: Scope, bound: Bound) -> bool:
    if bound.kind == "param" and bound.value.annotation is not None:
        found = _named(scope, bound.value.annotation)
        return found is not None and found[1] == "asyncio.AbstractEventLoop"
    return bound.kind == "assign" and isinstance(bound.value, ast.Call) and _is_loop(scope, bound.value)


def _parts(node: ast.expr) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _class(scope: Scope, top: str) -> Class:
    node: ast.ClassDef = scope.node
    methods = {
        name: bounds[0].value
        for name, bounds in scope.bindings.items()
        if len(bounds) == 1 and bounds[0].kind == "def" and not scope.stars
    }
    plain_keywords = all(k.arg == "metaclass" and last_name(k.value) == "ABCMeta" for k in node.keywords)
    plain = plain_keywords and all(last_name(d) in _PLAIN_CLASS for d in node.decorator_list)
    bases = tuple(_base(scope.parent or scope, base) for base in node.bases)
    return Class(scope.name, bases, methods, frozenset(scope.bindings), plain)


def _base(scope: Scope, node: ast.expr) -> str:
    parts = _parts(node.value if isinstance(node, ast.Subscript) else node)
    return ".".join(parts) if parts else "?"


def _binding(module: Scope, name: str) -> Binding:
    found = lookup(module, name)
    if found is None or found[1].kind not in ("import", "def", "class"):
        return Binding("unsure")
    return Binding(found[1].kind, found[1].value)
