"""The stuck watch: a deadlock is told once, soon after it has closed, and nothing else is."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from linecook import Runtime
from linecook.observe import Deadlock
from linecook.observe.pulse import Pulse
from linecook.observe.stuck import watch as watching
from linecook.observe.stuck.watch import StuckWatch
from tests.aside import aside


class Ears:
    """A watch that looks when it is told to, and what it has said."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Deadlock | None]] = []
        self.watch = StuckWatch(pulse=Pulse(), often=3600, long=0.01)
        self.unwatch = self.watch.watch(asyncio.get_running_loop(), lambda *told: self.told.append(told))

    async def look_twice(self) -> None:
        await aside(self.watch.look)
        await asyncio.sleep(0.03)
        await aside(self.watch.look)

    @property
    def deadlocks(self) -> list[Deadlock]:
        return [deadlock for _, deadlock in self.told if deadlock is not None]


async def takes(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass


async def test_a_deadlock_is_told_once() -> None:
    a, b = asyncio.Lock(), asyncio.Lock()
    ears = Ears()
    tasks = [asyncio.create_task(takes(*locks)) for locks in ((a, b), (b, a))]
    await asyncio.sleep(0.01)
    for _ in range(20):
        await ears.look_twice()
        if ears.told:
            break
    await ears.look_twice()
    ears.unwatch()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert len(ears.told) == 1, ears.told
    (deadlock,) = ears.deadlocks
    assert len(deadlock.circle) == 2
    assert ears.told[0][0].startswith("DEADLOCK: these 2 tasks wait for each other")


async def test_what_goes_on_is_not_told_of() -> None:
    lock = asyncio.Lock()
    ears = Ears()

    async def holds() -> None:
        async with lock:
            await asyncio.sleep(20)

    tasks = [asyncio.create_task(each) for each in (holds(), takes(lock, asyncio.Lock()), asyncio.sleep(20))]
    await asyncio.sleep(0.01)
    await ears.look_twice()
    ears.unwatch()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert ears.told == []


async def test_a_semaphore_with_a_holder_that_moves_on_is_no_deadlock() -> None:
    slots = asyncio.Semaphore(2)
    ears = Ears()

    async def moves() -> None:
        async with slots:
            while True:
                await asyncio.sleep(0.001)

    async def holds_and_wants() -> None:
        async with slots:
            await asyncio.sleep(0)
            async with slots:
                pass

    tasks = [asyncio.create_task(each) for each in (moves(), holds_and_wants())]
    await asyncio.sleep(0.01)
    await ears.look_twice()
    ears.unwatch()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert ears.told == []


async def test_it_never_takes_more_than_its_share_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ears = Ears()
    monkeypatch.setattr(ears.watch, "look", lambda: _burn(0.02))
    monkeypatch.setattr(ears.watch, "_often", 0.0)
    pauses = [ears.watch._beat(None) for _ in range(2)]  # type: ignore[arg-type]
    ears.unwatch()
    assert pauses[0] < pauses[1]
    assert pauses[1] >= 0.015 * 500  # and 8 s are the most


def _burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.mark.slow
async def test_a_runtime_tells_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "OFTEN", 0.05)
    a, b = asyncio.Lock(), asyncio.Lock()
    with caplog.at_level(logging.WARNING, "linecook"):
        async with Runtime(drain=0):
            tasks = [asyncio.create_task(takes(*locks)) for locks in ((a, b), (b, a))]
            deadline = time.monotonic() + 30
            while "DEADLOCK" not in caplog.text and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    assert "these 2 tasks wait for each other" in caplog.text
    assert "Cure: take the locks in the same order everywhere" in caplog.text
