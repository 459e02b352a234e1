import asyncio
import io
import json
import os
import time

import msgspec
import pytest

from linecook import Limit, Runtime, budget, charge, gather, tool
from linecook.observe import JSONLines, Snapshot, SpentFacts


@tool
def nap(seconds: float) -> None:
    time.sleep(seconds)


def wait_for(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert condition()


def test_each_line_is_a_snapshot_and_the_last_one_counts_everything():
    stream = io.StringIO()
    with JSONLines(3, stream, interval=0.005) as lines:
        lines.update("Ok")
        wait_for(lambda: stream.getvalue().count("\n") >= 2)
        lines.update("Failed")
        lines.expect(2)
    snapshots = [msgspec.json.decode(line, type=Snapshot) for line in stream.getvalue().splitlines()]
    assert (snapshots[0].done, snapshots[0].total, snapshots[0].pid) == (1, 3, os.getpid())
    assert (snapshots[-1].outcomes, snapshots[-1].total) == ({"Ok": 1, "Failed": 1}, 2)


async def test_lanes_and_tools_of_a_runtime_are_told():
    stream = io.StringIO()
    async with Runtime() as runtime:
        with JSONLines(None, stream) as lines:
            lines.attach(runtime)
            await nap(0)
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert last["lanes"]["thread"]["cap"] == 1024
    assert [each["name"] for each in last["tools"]] == ["nap"]
    assert last["eta"] is None


def test_closing_twice_writes_one_last_line():
    stream = io.StringIO()
    lines = JSONLines(1, stream)
    lines.close()
    lines.close()
    assert stream.getvalue().count("\n") == 1


def test_a_pipe_nobody_reads_ends_the_lines_and_nothing_else():
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    with JSONLines(10, stream, interval=0.002) as lines:
        for _ in range(5):
            lines.update("Ok")
            time.sleep(0.003)
    with pytest.raises(BrokenPipeError):
        stream.close()


@pytest.mark.parametrize(("total", "interval"), [(-1, 1.0), (1, 0.0), (1, float("nan"))])
def test_bad_figures_are_refused(total, interval):
    with pytest.raises(ValueError, match=r"total=|interval="):
        JSONLines(total, io.StringIO(), interval)


async def test_limits_and_money_travel_as_json_and_come_back_the_same():
    stream = io.StringIO()

    @tool(limit=Limit(1, name="stove", per_second=50))
    async def cook() -> None:
        await asyncio.sleep(0)
        charge(tokens_in=7, usd=0.25)

    async with Runtime(stall=None) as runtime:
        with JSONLines(None, stream) as lines, budget(usd=1):
            lines.attach(runtime)
            await gather(*[cook() for _ in range(3)])
    last = msgspec.json.decode(stream.getvalue().splitlines()[-1], type=Snapshot)
    assert [(limit.name, limit.waited, limit.used) for limit in last.limits] == [("stove", 2, {"per_second": (3, 50)})]
    assert last.spent == SpentFacts(0.75, 21, 0)
    assert [(each.name, each.spent["usd"]) for each in last.budgets] == [("budget(usd=1)", 0.75)]
