"""Tasks that outlive their makers, and failures that nobody has looked at."""

from __future__ import annotations

import asyncio
import logging

import pytest

from linecook import agent, run, settle
from linecook.observe import diagnose
from tests.aside import aside


async def lingers() -> None:
    await asyncio.sleep(20)


async def fails() -> None:
    raise ValueError("the model said no")


made: list[asyncio.Task[None]] = []


@agent
async def careless() -> None:
    made.append(asyncio.create_task(lingers(), name="lost"))


async def test_a_task_that_outlived_the_call_that_made_it() -> None:
    await settle([careless()])
    await asyncio.sleep(0)
    (left,) = (await aside(diagnose, asyncio.get_running_loop())).left
    made[-1].cancel()
    await asyncio.wait(made)
    made.clear()
    assert (left.what, left.made_by, left.state) == ("lost (lingers)", "settle/careless[0]", "alive")
    assert "in lingers" in left.made_at
    assert left.told.endswith("await asyncio.sleep(20)")


async def test_a_task_whose_maker_is_still_there_is_not_left() -> None:
    @agent
    async def careful() -> tuple[object, ...]:
        task = asyncio.create_task(lingers())
        await asyncio.sleep(0)
        inside = diagnose().left
        outside = (await aside(diagnose, asyncio.get_running_loop())).left
        task.cancel()
        await asyncio.wait([task])
        return (*inside, *outside)

    assert await careful() == ()
    assert (await settle([careful()])).results == [()]


@pytest.mark.filterwarnings("ignore")
async def test_a_failure_that_nobody_has_looked_at() -> None:
    task = asyncio.create_task(fails(), name="critic")
    await asyncio.sleep(0.01)
    (left,) = diagnose(asyncio.get_running_loop()).left
    assert (left.what, left.state) == ("critic (fails)", "failed")
    assert left.told.startswith("ValueError: the model said no, raised at ")
    assert isinstance(task.exception(), ValueError)
    assert diagnose(asyncio.get_running_loop()).left == ()


def test_what_a_program_leaves_behind_is_named_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        made.append(asyncio.create_task(lingers(), name="forgotten"))
        await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING, "linecook"):
        run(main())
    made.clear()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("the program has ended and a task is left, which is cancelled now: forgotten (lingers)")
    assert "in lingers" in said
