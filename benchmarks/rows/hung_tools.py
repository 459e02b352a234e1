"""1 % of the agents call a sync tool that never returns; the others must not notice."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

LATE = None  # what a hand-written side answers for a call that timed out
Answers = list[int | None]

row = Row(
    title="10,000 agents, 1 % in a sync tool that never returns, 1 s deadline",
    base="to_thread_wait_for",
    full={"agents": 10_000, "deadline": 1.0},
    quick={"agents": 500, "deadline": 0.5},
    targets=(
        Target("right_share", 1.0, 1.0, says="share of the healthy 99 % that is right"),
        Target("abandoned_share", 1.0, 1.0, says="share of the hung 1 % that is TimedOut saying abandoned"),
        Target("over_deadline", 1.10, 1.03, at_most=True, says="until all are back, in deadlines"),
        Target("exit_s", 0.5, 0.1, at_most=True, says="seconds until the process is gone"),
    ),
    columns=("right", "timed_out", "wall_s", "lag_max_ms", "threads", "exit_s"),
    time_limit=20.0,
)


def look_up(number: int) -> int:
    """Answer at once, or never."""
    if hangs(number):
        while True:
            time.sleep(3600)
    return number * 2


def hangs(number: int) -> bool:
    """Say whether this call never returns: one in a hundred."""
    return number % 100 == 50


@row.verify
def check(answers: Answers, agents: int, deadline: float) -> str | None:
    """Every agent is accounted for, and who answered answered right; how many did is the row's figure."""
    if len(answers) != agents:
        return f"{len(answers)} answers for {agents} agents"
    wrong = [n for n, answer in enumerate(answers) if answer is not LATE and (answer != n * 2 or hangs(n))]
    return f"agent {wrong[0]} answered {answers[wrong[0]]}" if wrong else None


def tell(meter: Meter, answers: Answers, deadline: float) -> None:
    """Count who came back with what."""
    healthy = sum(not hangs(n) for n in range(len(answers)))
    right = sum(answer is not LATE for answer in answers)
    meter.note(
        right=right, right_share=right / healthy, timed_out=len(answers) - right, threads=threading.active_count()
    )
    meter.note(over_deadline=meter.figures["wall_s"] / deadline)
    meter.answer(answers)


@row.linecook
def linecook(meter: Meter, agents: int, deadline: float) -> None:
    from linecook import Ok, TimedOut, agent, run, settle, tool

    ask_the_registry = tool(timeout=deadline)(look_up)

    @agent
    async def clerk(number: int) -> int:
        return await ask_the_registry(number)

    async def main() -> None:
        await settle(clerk(n * 100) for n in range(8))  # numbers that don't hang
        async with meter.watching():
            outcomes = await settle((clerk(n) for n in range(agents)), limit=None)
        late = [outcome for outcome in outcomes if isinstance(outcome, TimedOut)]
        abandoned = sum(outcome.work == "abandoned" for outcome in late)
        meter.note(abandoned_share=abandoned / sum(hangs(n) for n in range(agents)))
        tell(meter, [outcome.value if isinstance(outcome, Ok) else LATE for outcome in outcomes], deadline)

    run(main())


@row.stdlib
def to_thread_wait_for(meter: Meter, agents: int, deadline: float) -> None:
    async def clerk(number: int) -> int | None:
        try:
            return await asyncio.wait_for(asyncio.to_thread(look_up, number), deadline)
        except TimeoutError:
            return LATE

    async def main() -> None:
        await clerk(0)
        async with meter.watching():
            answers = await asyncio.gather(*(clerk(n) for n in range(agents)))
        tell(meter, answers, deadline)

    asyncio.run(main())


@row.stdlib
def pool64_wait_for(meter: Meter, agents: int, deadline: float) -> None:
    async def main() -> None:
        loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(64)

        async def clerk(number: int) -> int | None:
            try:
                return await asyncio.wait_for(loop.run_in_executor(pool, look_up, number), deadline)
            except TimeoutError:
                return LATE

        await clerk(0)
        async with meter.watching():
            answers = await asyncio.gather(*(clerk(n) for n in range(agents)))
        tell(meter, answers, deadline)

    asyncio.run(main())


@row.peer("anyio")
def anyio_abandon(meter: Meter, agents: int, deadline: float) -> None:
    import anyio
    import anyio.to_thread

    answers: Answers = [LATE] * agents

    async def clerk(number: int) -> None:
        with anyio.move_on_after(deadline):
            answers[number] = await anyio.to_thread.run_sync(look_up, number, abandon_on_cancel=True)

    async def main() -> None:
        await clerk(0)
        async with meter.watching():
            async with anyio.create_task_group() as group:
                for n in range(agents):
                    group.start_soon(clerk, n)
        tell(meter, answers, deadline)

    anyio.run(main)


@row.peer("trio")
def trio_abandon(meter: Meter, agents: int, deadline: float) -> None:
    import trio

    answers: Answers = [LATE] * agents

    async def clerk(number: int) -> None:
        with trio.move_on_after(deadline):
            answers[number] = await trio.to_thread.run_sync(look_up, number, abandon_on_cancel=True)

    async def main() -> None:
        await clerk(0)
        with meter.timing():
            async with trio.open_nursery() as nursery:
                for n in range(agents):
                    nursery.start_soon(clerk, n)
        tell(meter, answers, deadline)

    trio.run(main)
