"""docs/decision-guide.md, "Time": asyncio.timeout and wait_for."""

import asyncio

import pytest

from linecook import Ok, TimedOut, fail_after, settle, tool
from linecook.errors import TimedOutError
from linecook.testing import VirtualClock


async def test_a_timeout_waits_for_a_body_that_resists(clock: VirtualClock) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(10)  # "just flushing"
        return "late"

    began = clock.time()
    try:
        async with asyncio.timeout(1):
            await stubborn()
    except TimeoutError:
        pass
    assert clock.time() - began >= 11  # a time-out of one second

    began = clock.time()
    with pytest.raises(TimedOutError):
        await tool(timeout=1, grace=0.5)(stubborn)()
    assert clock.time() - began < 2  # linecook: answered by deadline + grace, whatever the body does
    await asyncio.sleep(10)


async def test_none_for_timed_out_is_also_an_answer(clock: VirtualClock) -> None:
    async def capital_of(country: str) -> str | None:
        await asyncio.sleep(0 if country == "Atlantis" else 60)
        return None if country == "Atlantis" else "Paris"

    async def as_often_written(country: str) -> str | None:
        try:
            return await asyncio.wait_for(capital_of(country), 5)
        except TimeoutError:
            return None

    assert await as_often_written("Atlantis") is await as_often_written("France") is None  # there is none? too slow?

    sunk, slow = await settle(capital_of("Atlantis"), capital_of("France"), timeout=5)
    assert (sunk, slow) == (Ok(None), TimedOut(5.0))  # linecook: two kinds of ending


async def test_a_timeout_error_does_not_say_whose_it_was(clock: VirtualClock) -> None:
    async def connects() -> None:
        raise TimeoutError("the server's gateway timed out")

    async def sleeps() -> None:
        await asyncio.sleep(60)

    caught: list[type[BaseException]] = []
    for body in (connects, sleeps):
        try:
            async with asyncio.timeout(5):
                await body()
        except TimeoutError as error:
            caught.append(type(error))
    assert caught == [TimeoutError, TimeoutError]  # the server's, ours: one type

    with pytest.raises(TimeoutError) as theirs:
        with fail_after(5):
            await connects()
    with pytest.raises(TimedOutError) as ours:
        await tool(timeout=5)(sleeps)()
    assert not isinstance(theirs.value, TimedOutError)  # linecook: only a deadline of its own is a TimedOutError ...
    assert ours.value.whose == "timeout of sleeps"  # ... and it says whose
