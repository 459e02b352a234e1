"""Calls that are awaited twice, on another loop, or never; and options that make no sense."""

import asyncio
import gc
import threading
import warnings
from typing import Any

import pytest

from linecook import Limit, agent, as_completed, gather, scope, settle, tool
from linecook.errors import AlreadyRun, TooManyFailures


@tool
async def on_loop(number: int) -> int:
    await asyncio.sleep(0)
    return number


@tool(timeout=5)
async def timed(number: int) -> int:
    return number


@tool
def on_thread(number: int) -> int:
    return number


@agent
async def by_agent(number: int) -> int:
    return await on_thread(number)


CALLABLE: list[Any] = [on_loop, timed, on_thread, by_agent]
every_kind = pytest.mark.parametrize("made", CALLABLE, ids=lambda made: made.__name__)


@every_kind
async def test_a_call_awaited_twice_runs_once_and_says_again(made: Any) -> None:
    call = made(1)
    assert await call == 1
    with pytest.raises(AlreadyRun, match=r"again\(\)"):
        await call
    with pytest.raises(AlreadyRun):
        await gather(call)
    with pytest.raises(AlreadyRun):
        await asyncio.create_task(call)
    assert await call.again() == 1


@every_kind
async def test_a_call_given_twice_to_a_fan_out_is_refused_by_its_place(made: Any) -> None:
    call = made(1)
    with pytest.raises(AlreadyRun):
        await gather(call, call)
    twice = made(2)
    with pytest.raises(AlreadyRun) as caught:
        await settle([twice, twice, made(3)])
    assert "item 1 of the input of settle" in str(caught.value.__notes__)


@every_kind
def test_a_call_made_on_one_loop_runs_on_another(made: Any) -> None:
    async def make() -> Any:
        return made(7)

    call = asyncio.run(make())
    assert asyncio.run(_await(call)) == 7
    with pytest.raises(AlreadyRun):
        asyncio.run(_await(call))


@every_kind
def test_of_two_loops_that_await_one_call_at_once_one_is_refused(made: Any) -> None:
    for _ in range(20):
        call, ends, ready = made(7), [], threading.Barrier(2)

        def on_its_own_loop(call: Any = call, ends: list[Any] = ends, ready: threading.Barrier = ready) -> None:
            async def main() -> None:
                ready.wait(10)
                try:
                    ends.append(await call)
                except AlreadyRun as error:
                    ends.append(error)

            asyncio.run(main())

        threads = [threading.Thread(target=on_its_own_loop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert 7 in ends
        assert any(isinstance(end, AlreadyRun) for end in ends), ends


async def _await(call: Any) -> Any:
    return await call


@every_kind
async def test_a_call_never_awaited_is_reported_by_name(made: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made(41)
        gc.collect()
    assert [str(each.message) for each in caught] == [f"call {made.__name__}(41) was never awaited"]
    assert caught[0].filename == __file__


@every_kind
async def test_calls_that_were_handed_over_and_never_began_are_not_reported(made: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        settled = await settle([made(number) for number in range(50)], timeout=0)
        assert len(settled) == 50
        calls = [made(number) for number in range(50)]
        with pytest.raises(LookupError):
            await gather([_fails(), *calls], limit=1)
        async with as_completed([made(number) for number in range(50)], limit=2) as outcomes:
            async for _ in outcomes:
                break
        with pytest.raises(LookupError):
            async with scope() as block:
                block.start(made(1))
                raise LookupError
        del calls, settled
        gc.collect()
    assert [str(each.message) for each in caught] == []


async def _fails() -> None:
    raise LookupError


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3"])
async def test_a_limit_that_lets_nobody_in_is_refused_by_name(limit: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="limit"):
        tool(limit=limit)(_fails)
    for fan_out in (settle, gather):
        with pytest.raises((ValueError, TypeError), match="limit"):
            await fan_out([on_loop.call(1)], limit=limit)
    with pytest.raises((ValueError, TypeError), match="limit"):
        async with as_completed([on_loop.call(1)], limit=limit) as outcomes:
            async for _ in outcomes:
                pass
    with pytest.raises((ValueError, TypeError)):
        Limit(limit)


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), "5", True])
async def test_a_number_of_seconds_that_is_none_is_refused_by_name(seconds: Any) -> None:
    for option in ("timeout", "attempt_timeout", "grace"):
        with pytest.raises((ValueError, TypeError), match=option):
            tool(**{option: seconds})(_fails)
    for fan_out in (settle, gather):
        with pytest.raises((ValueError, TypeError), match="timeout"):
            await fan_out([on_loop.call(1)], timeout=seconds)
    with pytest.raises((ValueError, TypeError), match="timeout"):
        scope(timeout=seconds)


class Unspeakable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("its repr fails")

    __str__ = __repr__


async def test_errors_that_cant_be_shown_are_failures_like_others() -> None:
    @agent
    async def fails() -> None:
        raise Unspeakable

    with pytest.raises(Unspeakable):
        await gather(fails(), fails())
    assert [type(outcome.error) for outcome in await settle(fails(), fails())] == [Unspeakable] * 2  # type: ignore[union-attr]
    with pytest.raises(TooManyFailures, match="the first: <Unspeakable>"):
        await settle((fails() for _ in range(3)), fail_on=1)
    with pytest.raises(TooManyFailures, match="the first: <Unspeakable>"):
        async with as_completed((fails() for _ in range(3)), fail_on=1) as outcomes:
            assert [outcome async for outcome in outcomes]
    with pytest.raises(ValueError, match="the block's own"):
        async with scope() as block:
            block.start(fails())
            try:
                await asyncio.sleep(60)
            finally:
                raise ValueError("the block's own")
