"""From JSON, or from cells of text, to the arguments of one call: names by key, types by annotation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from .annotations import BadValue, Converter, converters
from .plan import Plan

NONE_GIVEN = object()
"""No ARGS_JSON at all: the function is called without arguments."""

Bound = tuple[tuple[Any, ...], dict[str, Any]]


class BadArguments(ValueError):
    """What is given for one call doesn't fit the function's signature; the message names the argument."""


class Signature:
    """What one function takes.

    Args:
      function: anything callable whose signature Python knows.

    An annotation is obeyed when msgspec can build it from JSON (int, float, str, dataclasses, datetime, Literal,
    Optional, list[...] and the like, ``Path`` too); one with pydantic types in it by pydantic itself; any other passes
    the plain value.

    Attributes:
      name: the function's name.
      parameters: its parameters, by name.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = getattr(function, "__name__", None) or type(function).__name__
        self._signature = inspect.signature(function)
        self.parameters: Mapping[str, inspect.Parameter] = self._signature.parameters
        self._converters = converters(function, self.parameters)
        self._plan: Plan | None = Plan.of(self.parameters, self._converters)

    @property
    def takes_any_name(self) -> bool:
        """Whether it has ``**names``, so that no name is one too many."""
        return any(each.kind is each.VAR_KEYWORD for each in self.parameters.values())

    def converter(self, name: str) -> Converter | None:
        """Return what makes the argument *name* of plain values; None when those are passed as they are."""
        return self._converters.get(name)

    def bind(self, given: Any, *, ignore_extra: bool = False) -> Bound:
        """Return positional and keyword arguments made of *given*.

        Args:
          given: an object's keys name parameters, a list is positional, ``NONE_GIVEN`` is no argument, anything else
            is the one argument.
          ignore_extra: keys that name no parameter are left out.

        Raises:
          BadArguments: missing, extra or of the wrong type.
        """
        if ignore_extra and isinstance(given, dict) and not self.takes_any_name:
            given = {name: value for name, value in cast("dict[str, Any]", given).items() if name in self.parameters}
        return self._converted(self._bound(given), _from_json)

    def bind_json(self, text: bytes, *, ignore_extra: bool = False) -> Bound:
        """Return the arguments made of the JSON *text*, as ``bind`` would; several times as fast for plain objects.

        Raises:
          BadArguments: as ``bind``.
          ValueError: not JSON.
        """
        plan = self._plan
        if plan is not None:
            bound = plan.bind(text)
            if bound is not None:
                return bound
        return self.bind(loads(text), ignore_extra=ignore_extra)

    def bind_text(self, cells: Mapping[str, str | None]) -> Bound:
        """Return the arguments made of *cells*, text or None by parameter: numbers, dates, truth values are read.

        Raises:
          BadArguments: missing, extra or of the wrong type.
        """
        return self._converted(self._bound(dict(cells)), _from_text)

    def bind_one_text(self, text: str) -> Bound:
        """Return the one argument, made of *text*. Raises ``BadArguments`` as ``bind_text``."""
        return self._converted(self._bound([text]), _from_text)

    def shown(self) -> str:
        """Return the parameters as they are written, in parentheses."""
        plain = [each.replace(annotation=_as_written(each.annotation)) for each in self.parameters.values()]
        text = str(self._signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
        return text if len(text) <= 120 else "(…)"

    def _bound(self, given: Any) -> inspect.BoundArguments:
        try:
            return self._bind(given)
        except TypeError as error:
            raise BadArguments(f"{self.name}{self.shown()}: {error}") from None

    def _bind(self, given: Any) -> inspect.BoundArguments:
        if given is NONE_GIVEN:
            return self._signature.bind()
        if isinstance(given, list):
            return self._signature.bind(*given)
        if isinstance(given, dict):
            return self._bind_names(cast("dict[str, Any]", given))
        return self._signature.bind(given)

    def _bind_names(self, given: dict[str, Any]) -> inspect.BoundArguments:
        # A key names a positional-only parameter as well: whoever writes the file can't know of the slash.
        names = dict(given)
        leading: list[Any] = []
        for name, parameter in self.parameters.items():
            if parameter.kind is not parameter.POSITIONAL_ONLY or name not in names:
                break
            leading.append(names.pop(name))
        return self._signature.bind(*leading, **names)

    def _converted(self, bound: inspect.BoundArguments, convert: Callable[[Converter, Any], Any]) -> Bound:
        for name, value in bound.arguments.items():
            converter = self._converters.get(name)
            if converter is not None:
                bound.arguments[name] = self._one(name, converter, value, convert)
        return bound.args, bound.kwargs

    def _one(self, name: str, converter: Converter, value: Any, convert: Callable[[Converter, Any], Any]) -> Any:
        def made(of: Any, name: str = name) -> Any:
            try:
                return convert(converter, of)
            except BadValue as error:
                raise BadArguments(f"argument {name!r} of {self.name}{self.shown()}: {error}") from None

        kind = self.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            return tuple(made(each) for each in value)
        if kind is inspect.Parameter.VAR_KEYWORD:
            return {key: made(each, key) for key, each in value.items()}
        return made(value)


class _Text:
    """An annotation that ``from __future__ import annotations`` has left as text: shown without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _as_written(annotation: Any) -> Any:
    if hasattr(annotation, "__metadata__"):  # notes for a validator, longer than all the rest
        annotation = annotation.__origin__
    return _Text(annotation) if isinstance(annotation, str) else annotation


def _from_json(converter: Converter, value: Any) -> Any:
    return converter.from_json(value)


def _from_text(converter: Converter, value: Any) -> Any:
    return converter.from_json(None) if value is None else converter.from_text(value)


def loads(text: bytes) -> Any:
    """Return what the JSON *text* says; also what Python's own reader takes beyond the standard (NaN, surrogates).

    Raises:
      ValueError, RecursionError: it isn't JSON, or not UTF-8.
    """
    import json

    return json.loads(text.decode())
