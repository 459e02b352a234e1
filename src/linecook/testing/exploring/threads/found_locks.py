"""Locks that were made before the exploration began: found from the user's modules, and wrapped while it lasts.

``lock = threading.Lock()`` at the top of a module is a lock of the interpreter's own, in C: nothing can be replaced in
it. So it is replaced where it is kept: in a module, a class, an object, a list, a dict, a closure. What is kept
elsewhere (a tuple, an object made in C, a local variable) isn't found; a thread that is blocked by such a lock raises
``EscapedControl``, which names the call.
"""

from __future__ import annotations

import sys
from _thread import LockType
from _thread import RLock as _CRLock
from collections import deque
from collections.abc import Callable, Iterator
from threading import local
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from .users_code import UsersCode

MOST = 100_000
"""Objects that are looked into, at most."""

LARGEST = 10_000
"""Entries of a list, dict or set beyond which it isn't looked into: that is data."""

_SYNCHRONISERS = (
    "threading", "queue", "concurrent.futures._base", "concurrent.futures.thread",
    "functools",  # cached_property has a lock on 3.11
    "logging", "logging.handlers",  # a handler holds its lock while it calls the user's emit and format
)  # fmt: skip
_ROOTS = ("logging",)  # of the standard library: what everybody shares
_LOCKS = (LockType, _CRLock)
_CONTAINERS = (list, dict, set, deque, tuple)
_Put = Callable[[Any], None]
_Place = tuple[Any, _Put]
"""What is kept somewhere, and the way to put something else in its place."""


class FoundLocks:
    """Wraps the locks that can be reached from the user's modules."""

    def __init__(self, code: UsersCode) -> None:
        self._code = code
        self._wrapped: list[_Place] = []  # the locks, and how each is put back
        self._stand_ins: dict[int, Any] = {}
        self.thread_locals: list[Any] = []

    def wrap(self) -> None:
        """Find and wrap them."""
        seen: set[int] = set()
        waiting: deque[Any] = deque(self._roots())
        while waiting and len(seen) < MOST:
            holder = waiting.popleft()
            if id(holder) in seen:
                continue
            seen.add(id(holder))
            for value, put in list(_kept_in(holder)):
                if type(value) in _LOCKS:
                    put(self._stand_in(value))
                    self._wrapped.append((value, put))
                elif issubclass(type(value), local):
                    self.thread_locals.append(value)
                elif self._is_looked_into(value):
                    waiting.append(value)

    def _roots(self) -> list[ModuleType]:
        modules = list(sys.modules.items())
        return [module for name, module in modules if name in _ROOTS or self._is_users(module)]

    def unwrap(self) -> None:
        """Put the locks back where they were."""
        while self._wrapped:
            lock, put = self._wrapped.pop()
            put(lock)
        self._stand_ins.clear()

    def _stand_in(self, lock: Any) -> Any:
        from .controlled_locks import ControlledLock, ControlledRLock

        made = self._stand_ins.get(id(lock))
        if made is None:
            made = ControlledLock(lock) if type(lock) is LockType else ControlledRLock(lock)
            self._stand_ins[id(lock)] = made
        return made

    def _is_users(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        return isinstance(file, str) and self._code.has_file(file)

    def _is_looked_into(self, value: Any) -> bool:
        kind = _type_of(value)
        if issubclass(kind, _CONTAINERS):
            return len(value) <= LARGEST
        if kind is CellType or kind is MethodType:
            return True
        if kind is FunctionType:
            return self._code.has_file(value.__code__.co_filename)
        if issubclass(kind, ModuleType):
            return self._is_users(value)
        owner: type[Any] = value if issubclass(kind, type) else kind
        name = vars(owner).get("__module__")
        module = sys.modules.get(name) if isinstance(name, str) else None
        return name in _SYNCHRONISERS or (module is not None and self._is_users(module))


def _kept_in(holder: Any) -> Iterator[_Place]:
    """Yield what *holder* keeps, each with the way to put something else in its place."""
    kind = _type_of(holder)
    if issubclass(kind, dict):
        yield from ((value, _setting_item(holder, key)) for key, value in list(holder.items()))
    elif issubclass(kind, (list, deque)):
        yield from ((value, _setting_item(holder, index)) for index, value in enumerate(holder))
    elif issubclass(kind, (set, tuple)):
        yield from ((value, _impossible) for value in holder if type(value) not in _LOCKS)
    elif kind is CellType:
        if _is_filled(holder):
            yield holder.cell_contents, _setting_cell(holder)
    elif kind is FunctionType:
        yield from ((cell, _impossible) for cell in holder.__closure__ or ())
        yield from ((value, _impossible) for value in holder.__defaults__ or () if type(value) not in _LOCKS)
    elif kind is MethodType:
        yield holder.__self__, _impossible
    else:
        yield from _attributes_of(holder)


def _attributes_of(holder: Any) -> Iterator[_Place]:
    kept = _dict_of(holder)
    names = list(kept)
    if not _is_class(holder):
        names += [name for kind in type(holder).__mro__ for name in _slots_of(kind)]
        yield type(holder), _impossible
    for name in names:
        try:
            value = kept[name] if name in kept else object.__getattribute__(holder, name)
        except AttributeError:
            continue  # a slot that nothing was put into
        yield value, _setting_attribute(holder, name)


def _dict_of(holder: Any) -> dict[str, Any]:
    try:
        ask: Any = type.__getattribute__ if _is_class(holder) else object.__getattribute__
        return dict(ask(holder, "__dict__"))
    except AttributeError:
        return {}  # it has slots alone


def _type_of(value: object) -> Any:
    return type(value)  # isinstance would ask the value itself: a proxy may answer with an error


def _is_class(holder: Any) -> bool:
    return issubclass(type(holder), type)


def _slots_of(kind: type) -> list[str]:
    slots = kind.__dict__.get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in {"__dict__", "__weakref__"} and not name.startswith("__")]


def _is_filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _setting_item(holder: Any, key: Any) -> _Put:
    def put(value: Any) -> None:
        if not isinstance(holder, dict) or key in holder:
            holder[key] = value

    return put


def _setting_attribute(holder: Any, name: str) -> _Put:
    def put(value: Any) -> None:
        (type.__setattr__ if _is_class(holder) else object.__setattr__)(holder, name, value)

    return put


def _setting_cell(cell: CellType) -> _Put:
    def put(value: Any) -> None:
        cell.cell_contents = value

    return put


def _impossible(_value: Any) -> None:
    raise AssertionError("only locks are replaced, and only where they can be")
