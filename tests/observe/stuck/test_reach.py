"""Which waits nobody can end: what those who still run can reach, and what they can't."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import Any

import pytest

from linecook.observe.stuck.reach import unreachable
from tests.aside import aside


class Agent:
    """Somebody with an event of his own."""

    def __init__(self) -> None:
        self.said = asyncio.Event()

    async def listens(self) -> None:
        await self.said.wait()


async def lost_among(*tasks: asyncio.Task[Any]) -> list[str]:
    await asyncio.sleep(0.01)
    names = await aside(lambda: sorted(task.get_name() for task in unreachable(tasks, 20) or ()))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return names


async def test_a_timer_a_callback_and_a_module_can_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timed, weak, known = Agent(), Agent(), Agent()
    loop.call_later(20, timed.said.set)
    monkeypatch.setattr(sys.modules[__name__], "registry", known, raising=False)
    monkeypatch.setattr(sys.modules[__name__], "weakly", weakref.WeakSet([weak]), raising=False)
    tasks = [
        asyncio.create_task(each.listens(), name=name)
        for name, each in (("timed", timed), ("known", known), ("weak", weak), ("lost", Agent()))
    ]
    del timed, known, weak
    assert await lost_among(*tasks) == ["lost"]


async def test_who_is_woken_may_wake_others() -> None:
    async def relays(first: asyncio.Event, second: asyncio.Event) -> None:
        await first.wait()
        second.set()

    async def listens(event: asyncio.Event) -> None:
        await event.wait()

    def chain(name: str) -> tuple[asyncio.Event, list[asyncio.Task[None]]]:
        first, second = asyncio.Event(), asyncio.Event()
        return first, [
            asyncio.create_task(relays(first, second), name=f"{name} relay"),
            asyncio.create_task(listens(second), name=f"{name} end"),
        ]

    first, woken = chain("woken")
    forgotten = chain("forgotten")[1]
    assert first is not None
    assert await lost_among(*woken, *forgotten) == ["forgotten end", "forgotten relay"]


async def test_a_search_that_takes_too_long_says_that_it_does_not_know() -> None:
    task = asyncio.create_task(Agent().listens())
    await asyncio.sleep(0)
    assert unreachable([task], 0.0) is None
    task.cancel()
    await asyncio.wait([task])


def test_modules_are_followed_by_their_names_only() -> None:
    """gc.get_referents(_asyncio) never returns on CPython 3.12, once a future has been awaited."""
    assert not any(isinstance(each, type(sys)) and each.__name__ == "_asyncio" for each in gc.get_referents(vars(gc)))

    async def main() -> None:
        await asyncio.sleep(0.001)
        task = asyncio.create_task(Agent().listens())
        await asyncio.sleep(0)
        assert unreachable([task], 20) is not None
        task.cancel()

    asyncio.run(main())


class Proxy:
    """As web frameworks have them: it asks about itself where no request is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("working outside of a request")


async def test_objects_that_raise_when_they_are_asked_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "registry", {"request": Proxy()}, raising=False)
    lost = asyncio.create_task(Agent().listens(), name="lost")
    assert await lost_among(lost) == ["lost"]


async def test_who_is_woken_while_we_search_is_not_lost() -> None:
    loop = asyncio.get_running_loop()

    async def waits_again_and_again() -> None:
        while True:
            agent = Agent()
            loop.call_soon(agent.said.set)  # the loop alone knows it, and soon nobody does
            await agent.listens()

    assert await lost_among(*(asyncio.create_task(waits_again_and_again()) for _ in range(3))) == []
