"""What docs/how-to/run.md shows in its console is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what it prints."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def is_said(said: str, printed: str) -> bool:
    """Whether *printed* is *said*, where ``...`` stands for anything."""
    return re.fullmatch(".*?".join(map(re.escape, said.strip().split("..."))), printed.strip(), re.DOTALL) is not None


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_the_page_says(kitchen: Any) -> None:
    folder, ran = kitchen.directory, 0
    linecook = f'linecook() {{ {shlex.quote(sys.executable)} -m linecook "$@"; }}\n'
    for language, text in BLOCK.findall(PAGE.read_text()):
        if language == "python":
            kitchen.write("prices.py", text)
            continue
        for command, said in commands(text):
            if command.startswith("cat "):  # the page shows a file before it uses it
                kitchen.write(command.removeprefix("cat "), said)
                continue
            ended = subprocess.run(
                ["bash", "-c", linecook + command], cwd=folder, env=kitchen._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
            )  # fmt: skip
            printed = ended.stdout.removeprefix("\ufeff")
            assert is_said(said, printed), f"{command}\nsays\n{said}\nand prints\n{printed}"
            ran += 1
    assert ran == 8
