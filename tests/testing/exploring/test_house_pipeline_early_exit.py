"""Our own pipelines left early, at any moment and in any way: everything is closed, once, and nobody is left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from linecook import fail_after, pipeline
from linecook.errors import TimedOutError
from linecook.testing import outside
from tests.testing.exploring.belt import Belt, all_handed_on, cancelled_at_some_moment
from tests.testing.exploring.house import in_every_order


async def left_after_the_first() -> None:
    belt = Belt(most=2)
    async with pipeline(belt.deliveries("abcd")).map(belt.tidy, workers=2) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            break
    assert belt.is_told(ended=False)


async def left_before_the_first() -> None:
    belt = Belt()
    async with pipeline(belt.deliveries("ab")).map(belt.cook):
        await outside()
    assert belt.read == []
    assert belt.is_told()


async def left_by_an_error_of_the_reader() -> None:
    belt = Belt(most=2)
    with pytest.raises(KeyError):
        async with pipeline(belt.deliveries("abc")).map(belt.tidy, workers=2) as dishes:
            async for _ in dishes:
                await outside()
                raise KeyError
    assert belt.is_told(ended=False)


async def left_while_the_source_is_slow() -> None:
    belt = Belt(most=2)
    async with pipeline(belt.deliveries("abc", slow=True)).map(belt.cook, workers=2) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            break
    assert belt.is_told(ended=False)


async def left_with_ordered_results_unsent() -> None:
    belt = Belt(most=2)
    async with pipeline(belt.deliveries("abcd")).map(belt.tidy, workers=2, ordered=True) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            break
    assert belt.out == ["a"]
    assert belt.is_told(ended=False)


async def left_between_stages() -> None:
    belt, second = Belt(most=1), Belt(most=1)
    made = pipeline(belt.deliveries("abc")).map(belt.cook, workers=1).batch(1).map(first_of).map(second.tidy, workers=1)
    async with made as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            break
    assert second.is_quiet()
    assert belt.is_told(ended=False)


async def left_while_pieces_are_made() -> None:
    belt = Belt(most=1)
    closed = list[str]()

    async def halves(dish: str) -> AsyncIterator[str]:
        try:
            yield await belt.cook(f"{dish}1")
            yield await belt.cook(f"{dish}2")
        finally:
            closed.append(dish)

    async with pipeline(["a", "b"]).flat_map(halves, workers=1) as pieces:
        async for piece in pieces:
            assert piece == "a1"
            break
    assert belt.is_quiet()
    assert closed == sorted({dish[0] for dish in belt.begun})


async def cancelled_while_all_buffers_are_full() -> None:
    belt = Belt(most=2, inside=5)

    async def wash(dish: str) -> str:
        return dish

    await cancelled_at_some_moment(pipeline(belt.crate("abcdef")).map(wash, workers=1).into(belt.serve))
    assert belt.is_told(ended=False)


async def cancelled_while_it_collects() -> None:
    belt = Belt(most=2)
    await cancelled_at_some_moment(pipeline(belt.deliveries("abc")).map(belt.tidy, workers=2).collect())
    assert belt.is_told(ended=False)


async def under_a_deadline() -> None:
    belt = Belt(most=2)
    try:
        with fail_after(1):
            belt.out = await pipeline(belt.deliveries("abc")).map(belt.cook, workers=2).collect()
    except TimedOutError:
        assert belt.is_told(ended=False)
    else:
        assert belt.is_told()


async def dropped_without_a_word() -> None:
    belt = Belt(most=2)
    async for dish in pipeline(belt.deliveries("abc")).map(belt.cook, workers=2):
        belt.out.append(dish)
        break
    await asyncio.sleep(0)  # told by call_soon: it may have been dropped on another thread
    await all_handed_on()
    assert belt.is_told(ended=False)


async def an_inner_pipeline_goes_with_the_outer_one() -> None:
    belt, second = Belt(most=1), Belt(most=1)
    inner = aiter(pipeline(belt.deliveries("abc")).map(belt.cook, workers=1))
    async with pipeline(inner).map(second.tidy, workers=1) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            break
    assert second.is_quiet()
    assert belt.is_told(ended=False)


async def outcomes_left_early() -> None:
    belt = Belt(most=2)
    async with pipeline(belt.deliveries("abc")).map(belt.tidy, workers=2).outcomes() as outcomes:
        async for outcome in outcomes:
            belt.out += outcome.results
            break
    assert belt.is_told(ended=False)


async def a_generator_in_the_middle_of_a_pull() -> None:
    belt = Belt(most=1)
    shelf = belt.shelf("ab")  # held here, so that it isn't just dropped
    async with pipeline(shelf) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            break
    await belt.wait_closed()
    await all_handed_on()
    assert belt.is_told(ended=False)


async def a_generator_between_two_pulls() -> None:
    belt = Belt()
    shelf = belt.shelf(["a" * 100, "b" * 100])  # a pull brings one of them
    async with pipeline(shelf, max_bytes=100) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            break
    await belt.wait_closed()
    await all_handed_on()
    assert belt.is_told(ended=False)


async def a_generator_whose_reader_is_cancelled() -> None:
    belt = Belt(most=1)
    shelf = belt.shelf("a")
    await cancelled_at_some_moment(pipeline(shelf).collect())
    await belt.wait_closed()
    await all_handed_on()
    assert belt.is_told(ended=False)


async def first_of(dishes: list[str]) -> str:
    return dishes[0]


PROGRAMS = [
    left_after_the_first, left_before_the_first, left_by_an_error_of_the_reader, left_while_the_source_is_slow,
    left_with_ordered_results_unsent, left_between_stages, left_while_pieces_are_made,
    cancelled_while_all_buffers_are_full, cancelled_while_it_collects, under_a_deadline, dropped_without_a_word,
    an_inner_pipeline_goes_with_the_outer_one, outcomes_left_early, a_generator_in_the_middle_of_a_pull,
    a_generator_between_two_pulls, a_generator_whose_reader_is_cancelled,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_pipeline_left_early_closes_everything_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program, seconds=50)  # threads on Python 3.11 are slow to explore


# ---- cancelled once at any await of any of its tasks


async def read_in_a_block(belt: Belt) -> None:
    async with pipeline(belt.deliveries("ab")).map(belt.tidy, workers=2) as dishes:
        async for dish in dishes:
            belt.out.append(dish)


async def collected(belt: Belt) -> None:
    await pipeline(belt.deliveries("ab")).map(belt.tidy, workers=1).into(belt.out)


async def in_order(belt: Belt) -> None:
    await pipeline(belt.crate("ab")).map(belt.tidy, workers=2, ordered=True).into(belt.out)


async def split_and_grouped(belt: Belt) -> None:
    async def halves(dish: str) -> list[str]:
        return [f"{dish}1", f"{dish}2"]

    groups = await pipeline(belt.crate("ab")).flat_map(halves).map(belt.tidy, workers=1).group().collect()
    belt.out += [group[0][0] for group in groups]
    belt.begun.clear()  # of pieces


async def with_outcomes(belt: Belt) -> None:
    async with pipeline(belt.crate("ab")).map(belt.cook, workers=2).outcomes() as outcomes:
        async for outcome in outcomes:
            belt.out += outcome.results


USES: list[Callable[[Belt], Awaitable[Any]]] = [read_in_a_block, collected, in_order, split_and_grouped, with_outcomes]


@pytest.mark.slow
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_a_cancel_at_any_await_of_a_pipeline_leaves_nothing_behind(use: Callable[[Belt], Awaitable[Any]]) -> None:
    async def main() -> None:
        belt = Belt(most=2)
        task = asyncio.ensure_future(use(belt))
        try:
            await asyncio.wait([task])
        finally:  # main may be the one that is cancelled
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None or isinstance(task.exception(), Exception)
            assert belt.is_told(ended=False)

    in_every_order(main, overtakings=1, faults=1, fault_kinds=("cancel",))
