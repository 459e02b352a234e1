"""One call in a task of its own: however it ends, there is one outcome, told once."""

import asyncio
import gc
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from linecook import Cancelled, Failed, Ok, TimedOut, agent, fail_after
from linecook._core.callframe import call_from
from linecook._core.running import Running
from linecook.errors import BodyExited, TimedOutError


def started(coroutine: Any) -> tuple[Running[Any], list[Running[Any]]]:
    ended: list[Running[Any]] = []
    call = call_from(coroutine)
    context = copy_context()
    running: Running[Any] = Running(call, ended.append)
    running.start(call.open(None, context), asyncio.get_running_loop(), context)
    return running, ended


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@agent
async def nap(seconds: float, answer: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return answer


@agent
async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def test_a_value_becomes_ok():
    running, ended = started(nap(0, "done"))
    await turns()
    assert running.outcome == Ok("done")
    assert running.outcome.call is running.call
    assert ended == [running]


async def test_an_error_becomes_failed_with_a_note_that_names_the_call():
    error = ValueError("x")
    running, ended = started(fail(error))
    await turns()
    assert isinstance(running.outcome, Failed)
    assert running.outcome.error is error
    assert any("in fail(ValueError('x')) on lane loop" in note for note in error.__notes__)
    assert ended == [running]


async def test_a_deadline_inside_that_nobody_handled_becomes_timed_out(clock):
    @agent
    async def impatient() -> None:
        with fail_after(2):
            await asyncio.sleep(3600)

    running, _ = started(impatient())
    await asyncio.sleep(3)
    assert isinstance(running.outcome, TimedOut)
    assert running.outcome.after == 2
    assert isinstance(running.outcome.error, TimedOutError)


async def test_the_first_reason_for_a_cancellation_is_the_one_told(clock):
    running, ended = started(nap(3600))
    await turns()
    running.cancel("deadline")
    running.cancel("caller")
    await turns()
    assert running.outcome == Cancelled("deadline")
    assert running.outcome.work == "stopped"
    running.cancel("too late")
    assert running.outcome == Cancelled("deadline")
    assert ended == [running]


@pytest.mark.parametrize("by_us", [True, False])
@pytest.mark.parametrize("plain", [True, False])
async def test_a_cancel_before_the_first_step_is_an_outcome_too(by_us, plain):
    running, ended = started(asyncio.sleep(0) if plain else nap(0))
    if by_us:
        running.cancel("sibling")
    else:
        assert running.task
        running.task.cancel()
    await turns()
    assert running.outcome == Cancelled("sibling" if by_us else "caller")
    assert running.outcome.work == "not started"
    assert running.outcome.times.attempts == 0
    assert running.outcome.times.running == 0.0
    assert ended == [running]
    gc.collect()  # and nothing is reported as never awaited


async def test_a_body_that_answers_its_cancellation_with_a_value_is_ok():
    @agent
    async def stubborn() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "anyway"
        return ""

    running, _ = started(stubborn())
    await turns()
    running.cancel("sibling")
    await turns()
    assert running.outcome == Ok("anyway")


@pytest.mark.parametrize(
    "exit_", [StopIteration, StopAsyncIteration, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]
)
async def test_an_exit_of_the_body_is_contained_with_the_original_as_cause(exit_):
    running, ended = started(fail(exit_("words")))
    await turns()
    assert isinstance(running.outcome, Failed)
    assert isinstance(running.outcome.error, BodyExited)
    assert isinstance(running.outcome.error.__cause__, exit_)
    assert ended == [running]


async def test_the_outcome_is_settled_once_and_a_late_end_is_ignored(clock):
    running, ended = started(nap(1, "late"))
    running.end_as(Cancelled("scope", running.call, work="abandoned"))
    await asyncio.sleep(2)
    assert running.outcome == Cancelled("scope")
    assert ended == [running]


async def test_its_context_is_its_own():
    badge: ContextVar[str] = ContextVar("badge", default="-")

    @agent
    async def work() -> str:
        badge.set("mine")
        await asyncio.sleep(0)
        return badge.get()

    running, _ = started(work())
    await turns()
    assert running.outcome == Ok("mine")
    assert badge.get() == "-"


def test_a_loop_that_is_gone_leaves_no_outcome_and_no_noise():
    ended: list[Any] = []

    async def main() -> None:
        running, told = started(nap(3600))
        ended.append(told)
        running.task._log_destroy_pending = False  # type: ignore[union-attr]
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    gc.collect()
    assert ended == [[]]
