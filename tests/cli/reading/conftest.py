"""A place for inputs, and a way to read them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.arguments import Signature
from linecook.cli.reading.item import Item
from linecook.cli.reading.reader import Reader
from linecook.cli.reading.source import Source, open_source


class Pantry:
    """Writes inputs into one directory and reads them as a run does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._sources: list[Source] = []

    def write(self, name: str, content: str | bytes) -> str:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    def reader(self, path: str, function: Callable[..., Any], **options: Any) -> Reader:
        take = options.pop("take", None)
        source = open_source(path, Signature(function), **options)
        if path != "-":
            self._sources.append(source)
        return Reader(source, take=take)

    def close(self) -> None:
        """Close what was opened: a run leaves that to the end of its process."""
        for source in self._sources:
            if source.data is not None:
                os.close(source.data._fd)
        self._sources.clear()

    async def items(self, path: str, function: Callable[..., Any], **options: Any) -> list[Item]:
        reader = self.reader(path, function, **options)
        found = [item async for batch in reader.batches() for item in batch]
        if reader.error is not None:
            raise AssertionError(reader.error)
        return found


@pytest.fixture
def pantry(tmp_path: Path) -> Iterator[Pantry]:
    pantry = Pantry(tmp_path)
    yield pantry
    pantry.close()
