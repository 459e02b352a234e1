"""Map-reduce."""

from typing import Any

import pytest

from linecook import agent
from linecook.errors import UsageError
from linecook.patterns import map_reduce
from tests.testing.exploring.house import Kitchen, in_every_order

joined: list[int] = []


@agent
async def each(number: int) -> str:
    return str(number)


@agent
async def join(parts: list[str]) -> str:
    joined.append(len(parts))
    return "".join(parts)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 64, 65])
@pytest.mark.parametrize("width", [2, 3, 8])
async def test_everything_is_joined_once_and_in_order(count: int, width: int) -> None:
    joined.clear()
    assert await map_reduce(range(count), each, join, width=width, limit=5) == "".join(map(str, range(count)))
    assert all(2 <= number <= width for number in joined)


async def test_the_first_failure_ends_it() -> None:
    @agent
    async def fails(number: int) -> str:
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        await map_reduce(range(3), fails, join)


async def test_what_could_not_end_is_refused() -> None:
    with pytest.raises(UsageError, match="width=1"):
        await map_reduce(range(3), each, join, width=1)
    with pytest.raises(UsageError, match="at least one item"):
        await map_reduce([], each, join)


async def of_three() -> None:
    kitchen = Kitchen(most=2)

    async def together(parts: list[str]) -> str:
        return await kitchen.cook("+".join(parts))

    assert await map_reduce("abc", kitchen.cook, together, width=2, limit=2) == "a+b+c"
    assert sorted(kitchen.served) == sorted(["a", "b", "c", "a+b", "a+b+c"])
    assert kitchen.is_quiet()


async def one_fails() -> None:
    kitchen = Kitchen(most=2)

    async def together(parts: list[str]) -> str:
        raise AssertionError("there is nothing to join")

    with pytest.raises(ValueError, match="b"):
        await map_reduce("abc", lambda dish: (kitchen.burn if dish == "b" else kitchen.cook)(dish), together, limit=2)
    assert kitchen.is_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("program", [of_three, one_fails])
def test_in_every_order_each_is_joined_once_in_its_place_and_a_failure_ends_all(program: Any) -> None:
    in_every_order(program)
