"""One JSON document that holds a list: each element one item."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

from ..arguments import Signature
from .item import Chunks, Unreadable, digest_of
from .jsonl import bind_json, problem_with, shown
from .lines import BOM

MOST_BYTES = 1 << 30


class JSONList:
    """Reads the elements of one JSON list.

    The text is held as a whole while it is read, its elements are not: memory is the file's size and 100 bytes an
    element. Beyond 1 GiB it is refused, with the way to make lines of it.
    """

    by_place = True
    unit = "item"

    def __init__(self, signature: Signature, *, ignore_extra: bool = False) -> None:
        self._signature = signature
        self._ignore_extra = ignore_extra
        self._reading = threading.Lock()
        self._found: list[Any] | None = None

    def pieces(self, chunks: Chunks) -> Iterator[tuple[int, bytes] | None]:
        with self._reading:  # who counts and who reads share the text: twice would be twice the memory
            if self._found is None:
                self._found = _elements(_whole(chunks))
        for place, element in enumerate(self._found, 1):
            yield place, bytes(element)

    digest = staticmethod(digest_of)
    weigh = staticmethod(len)

    def bind(self, raw: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return bind_json(self._signature, raw, ignore_extra=self._ignore_extra)

    def shown(self, raw: bytes) -> str:
        return shown(raw)


def _whole(chunks: Chunks) -> bytes:
    text = bytearray()
    for chunk in chunks:
        text += chunk or b""
        if len(text) > MOST_BYTES:
            raise Unreadable(
                "it holds more than 1 GiB, and a JSON list is read as a whole. Make lines of it: "
                "jq -c '.[]' items.json > items.jsonl"
            )
    return bytes(text).removeprefix(BOM)


def _elements(text: bytes) -> list[Any]:
    import msgspec

    if not text.strip():
        raise Unreadable("it is empty; a .json holds one list of items, and the empty list is []")
    try:
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Unreadable(_problem_with(text)) from None


def _problem_with(text: bytes) -> str:
    import json

    start = text.lstrip()[:1]
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return "it holds more than one JSON value: if each line is one, name it .jsonl"
        return f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        return problem_with(text)
    if not isinstance(value, dict):
        return (
            f"it holds no list of items but {start.decode(errors='replace')}…" if start != b"[" else problem_with(text)
        )
    lists = [key for key, each in cast("dict[str, Any]", value).items() if isinstance(each, list)]
    if lists:
        return (
            f"it holds an object, not a list of items; its {lists[0]!r} is one: jq -c '.{lists[0]}[]' makes JSON lines"
        )
    return "it holds one object, not a list of items: put it in brackets, or name the file .jsonl if it is one line"
