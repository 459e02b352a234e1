"""The windows of our own pipelines, in every order: bounds that hold, up to the source, and nothing lost on the way."""

from collections.abc import Awaitable, Callable

import pytest

from linecook import pipeline
from linecook.testing import outside
from tests.testing.exploring.belt import Belt, all_handed_on
from tests.testing.exploring.house import in_every_order


async def one_stage() -> None:
    belt = Belt(most=2)
    belt.out = await pipeline(belt.crate("abcd")).map(belt.cook, workers=2).collect()
    assert belt.is_told()


async def two_stages() -> None:
    belt = Belt(most=3)
    first, second = Belt(most=2), Belt(most=1)

    async def wash(dish: str) -> str:
        return await first.cook(dish)

    async def fry(dish: str) -> str:
        return await second.cook(dish)

    belt.out = await pipeline(belt.crate("abc")).map(wash, workers=2).map(fry, workers=1).collect()
    assert belt.is_told()
    assert first.begun == list("abc")
    assert sorted(second.begun) == list("abc")


async def a_slow_sink_holds_up_the_source() -> None:
    belt = Belt(most=1, inside=3)  # two in the buffer between one source and one worker, and the worker's
    assert await pipeline(belt.crate("abcdefgh")).into(belt.serve) == 8
    assert belt.out == list("abcdefgh")
    assert belt.is_told()


async def a_slow_sink_holds_up_a_stage() -> None:
    belt = Belt(inside=5)  # two before each worker, the stage's own among the sink's two, and the sink's

    async def wash(dish: str) -> str:
        return await outside(dish) if dish < "c" else dish  # each order of so many answers would be too many

    assert await pipeline(belt.crate("abcdefg")).map(wash, workers=1).into(belt.serve) == 7
    assert belt.is_told()


async def what_is_under_way_takes_room() -> None:
    belt = Belt(inside=7)  # three before each stage, those that are washed among the sink's, and the sink's own

    async def wash(dish: str) -> str:
        return await outside(dish) if dish in "de" else dish

    async def serve(dish: str) -> None:
        await (belt.cook(dish) if dish == "a" else belt.cook_at_once(dish))
        belt.out.append(dish)

    assert await pipeline(belt.crate("abcdefghij")).map(wash, workers=2).into(serve) == 10
    assert belt.is_told()


async def a_slow_reader_holds_up_the_source() -> None:
    belt = Belt(inside=16 + 1)  # the output's sixteen, and what is on its way into it
    async with pipeline(belt.crate("abcdefghijklmnopqrst")) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            if len(belt.out) < 4:
                await outside(dish)
    assert belt.out == belt.read
    assert belt.is_told()


async def bytes_are_bounded_too() -> None:
    belt = Belt(most=1, inside=2)  # one text fills the buffer; one is at work
    dishes = [letter * 100 for letter in "abcde"]
    assert await pipeline(belt.crate(dishes), max_bytes=100).into(belt.serve, workers=1) == 5
    assert belt.out == dishes
    assert belt.is_told()


async def an_async_source_waits_for_room() -> None:
    belt = Belt(most=1, inside=4)
    assert await pipeline(belt.deliveries("abcde")).into(belt.serve) == 5
    assert belt.out == list("abcde")
    assert belt.is_told()


async def a_slow_async_source() -> None:
    belt = Belt(most=2)
    belt.out = await pipeline(belt.deliveries("abc", slow=True)).map(belt.cook, workers=2).collect()
    assert belt.is_told()


async def a_lazy_source_is_pulled_on_a_thread() -> None:
    belt = Belt(most=2)
    belt.out = await pipeline(belt.shelf("ab")).map(belt.cook_at_once, workers=2).collect()
    assert belt.is_told()


async def a_lazy_source_waits_for_room() -> None:
    belt = Belt(most=1)
    big = ["a" * 100, "b" * 100]  # a pull brings one of them

    async def serve(dish: str) -> None:
        await (belt.serve(dish) if dish == big[0] else belt.cook_at_once(dish))

    assert await pipeline(belt.shelf(big), max_bytes=100).into(serve) == 2
    belt.out = belt.begun
    assert belt.is_told()


async def a_filter_loses_what_it_should_and_nothing_else() -> None:
    belt = Belt(most=2)

    async def keep(dish: str) -> bool:
        return await belt.cook(dish) != "b"

    assert sorted(await pipeline(belt.crate("abcd")).filter(keep, workers=2).collect()) == list("acd")
    assert sorted(belt.begun) == belt.read == list("abcd")


async def a_pipeline_in_a_pipeline() -> None:
    belt = Belt(most=2)
    inner = pipeline(belt.crate("abc")).map(belt.cook, workers=1)

    async def serve(dish: str) -> str:
        return await outside(dish)

    async with inner as dishes:
        belt.out = await pipeline(dishes).map(serve, workers=1).collect()
    assert belt.is_told()
    assert belt.out == list("abc")


PROGRAMS = [
    one_stage, two_stages, a_slow_sink_holds_up_the_source, a_slow_sink_holds_up_a_stage,
    what_is_under_way_takes_room, a_slow_reader_holds_up_the_source, bytes_are_bounded_too,
    an_async_source_waits_for_room, a_slow_async_source, a_lazy_source_is_pulled_on_a_thread,
    a_lazy_source_waits_for_room, a_filter_loses_what_it_should_and_nothing_else, a_pipeline_in_a_pipeline,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_pipeline_holds_its_bounds_and_its_items_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await program()
        await all_handed_on()

    in_every_order(main, seconds=50)  # threads on Python 3.11 are slow to explore
