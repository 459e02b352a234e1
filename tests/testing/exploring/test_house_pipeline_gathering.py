"""``batch`` and ``group`` of our own pipelines, in every order: each item in one list, once, and none is late."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from linecook import pipeline
from linecook.testing import outside
from tests.testing.exploring.belt import Belt, all_handed_on, cancelled_at_some_moment
from tests.testing.exploring.house import in_every_order


async def batches_after_a_stage() -> None:
    belt = Belt(most=2)
    batches = await pipeline(belt.crate("abc")).map(belt.cook, workers=2).batch(2).collect()
    assert [len(batch) for batch in batches] == [2, 1]
    belt.out = [dish for batch in batches for dish in batch]
    assert belt.is_told()


async def batches_that_wait_a_second() -> None:
    belt = Belt(most=2)
    batches = await pipeline(belt.deliveries("abc", slow=True)).batch(2, wait=1).collect()
    assert all(0 < len(batch) <= 2 for batch in batches)
    belt.out = [dish for batch in batches for dish in batch]
    assert belt.out == list("abc")
    assert belt.is_told()


async def batches_that_wait_for_room() -> None:
    belt = Belt(most=1)

    async def serve(batch: list[str]) -> list[str]:
        for dish in batch:
            await belt.serve(dish)
        return batch

    made = pipeline(belt.deliveries("abcd")).batch(3, wait=1).map(serve, workers=1)
    assert [dish for batch in await made.collect() for dish in batch] == list("abcd")
    assert belt.is_told()


async def nobody_joins_a_batch_whose_time_has_come() -> None:
    came = dict[str, float]()

    async def deliveries() -> AsyncIterator[str]:
        for dish in "abcd":
            await outside(dish)
            came[dish] = asyncio.get_running_loop().time()
            yield dish
            await asyncio.sleep(0.7)

    batches = await pipeline(deliveries()).batch(10, wait=1).collect()
    assert all(came[batch[-1]] - came[batch[0]] <= 1.1 for batch in batches), (batches, came)
    assert [dish for batch in batches for dish in batch] == list(came) == list("abcd")


async def a_batch_that_waits_for_room_needs_no_other_item() -> None:
    served = asyncio.Event()

    async def deliveries() -> AsyncIterator[str]:
        for dish in "abcd":
            yield dish
            await asyncio.sleep(2)
        await served.wait()

    async def serve(batch: list[str]) -> list[str]:
        await (asyncio.sleep(100) if batch == ["a"] else outside())
        if batch == ["d"]:  # whose time came when one was served and two waited: all the room there is
            served.set()
        return batch

    made = pipeline(deliveries()).batch(9, wait=1).map(serve, workers=1)
    assert await made.collect() == [["a"], ["b"], ["c"], ["d"]]


async def batches_left_early() -> None:
    belt = Belt(most=2)
    reading = pipeline(belt.deliveries("ab")).map(belt.cook, workers=2).batch(2, wait=1).collect()
    await cancelled_at_some_moment(reading)
    assert belt.is_told(ended=False)


async def whole_again() -> None:
    belt = Belt(most=2)

    async def halves(dish: str) -> list[str]:
        return [f"{dish}{number}" for number in range("abc".index(dish) + 1)]  # one of "a", three of "c"

    groups = await pipeline(["a", "c"]).flat_map(halves).map(belt.cook, workers=2).group().collect()
    assert sorted(groups) == [["a0"], ["c0", "c1", "c2"]]
    assert belt.is_quiet()


async def whole_without_what_was_lost() -> None:
    belt = Belt(most=2)

    async def pieces(dish: str) -> list[str]:
        return [] if dish == "b" else [f"{dish}0", f"{dish}1"]

    async def cook(piece: str) -> str:
        return await (belt.burn(piece) if piece == "a0" else belt.cook(piece))

    async def keep(piece: str) -> bool:
        return piece != "c1"

    made = pipeline(["a", "b", "c"]).flat_map(pieces).map(cook, workers=2, on_error="skip").filter(keep).group()
    assert sorted(await made.collect()) == [[], ["a1"], ["c0"]]
    assert [(letter.origin, letter.value) for letter in made.dead_letters] == [(0, "a0")]
    assert belt.is_quiet()


async def a_whole_that_breaks() -> None:
    async def halves(dish: str) -> AsyncIterator[str]:
        yield await outside(f"{dish}0")
        if dish == "a":
            raise ValueError(dish)
        yield await outside(f"{dish}1")

    made = pipeline(["a", "b"]).flat_map(halves, workers=2, on_error="skip").group()
    assert await made.collect() == [["b0", "b1"]]
    assert [letter.value for letter in made.dead_letters] == ["a"]


async def groups_in_groups() -> None:
    belt = Belt(most=2)

    async def two(dish: str) -> list[str]:
        return [f"{dish}0", f"{dish}1"]

    async def one(dish: str) -> list[str]:
        return [await belt.cook(dish)]

    made = pipeline(["a", "b"]).flat_map(two).flat_map(one, workers=2).group().group()
    assert sorted(sorted(whole) for whole in await made.collect()) == [[["a0"], ["a1"]], [["b0"], ["b1"]]]
    assert belt.is_quiet()


async def groups_left_early() -> None:
    belt = Belt(most=2)

    async def two(dish: str) -> list[str]:
        return [f"{dish}0", f"{dish}1"]

    async with pipeline(["a", "b", "c"]).flat_map(two).map(belt.tidy, workers=2).group() as groups:
        async for group in groups:
            assert group in (["a0", "a1"], ["b0", "b1"])
            break
    assert belt.is_quiet()


async def runs_of_a_key() -> None:
    belt = Belt(most=2)
    made = pipeline(belt.crate(["a1", "a2", "b1", "a3"])).map(belt.cook, workers=2, ordered=True)
    groups = await made.group(key=lambda dish: dish[0]).collect()
    assert groups == [["a1", "a2"], ["b1"], ["a3"]]
    belt.out = [dish for group in groups for dish in group]
    assert belt.is_told()


PROGRAMS = [
    batches_after_a_stage, batches_that_wait_a_second, batches_that_wait_for_room,
    nobody_joins_a_batch_whose_time_has_come, a_batch_that_waits_for_room_needs_no_other_item, batches_left_early,
    whole_again, whole_without_what_was_lost, a_whole_that_breaks, groups_in_groups, groups_left_early, runs_of_a_key,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_batches_and_groups_hold_each_item_once_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await program()
        await all_handed_on()

    in_every_order(main)
