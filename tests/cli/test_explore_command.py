"""``linecook explore`` as a user meets it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # processes of their own
Explore = Callable[..., "subprocess.Popen[str]"]

COUNTER = """\
import asyncio
from linecook.testing import outside

total = 0


async def counter():
    global total
    total = 0
    print("a line of the program's own")

    async def add():
        global total
        before = total
        await outside("an answer")
        total = before + 1

    await asyncio.gather(add(), add())
    assert total == 2, f"{total} of 2"


async def hidden():
    count = [0]

    async def add(waits):
        for _ in range(waits):
            await outside()
        before = count[0]
        await outside()
        count[0] = before + 1

    await asyncio.gather(add(1), add(3))
    assert count == [2]


async def locked():
    lock, count = asyncio.Lock(), [0]

    async def add():
        async with lock:
            before = count[0]
            await outside("an answer")
            count[0] = before + 1

    await asyncio.gather(add(), add())
    assert count == [2]


async def crowd():
    await asyncio.gather(*(outside(number) for number in range(9)))


async def asks_for(url, *, twice=False):
    pass


async def opens_a_socket():
    await asyncio.open_connection("127.0.0.1", 9)


def never_more_than_one():
    return total <= 1


def plain():
    pass
"""


@pytest.fixture
def explore(tmp_path: Path, environment: dict[str, str]) -> Iterator[Explore]:
    """Start ``linecook explore`` where the programs above lie in counter.py."""
    (tmp_path / "counter.py").write_text(COUNTER)
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "linecook", "explore", *words],
            cwd=tmp_path, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=20)


def end_of(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=50)
    return process.returncode, out, err


def test_a_failure_is_told_with_its_schedule_and_the_command_that_runs_it_again(explore: Explore) -> None:
    code, out, err = end_of(explore("counter.py:counter"))
    assert code == 1
    assert "AssertionError: 1 of 2" in out
    assert re.search(r"found by schedule \d+, in ", out)
    assert "a line of" not in out + err, "what the program prints is no part of the result"
    again = re.search(r"^again: linecook (explore .*)$", out, re.MULTILINE)
    assert again
    code, out, err = end_of(explore(*again[1].split()[1:]))
    assert code == 1
    assert "AssertionError: 1 of 2" in out
    assert "a line of the program's own" in err, "of one schedule, what it says may be heard"


def test_without_a_failure_the_verdict_says_what_was_searched(explore: Explore) -> None:
    code, out, _ = end_of(explore("counter.py:locked", "--overtakings", "1"))
    assert code == 0
    assert re.match(r"no failure in .* at most 1 overtaking, in \d+\.\d s\n$", out)


def test_the_result_is_one_json_object_on_request(explore: Explore) -> None:
    code, out, _ = end_of(explore("counter.py:counter", "--json"))
    told = json.loads(out)
    assert code == 1
    assert told["failure"]["kind"] == "exception"
    assert told["failure"]["token"]
    assert told["exhausted"] is False
    code, out, _ = end_of(explore("counter.py:locked", "--json"))
    told = json.loads(out)
    assert code == 0
    assert told["failure"] is None
    assert told["exhausted"] is True
    assert told["schedules"] >= 1


def test_an_invariant_is_asked_after_each_step(explore: Explore) -> None:
    code, out, _ = end_of(explore("counter.py:counter", "--invariant", "counter.py:never_more_than_one"))
    assert code == 1
    assert "1 of 2" in out, "it holds in each step; what fails is the end"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["counter.py:nothing"], "nothing"),
        (["elsewhere.py:main"], "elsewhere.py"),
        (["counter.py:plain"], "no async function"),
        (["counter.py:asks_for"], "takes url, and explore runs a function without arguments"),
        (["counter.py:locked", "--token", "lc1.nonsense"], "token"),
        (["counter.py:locked", "--overtakings", "-1"], "overtakings"),
        (["counter.py:opens_a_socket"], "create_connection"),
    ],
    ids=lambda words: " ".join(words[:2]) if isinstance(words, list) else None,
)
def test_what_cannot_be_run_is_said_in_a_line(explore: Explore, words: list[str], said: str) -> None:
    code, out, err = end_of(explore(*words))
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert not out


def test_a_token_of_another_program_is_refused(explore: Explore) -> None:
    _, out, _ = end_of(explore("counter.py:hidden", "--json"))
    token = json.loads(out)["failure"]["token"]
    code, _, err = end_of(explore("counter.py:crowd", "--token", token))
    assert code == 2
    assert "token doesn't fit" in err


def test_a_long_search_shows_how_far_it_is_and_ctrl_c_ends_it(explore: Explore) -> None:
    process = explore("counter.py:crowd", "--seconds", "40")
    assert process.stderr is not None
    assert re.match(r"[\d,]+ schedules in \d+ s", process.stderr.readline())
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    code, out, err = end_of(process)
    assert code == 130
    assert re.search(r"no failure in [\d,]+ schedules", out), "what was searched until then"
    assert "Traceback" not in err
    assert time.monotonic() - began < 20
