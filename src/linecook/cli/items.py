"""What a pipeline's TARGET takes: not the arguments of one call, but the items themselves."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import Any

from linecook import Pipeline

from .arguments import BadArguments, Bound, Signature
from .exits import BadUsage


def makes_pipeline(function: Callable[..., Any]) -> bool:
    """Say whether *function* is annotated to return a ``Pipeline``."""
    kind = _hints(function).get("return")
    return (typing.get_origin(kind) or kind) is Pipeline


def item_signature(text: str, function: Callable[..., Any]) -> Signature:
    """Return what turns one item of the input into the one argument: a value of the type that *function* iterates over.

    Args:
      text: TARGET, for messages.
      function: takes one iterable of items; its annotation says of what, such as ``Iterable[Page]``.

    Raises:
      BadUsage: it takes none, or several things.
    """
    parameters = inspect.signature(function).parameters.values()
    needed = [each for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    if len(needed) != 1 or needed[0].kind is needed[0].KEYWORD_ONLY:
        names = ", ".join(each.name for each in needed) or "nothing"
        raise BadUsage(f"{text} returns a pipeline, so it must take one thing, its source; it takes {names}.")
    kind = _kind_of_items(_hints(function).get(needed[0].name))
    return Fields(kind) if dataclasses.is_dataclass(kind) else Whole(kind)


def refuse_pipeline(value: object, name: str) -> None:
    """Refuse a pipeline as the value of one call of the function *name*: nothing has run yet.

    Raises:
      BadUsage: it is one.
    """
    if isinstance(value, Pipeline):
        raise BadUsage(
            f"{name} returned a pipeline, which has not run. Annotate it, so that it is called once, with all of "
            "--input: def flow(items: Iterable[str]) -> Pipeline[Answer]."
        )


def refuse_seeming_pipeline(function: Callable[..., Any], name: str) -> None:
    """Refuse *function*, which is lost to its first item, if it seems to be meant for all of them.

    Raises:
      BadUsage: it is plain, doesn't say what it returns, and calls ``pipeline`` of linecook by that name.
    """
    import linecook

    body = getattr(function, "body", function)
    code = getattr(body, "__code__", None)
    if code is None or "return" in getattr(body, "__annotations__", {}) or inspect.iscoroutinefunction(body):
        return  # an async one may well run a pipeline over its one item
    named = [body.__globals__.get(each) for each in code.co_names]
    is_named = any(value is linecook.pipeline for value in named)
    if is_named or (any(value is linecook for value in named) and "pipeline" in code.co_names):
        raise BadUsage(
            f"{name} makes a pipeline, and was called with one item. Annotate it, so that it is called once, with all "
            "of --input: def flow(items: Iterable[str]) -> Pipeline[Answer]."
        )


class Whole(Signature):
    """An item is one value, objects of JSON and rows of a table too."""

    def __init__(self, kind: Any) -> None:
        def item(*item: Any) -> None: ...  # starred, so that no column of a table is looked for by its name

        item.__annotations__ = {} if kind is Any else {"item": kind}
        super().__init__(item)
        self._plan = None

    @property
    def takes_any_name(self) -> bool:
        return True

    def _bind(self, given: Any) -> inspect.BoundArguments:
        return self._signature.bind(given)

    def bind_text(self, cells: Mapping[str, str | None]) -> Bound:
        return self._converted(self._bound(dict(cells)), lambda converter, value: converter.from_json(value))

    def bind_one_text(self, text: str) -> Bound:
        return self._converted(self._bound(text), lambda converter, value: converter.from_text(value))


class Fields(Signature):
    """An item is a dataclass: its fields are read as the arguments of a call are."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        self._kind = kind
        self._plan = None

    def _converted(self, bound: inspect.BoundArguments, convert: Callable[[Any, Any], Any]) -> Bound:
        args, kwargs = super()._converted(bound, convert)
        try:
            return (self._kind(*args, **kwargs),), {}
        except (TypeError, ValueError) as error:  # its own __post_init__
            raise BadArguments(f"{self.name}{self.shown()}: {error}") from None


def _kind_of_items(source: Any) -> Any:
    if typing.get_origin(source) is None:
        return Any
    arguments = typing.get_args(source)
    origin: Any = typing.get_origin(source)
    takes_items = isinstance(origin, type) and issubclass(origin, (Iterable, AsyncIterable))
    return arguments[0] if takes_items and arguments else Any


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # names that exist for the type checker only
        return dict(getattr(function, "__annotations__", {}))
