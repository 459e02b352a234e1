"""What is said at the end, and the exit code, by what happened. (Signals: test_job.py; going on: test_resuming.py.)"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

ENDS = """
import asyncio, time
from linecook import tool

@tool
def odd(n: int) -> int:
    if n % 2 == 0:
        raise ValueError(f"{n} is even")
    return n

@tool
def burn(n: int) -> int:
    return sum(range(n))
"""


@pytest.fixture
def ends(kitchen: Any) -> str:
    return str(kitchen.write("ends_cli.py", ENDS))


@pytest.mark.parametrize(
    ("items", "words", "code"),
    [([1, 3], [], 0), ([1, 2], [], 1), ([2, 2, 2], ["--fail-on", "1", "--concurrency", "1"], 3)],
)
def test_the_exit_code_says_how_it_ended(
    kitchen: Any, ends: str, items: list[int], words: list[str], code: int
) -> None:
    assert kitchen.run(f"{ends}:odd", "--input", kitchen.items(*items), *words).code == code


def test_an_input_that_breaks_off_is_code_2_and_what_came_before_is_written(kitchen: Any, ends: str) -> None:
    import gzip

    packed = gzip.compress(b"1\n" * 50_000)
    (kitchen.directory / "in.jsonl.gz").write_bytes(packed[:-6])
    ended = kitchen.run(f"{ends}:odd", "--input", "in.jsonl.gz", "--quiet")
    assert ended.code == 2
    assert "the input could not be read to its end: its gzip data ends in the middle" in ended.err
    assert len(ended.out.splitlines()) > 1000


def test_the_words_to_go_on_are_quoted_for_the_shell(kitchen: Any, ends: str) -> None:
    Path("a b").mkdir()
    items = kitchen.items(*[2] * 9, name="a b/in.jsonl")
    ended = kitchen.run(f"{ends}:odd", "--input", items, "--output", "o.jsonl", "--fail-on", "1", "--concurrency", "1")
    assert "the same command again: linecook run ends_cli.py:odd --input 'a b/in.jsonl' --output o.jsonl" in ended.err


def test_without_a_file_it_says_what_a_file_would_give(kitchen: Any, ends: str) -> None:
    words = ("--input", kitchen.items(*[2] * 9), "--fail-on", "1", "--concurrency", "1")
    ended = kitchen.run(f"{ends}:odd", *words)
    assert "with --output FILE the same command could go on from here" in ended.err


def test_a_run_that_succeeds_says_nothing_of_going_on(kitchen: Any, ends: str) -> None:
    ended = kitchen.run(f"{ends}:odd", "--input", kitchen.items(1, 3), "--output", "o.jsonl", "--quiet")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.slow
def test_what_would_gain_elsewhere_is_said_from_measurement(kitchen: Any, ends: str) -> None:
    began = time.process_time()
    sum(range(1_000_000))
    a_million = max(time.process_time() - began, 0.001)
    items = kitchen.items(*[int(1_000_000 * 0.05 / a_million)] * 30)  # some 50 ms each, on any machine
    for _ in range(3):
        ended = kitchen.run(f"{ends}:burn", "--input", items, "--quiet", "--concurrency", "4")
        assert ended.code == 0
        if "lane='process'" in ended.err:
            assert "burn" in ended.err
            return
        if os.getloadavg()[0] > 1.5:
            pytest.skip("others use the CPUs: no advice is the right one")
    pytest.fail(f"no advice in {ended.err}")
