"""The same command again goes on where the last one stopped: nothing lost, nothing twice."""

from __future__ import annotations

import csv
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.main import main

JOBS = """
import asyncio, os
from pathlib import Path

async def odd(n: int) -> dict:
    if n % 2 == 0 and not os.path.exists("mended"):
        raise ValueError(f"{n} is even")
    return {"n": n, "twice": n * 2}

async def name(path: Path) -> str:
    return path.name

async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds
"""


@pytest.fixture
def jobs(kitchen: Any) -> str:
    return str(kitchen.write("again_cli.py", JOBS))


def written(path: str = "out.jsonl") -> list[tuple[int, str]]:
    lines = Path(path).read_text().splitlines()
    return [(record["line"], record["outcome"]) for record in map(json.loads, lines)]


def test_what_is_done_is_skipped_and_the_rest_is_added(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:odd", "--output", "out.jsonl", "--input")
    assert kitchen.run(*words, kitchen.items(1, 3)).code == 0
    ended = kitchen.run(*words, kitchen.items(1, 3, 5))
    assert ended.code == 0
    assert "1 item in" in ended.err
    assert "done before: 2" in ended.err
    assert written() == [(1, "ok"), (2, "ok"), (3, "ok")]
    assert "done before: 3" in kitchen.run(*words, kitchen.items(1, 3, 5)).err


def test_a_changed_input_runs_again_and_no_other(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:odd", "--output", "out.jsonl", "--input")
    kitchen.run(*words, kitchen.items(1, 3, 5))
    kitchen.run(*words, kitchen.items(1, 7, 5))
    assert [(r["line"], r["value"]["n"]) for r in map(json.loads, Path("out.jsonl").read_text().splitlines())] == [
        (1, 1), (2, 3), (3, 5), (2, 7),
    ]  # fmt: skip


def test_what_failed_runs_again_only_when_asked_for(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:odd", "--output", "out.jsonl", "--input", kitchen.items(1, 2, 3))
    ended = kitchen.run(*words)
    assert ended.code == 1
    assert "to run the 1 again that was lost: linecook run again_cli.py:odd --output out.jsonl" in ended.err
    assert "--retry-failed" in ended.err
    Path("mended").touch()
    ended = kitchen.run(*words)
    assert (ended.code, "done before: 3 (1 of them lost)" in ended.err) == (1, True)
    assert kitchen.run(*words, "--retry-failed").code == 0
    assert written()[-1] == (2, "ok")
    ended = kitchen.run(*words)  # the last outcome of a line counts
    assert (ended.code, "of them lost" in ended.err) == (0, False)
    assert len(written()) == 4


def test_a_table_is_gone_on_with_as_well(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:odd", "--output", "out.csv", "--concurrency", "1", "--input", kitchen.items(2, 1, 3))
    assert kitchen.run(*words, "--take", "2").code == 1
    assert kitchen.run(*words).code == 1
    with open("out.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["outcome"], row["twice"]) for row in rows] == [
        ("1", "failed", ""), ("2", "ok", "2"), ("3", "ok", "6"),
    ]  # fmt: skip
    assert rows[0]["error"] == "2 is even"


def test_files_of_a_directory_are_known_wherever_they_stand(kitchen: Any, jobs: str) -> None:
    Path("docs").mkdir()
    kitchen.write("docs/b.md", "b")
    words = (f"{jobs}:name", "--output", "docs/out.jsonl", "--input", "docs")
    assert kitchen.run(*words).code == 0
    kitchen.write("docs/a.md", "a")
    ended = kitchen.run(*words)
    assert "1 item in" in ended.err
    assert "done before: 1" in ended.err
    assert [json.loads(line)["value"] for line in Path("docs/out.jsonl").read_text().splitlines()] == ["b.md", "a.md"]


def test_half_a_line_is_cut_off_and_said_and_its_item_runs_again(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:odd", "--output", "out.jsonl", "--input", kitchen.items(1, 3, 5))
    kitchen.run(*words)
    whole = Path("out.jsonl").read_bytes()
    Path("out.jsonl").write_bytes(whole[:-30])
    ended = kitchen.run(*words)
    assert ended.code == 0
    assert "out.jsonl ended in the middle of an outcome: " in ended.err
    assert "done before: 2" in ended.err
    assert sorted(written()) == [(1, "ok"), (2, "ok"), (3, "ok")]


def test_another_function_is_refused_the_output_of_the_first(kitchen: Any, jobs: str) -> None:
    words = ("--output", "out.jsonl", "--input", kitchen.items(1))
    kitchen.run(f"{jobs}:odd", *words)
    ended = kitchen.run(f"{jobs}:nap", *words)
    assert ended.code == 2
    assert "out.jsonl holds outcomes of again_cli:odd, and this run calls again_cli:nap" in ended.err
    assert len(written()) == 1


def test_what_was_cut_short_by_fail_on_says_how_to_go_on(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:odd", "--output", "out.jsonl", "--input", kitchen.items(*[2] * 30), "--concurrency", "1")
    ended = kitchen.run(*words, "--fail-on", "3")
    assert ended.code == 3
    assert "to go on with the rest, the same command again: linecook run again_cli.py:odd" in ended.err
    before = len(written())
    assert kitchen.run(*words).code == 1
    assert len(written()) == 30 > before


def test_retrying_what_went_to_standard_output_is_refused(kitchen: Any, jobs: str) -> None:
    ended = kitchen.run(f"{jobs}:odd", "--input", kitchen.items(1), "--retry-failed")
    assert ended.code == 2
    assert "--retry-failed needs --output FILE" in ended.err


@pytest.mark.slow
def test_a_second_run_on_one_output_is_refused_while_the_first_goes_on(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:nap", "--output", "out.jsonl", "--input", kitchen.items(30), "--quiet")
    with kitchen.start(*words) as process:
        wait_until(lambda: Path("out.jsonl").exists())
        time.sleep(0.1)
        ended = kitchen.run(*words)
        process.kill()
        process.communicate()
    assert ended.code == 2
    assert f"out.jsonl is being written by process {process.pid}: wait for its end" in ended.err


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(kitchen: Any, jobs: str) -> None:
    items = kitchen.items(*[0.001] * 6_000)
    words = (f"{jobs}:nap", "--output", "out.jsonl", "--input", items, "--quiet", "--concurrency", "8")
    for _ in range(3):
        grown = Path("out.jsonl").stat().st_size if Path("out.jsonl").exists() else 0
        with kitchen.start(*words) as process:
            wait_until(lambda: Path("out.jsonl").exists() and Path("out.jsonl").stat().st_size > grown + 20_000)  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.communicate()
        with open("out.jsonl", "ab") as file:
            file.write(b'{"line":5999,"input":"00')  # what a kill in the middle of a write leaves
    ended = kitchen.run(*words)
    assert ended.code == 0, ended.err
    assert sorted(line for line, _ in written()) == list(range(1, 6_001))


@pytest.mark.slow
def test_ctrl_c_and_the_same_command_again_complete_the_run(kitchen: Any, jobs: str) -> None:
    items = kitchen.items(*[0.002] * 2_000)
    words = (f"{jobs}:nap", "--output", "out.jsonl", "--input", items, "--quiet", "--concurrency", "4")
    with kitchen.start(*words) as process:
        wait_until(lambda: Path("out.jsonl").exists() and Path("out.jsonl").stat().st_size > 10_000)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    command = err.decode().partition("the same command again: linecook ")[2].splitlines()[0].split()
    assert main(command) == 0
    assert sorted(line for line, _ in written()) == list(range(1, 2_001))


@pytest.mark.slow
def test_what_is_added_to_the_input_meanwhile_belongs_to_the_next_run(kitchen: Any, jobs: str) -> None:
    items = kitchen.items(*[0.01] * 100)
    words = (f"{jobs}:nap", "--output", "out.jsonl", "--input", items, "--quiet", "--concurrency", "1")
    with kitchen.start(*words) as process:
        wait_until(lambda: Path("out.jsonl").exists() and Path("out.jsonl").stat().st_size > 0)
        with open(items, "a") as file:
            file.write("0\n0\n")
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"the input has grown by 4 bytes since the start" in err
    assert len(written()) == 100
    assert "2 items in" in kitchen.run(*words).err


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
