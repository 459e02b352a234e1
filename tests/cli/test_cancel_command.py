"""``linecook cancel``: one call ends, and what came of it is said."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from linecook.cli.main import main
from linecook.observe import Remote
from tests.looked_into import Program, hall, until

KITCHEN = """
@tool
def fetch(url):
    time.sleep(30)

@agent
async def inner(url):
    await fetch(url)

@agent
async def reader(url):
    await inner(url)

@agent
async def main():
    ready()
    print(await settle(reader(url) for url in range(2)), flush=True)

run(main(), runtime=Runtime(control=True))
"""


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    with hall():
        yield


@pytest.fixture
def kitchen() -> Iterator[Program]:
    with Program(KITCHEN) as program, Remote(program.pid) as remote:
        assert until(lambda: remote.calls().total == 7)
        yield program


@pytest.mark.slow
def test_each_call_ends_as_it_was_asked_and_the_program_learns_why(
    kitchen: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    pid = str(kitchen.pid)
    assert main(["cancel", pid, "main/settle:0/reader[0]"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("main/settle:0/reader[0] [")
    assert "it has ended as Cancelled. A thread can't be stopped: its body runs on there" in said
    words = ["cancel", pid, "main/settle:0/reader[1]/inner:0/fetch:0", "--reason", "stuck since noon", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["cancelled"], told["call"]["work"]) == (True, "abandoned")
    printed = kitchen.end()
    assert "1 failed, 1 cancelled" in printed


@pytest.mark.slow
def test_what_cannot_be_cancelled_is_said_with_the_cure_and_ends_with_1(
    kitchen: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    pid = str(kitchen.pid)
    assert main(["cancel", pid, "main/settle:0/reader[1]/inner:0"]) == 1
    said = capsys.readouterr().err
    assert "Cancel main/settle:0/reader[1] (with it), or main/settle:0/reader[1]/inner:0/fetch:0" in said
    assert main(["cancel", pid, "9999", "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "cancelled": False,
        "error": "no call with the number 9999 is under way: it may have ended",
    }
    assert kitchen.process.poll() is None


def test_without_a_process_nothing_is_cancelled_and_it_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cancel", "4000000", "1"]) == 2
    assert "there is no process 4000000" in capsys.readouterr().err
