"""The reorder buffers of our own pipelines, in every order: what goes in first comes out first, within a bound."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from linecook import pipeline
from linecook.testing import outside
from tests.testing.exploring.belt import Belt, all_handed_on
from tests.testing.exploring.house import in_every_order


async def one_ordered_stage() -> None:
    belt = Belt(most=2)
    await pipeline(belt.crate("abcd")).map(belt.cook, workers=2, ordered=True).into(belt.out)
    assert belt.out == belt.read
    assert belt.is_told()


async def two_ordered_stages() -> None:
    belt, second = Belt(most=2), Belt(most=2)
    made = pipeline(belt.crate("abc")).map(belt.cook, workers=2, ordered=True).map(second.cook, workers=2, ordered=True)
    await made.into(belt.out)
    assert belt.out == belt.begun == second.begun == belt.read
    assert belt.is_told()


async def a_slow_reader_of_an_ordered_stage() -> None:
    belt = Belt(most=2)
    async with pipeline(belt.deliveries("abcd")).map(belt.cook, workers=2, ordered=True) as dishes:
        async for dish in dishes:
            belt.out.append(dish)
            await outside(dish)
    assert belt.out == belt.read
    assert belt.is_told()


async def the_buffer_has_a_bound() -> None:
    belt = Belt(most=2)

    async def cook(dish: str) -> str:
        held = len(belt.begun) + 1 - len(belt.out)
        assert held <= 2 * 2 + 2, f"{held} begun and not sent on"  # twice as many as there are workers, and those
        return await (belt.cook(dish) if dish in "ab" else belt.cook_at_once(dish))

    await pipeline(belt.crate("abcdefghij")).map(cook, workers=2, ordered=True).into(belt.out)
    assert belt.out == list("abcdefghij")
    assert belt.is_told()


async def holes_are_not_waited_for() -> None:
    belt = Belt(most=2)

    async def keep(dish: str) -> bool:
        return await belt.cook(dish) not in "bd"

    made = pipeline(belt.crate("abcd")).filter(keep, workers=2, ordered=True)
    assert await made.collect() == ["a", "c"]
    assert belt.is_quiet()


async def what_is_set_aside_is_not_waited_for() -> None:
    belt = Belt(most=2)

    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish in "ac" else belt.cook(dish))

    made = pipeline(belt.crate("abcd")).map(cook, workers=2, ordered=True, on_error="skip")
    await made.into(belt.out)
    assert belt.out == ["b", "d"]
    assert sorted((letter.origin, letter.value) for letter in made.dead_letters) == [(0, "a"), (2, "c")]
    assert belt.is_told(made.dead_letters)


async def replacements_stand_in_their_place() -> None:
    belt = Belt(most=2)

    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish == "b" else belt.cook(dish))

    made = pipeline(belt.crate("abc")).map(
        cook, workers=2, ordered=True, on_error=lambda dish, _error: f"instead of {dish}"
    )
    assert await made.collect() == ["a", "instead of b", "c"]
    assert belt.is_quiet()


async def pieces_come_in_the_order_of_their_wholes() -> None:
    belt = Belt(most=2)

    async def halves(dish: str) -> list[str]:
        await belt.cook(dish)
        return [f"{dish}1", f"{dish}2"]

    made = pipeline(belt.crate("abc")).flat_map(halves, workers=2, ordered=True)
    assert await made.collect() == ["a1", "a2", "b1", "b2", "c1", "c2"]
    assert belt.is_quiet()


async def pieces_that_come_one_by_one_keep_the_order_too() -> None:
    async def halves(dish: str) -> AsyncIterator[str]:
        yield await outside(f"{dish}1")
        yield await outside(f"{dish}2")

    made = pipeline(["a", "b"]).flat_map(halves, workers=2, ordered=True)
    assert await made.collect() == ["a1", "a2", "b1", "b2"]


PROGRAMS = [
    one_ordered_stage, two_ordered_stages, a_slow_reader_of_an_ordered_stage, the_buffer_has_a_bound,
    holes_are_not_waited_for, what_is_set_aside_is_not_waited_for, replacements_stand_in_their_place,
    pieces_come_in_the_order_of_their_wholes, pieces_that_come_one_by_one_keep_the_order_too,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_an_ordered_stage_keeps_its_order_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await program()
        await all_handed_on()

    in_every_order(main)
