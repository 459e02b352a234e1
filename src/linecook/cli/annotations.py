"""What an annotation makes of a plain value: msgspec builds it, or pydantic where the annotation is pydantic's."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, cast, get_args


class BadValue(ValueError):
    """A value doesn't fit its annotation; the message says how."""


class Converter(Protocol):
    """Makes the argument that one annotation asks for.

    Attributes:
      hint: what msgspec can build straight from JSON; ``Any`` when that would not do.
    """

    hint: Any

    def from_json(self, value: Any, /) -> Any:
        """Return the argument for *value*, as JSON gave it. Raises ``BadValue``."""

    def from_text(self, text: str, /) -> Any:
        """Return the argument for a cell of text. Raises ``BadValue``."""


def converters(function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter]) -> dict[str, Converter]:
    """Return the converters of those parameters whose values aren't passed as they are."""
    if all(each.annotation is inspect.Parameter.empty for each in parameters.values()):
        return {}
    found: dict[str, Converter] = {}
    for name, hint in _hints(function, parameters).items():
        converter = _converter(hint) if name in parameters else None
        if converter is not None:
            found[name] = converter
    return found


def _hints(function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    import typing

    owner = function if inspect.isroutine(function) or inspect.isclass(function) else inspect.unwrap(function)
    if inspect.isclass(owner):
        owner = owner.__init__
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except Exception:  # names that exist for the type checker only: the JSON values are passed as they are
        return {name: each.annotation for name, each in parameters.items()}


def _converter(hint: Any) -> Converter | None:
    if hint is inspect.Parameter.empty or hint is Any or isinstance(hint, str):
        return None
    if _mentions_pydantic(hint):
        return _Pydantic.of(hint)
    return _Msgspec(hint) if _can_be_built(hint) else None


class _Msgspec:
    """Converts with msgspec."""

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        self.is_plain = _is_plain(hint)

    def from_json(self, value: Any, /) -> Any:
        return self._built(value, strict=True)

    def from_text(self, text: str, /) -> Any:
        if self.hint is str:
            return text
        try:
            return self._built(_without_spaces(text), strict=False)
        except BadValue:
            value = _json_or_nothing(text)
            if value is None:
                raise
            return self._built(value, strict=True)

    def _built(self, value: Any, *, strict: bool) -> Any:
        import msgspec

        try:
            built = msgspec.convert(value, self.hint, strict=strict, dec_hook=build)
        except msgspec.ValidationError as error:
            raise BadValue(_lower(str(error))) from None
        if not self.is_plain:
            complete(built)
        return built


class _Pydantic:
    """Converts as pydantic does for a field of this type, its constraints included."""

    hint: Any = Any

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    @classmethod
    def of(cls, hint: Any) -> _Pydantic | None:
        """Return a converter for *hint*; None when pydantic doesn't know what to make of it."""
        from pydantic import TypeAdapter

        try:
            return cls(TypeAdapter(hint))
        except Exception:  # a type of the user's that pydantic has no schema for: the plain value is passed
            return None

    def from_json(self, value: Any, /) -> Any:
        from pydantic import ValidationError

        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            raise BadValue(_told(error)) from None

    def from_text(self, text: str, /) -> Any:
        value = _json_or_nothing(text)
        return self.from_json(text if value is None else value)


def _told(error: Any) -> str:
    """Return what pydantic has against a value, on one line."""
    found = [(".".join(map(str, each["loc"])), str(each["msg"])) for each in error.errors(include_url=False)]
    shown = "; ".join(f"{place}: {_lower(words)}" if place else _lower(words) for place, words in found[:3])
    return shown + (f"; and {len(found) - 3} more" if len(found) > 3 else "")


def _mentions_pydantic(hint: Any) -> bool:
    """Say whether a part of *hint* is pydantic's, or was made with it; nobody can have one who didn't import it."""
    if "pydantic" not in sys.modules:
        return False
    return any(_is_pydantics(part) for part in _parts(hint))


def _is_pydantics(part: Any) -> bool:
    if hasattr(part, "__get_pydantic_core_schema__") or hasattr(part, "__pydantic_core_schema__"):
        return True
    kind: Any = part if isinstance(part, type) else type(part)
    return (getattr(kind, "__module__", None) or "").partition(".")[0] in {"pydantic", "annotated_types"}


def _parts(hint: Any) -> Iterator[Any]:
    """Yield *hint* and what it is made of: arguments of generics, members of unions, notes of ``Annotated``."""
    yield hint
    yield from getattr(hint, "__metadata__", ())
    for part in get_args(hint):
        if part is not hint and not isinstance(part, list):
            yield from _parts(part)


def _can_be_built(hint: Any) -> bool:
    import msgspec

    try:
        msgspec.json.Decoder(hint, dec_hook=build)
    except Exception:  # a protocol, a callable, two classes in a union: not JSON's business
        return False
    return True


def _is_plain(hint: Any) -> bool:
    """Say whether no dataclass can be in what *hint* builds."""
    from types import NoneType

    parts = [part for part in _parts(hint) if isinstance(part, type) and not get_args(part)]
    return all(part in (int, str, float, bool, bytes, NoneType, list, dict, tuple, set) for part in parts)


def build(wanted: type[Any], value: Any) -> Any:
    """Build what msgspec doesn't know: a path, a pydantic model. Anything else keeps the JSON value, if it is one.

    Raises:
      ValueError: it can't be made of *value*.
    """
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


def complete(value: Any) -> None:
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
        complete(part)


def _without_spaces(text: str) -> str:
    return text.strip()


def _json_or_nothing(text: str) -> Any:
    """Return the list or object that a cell holds as JSON; None when it holds none."""
    import json

    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
