"""What docs/how-to/run.md and pipelines.md show in their consoles is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what it prints."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def is_said(said: str, printed: str) -> bool:
    """Whether *printed* is *said*, where ``...`` stands for anything."""
    return re.fullmatch(".*?".join(map(re.escape, said.strip().split("..."))), printed.strip(), re.DOTALL) is not None


def told(kitchen: Any, console: str) -> int:
    """Run the commands of *console*, each of which prints what it says there; return how many there were."""
    ran = 0
    linecook = f'linecook() {{ {shlex.quote(sys.executable)} -m linecook "$@"; }}\n'
    for command, said in commands(console):
        if command.startswith("cat "):  # the page shows a file before it uses it
            kitchen.write(command.removeprefix("cat "), said)
            continue
        ended = subprocess.run(
            ["bash", "-c", linecook + command], cwd=kitchen.directory, env=kitchen._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
        )  # fmt: skip
        printed = ended.stdout.removeprefix("\ufeff")
        assert is_said(said, printed), f"{command}\nsays\n{said}\nand prints\n{printed}"
        ran += 1
    return ran


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_the_page_says(kitchen: Any) -> None:
    ran = 0
    for language, text in BLOCK.findall((PAGES / "run.md").read_text()):
        if language == "python":
            kitchen.write("prices.py", text)
        else:
            ran += told(kitchen, text)
    assert ran == 8


@pytest.mark.slow
def test_a_pipeline_runs_from_the_shell_as_its_page_says(kitchen: Any) -> None:
    blocks = BLOCK.findall((PAGES / "pipelines.md").read_text())
    python = [text for language, text in blocks if language == "python"]
    kitchen.write("documents.py", python[0] + next(text for text in python if "def summaries" in text))
    assert sum(told(kitchen, text) for language, text in blocks if language == "console") == 2
