"""Directories and patterns: each file is an item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linecook.cli.exits import BadUsage


def review(path: Path) -> None: ...


@pytest.fixture
def folder(pantry: Any) -> Path:
    for name in ("docs/b.md", "docs/a.md", "docs/deep/c.md", "docs/.hidden", "docs/.git/config", "docs/data.csv"):
        pantry.write(name, name)
    return Path(pantry.directory / "docs")


async def paths(pantry: Any, path: str, **options: Any) -> list[str]:
    items = await pantry.items(path, review, **options)
    return [str(item.args[0].relative_to(pantry.directory)) for item in items]


async def test_a_directory_is_read_whole_by_path_without_what_is_hidden(pantry: Any, folder: Path) -> None:
    assert await paths(pantry, str(folder)) == ["docs/a.md", "docs/b.md", "docs/data.csv", "docs/deep/c.md"]


async def test_a_pattern_names_what_it_matches(pantry: Any, folder: Path) -> None:
    assert await paths(pantry, f"{folder}/**/*.md") == ["docs/a.md", "docs/b.md", "docs/deep/c.md"]


async def test_where_outcomes_are_written_is_no_item(pantry: Any, folder: Path) -> None:
    assert "docs/data.csv" not in await paths(pantry, str(folder), leave_out=str(folder / "data.csv"))


async def test_a_changed_file_has_another_digest_and_a_moved_place_has_not(pantry: Any, folder: Path) -> None:
    before = {str(item.args[0]): item.digest for item in await pantry.items(str(folder), review)}
    pantry.write("docs/a.md", "another")
    pantry.write("docs/0.md", "the first now")
    after = {str(item.args[0]): item.digest for item in await pantry.items(str(folder), review)}
    changed = {Path(path).name for path in before if before[path] != after[path]}
    assert changed == {"a.md"}


@pytest.mark.parametrize("path", ["docs/*.no", "empty"])
def test_no_file_at_all_is_refused(pantry: Any, folder: Path, path: str) -> None:
    (pantry.directory / "empty").mkdir()
    with pytest.raises(BadUsage, match="no file"):
        pantry.reader(str(pantry.directory / path), review)


async def test_a_file_whose_name_looks_like_a_pattern_is_that_file(pantry: Any) -> None:
    path = pantry.write("in[1].txt", "soup\n")
    (item,) = await pantry.items(path, review)
    assert item.args == (Path("soup"),)
