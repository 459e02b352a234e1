"""A hundred thousand agents that wait for a message: how soon they are there, what each costs, and that they answer."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

ASKED = 100  # of them are asked at the end

row = Row(
    title="100,000 idle mailbox agents",
    base="task_and_queue",
    full={"agents": 100_000},
    quick={"agents": 300},
    targets=(
        Target("bytes_each", 2048, 1300, at_most=True, says="bytes each"),
        Target("spawn_rate", 80_000, 150_000, says="started and waiting, a second"),
        Target("spawn_rate", 0.5, 0.8, over="task_and_queue", says="started and waiting, × a task and a queue"),
    ),
    columns=("bytes_each", "spawn_rate"),
    losing=(
        "Goal of 1,300 bytes: task, context, body and its wait are 900 of asyncio's and Python's own before a mailbox, "
        "a call that reports can name, and a supervisor's record."
    ),
)


@row.verify
def check(answers: list[int], agents: int) -> str | None:
    """Those that were asked answered with their number plus one."""
    return None if answers == list(range(1, 1 + ASKED)) else f"the answers are {answers[:3]}…"


def memory() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Spawning:
    """Takes how long it took and what it left in memory."""

    def __init__(self, meter: Meter, agents: int) -> None:
        self._meter, self._agents = meter, agents
        gc.collect()
        self._before, self._began = memory(), time.perf_counter()

    def waiting(self) -> None:
        took = time.perf_counter() - self._began
        gc.collect()
        self._meter.note(spawn_rate=self._agents / took, bytes_each=(memory() - self._before) / self._agents)


@row.linecook
def linecook(meter: Meter, agents: int) -> None:
    from linecook import Ask, Inbox, agent, run, team

    class Number(Ask[int]):
        def __init__(self, value: int) -> None:
            self.value = value

    @agent
    async def adder(inbox: Inbox[Number]) -> None:
        async for message in inbox:
            message.reply(message.body.value + 1)

    async def main() -> None:
        async with team(grace=60.0) as office:
            await office.start(adder()).stop()
            with meter.timing():
                spawning = Spawning(meter, agents)
                refs = [office.start(adder()) for _ in range(agents)]
                await asyncio.sleep(0)
                spawning.waiting()
            answers = [await refs[place].ask(Number(place)) for place in range(ASKED)]
        meter.answer(answers)

    run(main())


@row.stdlib
def task_and_queue(meter: Meter, agents: int) -> None:
    async def adder(questions: asyncio.Queue[tuple[int, asyncio.Future[int]]]) -> None:
        while True:
            number, answer = await questions.get()
            answer.set_result(number + 1)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with meter.timing():
            spawning = Spawning(meter, agents)
            queues: list[asyncio.Queue[tuple[int, asyncio.Future[int]]]] = [asyncio.Queue() for _ in range(agents)]
            tasks = [asyncio.create_task(adder(queue)) for queue in queues]
            await asyncio.sleep(0)
            spawning.waiting()
        answers = []
        for place in range(ASKED):
            answer = loop.create_future()
            await queues[place].put((place, answer))
            answers.append(await answer)
        for task in tasks:
            task.cancel()
        meter.answer(answers)

    asyncio.run(main())
