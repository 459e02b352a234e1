import asyncio
import io
import os
import re
import time

import pytest

from linecook import Limit, Runtime, charge, tool
from linecook.observe import ProgressLines


def wait_for(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert condition()


def test_the_summary_counts_everything():
    stream = io.StringIO()
    with ProgressLines(5000, stream, interval=60) as lines:
        for kind, count in {"Ok": 1230, "Failed": 3, "TimedOut": 1, "Cancelled": 2}.items():
            for _ in range(count):
                lines.update(kind)
    assert re.fullmatch(
        r"1,236 of 5,000 done \(24 %\), 3 failed, 1 timed out, 2 cancelled in [\d.]+ s, [\d,.]+/s\n", stream.getvalue()
    )


def test_lines_come_while_it_runs_with_rate_and_time_left():
    stream = io.StringIO()
    with ProgressLines(100, stream, interval=0.01) as lines:
        lines.update("Ok")
        wait_for(lambda: stream.getvalue().count("\n") >= 1)
        first = stream.getvalue().splitlines()[0]
    assert re.fullmatch(r"1 of 100 done \(1 %\), [\d,.]+/s, about [\d.]+ (s|min|h) left", first)


def test_nothing_is_printed_while_nothing_changes():
    stream = io.StringIO()
    with ProgressLines(10, stream, interval=0.002):
        time.sleep(0.05)
        assert stream.getvalue() == ""
    assert stream.getvalue().startswith("0 of 10 done (0 %) in ")


def test_after_a_while_without_news_a_line_says_that_the_work_goes_on(monkeypatch):
    monkeypatch.setattr("linecook.observe.lines._STILL", 0.01)
    stream = io.StringIO()
    with ProgressLines(10, stream, interval=0.002):
        wait_for(lambda: "still working: 0 of 10 done (0 %), 0." in stream.getvalue())


def test_an_unknown_total_shows_no_share_and_may_become_known():
    stream = io.StringIO()
    with ProgressLines(None, stream, interval=0.005) as lines:
        lines.update("Ok")
        wait_for(lambda: stream.getvalue())
        assert re.match(r"1 done, [\d,.]+/s\n", stream.getvalue())
        lines.expect(4)
    assert stream.getvalue().splitlines()[-1].startswith("1 of 4 done (25 %) in ")


def test_an_empty_input_is_no_trouble():
    stream = io.StringIO()
    ProgressLines(0, stream).close()
    assert stream.getvalue().startswith("0 of 0 done in ")


def test_a_closed_stream_ends_the_lines_and_nothing_else():
    stream = io.StringIO()
    with ProgressLines(10, stream, interval=0.002) as lines:
        stream.close()
        for _ in range(5):
            lines.update("Ok")
            time.sleep(0.003)


def test_a_pipe_nobody_reads_ends_the_lines_and_nothing_else():
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    with ProgressLines(10, stream, interval=0.002) as lines:
        for _ in range(5):
            lines.update("Ok")
            time.sleep(0.003)
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_closing_twice_prints_one_summary():
    stream = io.StringIO()
    lines = ProgressLines(1, stream)
    lines.close()
    lines.close()
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(("total", "interval"), [(-1, 1.0), (1, 0.0), (1, float("nan"))])
def test_bad_figures_are_refused(total, interval):
    with pytest.raises(ValueError, match=r"total=|interval="):
        ProgressLines(total, io.StringIO(), interval)


async def test_lines_say_for_which_limit_calls_wait_and_what_was_spent(monkeypatch):
    monkeypatch.setattr("linecook.observe.lines._STILL", 0.01)
    stream = io.StringIO()

    @tool(limit=Limit(1, name="stove"))
    async def cook(seconds: float) -> None:
        charge(tokens_in=10, usd=0.5)
        await asyncio.sleep(seconds)

    async with Runtime(stall=None, drain=0) as runtime:
        with ProgressLines(3, stream, interval=0.002) as lines:
            lines.attach(runtime)
            await cook(0)
            for _ in range(3):
                runtime.start(cook(5.0))
            deadline = time.monotonic() + 5
            while "2 wait for stove (1 of 1 in flight), 1.00 usd spent" not in stream.getvalue():
                assert time.monotonic() < deadline, stream.getvalue()
                await asyncio.sleep(0.005)
        assert not runtime.events.heard
    assert stream.getvalue().splitlines()[-1].endswith("/s, 1.00 usd spent")


async def test_tokens_without_a_price_are_told_as_tokens():
    stream = io.StringIO()

    @tool
    async def ask() -> None:
        charge(tokens_in=1000, tokens_out=200)

    async with Runtime(stall=None) as runtime:
        with ProgressLines(None, stream, interval=60) as lines:
            lines.attach(runtime)
            await ask()
    assert stream.getvalue().splitlines()[-1].endswith("/s, 1,200 tokens")
