"""What may travel to a worker process and how: functions by name where the worker can import them, else by value.

A function of the main program, of a notebook, a lambda or a closure goes by value, with cloudpickle: the program is
never run a second time. What can't travel is refused at the call, with the culprit's name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import io
import pickle
import sys
import threading
import types
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from .._core.errors import NotPortable
from . import wire

Spec = tuple[str, Any, str]
"""How a worker finds a function: ("name", module, qualified name) or ("value", pickled bytes, "")."""

_CURE = "Pass what it is made from (a path, a URL) and open it inside the tool, or use lane='thread'."
_PLAIN = (type(None), bool, int, float, complex, str, bytes, frozenset)
_CONSTANT = (*_PLAIN, type, types.ModuleType, types.BuiltinFunctionType)

_SHORT_TEXT = 4096

_homeless: dict[str, types.ModuleType] = {}
"""Modules besides ``__main__`` that a worker can't import; what they define goes by value."""

_marks: tuple[bytes, ...] = (b"__main__",)
"""Their names as they stand in a pickle: one that contains any is made again, by value."""

_registry_lock = threading.RLock()


class Route:
    """The way of one function to the workers.

    Attributes:
      spec: how a worker finds it; refreshed when a by-value function, or what it refers to, has changed.
      version: counts the changes of ``spec``; a worker that knows an older one is told again.
      receiver: the object a bound method is bound to, as a tuple to put before the arguments; else empty.
      module: what a worker imports for it, None by value.
    """

    __slots__ = ("_body", "_watched", "module", "number", "receiver", "spec", "version")

    def __init__(self, body: Callable[..., Any], number: int, label: str) -> None:
        self.number = number
        self.version = 0
        self.receiver: tuple[Any, ...] = ()
        self._watched: list[tuple[Mapping[str, Any], str, Any]] | None = None
        self.module: str | None = None
        if isinstance(body, types.MethodType):
            self.receiver = (body.__self__,)
            body = body.__func__
        self._body: Callable[..., Any] | None = None
        spec = by_name(body)
        if spec is not None:
            self.spec: Spec = spec
            self.module = spec[1]
        else:
            self._body = body
            self.spec = ("value", dumps_function(body, label), "")
            self._watched = watched(body)

    def refresh(self, label: str) -> None:
        """Take a by-value function anew if what it refers to has been changed, or may have been."""
        body = self._body
        if body is None:
            return
        if self._watched is not None and all(names.get(name) is value for names, name, value in self._watched):
            return
        spec: Spec = ("value", dumps_function(body, label), "")
        if spec != self.spec:
            self.spec = spec
            self.version += 1
        self._watched = watched(body)


def by_name(body: Callable[..., Any]) -> Spec | None:
    """Return how a worker can import *body*; None when something else has its name, or nobody can import it."""
    module, name = getattr(body, "__module__", None), getattr(body, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name or not is_importable(module):
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not body and not (_is_tool(found) and found.body is body):
        return None
    return ("name", module, name)


def _is_tool(thing: Any) -> bool:
    return type(thing).__module__.startswith("linecook.") and hasattr(thing, "body")


@functools.cache
def is_importable(name: str) -> bool:
    """Say whether a fresh interpreter with our path finds the very module that we have under *name*."""
    module = sys.modules.get(name)
    if name == "__main__" or module is None:
        return False
    parent, _, _ = name.rpartition(".")
    if parent and not is_importable(parent):
        importable = False
    else:
        importable = _is_found(name, getattr(sys.modules.get(parent), "__path__", None) if parent else None, module)
    if not importable:
        global _marks
        _homeless[name] = module
        _marks = (*_marks, name.encode())
    return importable


def _is_found(name: str, path: Any, module: types.ModuleType) -> bool:
    # importlib.util.find_spec would answer from sys.modules; the finders themselves look at the path.
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find(name, path) if find is not None else None
        if spec is not None:
            own = getattr(module, "__spec__", None)
            origin = getattr(own, "origin", None) or getattr(module, "__file__", None)
            return origin is None or spec.origin is None or bool(spec.origin == origin)
    return False


def pack_arguments(
    body: Callable[..., Any], label: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...] | bytes | wire.Bulk:
    """Pickle a call's arguments, large ones without a copy.

    Numbers and short texts are returned as they are: nobody can change them, and they are pickled once, with the
    message that takes them along (1 µs of 15 a call, benchmarks: process_noop).

    Raises:
      NotPortable: one can't be pickled; the message names it by parameter, the part of it, that part's type, and why.
    """
    if not kwargs and _are_plain(args):
        return args
    try:
        if wire.is_bulky(args) or (kwargs and wire.is_bulky(kwargs.values())):
            bulk = wire.pack_bulk((args, kwargs))
            if not any(mark in chunk for chunk in bulk.chunks if len(chunk) < wire.BULKY_BYTES * 2 for mark in _marks):
                return bulk
            with _homeless_by_value():
                return wire.pack_bulk((args, kwargs), _pickler())
        data = pickle.dumps((args, kwargs), 5)
        for mark in _marks:
            if mark in data:
                break
        else:
            return data
    except NotPortable:
        raise
    except Exception:
        pass  # by value, perhaps
    try:
        with _homeless_by_value():
            return _dumps((args, kwargs))
    except Exception as error:
        raise _refusal(body, label, args, kwargs, error) from error


def _are_plain(args: tuple[Any, ...]) -> bool:
    for thing in args:
        kind = type(thing)  # pyright: ignore[reportUnknownVariableType]
        if kind is int or kind is float:
            continue
        if (kind is not str and kind is not bytes) or len(thing) > _SHORT_TEXT:
            return False
    return True


def dumps_function(body: Callable[..., Any], label: str) -> bytes:
    """Pickle a function that no worker can import, by value: code, closure, and the globals it refers to.

    Raises:
      NotPortable: a closure variable or global can't be pickled; the message names it.
    """
    try:
        with _homeless_by_value():
            return _dumps(body)
    except Exception as error:
        for what, name, value in _captured(body):
            if not _travels(value):
                raise NotPortable(
                    f"{label} can't be sent to a process: its {what} '{name}'{culprit(value)}. Pass it as an argument, "
                    "make it inside the function, or use lane='thread'."
                ) from error
        raise NotPortable(
            f"{label} can't be sent to a process: {error}. Define it in a module, or use lane='thread'."
        ) from error


def watched(body: Callable[..., Any]) -> list[tuple[Mapping[str, Any], str, Any]] | None:
    """List the globals that a by-value copy of *body* has taken along, so that a later change is noticed by identity.

    Returns:
      (namespace, name, value) of each; None when it also took something that can change in place (a list, an instance,
      a closure's variable): then every call takes a new copy.
    """
    found: list[tuple[Mapping[str, Any], str, Any]] = []
    todo: list[Any] = [body]
    seen = set[int]()
    while todo:
        function: Any = inspect.unwrap(todo.pop())
        if id(function) in seen:
            continue
        seen.add(id(function))
        if not _is_constant(function):
            return None
        for name in _names(function.__code__):
            if name in function.__globals__:
                value = function.__globals__[name]
                found.append((function.__globals__, name, value))
                inner = _taken_along(value)
                if inner is None:
                    return None
                todo += inner
    return found


def _is_constant(function: Any) -> bool:
    if not isinstance(function, types.FunctionType) or function.__closure__ or function.__dict__:
        return False
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return all(isinstance(default, _CONSTANT) for default in defaults)


def _taken_along(value: Any) -> list[Any] | None:
    """Return the functions that go by value with *value*; None when it may change in place."""
    if isinstance(value, types.FunctionType):
        return [value] if by_name(value) is None else []
    if _is_tool(value):  # or a resource: opened once in a worker, so not to be sent anew each time
        return [] if is_importable(value.__module__) else [value.body]
    if isinstance(value, type):  # the methods of one that goes by value may refer to anything
        return [] if is_importable(value.__module__) else None
    return [] if isinstance(value, _CONSTANT) else None


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _captured(body: Callable[..., Any]) -> Iterator[tuple[str, str, Any]]:
    function = inspect.unwrap(body)
    if isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, types.FunctionType):
        for name, value in getattr(body, "__dict__", {}).items():
            yield "attribute", name, value
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # an empty cell
            yield "closure variable", name, cell.cell_contents
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield "global", name, function.__globals__[name]
    for name, value in zip(function.__code__.co_varnames, function.__defaults__ or (), strict=False):
        yield "default of", name, value


def culprit(value: Any, depth: int = 8) -> str:
    """Say which part of *value* can't be pickled, after "it": " is a lock (…)", " can't travel: .db is a lock (…)"."""
    path, part, error = _dig(value, "", depth)
    kind = f"{type(part).__module__}.{type(part).__qualname__}".removeprefix("builtins.")
    if not path:
        return f" is a {kind} ({error})"
    return f" can't travel: {path} is a {kind} ({error})"


def _dig(value: Any, path: str, depth: int) -> tuple[str, Any, str]:
    if depth:
        for step, part in _parts(value):
            if not _travels(part):
                return _dig(part, path + step, depth - 1)
    try:
        _dumps(value)
    except BaseException as error:
        return path, value, str(error) or type(error).__name__
    return path, value, "it can't be pickled"


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield f"[{key!r}]", part
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, part in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield f"[{index}]", part
    elif isinstance(value, functools.partial):
        yield ".func", value.func
        yield ".args", value.args
    elif isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
    elif not isinstance(value, (type, types.FunctionType, types.ModuleType)):
        names = dict.fromkeys(getattr(value, "__dict__", {}))
        if dataclasses.is_dataclass(value):
            names.update(dict.fromkeys(field.name for field in dataclasses.fields(value)))
        for cls in type(value).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            names.update(dict.fromkeys((slots,) if isinstance(slots, str) else slots))
        for name in names:
            with contextlib.suppress(Exception):
                yield f".{name}", getattr(value, name)


def _travels(value: Any) -> bool:
    try:
        with _homeless_by_value():
            _dumps(value)
    except BaseException:
        return False
    return True


def _refusal(
    body: Callable[..., Any], label: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], error: Exception
) -> NotPortable:
    try:
        bound = inspect.signature(body).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        bound = {**{str(index): value for index, value in enumerate(args)}, **kwargs}
    for name, value in bound.items():
        if not _travels(value):
            return NotPortable(
                f"argument '{name}' of {label}(...) can't be sent to a process: it{culprit(value)}. {_CURE}"
            )
    return NotPortable(f"the arguments of {label}(...) can't be sent to a process together: {error}. {_CURE}")


def _cloudpickle() -> Any:
    import cloudpickle  # only when something goes by value: it costs 9 ms

    return cloudpickle


def _made_again(thing: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Say how a worker makes a tool or resource of the main program again: as its decorator did, from its body."""
    kind: Callable[..., Any] = thing.__class__
    if hasattr(thing, "asked"):
        return functools.partial(kind, is_tool=thing.is_tool), (thing.body, thing.asked)
    return kind, (thing.body, thing.per) if hasattr(thing, "per") else (thing.body,)


@functools.cache
def _pickler() -> Any:
    """Return the pickler for what goes by value: cloudpickle's, that also takes our own tools and resources that way.

    They are pickled by name where they have an importable one; those of the main program have none.
    """

    class Pickler(_cloudpickle().Pickler):  # type: ignore[misc]
        def reducer_override(self, thing: Any) -> Any:
            if (
                type(thing).__module__.startswith("linecook.")
                and isinstance(thing.__reduce__(), str)
                and not is_importable(thing.__module__)
            ):
                return _made_again(thing)
            return super().reducer_override(thing)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    return Pickler


def _dumps(value: Any) -> bytes:
    file = io.BytesIO()
    _pickler()(file, 5).dump(value)
    return file.getvalue()


@contextlib.contextmanager
def _homeless_by_value() -> Generator[None, None, None]:
    """Have cloudpickle take what homeless modules define by value, as it does with ``__main__``'s."""
    if not _homeless:
        yield
        return
    cloudpickle = _cloudpickle()
    with _registry_lock:
        known = set(cloudpickle.list_registry_pickle_by_value())
        ours = [module for name, module in _homeless.items() if name not in known and sys.modules.get(name) is module]
        for module in ours:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in ours:
                cloudpickle.unregister_pickle_by_value(module)
