"""Asking a loop from another thread: sliced, bounded, and no harm to the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator

import pytest

from linecook.observe.live import asking
from linecook.observe.live.asking import Gone, StandsStill, ask
from tests.aside import aside, begin_aside


def long_work(seconds: float) -> Generator[None, None, str]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
    return "done"


def broken_work() -> Generator[None, None, str]:
    yield
    raise KeyError("broken")


async def test_long_work_lets_the_others_run_in_between() -> None:
    def ten_slices() -> Generator[None, None, str]:
        for _ in range(10):
            time.sleep(1.2 * asking.SLICE)
            yield
        return "done"

    asked = begin_aside(ask, asyncio.get_running_loop(), ten_slices)
    turns = 0
    while not asked.done():
        await asyncio.sleep(0)
        turns += 1
    assert await asked == "done"
    assert turns >= 8


async def test_an_error_belongs_to_whoever_asks() -> None:
    with pytest.raises(KeyError, match="broken"):
        await aside(ask, asyncio.get_running_loop(), broken_work)


async def test_a_loop_that_stands_still_is_named_and_never_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BEGIN", 0.02)
    done: list[int] = []

    def work() -> Generator[None, None, None]:
        done.append(1)
        yield

    asked = begin_aside(ask, asyncio.get_running_loop(), work)
    time.sleep(0.2)
    with pytest.raises(StandsStill, match=r"not turned for 0\.\d s"):
        await asked
    await asyncio.sleep(0.01)
    assert done == []


def test_a_closed_loop_is_gone() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(Gone, match="the program is ending"):
        ask(loop, lambda: long_work(0))


async def test_work_that_takes_too_long_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "END", 0.02)
    steps = 0

    def endless() -> Generator[None, None, None]:
        nonlocal steps
        while True:
            steps += 1
            yield

    with pytest.raises(StandsStill):
        await aside(ask, asyncio.get_running_loop(), endless)
    await asyncio.sleep(0.02)
    seen = steps
    await asyncio.sleep(0.02)
    assert steps == seen
