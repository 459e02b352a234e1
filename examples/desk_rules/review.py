"""The reviewer's step: merge the pages of one package and cross-check them.

Three rules, facts only:

``blocking-call``
    a call of `reader.BLOCKING` that an ``async def`` reaches through plain functions of the same package. Followed are
    module-level functions, nested functions, imports within the package, static and class methods by their class, and
    ``self.method`` where no class of the package overrides it and no line assigns it. Not followed: generators
    (calling one runs nothing), decorated functions, functions passed by reference (to a thread, say), lambdas,
    branches on the platform.
``dropped-task``
    ``asyncio.create_task(...)``, ``loop.create_task(...)`` on a loop got from asyncio or annotated so, or
    ``asyncio.ensure_future(coroutine())``, as a statement of its own. The event loop holds tasks weakly (asyncio
    documentation, "Save a reference to the result of this function"), so it may vanish, and its error goes unseen.
    A task group's ``create_task`` doesn't count: the group holds it.
``never-awaited``
    a statement that calls an ``async def`` and does nothing with the coroutine: its body never runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from desk_rules.facts import Call, Class, Finding, Function, Page

__all__ = ["review"]

_HARMLESS_BASES = {"object", "ABC", "Generic", "Protocol", "Exception", "NamedTuple", "Enum"}
_GREEN = {"gevent", "eventlet"}  # they replace time.sleep and sockets by calls that don't block

_Place = tuple[Page, Function]


def review(package: str, pages: Iterable[Page]) -> list[Finding]:
    """Return the findings of one package, ordered by file and line.

    Args:
      package: its name, which each finding carries.
      pages: all pages that could be read, in any order. A missing page can only cost findings, never make one up.
    """
    known = _Package({page.module: page for page in sorted(pages, key=lambda p: p.file) if not page.error})
    return sorted(set(_findings(package, known)))


def _findings(package: str, known: _Package) -> Iterator[Finding]:
    for page in known.pages.values():
        for function in page.functions.values():
            yield from _dropped_tasks(package, known, page, function)
            yield from _never_awaited(package, known, page, function)
            if function.is_async and not known.green:
                yield from _blocking_calls(package, known, page, function)


def _dropped_tasks(package: str, known: _Package, page: Page, function: Function) -> Iterator[Finding]:
    for line, how, deciding in function.tasks:
        if deciding is None or known.coroutine(page, deciding):
            text = f"the task made by {how}() in {function.name} is dropped: it may vanish before it is done"
            yield Finding(package, page.file, line, "dropped-task", text)


def _never_awaited(package: str, known: _Package, page: Page, function: Function) -> Iterator[Finding]:
    for call in function.calls:
        if call.dropped and (target := known.coroutine(page, call)):
            at, made = target
            text = f"{made.name}() is an async def ({at.file}:{made.line}) and is not awaited here: its body never runs"
            yield Finding(package, page.file, call.line, "never-awaited", text)


def _blocking_calls(package: str, known: _Package, page: Page, root: Function) -> Iterator[Finding]:
    """Search breadth first, so that each blocking call is told by its shortest chain."""
    start = f"async def {root.name} ({page.file}:{root.line})"
    todo: deque[tuple[Page, Function, tuple[str, ...], int]] = deque([(page, root, (start,), 0)])
    seen = {(page.module, root.name)}
    while todo:
        at, function, chain, line = todo.popleft()
        for call in function.calls:
            if call.kind == "outside":
                steps = (*chain, f"{call.target} ({at.file}:{call.line})")
                yield Finding(package, page.file, line or call.line, "blocking-call", _blocks(root, call), steps)
            elif (step := known.plain(at, call)) and (step[0].module, step[1].name) not in seen:
                seen.add((step[0].module, step[1].name))
                steps = (*chain, f"{step[1].name} ({step[0].file}:{step[1].line})")
                todo.append((*step, steps, line or call.line))


def _blocks(root: Function, call: Call) -> str:
    return f"{call.target}() blocks the event loop under async def {root.name}"


class _Package:
    """The pages of a package, and where a name of one page leads in another."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self.pages = pages
        # A name is followed from the package's own `__init__`, which decides what its names mean.
        self.root = min((module.split(".") for module, page in pages.items() if page.is_package), key=len, default=[""])
        self.patched = frozenset[str]().union(*(page.patched for page in pages.values()))
        self.own_patched = frozenset[str]().union(*(page.own_patched for page in pages.values()))
        self.green = any(b.target.partition(".")[0] in _GREEN for p in pages.values() for b in p.names.values())
        self.by_name: dict[str, list[Class]] = {}
        self.children: dict[str, list[Class]] = {}
        self.overridden: dict[tuple[str, str], bool] = {}
        for kind in (kind for page in pages.values() for kind in page.classes.values()):
            self.by_name.setdefault(_last(kind.name), []).append(kind)
            for base in kind.bases:
                self.children.setdefault(_last(base), []).append(kind)

    def plain(self, page: Page, call: Call) -> _Place | None:
        """Return the function that *call* runs at once on this thread, or ``None`` when that isn't certain."""
        place = self.resolve(page, call)
        ok = place is not None and place[1].plain and not place[1].is_async and not place[1].is_generator
        return place if ok else None

    def coroutine(self, page: Page, call: Call) -> _Place | None:
        """Return the ``async def`` whose coroutine *call* makes, or ``None`` when that isn't certain."""
        place = self.resolve(page, call)
        ok = place is not None and place[1].plain and place[1].is_async and not place[1].is_generator
        return place if ok else None

    def resolve(self, page: Page, call: Call) -> _Place | None:
        if call.kind == "method":
            return self._method(page, call.owner, call.target)
        if call.kind == "here" and call.owner:
            return self._method(page, call.owner, _last(call.target))
        if call.kind == "here":
            return self._function(page, call.target)
        return self._dotted(call.target.split(".")) if call.kind == "package" else None

    def _function(self, page: Page, name: str) -> _Place | None:
        function = page.functions.get(name)
        return (page, function) if function and name not in self.patched else None

    def _dotted(self, parts: list[str], depth: int = 0) -> _Place | None:
        """Follow ``package.module.name``; a re-export leads on, at most eight times."""
        at = len(self.root)
        page = self.pages.get(".".join(self.root)) if parts[:at] == self.root else None
        while page is not None and at < len(parts) and depth < 8:
            name, bound = parts[at], page.names.get(parts[at])
            inner = self.pages.get(f"{page.module}.{name}")
            if bound is None or (bound.kind == "import" and inner and bound.target == inner.module):
                page, at = inner, at + 1
            elif inner is not None or bound.kind == "unsure":
                return None  # a module and a name of the same spelling: import order decides which one is meant
            elif bound.kind == "import":
                return self._dotted([*bound.target.split("."), *parts[at + 1 :]], depth + 1)
            elif bound.kind == "def" and at == len(parts) - 1:
                return self._function(page, bound.target)
            else:
                return None
        return None

    def _method(self, page: Page, owner: str, name: str) -> _Place | None:
        kind = page.classes.get(owner)
        if kind is None or not kind.plain or name in self.patched or name in self.own_patched:
            return None
        if name not in kind.methods or self._is_overridden(_last(owner), name):
            return None
        function = page.functions.get(kind.methods[name])
        return (page, function) if function else None

    def _is_overridden(self, owner: str, name: str) -> bool:
        """Return whether an object of *owner* might run another method of that *name*.

        Classes are told apart by their last name only, so two of one name count as one: doubt, hence no finding.
        """
        if (owner, name) not in self.overridden:
            family = self._family(owner)
            below = [kind for parent in family for kind in self.children.get(parent, [])]
            self.overridden[owner, name] = any(self._disturbs(kind, family, name) for kind in below)
        return self.overridden[owner, name]

    def _family(self, owner: str) -> set[str]:
        family, todo = {owner}, [owner]
        while todo:
            new = {_last(kind.name) for kind in self.children.get(todo.pop(), [])} - family
            family |= new
            todo.extend(new)
        return family

    def _disturbs(self, kind: Class, family: set[str], name: str) -> bool:
        """Return whether a subclass binds *name*, or has another parent that might come first in the search."""
        others = {_last(base) for base in kind.bases} - family
        return name in kind.bound or any(self._may_inherit(other, name) for other in others)

    def _may_inherit(self, name: str, method: str, depth: int = 0) -> bool:
        kinds = self.by_name.get(name)
        if kinds is None:
            return name not in _HARMLESS_BASES
        if depth > 20 or any(method in kind.bound for kind in kinds):
            return True
        return any(self._may_inherit(_last(base), method, depth + 1) for kind in kinds for base in kind.bases)


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]
