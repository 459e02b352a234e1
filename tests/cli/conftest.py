"""A place to run the command line in, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.main import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory to stand in; modules imported from it are forgotten, and ``sys.path`` is as before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@dataclass
class Ended:
    """How a run ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines of standard output, by line of the input."""
        return sorted((json.loads(line) for line in self.out.splitlines()), key=lambda record: record["line"])


class Kitchen:
    """Runs ``linecook run`` over files in one directory."""

    def __init__(self, directory: Path, environment: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._environment = environment
        self._capfd = capfd

    def write(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text)
        return name

    def items(self, *lines: object, name: str = "items.jsonl") -> str:
        """Write one line per item: text as it is, anything else as JSON."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        return self.write(name, "".join(f"{text}\n" for text in texts))

    def run(self, *words: str) -> Ended:
        """Run it in this process, to its end."""
        code = main(["run", *words])
        out, err = self._capfd.readouterr()
        return Ended(code, out, err)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start it as a process of its own: for signals, pipes and exit codes."""
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "linecook", "run", *words]
        return subprocess.Popen(command, cwd=self.directory, env=self._environment, **{**pipes, **options})


@pytest.fixture
def kitchen(place: Path, environment: dict[str, str], capfd: pytest.CaptureFixture[str]) -> Kitchen:
    return Kitchen(place, environment | {"PYTHONUNBUFFERED": "1", "HOME": os.fspath(place)}, capfd)
