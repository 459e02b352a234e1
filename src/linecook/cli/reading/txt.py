"""Plain text: each line is the one argument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..arguments import Signature
from ..exits import BadUsage
from .item import Chunks, Unreadable, digest_of, short
from .lines import numbered


class TextLines:
    """Reads one text per line, as it stands; blank lines are no items, but are counted as lines."""

    by_place = True
    unit = "line"

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        check_takes_one(signature, "each line of a .txt is the one argument")

    def pieces(self, chunks: Chunks) -> Iterator[tuple[int, bytes] | None]:
        return numbered(chunks, _without_end)

    digest = staticmethod(digest_of)
    weigh = staticmethod(len)

    def bind(self, raw: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise Unreadable(f"not UTF-8: byte {raw[error.start]:#04x} at column {error.start + 1}") from None
        return self._signature.bind_one_text(text)

    def shown(self, raw: bytes) -> str:
        return short(raw[:1000].decode(errors="replace"))


def _without_end(line: bytes) -> bytes:
    return b"" if line.isspace() else line.removesuffix(b"\r")


def check_takes_one(signature: Signature, why: str) -> None:
    """Refuse a function that can't be called with one text.

    Raises:
      BadUsage: it needs more arguments, or takes none.
    """
    first = next(iter(signature.parameters.values()), None)
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise BadUsage(f"{signature.name}{signature.shown()} takes no positional argument, and {why}.")
    required = [each for each in signature.parameters.values() if is_required(each)]
    if len(required) > 1:
        raise BadUsage(
            f"{signature.name}{signature.shown()} needs {len(required)} arguments, and {why}. "
            "Use .csv with a column, or .jsonl with a key, for each."
        )


def is_required(parameter: Any) -> bool:
    """Say whether a call has to give *parameter*."""
    starred = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not starred
