"""At a terminal, as a person sits there: it is drawn on, Ctrl-C is pressed, it goes away."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

NAP = """
import asyncio
async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds
"""


class Terminal:
    """A terminal with one run in it."""

    def __init__(self, kitchen: Any, *words: str, before: Any = None) -> None:
        self.master, theirs = pty.openpty()
        environment = {key: value for key, value in kitchen._environment.items() if key != "CI"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "linecook", "run", *words],
            cwd=kitchen.directory,
            env=environment | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"},
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=before,
        )  # fmt: skip
        os.close(theirs)
        self.seen = ""

    def until(self, words: str, seconds: float = 20.0) -> str:
        """Read until *words* are there; all that was read so far."""
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not self._read():
                break
        assert words in self.seen, self.seen
        return self.seen

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=20)

    def _read(self) -> bool:
        if select.select([self.master], [], [], 20)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # nobody has the other end any more
                return False
            self.seen += data.decode(errors="replace")
            return bool(data)
        return False


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.process.kill()
        terminal.process.wait()
        try:
            os.close(terminal.master)
        except OSError:
            pass


def written(path: Path) -> list[int]:
    return sorted(json.loads(line)["line"] for line in path.read_text().splitlines())


def test_the_board_is_drawn_and_the_summary_stands_below_it(kitchen: Any, terminals: list[Terminal]) -> None:
    kitchen.write("nap_cli.py", NAP)
    items = kitchen.items(*[0.1] * 30)
    terminal = Terminal(kitchen, "nap_cli.py:nap", "--input", items, "--output", "o.jsonl", "--concurrency", "3")
    terminals.append(terminal)
    terminal.until("of 30")
    assert terminal.end() == 0
    assert "30 items in" in terminal.seen
    assert "Traceback" not in terminal.seen


def test_ctrl_c_once_at_the_board_finishes_what_runs_and_says_how_to_go_on(
    kitchen: Any, terminals: list[Terminal]
) -> None:
    kitchen.write("nap_cli.py", NAP)
    items = kitchen.items(*[0.05] * 2000)
    terminal = Terminal(kitchen, "nap_cli.py:nap", "--input", items, "--output", "o.jsonl", "--concurrency", "3")
    terminals.append(terminal)
    terminal.until("of 2,000")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "to go on with the rest, the same command again: linecook run nap_cli.py:nap" in terminal.seen
    done = written(kitchen.directory / "o.jsonl")
    assert done == list(range(1, len(done) + 1))


@pytest.mark.parametrize("stays", [False, True])
def test_a_terminal_that_vanishes_costs_no_outcome(kitchen: Any, terminals: list[Terminal], stays: bool) -> None:
    kitchen.write("nap_cli.py", NAP)
    items = kitchen.items(*[0.01] * 300)
    words = ("nap_cli.py:nap", "--input", items, "--output", "o.jsonl", "--concurrency", "2")
    ignore = (lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) if stays else None  # as nohup does
    terminal = Terminal(kitchen, *words, before=ignore)
    terminals.append(terminal)
    terminal.until("of 300")
    os.close(terminal.master)
    if not stays:
        terminal.process.send_signal(signal.SIGHUP)  # what the kernel sends to whom the terminal belongs to
    code = terminal.process.wait(timeout=20)
    assert code == (0 if stays else -signal.SIGHUP)
    if not stays:
        assert kitchen.run(*words).code == 0
    assert written(kitchen.directory / "o.jsonl") == list(range(1, 301))


def test_a_slow_import_is_said(kitchen: Any, terminals: list[Terminal]) -> None:
    kitchen.write("slow_cli.py", "import time\ntime.sleep(1.3)\ndef f(n): return n\n")
    terminal = Terminal(kitchen, "slow_cli.py:f", "1")
    terminals.append(terminal)
    terminal.until("importing slow_cli.py …")
    assert terminal.end() == 0
