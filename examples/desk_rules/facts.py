"""What a reader keeps of one file: small frozen records that travel from a worker process at little cost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

__all__ = ["Binding", "Call", "Class", "Finding", "Function", "Page", "digest_of"]


def digest_of(source: bytes) -> str:
    """Return 16 hexadecimal digits that tell one content from another."""
    return hashlib.blake2b(source, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fact about one line of somebody's source.

    Attributes:
      rule: ``blocking-call``, ``dropped-task`` or ``never-awaited``.
      package: the package the file belongs to.
      file: path relative to its root, as the index gives it.
      line: where the async function starts the chain, drops the task or drops the coroutine; counted from 1.
      text: the fact, in one sentence.
      chain: for ``blocking-call`` the steps from the async function to the call that blocks; else empty.
    """

    package: str
    file: str
    line: int
    rule: str
    text: str
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose target is known for certain within its own file.

    Attributes:
      line: of the call, counted from 1.
      kind: ``outside`` (a blocking call of another library), ``package`` (a dotted name of the same package),
        ``here`` (a function of this file, by qualified name) or ``method`` (``self.name`` or ``cls.name``).
      target: the dotted name, the qualified name, or the method's name.
      owner: for ``method`` the qualified name of the class; else empty.
      dropped: the call is a statement of its own, so nothing receives its value.
    """

    line: int
    kind: str
    target: str
    owner: str = ""
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method.

    Attributes:
      name: qualified name; ``<module>`` for what stands outside of functions.
      plain: calling it runs this very body: no generator, and no decorator that might stand in between.
      calls: the calls with a known target, in source order.
      tasks: tasks created and dropped: line, how it was written, and, where only the argument can tell whether
        a task is created at all (``ensure_future``), the call that makes it.
    """

    name: str
    line: int
    is_async: bool
    is_generator: bool
    plain: bool
    calls: tuple[Call, ...] = ()
    tasks: tuple[tuple[int, str, Call | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Class:
    """A class statement.

    Attributes:
      name: qualified name.
      bases: dotted names as resolved in the file; ``?`` stands for a base that is not a plain name.
      methods: name to qualified name for what the body binds exactly once, by a ``def``.
      bound: every name the class body binds.
      plain: no metaclass and no class decorator that might replace its methods.
    """

    name: str
    bases: tuple[str, ...]
    methods: dict[str, str]
    bound: frozenset[str]
    plain: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """What a module-level name stands for: ``import`` (dotted), ``def`` or ``class`` (qualified name), ``unsure``."""

    kind: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One file, read and measured.

    Attributes:
      digest: of the bytes that were read, to be held against the index (`digest_of`).
      error: why the file could not be parsed; empty when it could.
      functions, classes: by qualified name; names that are bound more than once are left out.
      names: the module-level names.
      patched: attribute names that some line assigns on an object other than ``self``; ``own_patched`` on ``self``.
    """

    package: str
    file: str
    module: str
    is_package: bool = False
    digest: str = ""
    error: str = ""
    lines: int = 0
    async_count: int = 0
    function_count: int = 0
    class_count: int = 0
    call_count: int = 0
    functions: dict[str, Function] = field(default_factory=dict[str, Function])
    classes: dict[str, Class] = field(default_factory=dict[str, Class])
    names: dict[str, Binding] = field(default_factory=dict[str, Binding])
    patched: frozenset[str] = frozenset()
    own_patched: frozenset[str] = frozenset()
