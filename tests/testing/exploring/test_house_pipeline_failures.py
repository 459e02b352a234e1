"""Failures in our own pipelines, in every order: each item has one fate, whoever fails or dies meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar

import pytest

from linecook import Retry, pipeline, tool
from linecook.errors import LaneLost
from linecook.pipeline.dead_item import DeadItem
from linecook.testing import outside
from tests.testing.exploring.belt import Belt, all_handed_on
from tests.testing.exploring.house import in_every_order

BELT: ContextVar[Belt] = ContextVar("BELT")


async def one_fails_while_others_are_under_way() -> None:
    belt = Belt(most=3)

    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish == "b" else belt.tidy(dish))

    with pytest.raises(ValueError, match="b") as caught:
        await pipeline(belt.deliveries("abcd")).map(cook, workers=3).into(belt.out)
    assert "item 1 of the pipeline's input, in its stage map(cook)" in caught.value.__notes__
    assert "b" not in belt.out
    assert belt.is_told(ended=False)


async def two_fail() -> None:
    belt = Belt(most=3)

    async def cook(dish: str) -> str:
        return await (belt.cook(dish) if dish == "b" else belt.burn(dish))

    with pytest.raises(ValueError, match=r"a|c"):
        await pipeline(belt.crate("abc")).map(cook, workers=3).into(belt.out)
    assert set(belt.out) <= {"b"}
    assert belt.is_told(ended=False)


async def what_came_out_before_an_error_is_read_first() -> None:
    belt = Belt(most=2)
    finished = list[str]()

    async def cook(dish: str) -> str:
        cooked = await (belt.burn(dish) if dish == "c" else belt.cook(dish))
        finished.append(cooked)
        return cooked

    with pytest.raises(ValueError, match="c"):
        async with pipeline(belt.crate("abc")).map(cook, workers=2) as dishes:
            async for dish in dishes:
                belt.out.append(dish)
    assert belt.out == finished
    assert belt.is_told(ended=False)


async def dead_letters_are_told_once_each() -> None:
    belt = Belt(most=2)
    dead = list[DeadItem]()

    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish in "ad" else belt.cook(dish))

    made = pipeline(belt.crate("abcd"), dead_letters=dead.append).map(cook, workers=2, on_error="skip")
    await made.into(belt.out)
    assert sorted((letter.origin, letter.value, letter.tries) for letter in dead) == [(0, "a", 1), (3, "d", 1)]
    assert belt.is_told(dead)


async def dead_letters_of_two_stages() -> None:
    belt, second = Belt(most=2), Belt(most=2)

    async def wash(dish: str) -> str:
        return await (belt.burn(dish) if dish == "a" else belt.cook(dish))

    async def fry(dish: str) -> str:
        return await (second.burn(dish) if dish == "b" else second.cook(dish))

    made = pipeline(belt.crate("abc")).map(wash, workers=2, on_error="skip").map(fry, workers=2, on_error="skip")
    await made.into(belt.out)
    assert sorted((letter.origin, letter.stage) for letter in made.dead_letters) == [(0, "map(wash)"), (1, "map(fry)")]
    assert belt.is_told(made.dead_letters)


async def a_sink_for_dead_letters_that_raises() -> None:
    belt = Belt(most=2)

    def lost(letter: DeadItem) -> None:
        raise KeyError(letter.value)

    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish == "a" else belt.tidy(dish))

    with pytest.raises(KeyError, match="a"):
        await pipeline(belt.crate("abc"), dead_letters=lost).map(cook, workers=2, on_error="skip").into(belt.out)
    assert belt.is_told(ended=False)


async def a_sink_that_raises() -> None:
    belt = Belt(most=2)

    async def store(dish: str) -> None:
        await (belt.burn(dish) if dish == "b" else belt.serve(dish))

    with pytest.raises(ValueError, match="b"):
        await pipeline(belt.deliveries("abcd")).into(store, workers=2)
    assert belt.is_told(ended=False)


async def a_list_that_takes_no_more() -> None:
    belt = Belt(most=2)

    class Small:
        def append(self, dish: str) -> None:
            if belt.out:
                raise MemoryError(dish)
            belt.out.append(dish)

    with pytest.raises(MemoryError) as caught:
        await pipeline(belt.deliveries("abc")).map(belt.tidy, workers=2).into(Small())
    assert any("raised by the sink, for item" in note for note in caught.value.__notes__)
    assert len(belt.out) == 1
    assert belt.is_told(ended=False)


async def a_filter_that_raises() -> None:
    belt = Belt(most=2)

    async def keep(dish: str) -> bool:
        await (belt.burn(dish) if dish == "b" else belt.cook(dish))
        return dish != "c"

    made = pipeline(belt.crate("abcd")).filter(keep, workers=2, on_error="skip")
    assert sorted(await made.collect()) == ["a", "d"]
    assert [(letter.origin, letter.stage) for letter in made.dead_letters] == [(1, "filter(keep)")]
    assert belt.is_quiet()


async def a_source_that_raises() -> None:
    belt = Belt(most=2)

    async def deliveries() -> AsyncIterator[str]:
        yield await outside("a")
        yield await outside("b")
        raise OSError("the road is closed")

    with pytest.raises(OSError, match="road") as caught:
        async with pipeline(deliveries()).map(belt.tidy, workers=2) as dishes:
            async for dish in dishes:
                belt.out.append(dish)
    assert "raised by the pipeline's input, after 2 items" in caught.value.__notes__
    assert belt.is_quiet()


@tool(effect="read", retry=Retry(on=ValueError, attempts=2, jitter=False))
async def taste(dish: str) -> str:
    belt = BELT.get()
    is_first = dish not in belt.begun
    return await (belt.burn(dish) if dish == "a" and is_first else belt.cook(dish))


async def another_try_is_no_other_item() -> None:
    belt = Belt(most=2)
    BELT.set(belt)
    await pipeline(belt.crate("abc")).map(taste, workers=2).into(belt.out)
    assert sorted(belt.begun) == ["a", "a", "b", "c"]
    assert belt.is_told(once=False)


async def another_try_in_vain() -> None:
    belt = Belt(most=2)

    @tool(effect="read")
    async def cook(dish: str) -> str:
        return await (belt.burn(dish) if dish == "a" else belt.cook(dish))

    retry = Retry(on=ValueError, attempts=2, jitter=False)
    made = pipeline(belt.crate("abc")).map(cook, workers=2, retry=retry, ordered=True, on_error="skip")
    await made.into(belt.out)
    assert belt.out == ["b", "c"]
    assert [letter.origin for letter in made.dead_letters] == [0]
    assert sorted(belt.begun) == ["a", "a", "b", "c"]
    assert belt.is_told(made.dead_letters, once=False)


async def outcomes_one_for_each_input() -> None:
    belt = Belt(most=2)

    async def halves(dish: str) -> list[str]:
        return [f"{dish}0", f"{dish}1"]

    async def cook(half: str) -> str:
        return await (belt.burn(half) if half == "a1" else belt.cook(half))

    told = dict[str, tuple[list[str], bool]]()
    async with pipeline(["a", "b"]).flat_map(halves).map(cook, workers=2).outcomes() as outcomes:
        async for outcome in outcomes:
            assert outcome.value not in told
            told[outcome.value] = sorted(outcome.results), outcome.error is None
    assert told == {"a": (["a0"], False), "b": (["b0", "b1"], True)}
    assert belt.is_quiet()


PROGRAMS = [
    one_fails_while_others_are_under_way, two_fail, what_came_out_before_an_error_is_read_first,
    dead_letters_are_told_once_each, dead_letters_of_two_stages, a_sink_for_dead_letters_that_raises,
    a_sink_that_raises, a_list_that_takes_no_more, a_filter_that_raises, a_source_that_raises,
    another_try_is_no_other_item, another_try_in_vain, outcomes_one_for_each_input,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_each_item_has_one_fate_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await program()
        await all_handed_on()

    in_every_order(main)


# ---- a worker that dies


@tool(lane="process", effect="read")
def grind(dish: str) -> str:
    return dish


async def a_worker_dies() -> None:
    belt = Belt()
    made = pipeline(belt.crate("abc")).map(grind, workers=2, ordered=True, on_error="skip")
    await made.into(belt.out)
    assert belt.out == list("abc"), "one death is nobody's last try"
    assert belt.is_told(made.dead_letters)


async def workers_die() -> None:
    belt = Belt()
    made = pipeline(belt.crate("ab")).map(grind, workers=2, on_error="skip")
    await made.into(belt.out)
    assert [(letter.tries, type(letter.error)) for letter in made.dead_letters] in ([], [(3, LaneLost)])
    assert belt.is_told(made.dead_letters)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "deaths"), [(a_worker_dies, 1), (workers_die, 3)])
def test_an_item_whose_worker_dies_has_another_and_is_told_once(
    program: Callable[[], Awaitable[None]], deaths: int
) -> None:
    in_every_order(program, overtakings=1, faults=deaths, fault_kinds=("death",))
