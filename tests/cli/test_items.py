"""``linecook run`` on a pipeline: one outcome for each input, the same resume, the same input formats."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

JOBS = """
from __future__ import annotations
import asyncio, os, sys, time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from linecook import Pipeline, pipeline, tool

@dataclass
class Page:
    n: int
    text: str = ""

async def parse(page: Page) -> Page:
    if page.n == 3 and not os.path.exists("mended"):
        raise ValueError(f"{page.n} makes no sense")
    return page

async def long(page: Page) -> bool:
    return len(page.text) > 1

def words(page: Page) -> list[str]:
    return page.text.split()

def pages(source: Iterable[Page]) -> Pipeline[Page]:
    return pipeline(source).map(parse, workers=4)

def long_pages(source: AsyncIterator[Page]) -> Pipeline[Page]:
    return pipeline(source).filter(long)

def all_words(source: Iterable[Page]) -> Pipeline[str]:
    return pipeline(source).flat_map(words)

def anything(source) -> Pipeline[object]:
    return pipeline(source).map(lambda value: value)

def twice(source: Iterable[int]) -> Pipeline[int]:
    return pipeline(source).map(lambda number: 2 * number)

def names(source: Iterable[str]) -> Pipeline[str]:
    return pipeline(source).map(str.upper)

def unannotated(n):
    return pipeline([n])

def unsaid(source):
    return pipeline(source).map(parse)

def unsaid_pages(source: list[Page]):
    return pipeline(source).map(parse)

async def uses_one(source):
    return await pipeline(source).map(str).collect()

def a_list(source: Iterable[int]) -> Pipeline[int]:
    return [1, 2]

async def waits(source: Iterable[int]) -> Pipeline[int]:
    return pipeline(source)

def raises(source: Iterable[int]) -> Pipeline[int]:
    raise RuntimeError("no key")

def of_its_own(source: Iterable[int]) -> Pipeline[int]:
    return pipeline([1, 2])

def leaves_out(source: AsyncIterator[int]) -> Pipeline[int]:
    async def even() -> AsyncIterator[int]:
        async for number in source:
            if number % 2 == 0:
                yield number
    return pipeline(even())

def batches(source: Iterable[Page]) -> Pipeline[list[Page]]:
    return pipeline(source).batch(2)

def nothing() -> Pipeline[int]:
    return pipeline([1])

@tool
def nap(seconds: float) -> float:
    sys.stderr.write(f"began {seconds}\\n"); sys.stderr.flush()
    time.sleep(seconds)
    return seconds

def naps(source: Iterable[float]) -> Pipeline[float]:
    return pipeline(source).map(nap, workers=2)
"""


@pytest.fixture
def jobs(kitchen: Any) -> str:
    return str(kitchen.write("pipelines_cli.py", JOBS))


def written(path: str = "out.jsonl") -> dict[int, tuple[str, Any]]:
    records = map(json.loads, Path(path).read_text().splitlines())
    return {
        each["line"]: (each["outcome"], each.get("value", each.get("error", {}).get("message"))) for each in records
    }


def test_each_input_has_an_outcome_and_the_same_command_goes_on(kitchen: Any, jobs: str) -> None:
    items = kitchen.items({"n": 1}, {"n": 3}, {"n": 4, "text": "a"})
    words = (f"{jobs}:pages", "--output", "out.jsonl", "--input", items)
    ended = kitchen.run(*words)
    assert ended.code == 1
    assert "2 ok, 1 failed" in ended.err
    assert written() == {
        1: ("ok", {"n": 1, "text": ""}), 2: ("failed", "3 makes no sense"), 3: ("ok", {"n": 4, "text": "a"}),
    }  # fmt: skip
    assert "done before: 3 (1 of them lost)" in kitchen.run(*words).err
    Path("mended").touch()
    assert "1 ok; done before: 2" in kitchen.run(*words, "--retry-failed").err


def test_what_is_filtered_out_is_done_too(kitchen: Any, jobs: str) -> None:
    items = kitchen.items({"n": 1, "text": "a"}, {"n": 2, "text": "bb"})
    kitchen.run(f"{jobs}:long_pages", "--output", "out.jsonl", "--input", items)
    assert written() == {1: ("ok", None), 2: ("ok", {"n": 2, "text": "bb"})}


def test_many_results_of_one_input_are_a_list(kitchen: Any, jobs: str) -> None:
    items = kitchen.items({"n": 1, "text": "a"}, {"n": 2, "text": ""}, {"n": 3, "text": "c"})
    kitchen.run(f"{jobs}:all_words", "--output", "out.jsonl", "--input", items)
    assert written() == {1: ("ok", ["a"]), 2: ("ok", []), 3: ("ok", ["c"])}


def test_an_item_that_does_not_fit_is_a_failure_of_its_own(kitchen: Any, jobs: str) -> None:
    kitchen.run(f"{jobs}:pages", "--output", "out.jsonl", "--input", kitchen.items({"n": "x"}, {"n": 1}))
    assert written()[1] == ("failed", "line 1: argument 'n' of Page(n: int, text: str = ''): expected `int`, got `str`")
    assert written()[2][0] == "ok"


def test_without_an_annotation_items_come_as_they_stand(kitchen: Any, jobs: str) -> None:
    kitchen.run(f"{jobs}:anything", "--output", "out.jsonl", "--input", kitchen.items([1, 2], {"a": 1}, 7))
    assert written() == {1: ("ok", [1, 2]), 2: ("ok", {"a": 1}), 3: ("ok", 7)}


def test_rows_of_a_table_are_read_by_the_fields(kitchen: Any, jobs: str) -> None:
    Path("in.csv").write_text("n,text\n5,a\n")
    kitchen.run(f"{jobs}:pages", "--output", "out.jsonl", "--input", "in.csv")
    kitchen.run(f"{jobs}:anything", "--output", "other.jsonl", "--input", "in.csv")
    assert written() == {2: ("ok", {"n": 5, "text": "a"})}
    assert written("other.jsonl") == {2: ("ok", {"n": "5", "text": "a"})}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pages", "--input", "items", "--concurrency", "3"), "workers="),
        (("pages", "--input", "items", "--timeout=3"), "attempt_timeout="),
        (("pages", "[1]"), "--input names what goes through it"),
        (("nothing", "--input", "items"), "it must take one thing, its source; it takes nothing"),
        (("batches", "--input", "items"), "puts several inputs together"),
        (("a_list", "--input", "items"), "returned [1, 2], where its annotation promises a pipeline"),
        (("waits", "--input", "items"), "write a plain def"),
        (("raises", "--input", "items"), "RuntimeError: no key\nlinecook: pipelines_cli:raises made no pipeline"),
        (("unannotated", "--input", "items"), "Annotate it"),
        (("unannotated", "[1]"), "Annotate it"),
    ],
)
def test_what_makes_no_sense_is_refused(kitchen: Any, jobs: str, words: tuple[str, ...], told: str) -> None:
    items = kitchen.items({"n": 1})
    name, *rest = (items if word == "items" else word for word in words)
    ended = kitchen.run(f"{jobs}:{name}", *rest)
    assert ended.code == 2
    assert told in ended.err


@pytest.mark.parametrize(
    ("name", "items"),
    [("unsaid", ['"a"', '"b"']), ("unsaid", [1, 2]), ("unsaid_pages", ['"a"', '"b"'])],
)
def test_a_pipeline_that_no_annotation_tells_of_is_said_once_with_the_cure(
    kitchen: Any, jobs: str, name: str, items: list[Any]
) -> None:
    """Each item failed by itself: of one, no pipeline can be made."""
    ended = kitchen.run(f"{jobs}:{name}", "--quiet", "--input", kitchen.items(*items))
    assert (ended.code, ended.err.count("makes a pipeline, and was called with one item. Annotate it")) == (2, 1)


def test_a_function_that_runs_a_pipeline_over_its_own_item_goes_on(kitchen: Any, jobs: str) -> None:
    ended = kitchen.run(f"{jobs}:uses_one", "--quiet", "--input", kitchen.items('"a"', [["b"]]))
    assert ended.code == 1
    assert [json.loads(line)["outcome"] for line in ended.out.splitlines()].count("ok") == 1


@pytest.mark.parametrize("name", ["of_its_own", "leaves_out"])
def test_an_outcome_is_never_written_under_the_input_of_another(kitchen: Any, jobs: str, name: str) -> None:
    for items in (kitchen.items(1000, 1001, 1002), kitchen.items(1000, 1001)):
        ended = kitchen.run(f"{jobs}:{name}", "--input", items, "--output", "out.jsonl")
        assert (ended.code, "does not hand its source to pipeline(...) as it is" in ended.err) == (2, True)
        assert all(line == 1 for line in written())


def test_lines_of_text_are_items(kitchen: Any, jobs: str) -> None:
    kitchen.write("names.txt", "1\n2\n")
    for name, values in (("names", ["1", "2"]), ("twice", [2, 4]), ("anything", ["1", "2"])):
        kitchen.run(f"{jobs}:{name}", "--input", "names.txt", "--output", f"{name}.jsonl")
        assert written(f"{name}.jsonl") == {1: ("ok", values[0]), 2: ("ok", values[1])}


def test_files_of_a_directory_are_items(kitchen: Any, jobs: str) -> None:
    Path("docs").mkdir()
    kitchen.write("docs/a.md", "")
    kitchen.run(f"{jobs}:names", "--input", "docs", "--output", "out.jsonl")
    assert written() == {1: ("ok", "DOCS/A.MD")}


def test_where_everything_was_done_before_that_is_said(kitchen: Any, jobs: str) -> None:
    words = (f"{jobs}:twice", "--input", kitchen.items(1, 2), "--output", "out.jsonl")
    kitchen.run(*words)
    assert kitchen.run(*words).err.endswith("linecook: nothing left to do; done before: 2\n")


def test_enough_failures_stop_it(kitchen: Any, jobs: str) -> None:
    ended = kitchen.run(
        f"{jobs}:pages", "--output", "out.jsonl", "--fail-on", "2", "--input", kitchen.items(*[{"n": 3}] * 500)
    )
    assert "--fail-on was reached with 2 lost" in ended.err
    assert len(written()) < 100


@pytest.mark.slow
def test_ctrl_c_once_writes_what_is_inside_and_the_same_command_goes_on(kitchen: Any, jobs: str) -> None:
    items = kitchen.items(*[0.6] * 2, *[0.0] * 500)
    words = (f"{jobs}:naps", "--input", items, "--output", "out.jsonl")
    with kitchen.start(*words) as process:
        for line in process.stderr:
            if b"began" in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 130
    done = len(written())
    assert 2 <= done < 100
    assert all(outcome == "ok" for outcome, _ in written().values())
    assert f"done before: {done}" in kitchen.run(*words).err
    assert len(written()) == 502


@pytest.mark.slow
def test_a_long_input_takes_the_memory_of_a_short_one(kitchen: Any, jobs: str) -> None:
    Path("long.jsonl").write_text("".join(f"{number}\n" for number in range(100_000)))
    Path("short.jsonl").write_text("".join(f"{number}\n" for number in range(1000)))
    peaks: list[int] = []
    for name in ("short", "long"):
        with kitchen.start(f"{jobs}:anything", "--input", f"{name}.jsonl", "--output", f"{name}.out.jsonl") as process:
            peak = 0
            while process.poll() is None:
                peak = max(peak, _resident_kb(process.pid))
            process.communicate(timeout=60)
        peaks.append(peak)
    assert len(written("long.out.jsonl")) == 100_000
    assert peaks[1] - peaks[0] < 20_000


def _resident_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)
