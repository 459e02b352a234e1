"""``linecook ps``, ``tree`` and ``cancel``, as a user meets them: another process, real sockets, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.main import main
from linecook.observe import Remote
from tests.looked_into import Program, hall, until

KITCHEN = """
@tool(limit=1)
def fetch(url):
    time.sleep(30)

@agent
async def reader(url):
    with fail_after(60):
        return await fetch(url)

@agent
async def main():
    ready()
    await settle(reader(url) for url in range(5))

run(main(), runtime=Runtime(control=True))
"""


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    with hall():
        yield


@pytest.fixture
def kitchen() -> Iterator[Program]:
    with Program(KITCHEN) as program, Remote(program.pid) as remote:
        assert until(lambda: remote.calls().total == 11)
        yield program


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: object) -> None:
        self.code = main([str(word) for word in words])
        self.out, self.err = capsys.readouterr()


@pytest.mark.slow
def test_ps_lists_calls_with_what_they_wait_for(kitchen: Program, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "ps", kitchen.pid)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"11 calls under way in process {kitchen.pid}, python")
    assert said.out.count("waits for limit=1 of fetch: 1 in flight, 4 waiting") == 4
    assert said.out.count("runs in thread linecook-thread-1 at <string>:") == 1
    assert "ID" in said.out.splitlines()[1]


@pytest.mark.slow
def test_nothing_that_can_be_looked_into_tells_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    secret = KITCHEN.replace("reader(url) for url in range(5)", "reader('hid' + 'den' * 2) for _ in range(5)")
    with Program(secret) as program, Remote(program.pid) as remote:
        assert until(lambda: remote.calls().total == 11)
        for words in (["ps"], ["ps", "--all"], ["ps", "--json"], ["tree"], ["tree", "--json"]):
            said = Said(capsys, *words, program.pid)
            assert "fetch" in said.out
            assert "hiddenden" not in said.out + said.err


@pytest.mark.slow
def test_ps_shows_so_many_and_counts_all(kitchen: Program, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "ps", kitchen.pid, "--most", 1)
    assert "and 8 more (--all shows them). All 11:" in said.out
    assert "  4 fetch (thread) waiting for limit" in said.out
    assert "more (" not in Said(capsys, "ps", kitchen.pid, "--all").out


@pytest.mark.slow
def test_ps_without_pid_lists_the_processes(kitchen: Program, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "ps")
    assert said.code == 0
    assert str(kitchen.pid) in said.out
    (listed,) = json.loads(Said(capsys, "ps", "--json").out)
    assert (listed["pid"], listed["python"]) == (kitchen.pid, sys.version.split()[0])


@pytest.mark.slow
def test_a_run_over_a_file_can_always_be_looked_into(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "naps.py").write_text("import asyncio\nasync def nap(n):\n    await asyncio.sleep(30)\n")
    (tmp_path / "items.jsonl").write_text("1\n2\n")
    command = [sys.executable, "-m", "linecook", "run", "naps.py:nap", "--input", "items.jsonl"]
    names = {name: os.environ[name] for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    with subprocess.Popen(
        command, env=environment | names, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert until(lambda: Said(capsys, "ps", process.pid).out.count("sleeps, ") == 2, 20)
            assert "nap:0" in Said(capsys, "tree", process.pid).out
        finally:
            process.kill()


def test_ps_where_there_is_nobody_says_who_could_be(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "ps")
    assert said.code == 0
    assert "No process of yours can be looked into" in said.out
    assert Said(capsys, "ps", "--json").out == "[]\n"


@pytest.mark.slow
def test_json_holds_everything(kitchen: Program, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("ps", "tree"):
        told: dict[str, Any] = json.loads(Said(capsys, command, kitchen.pid, "--json").out)
        assert (told["pid"], told["total"], told["stands_still"]) == (kitchen.pid, 11, None)
        (running,) = [call for call in told["calls"] if call["state"] == "running"]
        assert running["deadline_left"] == pytest.approx(60, abs=20)
        assert (running["lane"], running["attempt"], running["priority"]) == ("thread", 1, "normal")


@pytest.mark.slow
def test_the_output_may_be_cut_off_by_its_reader(kitchen: Program, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "linecook", "ps", str(kitchen.pid), "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE, timeout=30)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("command", ["ps", "tree", "top"])
def test_a_process_that_cannot_be_looked_into_ends_with_2(capsys: pytest.CaptureFixture[str], command: str) -> None:
    said = Said(capsys, command, 4_000_000)
    assert (said.code, said.out) == (2, "")
    assert "there is no process 4000000" in said.err


@pytest.mark.parametrize("command", ["tree", "top"])
def test_without_pid_and_without_processes_it_says_who_could_be(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    said = Said(capsys, command)
    assert said.code == 2
    assert "Those that can: `linecook run`, and programs with an open Runtime(control=True)" in said.err


CROSSED = """
async def takes(first, second):
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass

@agent
async def crossed(first, second):
    await takes(first, second)

@agent
async def main():
    a, b = asyncio.Lock(), asyncio.Lock()
    async with scope() as block:
        block.start(crossed(a, b))
        block.start(crossed(b, a))
        await asyncio.sleep(0.05)
        ready()
        await asyncio.sleep(30)

run(main(), runtime=Runtime(control=True))
"""


@pytest.mark.slow
def test_ps_shows_circles_and_holders(capsys: pytest.CaptureFixture[str]) -> None:
    with Program(CROSSED) as program:
        with Remote(program.pid) as remote:
            assert until(lambda: len(remote.diagnosis().deadlocks) == 1)
        shown = Said(capsys, "ps", program.pid)
        told = json.loads(Said(capsys, "ps", program.pid, "--json").out)
    assert shown.code == 0
    assert "DEADLOCK: these 2 tasks wait for each other" in shown.out
    assert "held by main/scope:0/crossed:1" in shown.out
    assert "Cure: take the locks in the same order everywhere" in shown.out
    assert len(told["diagnosis"]["deadlocks"][0]["circle"]) == 2
    assert told["total"] == 3
