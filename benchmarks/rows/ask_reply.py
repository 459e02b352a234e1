"""A question and its answer between two agents, with and without a time-out on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

TIMEOUT = 5.0

row = Row(
    title="100 pairs of agents, a question and its answer at a time",
    base="two_queues",
    unit="answers",
    full={"pairs": 100, "rounds": 300},
    quick={"pairs": 3, "rounds": 5},
    units=lambda size: size["pairs"] * size["rounds"],
    targets=(
        Target("rate", 1.1, 1.5, over="two_queues"),
        Target(
            "rate", 2.0, 3.0, over="two_queues_timeout", of="linecook_timeout", says="with a time-out, × two queues"
        ),
        Target("rate", 35, 45, over="autogen_core"),
        Target("rate", 4.0, 4.0, over="pykka"),
    ),
    columns=("wall_s", "lag_p99_ms"),
    losing=(
        "A coroutine for ask, the question, its wait and the two wake-ups are what is left; with a time-out the moment "
        "that is queued and given up, and the asker's deadline, which the agent sees, are a sixth of it."
    ),
)


@row.verify
def check(answers: list[int], pairs: int, rounds: int) -> str | None:
    """Each asker got every one of its numbers plus one."""
    return None if answers == [sum(range(1, rounds + 1))] * pairs else f"the sums are {answers[:3]}…"


Asker = Callable[[int], Awaitable[int]]


async def ask_all(meter: Meter, askers: list[Asker], rounds: int) -> None:
    """Let every asker ask its numbers, one after the other, all askers at once."""

    async def client(ask: Asker) -> int:
        total = 0
        for number in range(rounds):
            total += await ask(number)
        return total

    await asyncio.sleep(0)
    async with meter.watching():
        answers = await asyncio.gather(*map(client, askers))
    meter.answer(answers)


def ours(meter: Meter, pairs: int, rounds: int, timeout: float | None) -> None:
    from linecook import Ask, Inbox, Ref, agent, run, team

    class Number(Ask[int]):
        def __init__(self, value: int) -> None:
            self.value = value

    @agent
    async def adder(inbox: Inbox[Number]) -> None:
        async for message in inbox:
            message.reply(message.body.value + 1)

    def asker(ref: Ref[Number]) -> Asker:
        return lambda number: ref.ask(Number(number), timeout=timeout)

    async def main() -> None:
        async with team() as office:
            await ask_all(meter, [asker(office.start(adder())) for _ in range(pairs)], rounds)

    run(main())


@row.linecook
def linecook(meter: Meter, pairs: int, rounds: int) -> None:
    ours(meter, pairs, rounds, None)


@row.linecook
def linecook_timeout(meter: Meter, pairs: int, rounds: int) -> None:
    ours(meter, pairs, rounds, TIMEOUT)


class Number:
    """What goes through the queues: as much as ours carries."""

    def __init__(self, value: int) -> None:
        self.value = value


async def by_queues(meter: Meter, pairs: int, rounds: int, timeout: float | None) -> None:
    async def adder(questions: asyncio.Queue[Number], answers: asyncio.Queue[int]) -> None:
        while True:
            number = await questions.get()
            await answers.put(number.value + 1)

    def asker(questions: asyncio.Queue[Number], answers: asyncio.Queue[int]) -> Asker:
        async def ask(number: int) -> int:
            await questions.put(Number(number))
            return await answers.get()

        async def ask_in_time(number: int) -> int:
            async with asyncio.timeout(timeout):
                await questions.put(Number(number))
                return await answers.get()

        return ask if timeout is None else ask_in_time

    lines: list[tuple[Any, Any]] = [(asyncio.Queue(1000), asyncio.Queue(1000)) for _ in range(pairs)]
    adders = [asyncio.create_task(adder(*line)) for line in lines]
    await ask_all(meter, [asker(*line) for line in lines], rounds)
    for task in adders:
        task.cancel()


@row.stdlib
def two_queues(meter: Meter, pairs: int, rounds: int) -> None:
    asyncio.run(by_queues(meter, pairs, rounds, None))


@row.stdlib
def two_queues_timeout(meter: Meter, pairs: int, rounds: int) -> None:
    asyncio.run(by_queues(meter, pairs, rounds, TIMEOUT))


@row.peer("autogen-core")
def autogen_core(meter: Meter, pairs: int, rounds: int) -> None:
    from benchmarks.rows._autogen import main

    asyncio.run(main(meter, pairs, rounds))


@row.peer("pykka")
def pykka(meter: Meter, pairs: int, rounds: int) -> None:
    """Its askers are threads: one asks all agents at once, which is the quickest way here."""
    import pykka

    class Adder(pykka.ThreadingActor):
        def on_receive(self, message: int) -> int:
            return message + 1

    refs = [Adder.start() for _ in range(pairs)]
    totals = [0] * pairs
    with meter.timing():
        for number in range(rounds):
            waiting = [ref.ask(number, block=False) for ref in refs]
            for place, answer in enumerate(waiting):
                totals[place] += answer.get()
    pykka.ActorRegistry.stop_all()
    meter.answer(totals)
