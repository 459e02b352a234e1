"""``linecook top``: live on a terminal, once into a pipe; it leaves the terminal and the process as they were."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linecook.cli.main import main
from linecook.observe import Remote
from tests.looked_into import Program, hall, until
from tests.terminal import Terminal

KITCHEN = """
@tool(limit=1)
def fetch(url):
    time.sleep(30)

@agent
async def main():
    ready()
    await settle(fetch(url) for url in range(3))

run(main(), runtime=Runtime(control=True))
"""


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    with hall():
        yield


@pytest.fixture
def kitchen() -> Iterator[Program]:
    with Program(KITCHEN) as program, Remote(program.pid) as remote:
        assert until(lambda: remote.calls().total == 4)
        yield program


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(100, 30) as terminal:
        yield terminal


def look(terminal: Terminal, environment: dict[str, str], folder: Path, *words: str) -> None:
    names = {name: os.environ[name] for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    terminal.start([sys.executable, "-m", "linecook", "top", *words], environment | names, folder)


@pytest.mark.slow
def test_into_a_pipe_it_is_told_once(kitchen: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", str(kitchen.pid)]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    for words in ("thread", "2 waiting for a limit", "4 calls under way", "2 fetch (thread) waiting for limit"):
        assert words in said


@pytest.mark.slow
def test_json_is_one_snapshot_for_each_loop(kitchen: Program, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", str(kitchen.pid), "--json"]) == 0
    (snapshot,) = json.loads(capsys.readouterr().out)
    assert (snapshot["pid"], snapshot["limits_waiting"]) == (kitchen.pid, 2)
    assert snapshot["lanes"]["thread"]["running"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("key", ["q", "Q", "\x03"])
def test_on_a_terminal_it_lives_until_a_key_and_the_process_goes_on(
    kitchen: Program, terminal: Terminal, environment: dict[str, str], tmp_path: Path, key: str
) -> None:
    look(terminal, environment, tmp_path, str(kitchen.pid), "--interval", "0.1")
    terminal.wait_for("4 calls under way")
    terminal.wait_for("q or Ctrl-C leaves")
    terminal.type(key)
    assert terminal.wait_end() == 0
    assert terminal.raw.endswith(b"\x1b[?25h\x1b[?1049l")
    assert kitchen.process.poll() is None


@pytest.mark.slow
def test_it_follows_the_size_of_the_terminal(
    kitchen: Program, terminal: Terminal, environment: dict[str, str], tmp_path: Path
) -> None:
    look(terminal, environment, tmp_path, str(kitchen.pid), "--interval", "0.1")
    terminal.wait_for("q or Ctrl-C leaves")
    terminal.resize(40, 8)
    terminal.wait_for(lambda rows: len(rows) == 8 and any("of" in row or "process" in row for row in rows))
    terminal.type("q")
    assert terminal.wait_end() == 0


@pytest.mark.slow
def test_when_the_process_ends_it_says_so(
    kitchen: Program, terminal: Terminal, environment: dict[str, str], tmp_path: Path
) -> None:
    look(terminal, environment, tmp_path, str(kitchen.pid), "--interval", "0.1")
    terminal.wait_for("4 calls under way")
    kitchen.process.kill()
    kitchen.process.wait()
    assert terminal.wait_end() == 0
    assert any(f"process {kitchen.pid} has ended." in row for row in terminal.lines)
