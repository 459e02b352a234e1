"""Agents that crash: how soon the next message is answered, and whether 10,000 random crashes lose or double any."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.harness.meter import Meter, percentile
from benchmarks.harness.row import Row, Target

AGENTS = 20
ALONE = -1  # the one that crashes while nothing else goes on

row = Row(
    title="an agent crashes and is asked again; then 20 agents crash 10,000 times at random while they are asked",
    base="by_hand",
    full={"crashes": 10_000},
    quick={"crashes": 60},
    targets=(
        Target("restart_ms", 1.0, 0.3, at_most=True, says="from a crash to the next message at work, ms (median)"),
        Target("restart_p99_ms", 5.0, 2.0, at_most=True, says="the same, ms (p99)"),
    ),
    columns=("restart_ms", "restart_p99_ms", "answered", "wall_s"),
    losing="A crash is told to the log at most once a second of a kind; the rest is the error's traceback and notes.",
)


@dataclass
class Result:
    """What the askers and the agents saw.

    Args:
      asked: how many questions there were.
      answered: those that got their answer, by asker and number.
      failed: those whose agent crashed on them.
      handled: what the agents finished.
      crashed: what the agents crashed on.
    """

    asked: int
    answered: list[tuple[int, int]]
    failed: list[tuple[int, int]]
    handled: list[tuple[int, int]]
    crashed: list[tuple[int, int]]


@row.verify
def check(answers: Result, crashes: int) -> str | None:
    """Every question was either answered once or failed once, and exactly those failed on which an agent crashed."""
    seen = answers
    if sorted(seen.answered) != sorted(seen.handled):
        return f"{len(seen.answered)} answers for {len(seen.handled)} that were handled"
    if sorted(seen.failed) != sorted(seen.crashed):
        return f"{len(seen.failed)} failures for {len(seen.crashed)} crashes"
    if len(set(seen.answered) | set(seen.failed)) != seen.asked or len(seen.answered) + len(seen.failed) != seen.asked:
        return "a question is lost or doubled"
    return None if len(seen.crashed) >= crashes else f"only {len(seen.crashed)} crashes"


class Crash(Exception):
    """What an agent dies of."""


class Game:
    """Who is asked what, who crashes when, and what came of it."""

    def __init__(self, crashes: int) -> None:
        self.dice = random.Random(6)
        self.crashes = crashes
        self.result = Result(0, [], [], [], [])
        self._crashed_at = 0.0
        self.gaps: list[float] = []

    async def handle(self, place: int, number: int) -> None:
        """Do the work of one message, or crash on it."""
        if place == ALONE:  # crashes on every other
            if number % 2:
                self._crashed_at = time.perf_counter()
                raise Crash
            self.gaps.append((time.perf_counter() - self._crashed_at) * 1000)
            return
        if self.dice.random() < 0.3:
            await asyncio.sleep(0)
        if self.dice.random() < 0.5:
            self.result.crashed.append((place, number))
            raise Crash
        self.result.handled.append((place, number))

    @property
    def is_on(self) -> bool:
        return len(self.result.crashed) < self.crashes

    def end(self, meter: Meter) -> None:
        meter.note(
            restart_ms=statistics.median(self.gaps),
            restart_p99_ms=percentile(self.gaps, 0.99),
            answered=len(self.result.answered),
        )
        meter.answer(self.result)


@row.linecook
def linecook(meter: Meter, crashes: int) -> None:
    from linecook import Ask, Inbox, Ref, agent, run, team
    from linecook.errors import AgentFailed

    @dataclass(frozen=True, slots=True)
    class Number(Ask[int]):
        value: int

    @agent
    async def shaky(inbox: Inbox[Number], game: Game, place: int) -> None:
        async for message in inbox:
            await game.handle(place, message.body.value)
            message.reply(message.body.value)

    async def client(ref: Ref[Number], game: Game, place: int) -> None:
        number = 0
        while game.is_on:
            number += 1
            game.result.asked += 1
            try:
                assert await ref.ask(Number(number)) == number
            except AgentFailed:
                game.result.failed.append((place, number))
            else:
                game.result.answered.append((place, number))

    async def main() -> None:
        game = Game(crashes)
        async with team(intensity=None) as office:
            alone = office.start(shaky(game, ALONE))
            for number in range(crashes // 10):
                with suppress(AgentFailed):
                    await alone.ask(Number(number))
            refs = [office.start(shaky(game, place)) for place in range(AGENTS)]
            with meter.timing():
                await asyncio.gather(*(client(ref, game, place) for place, ref in enumerate(refs)))
        game.end(meter)

    run(main())


@row.stdlib
def by_hand(meter: Meter, crashes: int) -> None:  # noqa: C901
    """A queue, a future for each answer, and a loop around the agent that begins it anew."""
    Questions = asyncio.Queue[tuple[int, asyncio.Future[int]]]

    async def shaky(questions: Questions, game: Game, place: int) -> None:
        while True:
            number, answer = await questions.get()
            try:
                await game.handle(place, number)
            except Crash as error:
                answer.set_exception(error)
                raise
            answer.set_result(number)

    async def supervise(questions: Questions, game: Game, place: int) -> None:
        while True:
            try:
                await asyncio.create_task(shaky(questions, game, place))
            except Crash:
                continue

    async def client(questions: Questions, game: Game, place: int) -> None:
        number = 0
        while game.is_on:
            number += 1
            game.result.asked += 1
            answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            await questions.put((number, answer))
            try:
                await answer
            except Crash:
                game.result.failed.append((place, number))
            else:
                game.result.answered.append((place, number))

    async def main() -> None:
        game = Game(crashes)
        lines: list[Questions] = [asyncio.Queue() for _ in range(AGENTS)]
        alone: Questions = asyncio.Queue()
        by_itself = asyncio.create_task(supervise(alone, game, ALONE))
        for number in range(crashes // 10):
            answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            await alone.put((number, answer))
            with suppress(Crash):
                await answer
        by_itself.cancel()
        supervisors = [asyncio.create_task(supervise(line, game, place)) for place, line in enumerate(lines)]
        with meter.timing():
            await asyncio.gather(*(client(line, game, place) for place, line in enumerate(lines)))
        for task in supervisors:
            task.cancel()
        game.end(meter)

    asyncio.run(main())
