"""Our own pipelines when the runtime drains, at any moment: what is inside comes out, nothing more is read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from linecook import Pipeline, Runtime, pipeline
from linecook.errors import Interrupted
from linecook.testing import outside
from tests.testing.exploring.belt import Belt, all_handed_on
from tests.testing.exploring.house import in_every_order


async def drained(belt: Belt, made: Pipeline[str], most: int, *, ordered: bool = True) -> None:
    """Read *made* to its end, while the runtime drains at some moment; it has *most* items if nobody interrupts it."""
    async with Runtime() as runtime:

        async def read() -> None:
            async with made as dishes:
                async for dish in dishes:
                    belt.out.append(dish)

        reading = asyncio.create_task(read())
        await outside("the drain")
        runtime.drain()
        runtime.drain()  # a second time, as Ctrl-C may
        read_then = len(belt.read)
        await asyncio.wait([reading])
        error = reading.exception()
        if error is None:
            assert len(belt.out) == most
        else:
            assert isinstance(error, Interrupted)
            assert len(belt.read) == read_then, "read on after the drain"
            assert f"after {len(belt.out)} items" in str(error)
        assert not ordered or belt.out == belt.read
        assert belt.is_told(made.dead_letters)


async def a_container() -> None:
    belt = Belt(most=2)
    dishes = belt.crate("abcd")
    await drained(belt, pipeline(dishes).map(belt.cook, workers=1, ordered=True), 4)


async def a_container_longer_than_all_buffers() -> None:
    belt = Belt(most=1)

    async def cook(dish: str) -> str:
        return await (belt.cook(dish) if dish < "c" else belt.cook_at_once(dish))

    made = pipeline(belt.crate("abcdefgh")).map(cook, workers=1, ordered=True)
    await drained(belt, made, 8)


async def an_async_source() -> None:
    belt = Belt(most=2)
    made = pipeline(belt.deliveries("abc")).map(belt.cook, workers=2, ordered=True)
    await drained(belt, made, 3)


async def a_slow_async_source() -> None:
    belt = Belt(most=2)
    made = pipeline(belt.deliveries("ab", slow=True)).map(belt.cook, workers=2)
    await drained(belt, made, 2, ordered=False)


async def a_stage_that_splits_and_one_that_groups() -> None:
    belt = Belt(most=2)

    async def halves(dish: str) -> list[str]:
        return [f"{dish}1", f"{dish}2"]

    async def cook(half: str) -> str:
        return await belt.cook(half)

    async def join(pair: list[str]) -> str:
        assert [half[1] for half in pair] == ["1", "2"], pair
        return pair[0][0]

    made = pipeline(belt.crate("ab")).flat_map(halves).map(cook, workers=2).group().map(join)
    await drained(belt, made, 2, ordered=False)


async def a_stage_that_sets_aside() -> None:
    belt = Belt(most=2)

    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish == "b" else belt.cook(dish))

    made = pipeline(belt.crate("abc")).map(cook, workers=2, on_error="skip")
    async with Runtime() as runtime:
        reading = asyncio.create_task(made.into(belt.out))
        await outside("the drain")
        runtime.drain()
        await asyncio.wait([reading])
        assert isinstance(reading.exception(), Interrupted) or reading.result() == 2
        assert belt.is_told(made.dead_letters)


async def a_pipeline_that_reads_a_run_of_another() -> None:
    belt = Belt(most=1)
    async with Runtime() as runtime:

        async def read() -> None:
            async with pipeline(belt.crate("abc")).map(belt.cook, workers=1, ordered=True) as dishes:
                await pipeline(dishes).map(outside, workers=1, ordered=True).into(belt.out)

        reading = asyncio.create_task(read())
        await outside("the drain")
        runtime.drain()
        await asyncio.wait([reading])
        assert isinstance(reading.exception(), Interrupted) or belt.out == list("abc")
        assert belt.out == belt.read
        assert belt.is_told()


async def outcomes_of_inputs() -> None:
    belt = Belt(most=2)

    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish == "b" else belt.cook(dish))

    told: list[int] = []
    async with Runtime() as runtime:

        async def read() -> None:
            async with pipeline(belt.crate("abc")).map(cook, workers=2).outcomes() as outcomes:
                async for outcome in outcomes:
                    told.append(outcome.index)
                    assert (outcome.results, outcome.error is None) == (
                        ([], False) if outcome.value == "b" else ([outcome.value], True)
                    )

        reading = asyncio.create_task(read())
        await outside("the drain")
        runtime.drain()
        await asyncio.wait([reading])
        assert isinstance(reading.exception(), Interrupted) or len(told) == 3
        assert sorted(told) == list(range(len(belt.read))), told
        assert belt.is_quiet()


async def a_reader_that_is_cancelled_meanwhile() -> None:
    belt = Belt(most=2)
    async with Runtime() as runtime:
        made = pipeline(belt.deliveries("abc")).map(belt.tidy, workers=2)
        reading = asyncio.create_task(made.into(belt.out))
        await outside("the drain")
        runtime.drain()
        asked = reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled() == asked
        assert belt.is_told(ended=False)


async def a_source_that_does_not_end_in_time() -> None:
    belt = Belt(most=1)

    async def deliveries() -> AsyncIterator[str]:
        yield "a"
        try:
            await asyncio.Event().wait()
        finally:
            await outside("the clean-up")
            yield "b"

    async with Runtime() as runtime:
        reading = asyncio.create_task(pipeline(deliveries()).map(belt.cook, workers=1, ordered=True).into(belt.out))
        await outside("the drain")
        runtime.drain()
        await asyncio.wait([reading])
        error, out = reading.exception(), list(belt.out)
        assert isinstance(error, Interrupted)
        assert f"after {len(out)} items" in str(error)
    await all_handed_on()
    assert belt.out == out == ["a", "b"][: len(out)], "something came when all was told"
    assert belt.is_quiet()


async def a_lazy_source() -> None:
    belt = Belt(most=1)
    async with Runtime() as runtime:
        shelf = belt.shelf("a")  # held here, so that it isn't just dropped
        reading = asyncio.create_task(pipeline(shelf).into(belt.out))
        await outside("the drain")
        runtime.drain()
        await asyncio.wait([reading])
        error: Any = reading.exception()
        assert (
            isinstance(error, Interrupted) and f"after {len(belt.out)} items" in str(error)
        ) or reading.result() == 1
    assert belt.out == ["a"][: len(belt.out)]  # what was read ahead, and not given, is dropped
    await belt.wait_closed()
    assert belt.is_told(ended=False)


PROGRAMS = [
    a_container, a_container_longer_than_all_buffers, an_async_source, a_slow_async_source,
    a_stage_that_splits_and_one_that_groups, a_stage_that_sets_aside, a_pipeline_that_reads_a_run_of_another,
    outcomes_of_inputs, a_reader_that_is_cancelled_meanwhile, a_source_that_does_not_end_in_time, a_lazy_source,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_drain_at_any_moment_loses_nothing_that_was_inside(program: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await program()
        await all_handed_on()

    in_every_order(main, seconds=50)  # threads on Python 3.11 are slow to explore
