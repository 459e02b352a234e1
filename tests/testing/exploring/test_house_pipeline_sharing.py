"""Jobs and workers that our own pipelines share, in every order: chunks of small bodies, and ``workers="auto"``."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from linecook import Pipeline, pipeline, tool
from linecook._runtime import current
from linecook.errors import CallCancelled
from linecook.pipeline.chunking import Chunking
from linecook.pipeline.station import Station
from linecook.testing import outside
from tests.testing.exploring.belt import Belt, all_handed_on, cancelled_at_some_moment
from tests.testing.exploring.house import in_every_order


@tool(effect="read")
def chop(dish: str) -> str:
    return dish


@tool(effect="read")
def chop_unless_rotten(dish: str) -> str:
    if dish == "c":
        raise ValueError(dish)
    return dish


def jobs_of(made: Pipeline[Any]) -> int:
    """Return how many jobs the first stage of *made*'s latest run has begun."""
    assert made._latest is not None
    station = made._latest.nodes[1]
    assert isinstance(station, Chunking)
    return station._count


async def small_bodies_share_a_job() -> None:
    belt = Belt()
    made = pipeline(belt.crate("abc")).map(chop, workers=1, ordered=True)
    await made.into(belt.out)
    assert belt.out == list("abc")
    assert belt.is_told()
    assert jobs_of(made) == 2  # one that shows how small they are, and one for two
    assert [row.calls for row in current().report().rows] == [3]


async def two_jobs_are_shared() -> None:
    belt = Belt()
    made = pipeline(belt.crate("abcde")).map(chop, workers=2)
    await made.into(belt.out)
    assert belt.is_told()
    assert jobs_of(made) < 5


async def one_of_a_job_fails() -> None:
    belt = Belt()
    made = pipeline(belt.crate("abcd")).map(chop_unless_rotten, workers=1, on_error="skip", ordered=True)
    await made.into(belt.out)
    assert belt.out == list("abd")
    assert [letter.origin for letter in made.dead_letters] == [2]
    assert belt.is_told(made.dead_letters)


async def one_of_a_job_ends_everything() -> None:
    belt = Belt()
    with pytest.raises(ValueError, match="c") as caught:
        await pipeline(belt.crate("abcd")).map(chop_unless_rotten, workers=1).into(belt.out)
    assert any("item 2 of the pipeline's input" in note for note in caught.value.__notes__)
    assert set(belt.out) <= set("abd")
    assert belt.is_told(ended=False)


async def a_shared_job_is_given_up() -> None:
    belt = Belt()
    await cancelled_at_some_moment(pipeline(belt.crate("abc")).map(chop, workers=1).into(belt.out))
    assert belt.is_told(ended=False)


async def somebody_cancels_a_shared_job() -> None:
    belt = Belt()
    made = pipeline(belt.crate("abc")).map(chop, workers=1, on_error="skip")
    reading = asyncio.create_task(made.into(belt.out))
    await outside("the cancel")
    for node in [] if made._latest is None else made._latest.nodes:
        for task in list(node.running.values()) if isinstance(node, Chunking) else ():
            task.cancel("operator")
    await reading
    assert {type(letter.error) for letter in made.dead_letters} <= {CallCancelled}
    assert belt.is_told(made.dead_letters)


PROGRAMS = [
    small_bodies_share_a_job, two_jobs_are_shared, one_of_a_job_fails, one_of_a_job_ends_everything,
    a_shared_job_is_given_up, somebody_cancels_a_shared_job,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_bodies_that_share_a_job_are_told_apart_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await program()
        await all_handed_on()

    in_every_order(main)


SHARES = set[tuple[int, int]]()


async def stages_share_their_workers() -> None:
    first, second = Belt(), Belt()
    stations = list[Station]()

    async def wash(dish: str) -> str:
        first.begun.append(dish)
        await asyncio.sleep({"a": 0.05, "b": 0.09, "c": 0.13}[dish])
        return dish

    async def fry(dish: str) -> str:
        second.begun.append(dish)
        await asyncio.sleep(0.01)
        assert sum(station.workers for station in stations) == 64
        return dish

    made = pipeline(first.crate("abc")).map(wash, workers="auto").map(fry, workers="auto")
    async with made as dishes:
        stations += [node for node in dishes.line.nodes if isinstance(node, Station)]
        async for dish in dishes:
            first.out.append(dish)
    SHARES.add((stations[0].workers, stations[1].workers))
    assert first.is_told()
    assert sorted(second.begun) == list("abc")


async def stages_that_share_are_left() -> None:
    belt = Belt()

    async def wash(dish: str) -> str:
        await asyncio.sleep(0.05)
        return dish

    await cancelled_at_some_moment(
        pipeline(belt.crate("a")).map(wash, workers="auto").map(wash, workers="auto").into(belt.out)
    )
    assert belt.is_told(ended=False)


@pytest.mark.slow
def test_stages_that_share_their_workers_lose_none_in_any_order() -> None:
    SHARES.clear()
    in_every_order(stages_share_their_workers)
    assert {first + second for first, second in SHARES} == {64}
    assert len(SHARES) > 1, "nobody moved"


@pytest.mark.slow
def test_stages_that_share_their_workers_are_left_in_any_order() -> None:
    in_every_order(stages_that_share_are_left)
