"""Teams whose agents crash, are late, forget to answer; teams that give up; listeners that leave."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.soak.kitchen import Burnt, Kitchen, every
from benchmarks.soak.troubles.threads import short
from linecook import Ask, Inbox, Ref, Topic, agent, gather, scope, team
from linecook.errors import AgentFailed, TeamFailed, TimedOutError


@dataclass(frozen=True, slots=True)
class Order(Ask[int]):
    number: int
    end: str


@agent
async def cook(inbox: Inbox[Order], kitchen: Kitchen) -> None:
    async for message in inbox:
        order = message.body
        if order.end == "crash":
            raise Burnt(order.number)
        if order.end == "late":
            await asyncio.sleep(0.05)
        if order.end != "forget":
            message.reply(await short(order.number))


@every(0.5)
async def teams_that_crash(kitchen: Kitchen) -> None:
    """Twelve cooks, sixty questions, and each third one ends badly; the team lasts."""
    async with team(intensity=None, restart=kitchen.dice.choice(["one_for_one", "rest_for_one"])) as staff:
        cooks = [staff.start(cook(kitchen)) for _ in range(12)]
        ends = ["well"] * 40 + ["crash"] * 8 + ["late"] * 6 + ["forget"] * 6
        kitchen.dice.shuffle(ends)
        answers = await gather(_asked(cooks[place % 12], place, end) for place, end in enumerate(ends))
        kitchen.expect(all(answer in (None, place + 1) for place, answer in enumerate(answers)), "a wrong reply")
    kitchen.calls += 60


async def _asked(ref: Ref[Order], number: int, end: str) -> int | None:
    try:
        return await ref.ask(Order(number, end), timeout=0.02 if end == "late" else 10)
    except Exception:
        return None


@every(2.0)
async def teams_that_give_up(kitchen: Kitchen) -> None:
    with suppress(TeamFailed):
        async with team(intensity=2) as staff:
            ref = staff.start(cook(kitchen))
            for number in range(5):
                with suppress(AgentFailed, TimedOutError):
                    await ref.ask(Order(number, "crash"), timeout=1)
            kitchen.expect(False, "the team did not give up")
    kitchen.calls += 3


@agent
async def listener(news: Topic[str]) -> int:
    heard = 0
    async with news.subscribe() as mine:
        async for _ in mine:
            heard += 1
    return heard


@every(0.4)
async def listeners_that_leave(kitchen: Kitchen) -> None:
    async with scope() as s:
        for _ in range(20):
            s.start(listener(kitchen.news))
        await asyncio.sleep(0.01)
        for number in range(150):  # more than the topic keeps
            await kitchen.news.publish(f"news {number}")
            if number % 50 == 0:
                await asyncio.sleep(0)
        s.cancel()
    kitchen.calls += 20
