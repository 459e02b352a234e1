"""linecook in a notebook: cells await on the kernel's own loop, and what they define has no file."""

import re
import time
from pathlib import Path

import pytest

from tests.blocks import ROOT
from tests.places.conftest import Kernel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default::DeprecationWarning")]

TOOLS = """
import asyncio, time
from linecook import Ok, Runtime, agent, as_completed, gather, resource, run, scope, settle, tool

@tool(timeout=5)
def fetch(city: str) -> str:
    time.sleep(0.01)
    return f"{city}: 21"

@tool(lane="process")
def palindromes(text: str) -> int:
    return sum(word == word[::-1] for word in text.split())

@agent
async def report(city: str) -> str:
    return f"{await fetch(city)} ({await palindromes('level noon ' + city)})"
"""


@pytest.fixture(scope="module", autouse=True)
def _tools(kernel: Kernel) -> None:
    shown = kernel.run(TOOLS)
    assert not shown.error, shown.traceback


def test_calls_are_awaited_at_the_top_of_a_cell(kernel: Kernel) -> None:
    assert kernel.run("await fetch('Lyon')").value == "'Lyon: 21'"
    assert kernel.run("await gather(fetch(city) for city in ['Lyon', 'Osaka'])").value == "['Lyon: 21', 'Osaka: 21']"


def test_a_process_tool_may_be_defined_in_a_cell_and_redefined(kernel: Kernel) -> None:
    assert kernel.run("await report('anna')").value == "'anna: 21 (3)'"
    again = kernel.run("@tool(lane='process')\ndef palindromes(text):\n    return -1\nawait report('anna')")
    assert again.value == "'anna: 21 (-1)'", again.traceback
    kernel.run(TOOLS)


def test_a_class_of_a_cell_travels_to_a_process_and_back(kernel: Kernel) -> None:
    cell = """
from dataclasses import dataclass
@dataclass
class Page:
    title: str
@tool(lane="process")
def upper(page: Page) -> Page:
    return Page(page.title.upper())
type(await upper(Page("a"))) is Page
"""
    shown = kernel.run(cell)
    assert shown.value == "True", shown.traceback


def test_settle_scope_and_as_completed_work_in_cells(kernel: Kernel) -> None:
    cell = """
@tool
def fails(): raise LookupError("no such city")
settled = await settle([fetch("Lyon"), fails()])
async with scope() as block:
    handle = block.start(report("Oslo"))
seen = []
async with as_completed((fetch(str(n)) for n in range(20)), limit=4) as outcomes:
    async for outcome in outcomes:
        seen.append(outcome.call.index)
settled.counts["ok"], settled.counts["failed"], await handle, sorted(seen) == list(range(20))
"""
    shown = kernel.run(cell)
    assert shown.value == "(1, 1, 'Oslo: 21 (2)', True)", shown.traceback


def test_pipelines_work_in_cells_and_leave_nothing_behind(kernel: Kernel) -> None:
    cell = """
from linecook import pipeline
closed = []
def cities():
    try:
        while True:
            yield "Lyon"
    finally:
        closed.append(True)
before = len(asyncio.all_tasks())
all_of_them = await pipeline(["anna", "level"]).map(palindromes, ordered=True).map(str).collect()
async with pipeline(cities()).map(fetch, workers=4) as told:
    async for line in told:
        break
while not closed:
    await asyncio.sleep(0.01)
all_of_them, line, len(asyncio.all_tasks()) - before
"""
    shown = kernel.run(cell)
    assert shown.value == "(['1', '1'], 'Lyon: 21', 0)", shown.traceback


def test_a_failure_shows_the_line_of_the_cell(kernel: Kernel) -> None:
    cell = "@tool\ndef breaks(n):\n    return 1 // n\nawait breaks(0)"
    shown = kernel.run(cell)
    assert shown.error == "ZeroDivisionError"
    assert "return 1 // n" in shown.traceback
    assert "in breaks(0) on lane thread" in shown.traceback


def test_a_failure_in_a_process_shows_the_line_of_the_cell(kernel: Kernel) -> None:
    shown = kernel.run("@tool(lane='process')\ndef breaks(n):\n    return 1 // n\nawait breaks(0)")
    assert shown.error == "ZeroDivisionError"
    assert "in breaks" in shown.traceback, shown.traceback


def test_run_in_a_cell_says_to_await(kernel: Kernel) -> None:
    shown = kernel.run("run(report('Lyon'))")
    assert shown.error == "RuntimeError"
    assert "write 'await' in place of run(...)" in shown.traceback
    assert "never awaited" not in shown.text


def test_a_runtime_is_opened_in_one_cell_and_closed_in_another(kernel: Kernel) -> None:
    assert not kernel.run("runtime = Runtime(threads=3, processes=1).open()").error
    shown = kernel.run("await report('Lyon'), runtime.statistics()['thread']['threads'] <= 3")
    assert shown.value == "('Lyon: 21 (2)', True)", shown.traceback
    shown = kernel.run("before = runtime.report()\nawait runtime.aclose()\nprint(before)")
    assert "fetch" in shown.text
    assert "palindromes" in shown.text, shown.traceback
    assert kernel.run("await fetch('Lyon')").value == "'Lyon: 21'"


def test_a_resource_stays_open_from_cell_to_cell_and_closes_with_its_runtime(kernel: Kernel) -> None:
    cell = """
log = []
@resource
async def web():
    log.append("opened")
    yield "client"
    log.append("closed")
@agent
async def visit(): return await web()
room = Runtime().open()
await visit()
"""
    assert kernel.run(cell).value == "'client'"
    assert kernel.run("await visit(); log").value == "['opened']"
    assert kernel.run("await room.aclose(); log").value == "['opened', 'closed']"


def test_an_interrupted_cell_ends_and_the_next_one_works(kernel: Kernel) -> None:
    # A cell that blocks the kernel's loop itself can't be interrupted, with us or without: the kernel cancels its task.
    cell = """
ended = []
@tool
def slow():
    print("began", flush=True)
    time.sleep(60)
@tool(lane="process")
def spin():
    while True: pass
@agent
async def waits():
    try:
        await gather(slow(), spin())
    finally:
        ended.append(True)
await waits()
"""
    interrupted: list[float] = []

    def hear(text: str) -> None:
        if "began" in text and not interrupted:
            interrupted.append(time.monotonic())
            kernel.manager.interrupt_kernel()

    shown = kernel.run(cell, hear)
    assert shown.error in {"KeyboardInterrupt", "CancelledError"}, shown
    assert time.monotonic() - interrupted[0] < 20
    assert kernel.run("ended, await report('Lyon')").value == "([True], 'Lyon: 21 (2)')"


def test_what_runs_on_after_its_cell_is_looked_at_in_the_next(kernel: Kernel) -> None:
    assert not kernel.run("room = Runtime().open(); going = room.start(report('Rome'))").error
    assert kernel.run("await going").value == "'Rome: 21 (2)'"
    kernel.run("await room.aclose()")


CELL = re.compile(r"^```(?P<kind>ipython|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = ROOT / "docs" / "how-to" / "notebook.md"


def test_every_cell_of_the_how_to_runs_as_shown(kernel: Kernel) -> None:
    last = None
    for block in CELL.finditer(Path(PAGE).read_text()):
        if block["kind"] == "ipython":
            last = kernel.run(block["body"])
            assert not last.error, f"{block['body']}\n{last.traceback}"
        else:
            assert last is not None
            assert (last.text + last.value).strip() == block["body"].strip()
