"""From JSON to the arguments of one call: names by key, types by annotation."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

NONE_GIVEN = object()
"""No ARGS_JSON at all: the function is called without arguments."""


class BadArguments(ValueError):
    """The JSON of one call doesn't fit the function's signature; the message names the argument."""


class Signature:
    """What one function takes.

    Args:
      function: anything callable whose signature Python knows.

    An annotation is obeyed when msgspec can build it from JSON (int, float, str, dataclasses, datetime, Literal,
    Optional, list[...] and the like, ``Path`` too, pydantic models through themselves); any other passes the plain
    JSON value.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = getattr(function, "__name__", None) or type(function).__name__
        self._signature = inspect.signature(function)
        self._parameters = self._signature.parameters
        self._types = _types(function, self._parameters)

    def bind(self, given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments made of *given*.

        Args:
          given: an object's keys name parameters, a list is positional, ``NONE_GIVEN`` is no argument, anything else
            is the one argument.

        Raises:
          BadArguments: missing, extra or of the wrong type.
        """
        try:
            bound = self._bind(given)
        except TypeError as error:
            raise BadArguments(f"{self.name}{self._shown()}: {error}") from None
        for name, value in bound.arguments.items():
            bound.arguments[name] = self._converted(name, value)
        return bound.args, bound.kwargs

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
        for name, parameter in self._parameters.items():
            if parameter.kind is not parameter.POSITIONAL_ONLY or name not in names:
                break
            leading.append(names.pop(name))
        return self._signature.bind(*leading, **names)

    def _converted(self, name: str, value: Any) -> Any:
        wanted = self._types.get(name)
        if wanted is None:
            return value
        kind = self._parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            return tuple(self._one(name, wanted, each) for each in value)
        if kind is inspect.Parameter.VAR_KEYWORD:
            return {key: self._one(key, wanted, each) for key, each in value.items()}
        return self._one(name, wanted, value)

    def _one(self, name: str, wanted: Any, value: Any) -> Any:
        import msgspec

        try:
            built = msgspec.convert(value, wanted, dec_hook=_built)
        except msgspec.ValidationError as error:
            raise BadArguments(f"argument {name!r} of {self.name}{self._shown()}: {_lower(error)}") from None
        _complete(built)
        return built

    def _shown(self) -> str:
        text = str(self._signature.replace(return_annotation=inspect.Signature.empty))
        return text if len(text) <= 120 else "(…)"


def _types(function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    if all(each.annotation is inspect.Parameter.empty for each in parameters.values()):
        return {}
    import typing

    owner = function if inspect.isroutine(function) or inspect.isclass(function) else inspect.unwrap(function)
    try:
        hints = typing.get_type_hints(owner, include_extras=True)
    except Exception:  # names that exist for the type checker only: the JSON values are passed as they are
        hints = {name: each.annotation for name, each in parameters.items()}
    return {name: hint for name, hint in hints.items() if name in parameters and _can_be_built(hint)}


def _can_be_built(hint: Any) -> bool:
    import msgspec

    if hint is inspect.Parameter.empty or isinstance(hint, str):
        return False
    try:
        msgspec.json.Decoder(hint, dec_hook=_built)
    except Exception:  # a protocol, a callable, two classes in a union: not JSON's business
        return False
    return True


def _built(wanted: type[Any], value: Any) -> Any:
    """Build what msgspec doesn't know: a path, a pydantic model. Anything else keeps the JSON value, if it is one."""
    import pathlib

    if isinstance(value, wanted):
        return value
    if issubclass(wanted, pathlib.PurePath):
        if not isinstance(value, str):
            raise ValueError(f"expected a path as text, got {type(value).__name__}")
        return wanted(value)
    validate = getattr(wanted, "model_validate", None)
    if validate is not None:
        return validate(value)
    raise ValueError(f"a {wanted.__name__} can't be made from JSON")


def _complete(value: Any) -> None:
    """Give the dataclasses in *value* their defaults as attributes of their own.

    msgspec leaves a plain default to the class, where ``vars``, pickle and msgspec's own encoder don't see it.
    """
    parts: Iterable[Any] = ()
    if isinstance(value, dict):
        parts = cast("Mapping[Any, Any]", value).values()
    elif isinstance(value, list | tuple | set | frozenset):
        parts = cast("Iterable[Any]", value)
    elif dataclasses.is_dataclass(value) and hasattr(value, "__dict__"):
        own = vars(value)
        parts = [own.setdefault(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    for part in parts:
        _complete(part)


def _lower(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
