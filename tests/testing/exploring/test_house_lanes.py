"""Our own lanes, in every order: each answer reaches whoever asked, once, or is given up and told how.

The tools run as they are, on threads and processes under the explorer's control. The thread lane itself, its worker
against whoever gives a job up, is run step by step further below, its own source as the code that may lose its turn.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import linecook
from linecook import Cancelled, Ok, Runtime, TimedOut, gather, settle, tool
from linecook._core.meter import Meter
from linecook.errors import TimedOutError
from linecook.lanes.base import ABANDONED, DONE, DROPPED, Job
from linecook.lanes.crew import Worker
from linecook.lanes.thread import ThreadLane
from linecook.testing import outside
from linecook.testing.exploring.threads.control import Control, OldestFirst
from linecook.testing.exploring.threads.threads import ControlledThread
from tests.testing.exploring.driver import outcomes
from tests.testing.exploring.house import in_every_order

LANES = str(Path(linecook.__file__).parent / "lanes")


def pass_through(dish: str) -> str:
    """Return *dish*: a call, where a thread may lose its turn."""
    return dish


@tool
def chop(dish: str) -> str:
    return pass_through(dish)


@tool(timeout=1)
def chop_soon(dish: str) -> str:
    return pass_through(dish)


@tool(timeout=1)
def chop_slowly(dish: str) -> str:
    time.sleep(1)
    return dish


@tool(lane="process")
def grind(dish: str) -> str:
    return dish


@tool(lane="process", timeout=1)
def grind_soon(dish: str) -> str:
    return dish


async def with_a_cancel(call: Awaitable[str]) -> None:
    """Cancel *call* at some moment: it ends cancelled if it was there to be asked; else with its value, or late."""

    async def awaited() -> str:
        return await call

    task = asyncio.create_task(awaited())
    await outside("the cancel")
    asked = task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() == asked
    if not asked:
        assert isinstance(task.exception(), TimedOutError) or task.result() == "soup"


async def a_thread_is_cancelled() -> None:
    await with_a_cancel(chop("soup"))
    assert await chop("roast") == "roast"


async def a_thread_with_a_deadline_is_cancelled() -> None:
    await with_a_cancel(chop_soon("soup"))
    assert await chop("roast") == "roast"


async def a_process_is_cancelled() -> None:
    await with_a_cancel(grind("soup"))
    assert await grind("roast") == "roast"


async def a_process_with_a_deadline_is_cancelled() -> None:
    await with_a_cancel(grind_soon("soup"))


async def threads_are_late() -> None:
    async with Runtime() as runtime:
        for dish, outcome in zip(("soup", "pie"), await settle(chop_slowly("soup"), chop_soon("pie")), strict=True):
            assert outcome.value == dish if isinstance(outcome, Ok) else isinstance(outcome, TimedOut)
            assert outcome.work in ("finished", "not started", "abandoned")
        assert runtime.statistics()["background"] == 0


async def both_lanes_answer() -> None:
    assert await gather(chop("a"), grind("b"), grind("c")) == ("a", "b", "c")


async def a_fan_out_is_late() -> None:
    for outcome in await settle((grind(dish) for dish in "abc"), limit=2, timeout=1):
        assert isinstance(outcome, (Ok, TimedOut, Cancelled))


PROGRAMS = [
    a_thread_is_cancelled, a_thread_with_a_deadline_is_cancelled, a_process_is_cancelled,
    a_process_with_a_deadline_is_cancelled, threads_are_late, both_lanes_answer, a_fan_out_is_late,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_an_answer_is_handed_over_once_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program)


# ---- the thread lane itself: its worker against whoever gives a job up


class Port:
    """What a lane hands its ended jobs to: a ``Delivery`` that has no loop, and keeps them."""

    def __init__(self) -> None:
        self.done = self.urgent = deque[Job]()
        self.put = self.done.append
        self.wake: Callable[[], None] = lambda: None


class Counter:
    """A thread lane with one job in it, and one worker that serves it and goes home."""

    def __init__(self) -> None:
        self.lane = ThreadLane(threads=1)
        self.port, self.served, self.answers = Port(), 0, list[str]()
        self.job = Job(self.serve, (), {}, Meter("soup"), None, "soup")  # type: ignore[arg-type]
        self.job.port = self.port
        self.lane._line_up(self.job)
        self.lane._crew._closed = True  # so that a worker that finds nothing to do leaves
        self.worker = Worker("one", lambda _me: None)
        self.lane._crew.workers.add(self.worker)

    def serve(self) -> str:
        self.served += 1
        return "soup"

    def work(self) -> None:
        self.lane._serve(self.worker)

    def give_up(self) -> None:
        self.answers.append(self.lane.cancel(self.job))

    def drop(self) -> None:
        self.answers.append("not started" if self.lane.drop(self.job) else "")

    def told(self) -> str:
        """Say what came of it, after everything that must hold was looked at."""
        lane, job = self.lane, self.job
        given_up = [answer for answer in self.answers if answer]
        assert len(set(given_up)) <= 1, f"two answers to one question: {self.answers}"
        answer = given_up[0] if given_up else "finished"
        states = {"not started": DROPPED, "abandoned": ABANDONED, "finished": DONE}
        assert job.state == states[answer], (job.state, self.answers)
        assert self.served == (answer != "not started")
        assert list(self.port.done) == [job] * (answer != "not started"), "counted once, if it ran"
        assert not lane._claims
        assert not lane._abandoned
        assert lane._dropped == 0
        assert not len(lane._waiting)
        assert not lane._crew.lost
        return answer


def programs(*others: str) -> Callable[[], tuple[list[Callable[[], Any]], Callable[[], Any]]]:
    def program() -> tuple[list[Callable[[], Any]], Callable[[], Any]]:
        counter = Counter()
        return [counter.work, *(getattr(counter, other) for other in others)], counter.told

    return program


@pytest.fixture(params=["gil", "opcodes"])
def control(request: pytest.FixtureRequest) -> Iterator[Control]:
    scheduler = OldestFirst()
    scheduler.advance_to(1.0)  # at 0.0 a time would look as if it hadn't come yet
    with Control(scheduler, points=request.param, include=(LANES,), patience=2.0) as opened:
        yield opened


def come_to(other: str, control: Control, *, work_first: int | None, other_first: int | None) -> str:
    """Let the worker take *work_first* steps, then the other so many; then the worker ends, then the other.

    None: to the end. Where a thread waits for a lock that the other holds, it is the other's turn.
    """
    counter = Counter()
    worker, giver = ControlledThread(counter.work), ControlledThread(getattr(counter, other))
    turns = [(worker, work_first), (giver, other_first), (worker, None), (giver, None), (worker, None)]
    for thread, most in turns:
        taken = 0
        while thread.can_go_on() and taken != most:
            thread.step()
            taken += 1
    worker.result()
    giver.result()
    control.clear()
    return counter.told()


def steps_of(body: Callable[[Counter], None], control: Control) -> int:
    thread, steps = ControlledThread(body, (Counter(),)), 0
    while thread.can_go_on():
        thread.step()
        steps += 1
    thread.result()
    control.clear()
    return steps


@pytest.mark.slow
@pytest.mark.parametrize("other", ["give_up", "drop"])
def test_a_job_is_served_or_given_up_and_never_both(other: str, control: Control) -> None:
    """Wherever the worker is when the other comes, and wherever the other is when the worker goes on."""
    work, give_up = steps_of(Counter.work, control), steps_of(getattr(Counter, other), control)
    found = {come_to(other, control, work_first=at, other_first=None) for at in range(work + 1)}
    found |= {come_to(other, control, work_first=0, other_first=at) for at in range(give_up + 1)}
    assert found == {"finished", "not started"} | ({"abandoned"} if other == "give_up" else set())
    if control.points == "gil":  # both at once are too many where each opcode is a point
        for at in range(work + 1):
            for then in range(give_up + 1):
                come_to(other, control, work_first=at, other_first=then)


@pytest.mark.slow
def test_a_job_dropped_by_two_threads_leaves_no_claim_behind(control: Control) -> None:
    """As an executor's future does that two threads cancel; found by this test: a claim was put back for ever."""
    found = outcomes(programs("drop", "drop"), control=control, random_walks=300)
    assert "not started" in found
