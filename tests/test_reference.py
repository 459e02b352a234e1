"""The reference is what the docstrings say: complete, up to date, and the same on every Python."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from linecook.cli import main
from tests.blocks import ROOT

FOLDER = ROOT / "docs" / "reference"


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_reference", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


write: Any = load(FOLDER / "write.py")


@pytest.mark.parametrize("name", write.pages())
def test_a_page_is_what_the_docstrings_say(name: str) -> None:
    assert (FOLDER / name).read_text() == write.pages()[name], "out of date: python docs/reference/write.py"


@pytest.mark.parametrize("room", write.ROOMS)
def test_every_public_name_has_its_entry(room: str) -> None:
    text = write.pages()[f"{room.removeprefix('linecook.')}.md"]
    assert [name for name in importlib.import_module(room).__all__ if text.count(f"\n### `{name}`\n") != 1] == []


@pytest.mark.parametrize("name", write.pages())
def test_no_two_entries_of_a_page_have_one_name(name: str) -> None:
    """Two records were both ``DeadLetter`` once: a link led to the wrong one."""
    headings = [line for line in write.pages()[name].splitlines() if line.startswith("#")]
    assert sorted({line for line in headings if headings.count(line) > 1}) == []


def test_what_is_left_out_exists() -> None:
    """A name that is left out and gone would hide the next member of that name."""
    left_out = [(kind, name) for kind, names in write.INNER.items() for name in names.split()]
    assert [f"{kind}.{name}" for kind, name in left_out if not hasattr(find(kind), name)] == []


def test_every_command_and_every_option_stands_in_the_page_of_the_command_line() -> None:
    text = write.pages()["command-line.md"]
    found = dict(write.commands(main._parser()))
    assert "run" in found
    for name, command in found.items():
        part = text.split(f"\n## `linecook {name}`\n")[1].split("\n## ")[0]
        typed = [option for action in command._actions for option in action.option_strings if action.dest != "help"]
        assert [option for option in typed if f"`{option}" not in part and f", {option}" not in part] == []


def find(name: str) -> Any:
    homes = {name: room for room in write.ROOMS for name in importlib.import_module(room).__all__}
    homes |= {name: module for module, names in write.HANDED_OUT.items() for name in names.split()}
    return getattr(importlib.import_module(homes[name]), name)


def search(term: str, /, *, most: int = 10, kind: "str | None" = None, **more: object) -> list[str]:
    """Look *term* up.

    Args:
      term: what to look for; goes
        on here.
      most, kind: how many, and of what.

    Returns:
      ``[]`` for none.

    Use it so::

        search("tea")
    """
    raise NotImplementedError


def test_an_entry_has_signature_lists_and_code() -> None:
    assert write.entry("search", search) == (
        "### `search`\n\n"
        "```py\n"
        "search(term: str, /, *, most: int = 10, kind: str | None = None, **more: object) -> list[str]\n"
        "```\n\n"
        "Look *term* up.\n\n"
        "**Args**\n\n"
        "- `term`: what to look for; goes on here.\n"
        "- `most`, `kind`: how many, and of what.\n\n"
        "**Returns:** `[]` for none.\n\n"
        "Use it so:\n\n"
        '```py\nsearch("tea")\n```'
    )
