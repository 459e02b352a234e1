"""A program that carries state from one schedule to the next is told so: nothing was searched exhaustively."""

import asyncio
from functools import cache

import pytest

from linecook.errors import ReplayMismatch
from linecook.testing import explore, outside, replay

LOG: list[str] = []
PAGES: dict[str, str] = {}


class Client:
    connected = False
    calls = 0


async def grows_a_global() -> None:
    LOG.append("main")
    if len(LOG) > 1:
        await outside()


async def fills_a_cache() -> None:
    async def page(name: str) -> str:
        if name not in PAGES:
            PAGES[name] = await outside("text")
        return PAGES[name]

    await asyncio.gather(page("a"), page("b"))


async def sets_a_class_attribute() -> None:
    if not Client.connected:
        await outside("connected")
        Client.connected = True
    await asyncio.gather(outside(1), outside(2))


async def goes_to_and_fro() -> None:
    Client.calls += 1
    if Client.calls % 2:
        await asyncio.sleep(0)


@pytest.mark.parametrize("main", [grows_a_global, fills_a_cache, sets_a_class_attribute, goes_to_and_fro])
def test_state_that_outlives_main_is_an_error_that_names_the_first_step_that_differs(main) -> None:  # type: ignore[no-untyped-def]
    LOG.clear()
    PAGES.clear()
    Client.connected, Client.calls = False, 0
    with pytest.raises(ReplayMismatch, match="from one schedule to the next") as caught:
        explore(main)
    told = str(caught.value)
    assert "Step " in told or "choice number" in told or "failed only now" in told
    assert "Make it in main, or reset it where main begins" in told


def test_the_step_is_told_with_its_lines() -> None:
    LOG.clear()
    with pytest.raises(ReplayMismatch) as caught:
        explore(grows_a_global)
    told = str(caught.value)
    assert "Step 1 was first: grows_a_global ends, and is now: grows_a_global goes on at" in told
    assert "test_footprints.py" in told


@pytest.mark.parametrize("orders", [1, 6])
def test_a_plain_schedule_that_fails_only_later_is_no_finding(orders: int) -> None:
    visits: list[int] = []

    async def main() -> None:
        await asyncio.gather(*(outside() for _ in range(1 + orders // 2)))
        visits.append(1)
        if len(visits) > 2:
            raise ValueError("full")

    with pytest.raises(ReplayMismatch, match=r"is now: main fails|It failed only now: .*full"):
        explore(main)


def test_state_that_main_resets_and_caches_filled_before_are_none() -> None:
    @cache
    def menu() -> tuple[str, ...]:
        return ("soup", "salad")

    async def main() -> None:
        LOG.clear()
        LOG.append(menu()[0])
        if len(LOG) > 1:
            await outside()
        await asyncio.gather(outside(1), outside(2))

    assert explore(main).check().exhausted


def test_numbers_that_only_name_things_are_none() -> None:
    """A counter of ids outlives main and changes no step."""
    ids = iter(range(10_000))

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(outside(object()), name=f"job {next(ids)}") for _ in range(2)))

    assert explore(main).check().exhausted


def test_a_long_program_is_noted_in_part() -> None:
    async def main() -> None:
        for _ in range(5_000):
            await asyncio.sleep(0)

    assert explore(main).check().exhausted


def test_a_failure_comes_first() -> None:
    LOG.clear()

    async def main() -> None:
        LOG.append("main")
        await asyncio.sleep(0)
        raise ValueError("soup")

    found = explore(main)
    assert found.failure is not None
    assert replay(main, found.failure.token).failure is not None
