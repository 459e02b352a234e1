"""What a hostile hour at the command line must not break: odd streams, odd ends, odd moments."""

from __future__ import annotations

import collections
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.main import main
from linecook.cli.reading import lines
from tests.looked_into import Program, hall, until
from tests.terminal import PATIENCE, Terminal

ODD = """
import asyncio, time

async def quits(n):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)

async def stops(n):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(30)

def paints(n):
    raise ValueError("\\x1b[31mred\\x07 \\x9b2J and \\u202e more")

def echo(n):
    return n

def page(n):
    return "x" * 200_000

async def nap(n: int) -> int:
    await asyncio.sleep(0.002)
    return n

async def stubborn(n):
    while True:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            pass
"""


@pytest.fixture
def odd(kitchen: Any) -> str:
    return str(kitchen.write("odd_cli.py", ODD))


# -- targets -------------------------------------------------------------------------------------------------------


def test_a_target_that_cancels_itself_is_not_taken_for_ctrl_c(kitchen: Any, odd: str) -> None:
    ended = kitchen.run(f"{odd}:quits", "--input", kitchen.items(1, 2), "--quiet")
    assert ended.code == 1
    assert [record["outcome"] for record in ended.records] == ["cancelled", "cancelled"]
    assert "its own code asked for it, with task.cancel()" in ended.err
    assert "Ctrl-C" not in ended.out + ended.err


def test_a_target_that_stops_the_loop_is_told_so_and_what_ran_has_a_record(kitchen: Any, odd: str) -> None:
    ended = kitchen.run(f"{odd}:stops", "--input", kitchen.items(1, 2), "--quiet", "--concurrency", "1")
    assert ended.code == 3
    assert "has stopped the event loop (loop.stop())" in ended.err
    assert [(record["line"], record["outcome"]) for record in ended.records] == [(1, "cancelled")]
    assert "not started: 1" in ended.err
    assert "Ctrl-C" not in ended.out + ended.err


def test_what_an_error_says_does_not_command_the_terminal(kitchen: Any, odd: str) -> None:
    ended = kitchen.run(f"{odd}:paints", "--input", kitchen.items(1), "--quiet")
    assert r"\x1b[31mred\x07 \x9b2J and \u202e more" in ended.err
    assert json.loads(ended.out)["error"]["message"].startswith("\x1b[31mred")  # the record has it as it was


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_table_with_a_page_in_a_cell_is_gone_on_with(kitchen: Any, odd: str) -> None:
    words = (f"{odd}:page", "--output", "o.csv", "--quiet", "--input")
    assert kitchen.run(*words, kitchen.items(1)).code == 0
    ended = kitchen.run(*words, kitchen.items(1, 2))
    assert "1 ok; done before: 1" in ended.err


def test_what_another_file_holds_does_not_command_the_terminal(kitchen: Any, odd: str) -> None:
    for name in ("o.csv", "o.jsonl"):
        kitchen.write(name, "\x1b[31mred\n")
        ended = kitchen.run(f"{odd}:echo", "--input", kitchen.items(1), "--output", name)
        assert (ended.code, "\x1b" in ended.err) == (2, False)
        assert "holds something else already" in ended.err


def test_a_line_without_an_end_does_not_fill_the_memory(
    kitchen: Any, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST_LINE", 1 << 20)
    ended = kitchen.run(f"{odd}:echo", "--input", "/dev/zero", "--quiet")
    assert ended.code == 2
    assert "the input could not be read to its end: a line of it is longer than 1 GiB" in ended.err


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="a disk of 64 KiB has to be mounted")
def test_a_disk_that_is_full_and_then_is_not_loses_and_doubles_nothing(kitchen: Any, odd: str) -> None:
    disk = kitchen.directory / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", os.fspath(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        words = (f"{odd}:echo", "--input", kitchen.items(*range(1000)), "--output", "disk/o.jsonl", "--quiet")
        ended = kitchen.run(*words)
        assert ended.code == 74
        assert "No space left on device" in ended.err
        assert (disk / "o.jsonl").read_bytes().endswith(b"}\n")  # whole lines only
        subprocess.run(["mount", "-o", "remount,size=4m", os.fspath(disk)], check=True)
        assert kitchen.run(*words).code == 0
        assert once(disk / "o.jsonl") == list(range(1, 1001))
    finally:
        subprocess.run(["umount", os.fspath(disk)], check=True)


def once(path: Path) -> list[int]:
    """Return the lines of the input that *path* holds as done; one that stands there twice stands here twice."""
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    return sorted(record["line"] for record in records if record["outcome"] == "ok")


# -- kill -9 -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_kill_9_at_any_moment_and_a_tail_torn_anywhere_leave_each_input_done_once(kitchen: Any, odd: str) -> None:
    chance = random.Random(3)
    items = kitchen.items(*range(3000))
    words = (f"{odd}:nap", "--input", items, "--output", "o.jsonl", "--quiet", "--concurrency", "4")
    out = kitchen.directory / "o.jsonl"
    for _ in range(6):
        with kitchen.start(*words) as process:
            assert until(has_grown(out))
            time.sleep(chance.random() * 0.05)
            process.kill()
        data = out.read_bytes()
        last = data.rstrip(b"\n").rfind(b"\n") + 1
        os.truncate(out, chance.randrange(last, len(data) + 1))  # as if the power had gone in the middle of a line
    assert kitchen.run(*words).code == 0
    assert once(out) == list(range(1, 3001))


def has_grown(path: Path) -> Callable[[], bool]:
    """Return what says whether *path* holds more than it does now."""
    before = path.stat().st_size if path.exists() else 0
    return lambda: path.exists() and path.stat().st_size > before


# -- streams -------------------------------------------------------------------------------------------------------


@pytest.fixture
def private() -> Iterator[None]:
    with hall():
        yield


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("ps >/dev/full", 74, "standard output could not be written: No space left on device."),
        ("ps --json >/dev/full", 74, "standard output could not be written: No space left on device."),
        ("ps >&-", 2, "standard output is closed: there is nowhere to tell it."),
        ("top 1 >&-", 2, "standard output is closed: there is nowhere to tell it."),
    ],
)
def test_who_cannot_be_told_is_not_shown_a_traceback(
    kitchen: Any, private: None, words: str, code: int, said: str
) -> None:
    names = {name: os.environ[name] for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    ended = subprocess.run(
        f"{shlex.quote(sys.executable)} -m linecook {words}", shell=True, capture_output=True, text=True, timeout=20,
        cwd=kitchen.directory, env=kitchen._environment | names,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (code, f"linecook: {said}\n")


# -- a terminal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(80, 24) as terminal:
        yield terminal


def start(terminal: Terminal, kitchen: Any, *words: str, **variables: str) -> None:
    environment = {name: value for name, value in kitchen._environment.items() if name not in ("CI", "NO_COLOR")}
    command = [sys.executable, "-m", "linecook", "run", *words]
    terminal.start(command, environment | {"TERM": "xterm-256color", **variables}, kitchen.directory)


def is_given_back(terminal: Terminal) -> bool:
    """Whether the whole screen scrolls again and the cursor is seen, at once or soon."""
    give_up = time.monotonic() + PATIENCE
    while terminal.screen.margins is not None or terminal.screen.cursor.hidden:
        if time.monotonic() > give_up:
            return False
        terminal.look()
    return True


@pytest.mark.slow
def test_ctrl_c_any_number_of_times_at_any_moment_gives_back_the_terminal_and_keeps_what_is_done(
    kitchen: Any, odd: str
) -> None:
    chance = random.Random(5)
    items = kitchen.items(*range(4000))
    for presses in (1, 2, 4):
        with Terminal(80, 24) as terminal:
            start(terminal, kitchen, f"{odd}:nap", "--input", items, "--output", "o.jsonl", "--concurrency", "2")
            terminal.wait_for("Ctrl-C: begin nothing new")
            terminal.look(chance.random() * 0.2)
            for _ in range(presses):
                terminal.type("\x03")
                terminal.look(chance.choice([0.0, 0.01, 0.05]))
            assert terminal.wait_end() == 130
            assert is_given_back(terminal)
            assert b"Traceback" not in terminal.raw
        done = collections.Counter(once(kitchen.directory / "o.jsonl"))
        assert done
        assert set(done.values()) == {1}


@pytest.mark.slow
def test_a_guard_that_is_pressed_upon_as_well_still_gives_the_terminal_back(
    kitchen: Any, odd: str, terminal: Terminal
) -> None:
    # Ctrl-C reaches every process in front of the terminal; whoever guards it must not be among them.
    start(terminal, kitchen, f"{odd}:stubborn", "--input", kitchen.items(*range(9)), "--output", "o.jsonl")
    terminal.wait_for(" of 9 ")
    for heard in (b"stopping: nothing new is begun", b"cancelling everything"):
        terminal.type("\x03")  # typed before the last was heard, two would be one
        terminal.wait_for(lambda _, heard=heard: heard in terminal.raw)
    terminal.type("\x03")
    assert terminal.wait_end() == 130
    assert is_given_back(terminal)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "board", "colours"),
    [({"TERM": "dumb"}, False, False), ({"CI": "true"}, False, False), ({"NO_COLOR": "1"}, True, False)],
)
def test_the_environment_says_what_the_terminal_bears(
    kitchen: Any, odd: str, terminal: Terminal, variables: dict[str, str], board: bool, colours: bool
) -> None:
    words = ("--input", kitchen.items(*range(800)), "--output", "/dev/null", "--concurrency", "2")
    start(terminal, kitchen, f"{odd}:nap", *words, **variables)
    assert terminal.wait_end() == 0
    assert (b"\x1b[" in terminal.raw) is board
    assert (b"\x1b[32m" in terminal.raw) is colours
    assert any("800 items in" in row for row in terminal.lines)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(40, 5), (20, 5), (12, 3)])
def test_the_smallest_windows_end_with_the_summary(kitchen: Any, odd: str, size: tuple[int, int]) -> None:
    with Terminal(*size) as terminal:
        start(terminal, kitchen, f"{odd}:nap", "--input", kitchen.items(*range(900)), "--output", "/dev/null")
        assert terminal.wait_end() == 0
        assert is_given_back(terminal)
        assert b"Traceback" not in terminal.raw
        assert b"900 ok" in terminal.raw


@pytest.mark.slow
def test_ctrl_z_gives_the_whole_terminal_back_and_fg_brings_the_board(
    kitchen: Any, odd: str, terminal: Terminal
) -> None:
    terminal.start(["/bin/sh", "-i"], kitchen._environment | {"PS1": "$ ", "ENV": "", "CI": ""}, kitchen.directory)
    terminal.wait_for("$")
    items = kitchen.items(*range(200_000))
    run = f"{shlex.quote(sys.executable)} -m linecook run {odd}:nap --input {items} --output o.jsonl"
    terminal.type(f"{run} --concurrency 2\n")
    terminal.wait_for(" of 200,000 ")
    terminal.type("\x1a")
    terminal.wait_for(lambda rows: not any(" of 200,000 " in row for row in rows))
    assert is_given_back(terminal)
    terminal.type("echo the shell has $((6 * 7)) rows\n")
    terminal.wait_for("the shell has 42 rows")
    before = len(once(kitchen.directory / "o.jsonl"))
    terminal.type("fg\n")
    terminal.wait_for(" of 200,000 ")
    terminal.type("\x03")
    terminal.wait_for("interrupted by Ctrl-C")
    assert is_given_back(terminal)
    done = once(kitchen.directory / "o.jsonl")
    assert done == list(range(1, len(done) + 1))
    assert len(done) > before


FETCH = """
@tool
def fetch(n):
    time.sleep(30)

@agent
async def main():
    ready()
    await settle(fetch(n) for n in range(3))

run(main(), runtime=Runtime(control=True))
"""


@pytest.mark.slow
def test_top_gives_the_terminal_back_when_it_is_stopped_and_when_it_is_ended(
    kitchen: Any, private: None, terminal: Terminal
) -> None:
    names = {name: os.environ[name] for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    with Program(FETCH) as program:
        shell = ["/bin/sh", "-i"]  # with job control, as somebody sits there
        terminal.start(shell, kitchen._environment | names | {"PS1": "$ ", "ENV": ""}, kitchen.directory)
        terminal.wait_for("$")
        shown = f"{shlex.quote(sys.executable)} -m linecook top {program.pid} --interval 0.1"
        terminal.type(f"sh -c 'echo $$ >top.pid; exec {shown}'\n")
        terminal.wait_for("q or Ctrl-C leaves")
        terminal.type("\x1a")
        terminal.wait_for(lambda _: terminal.raw.endswith(b"$ "))
        assert terminal.raw.rindex(b"\x1b[?1049l") > terminal.raw.rindex(b"\x1b[?1049h")
        terminal.type("fg\n")
        terminal.wait_for(lambda _: terminal.raw.count(b"\x1b[?1049h") == 2)
        os.kill(int((kitchen.directory / "top.pid").read_text()), signal.SIGTERM)
        terminal.wait_for(lambda _: terminal.raw.count(b"\x1b[?1049l") == 2)
        terminal.type("echo ended with $?\n")
        terminal.wait_for("ended with 143")
        assert is_given_back(terminal)


# -- tmux ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tmux(kitchen: Any) -> Iterator[Any]:
    """A tmux of the test's own: a function that gives it a command and returns what it says."""
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux here")
    place = tempfile.mkdtemp(prefix="lc", dir="/tmp")  # a socket's path has 107 bytes
    environment = {name: value for name, value in kitchen._environment.items() if name not in ("CI", "TMUX")}

    def tmux(*words: str) -> str:
        ended = subprocess.run(
            ["tmux", "-S", f"{place}/socket", "-f", "/dev/null", *words], capture_output=True, text=True, timeout=20,
            env=environment | {"TERM": "xterm-256color", "PS1": "$ "}, cwd=kitchen.directory, check=True,
        )  # fmt: skip
        return ended.stdout

    tmux("new-session", "-d", "-x", "90", "-y", "24", "/bin/sh")
    yield tmux
    tmux("kill-server")
    shutil.rmtree(place)


@pytest.mark.slow
def test_in_tmux_the_board_follows_the_window_and_ctrl_c_leaves_the_summary(kitchen: Any, odd: str, tmux: Any) -> None:
    def shows(*words: str) -> bool:
        rows = tmux("capture-pane", "-p")
        return all(word in rows for word in words)

    items = kitchen.items(*range(50_000))
    command = f"{shlex.quote(sys.executable)} -m linecook run {odd}:nap --input {items} --output o.jsonl"
    tmux("send-keys", f"{command} --concurrency 4", "Enter")
    assert until(lambda: shows(" of 50,000 ", "lane ", "finish what runs"))
    for columns, rows in ((40, 12), (60, 5), (110, 30)):
        tmux("resize-window", "-x", str(columns), "-y", str(rows))
        assert until(lambda: shows(" of 50,000 ", "begin nothing new"))
        assert len(tmux("capture-pane", "-p").splitlines()) <= rows
    tmux("send-keys", "C-c")
    assert until(lambda: shows("interrupted by Ctrl-C.", "the same command again"))
    tmux("send-keys", "clear; seq 40", "Enter")
    assert until(lambda: shows("\n39\n40\n"))  # the whole window scrolls again
    assert " of 50,000 " not in tmux("capture-pane", "-p")
    done = once(kitchen.directory / "o.jsonl")
    assert done == list(range(1, len(done) + 1))


def test_help_is_shown_in_any_encoding(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "--help"])
    assert left.value.code == 0
    capsys.readouterr().out.encode("ascii")
