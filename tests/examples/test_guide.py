"""The tutorial: a chapter shows the whole of its file, the file prints what the chapter says, and the claims hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.blocks import FENCE, ROOT, programs_of_page

GUIDE = ROOT / "examples" / "guide"
TUTORIAL = ROOT / "docs" / "tutorial"
CHAPTERS = sorted(TUTORIAL.glob("[0-9]-*.md"))
HEADINGS = [
    "What you will see", "The code", "The run", "What happened, and why", "The gotcha", "linecook's way",
    "What it can't do", "Next",
]  # fmt: skip

# What is another on another machine, or at another time; everything else is to be the same.
VARIES = re.compile(
    r"\S*/(?=examples/guide/)"  # where the checkout lies
    r"|\d+\.\d+(e-\d+)?"  # seconds
    r"|(?<=pid )\d+"
    r"|(?<=on )\d+(?= threads)|\d+(?= silent)"  # as many as the default pool has
    r"|(?<=: )\d+(?= threads allowed)"
    r"|(?<=at most )\d+(?= pages)|\d+(?= inputs read)|(?<=read, )\d+(?= tasks)"
    r"|(?<=rest of random length after each: )\d+"
    r"|(?<=primes: ).*(?=lane='process')|(?<=lane='process' would ).*"  # samples, and one of two sentences
)


def name_of(chapter: Path) -> str:
    return chapter.stem.split("-", 1)[1].replace("-", "_")


def run_file(name: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-W", "error", str(GUIDE / f"{name}.py")],
        env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=40,
        check=False,
    )  # fmt: skip


Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Every file, run once, two at a time: most of them sleep most of the time."""
    with ThreadPoolExecutor(2) as pool:
        yield {name_of(chapter): pool.submit(run_file, name_of(chapter)) for chapter in CHAPTERS}


def printed(runs: Runs, name: str) -> str:
    ran = runs[name].result()
    # Where many share the machine, the import of a library may keep the loop for 0.1 s, and the stall watch says so.
    complaints = [line for line in solid(ran.stderr) if not line.startswith("the event loop stood still")]
    assert (ran.returncode, complaints) == (0, []), f"{name}.py ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def number(text: str, after: str, *, place: int = 0) -> float:
    """Return the number that follows *after* in *text*; of several the one at *place*."""
    return float(re.findall(re.escape(after) + r"\s*([\d.]*\d)", text)[place])


def solid(text: str) -> list[str]:
    """The lines of *text* that aren't empty: between two blocks of a page, a file may have more of those."""
    return [line for line in text.splitlines() if line.strip()]


def stable(text: str) -> list[str]:
    return [VARIES.sub("#", line) for line in solid(text)]


def test_every_file_has_a_chapter_and_every_chapter_a_file() -> None:
    assert [chapter.name[0] for chapter in CHAPTERS] == list("123456789")
    assert {name_of(chapter) for chapter in CHAPTERS} == {file.stem for file in GUIDE.glob("*.py")}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=name_of)
def test_a_chapter_shows_the_whole_of_its_file(chapter: Path) -> None:
    (program,) = programs_of_page(chapter, chapter.read_text())
    assert solid(program.source) == solid((GUIDE / f"{name_of(chapter)}.py").read_text())


@pytest.mark.parametrize("chapter", CHAPTERS, ids=name_of)
def test_a_chapter_has_its_eight_sections_and_says_how_to_run_it(chapter: Path) -> None:
    text = chapter.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    seen = text.split("## What you will see", 1)[1].split("## ", 1)[0]
    assert len(re.findall(r"^- ", seen, re.MULTILINE)) == 3
    assert f"$ python examples/guide/{name_of(chapter)}.py\n" in text


@pytest.mark.parametrize(
    "page", sorted([*TUTORIAL.glob("*.md"), ROOT / "docs" / "index.md"]), ids=lambda page: page.stem
)
def test_every_link_leads_to_a_page(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    assert links
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_every_chapter_is_in_the_index() -> None:
    index = (TUTORIAL / "index.md").read_text()
    assert [chapter.name for chapter in CHAPTERS] == re.findall(r"^\| \[.*?\]\((.*?)\)", index, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=name_of)
def test_a_file_prints_what_its_chapter_says(chapter: Path, runs: Runs) -> None:
    said = "".join(block["body"] for block in FENCE.finditer(chapter.read_text()) if block["language"] == "text")
    assert stable(said) == stable(printed(runs, name_of(chapter)))


@pytest.mark.slow
def test_one_blocking_call_holds_up_everybody_and_a_tool_nobody(runs: Runs) -> None:
    out = printed(runs, "event_loop")
    assert number(out, "three waits of 0.3 s took") < 0.9
    assert number(out, "three blocking calls took") >= 0.9
    assert number(out, "0.01 s of sleep got") >= 0.85
    assert number(out, "as tools took") < 0.9
    assert number(out, "the other agent slept") < 0.3
    blocks = (GUIDE / "event_loop.py").read_text().splitlines().index("def old_library(city: str) -> str:") + 2
    assert f"event_loop.py:{blocks} in old_library: time.sleep(0.3)" in out


@pytest.mark.slow
def test_threads_keep_one_cpu_busy_and_processes_are_others(runs: Runs) -> None:
    out = printed(runs, "parallelism")
    busy = {what: float(cpus) for what, cpus in re.findall(r"   (.+): [\d.]+ s, ([\d.]+) CPUs busy", out)}
    assert busy["one wait"] <= 0.2
    assert busy["two waits"] <= 0.2
    assert 0 < busy["two counts on two threads"] <= 1.1
    assert 0 < busy["two counts with async def"] <= 1.1
    assert "processes besides this one: 2" in out


@pytest.mark.slow
def test_two_hundred_calls_use_the_default_pools_few_threads_which_hung_calls_take_away(runs: Runs) -> None:
    out = printed(runs, "asynchronous_tools")
    with ThreadPoolExecutor() as pool:
        threads = pool._max_workers
    assert number(out, "200 answers, on") == threads
    assert f"   {threads} silent servers, one for each of those threads, were given up in time" in out
    assert "then 0 of 200 healthy calls were answered" in out
    assert "\n   200 of 200 healthy calls were answered" in out
    assert f"{threads} silent ones were given up; what became of the threads: abandoned" in out
    assert number(out, "name look-up took", place=0) >= 0.2 > number(out, "name look-up took", place=1)


@pytest.mark.slow
def test_read_await_write_loses_exactly_half(runs: Runs) -> None:
    out = printed(runs, "races")
    assert "2 × 1000 makes 1000\n" in out
    assert "five times: [1000, 1000, 1000, 1000, 1000]" in out
    assert number(out, "waits of random length in between:") == 100
    assert 2 <= number(out, "rest of random length after each:") < 200
    assert number(out, "no await between read and write:") == number(out, "with a lock:") == 2000
    assert number(out, "update:") == number(out, "returned and added:") == 2000
    assert "by hand: lost update on Shared 'strict'" in out
    assert "with the lock, every order there is: True; a failure: False" in out
    assert "without: main raised AssertionError: 2 of 4" in out


@pytest.mark.slow
def test_a_lost_task_an_ambiguous_none_and_a_bill_that_is_sent_after_the_failure(runs: Runs) -> None:
    usual, really, ours = re.split(r"^[23]\. .*\n", printed(runs, "tasks"), flags=re.MULTILINE)
    assert "['soupe', None, None]" in usual
    assert "listened is now None" in really
    assert really.endswith("sent: ['the bill']\n")
    assert re.findall("an outcome: (.*)", ours) == ["Ok('soupe')", "Ok(None)", "TimedOut(0.2)"]
    assert ours.endswith("sent: []\n")


@pytest.mark.slow
def test_ten_hung_calls_lose_a_hundred_in_a_pool_and_ten_in_the_lane(runs: Runs) -> None:
    out = printed(runs, "thread_pools")
    assert re.findall(r"(\d+) of 90 healthy pages", out) == ["0", "90"]
    assert number(out, "the pool was closed after") >= 1.5 > number(out, "everything was closed after")
    assert ", 10 abandoned" in out
    assert number(out, "the lane:") > 10


@pytest.mark.slow
def test_a_pool_breaks_for_good_and_a_worker_of_ours_dies_alone(runs: Runs) -> None:
    out = printed(runs, "cpu_tools")
    assert out.count("the next page: BrokenProcessPool") == 2
    assert number(out, "the next page: 4; closed after") >= 1.5
    ours = out.split("3. linecook\n")[1]
    assert "killed by SIGKILL" in ours
    assert "odd: Failed, finished" in ours
    assert "endless: TimedOut, stopped" in ours
    assert re.findall(r"^   (\w+): (\d)$", ours, re.MULTILINE) == [("soup", "4"), ("salad", "5"), ("tea", "3")]


@pytest.mark.slow
def test_gather_holds_everything_and_keeps_nothing_where_a_pipeline_does_the_reverse(runs: Runs) -> None:
    out = printed(runs, "pipelines")
    read = re.findall(r"(\d+) inputs read, (\d+) tasks", out)
    assert read[:3] == [("100", "100"), ("2000", "2000"), ("2000", "2000")]
    assert int(read[3][0]) < 200
    assert int(read[3][1]) < 100
    held = [int(pages) for pages in re.findall(r"at most (\d+) pages", out)]
    assert held[1] > 1000
    assert held[2] <= 64
    assert held[3] < 100
    assert re.findall(r"results kept: (\d+)", out) == ["100", "0", "0", "1999"]
