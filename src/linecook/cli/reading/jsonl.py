"""JSON lines: each line one item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..arguments import Signature, loads
from .item import Chunks, Unreadable, digest_of, short
from .lines import numbered


class JSONLines:
    """Reads one JSON value per line; blank lines are no items, but are counted as lines."""

    by_place = True
    unit = "line"

    def __init__(self, signature: Signature, *, ignore_extra: bool = False) -> None:
        self._signature = signature
        self._ignore_extra = ignore_extra

    def pieces(self, chunks: Chunks) -> Iterator[tuple[int, bytes] | None]:
        return numbered(chunks)

    digest = staticmethod(digest_of)
    weigh = staticmethod(len)

    def bind(self, raw: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return bind_json(self._signature, raw, ignore_extra=self._ignore_extra)

    def shown(self, raw: bytes) -> str:
        return shown(raw)


def bind_json(signature: Signature, raw: bytes, *, ignore_extra: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments that the JSON *raw* holds.

    Raises:
      Unreadable: it isn't JSON; the message says where it stops being so.
      BadArguments: it doesn't fit the function.
    """
    from ..arguments import BadArguments

    try:
        return signature.bind_json(raw, ignore_extra=ignore_extra)
    except BadArguments:
        raise
    except (ValueError, RecursionError):
        raise Unreadable(problem_with(raw)) from None


def problem_with(raw: bytes) -> str:
    """Return why *raw* is not JSON."""
    import json

    try:
        loads(raw)
    except UnicodeDecodeError as error:
        return f"not UTF-8: byte {raw[error.start]:#04x} at column {error.start + 1}"
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at column {error.colno}: {shown(raw)}"
    except (ValueError, RecursionError) as error:
        return f"not readable as JSON ({error}): {shown(raw)}"
    return f"not readable: {shown(raw)}"


def shown(raw: bytes) -> str:
    """Return the start of *raw*, as far as it is text."""
    return short(raw[:1000].decode(errors="replace"))
