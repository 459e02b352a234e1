"""What fan-outs read: iterables of any kind, refused by name when they hold no calls, given up without a warning."""

import asyncio
import gc
from functools import partial
from typing import Any

import pytest

from linecook import agent, gather, settle, tool
from linecook.errors import UsageError
from linecook.tools.inputs import discard, discard_all, ending_of, iterator_over


@agent
async def nap(seconds: float, answer: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return answer


async def test_every_kind_of_iterable_will_do():
    class OldSequence:
        def __getitem__(self, place: int) -> Any:
            if place == 2:
                raise IndexError
            return nap(0, place)

    assert await gather((nap(0, 0), nap(0, 1)).__iter__()) == [0, 1]
    assert sorted(await gather({nap(0, 0), nap(0, 1)})) == [0, 1]
    assert await gather(map(partial(nap, 0), range(2))) == [0, 1]
    assert await gather(OldSequence()) == [0, 1]
    assert await gather({"a": nap(0, 0), "b": nap(0, 1)}.values()) == [0, 1]


async def test_a_stream_is_read_and_not_run():
    @agent
    async def pieces() -> Any:
        yield 1

    stream = pieces()
    with pytest.raises(UsageError, match="is a stream: read it with 'async for'"):
        await settle(stream)


async def test_a_refusal_shows_a_huge_input_in_short():
    with pytest.raises(UsageError) as raised:
        iterator_over(dict.fromkeys(range(10000), "x" * 100), "settle")
    assert len(str(raised.value)) < 400


def test_discarding_is_silent_and_touches_nothing_else(tmp_path):
    async def plain() -> None:
        pass

    discard_all((nap(0), plain(), [nap(0), plain()], "ab", 17, None, iter([])))
    with (tmp_path / "x").open("w") as file:
        discard(file)
        assert not file.closed
    gc.collect()


async def test_a_coroutine_that_another_task_runs_is_left_alone():
    async def plain() -> str:
        await asyncio.sleep(0.01)
        return "done"

    coroutine = plain()
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    discard(coroutine)
    assert await task == "done"


def test_an_ordinary_error_of_the_input_stays_what_it_is():
    error = OSError()
    assert ending_of(error, "settle") is error
    assert ending_of(KeyboardInterrupt(), "settle").__class__ is KeyboardInterrupt


async def test_a_closing_input_that_fails_is_said_in_the_log(clock, caplog):
    async def broken_at_the_end() -> Any:
        try:
            yield nap(1, "done")
            await asyncio.sleep(3600)
        finally:
            raise OSError("on the way out")

    settled = await settle(broken_at_the_end(), timeout=2)
    assert settled.results == ["done"]
    assert "the input of settle failed while it was being ended" in caplog.text


async def test_a_sync_tool_serves_in_a_fan_out_over_an_asynchronous_input():
    @tool
    def double(number: int) -> int:
        return number * 2

    async def numbers() -> Any:
        for number in range(5):
            yield double(number)
            await asyncio.sleep(0)

    assert await gather(numbers(), limit=2) == [0, 2, 4, 6, 8]


async def test_an_asynchronous_input_read_by_two_fan_outs_serves_one_and_is_refused_to_the_other(caplog):
    async def calls() -> Any:
        for number in range(10):
            await asyncio.sleep(0)
            yield nap(0, number)

    shared = calls()
    one, other = await asyncio.gather(settle(shared), settle(shared), return_exceptions=True)
    assert one.results == list(range(10))
    assert isinstance(other, RuntimeError)
    assert "raised by the input of settle, after 0 items" in other.__notes__
    assert not caplog.text
