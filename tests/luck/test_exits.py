"""Bodies that raise what ends programs, loops and generators: in every lane, through every way of calling."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from linecook import Failed, agent, as_completed, first, gather, scope, settle, tool
from linecook.errors import BodyExited

EXITS: list[type[BaseException]] = [
    SystemExit,
    KeyboardInterrupt,
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    asyncio.CancelledError,
]


@tool
async def on_loop(ending: type[BaseException]) -> None:
    raise ending("mine")


@tool(timeout=30)
async def in_own_task(ending: type[BaseException]) -> None:
    raise ending("mine")


@tool
def on_thread(ending: type[BaseException]) -> None:
    raise ending("mine")


@tool(lane="inline")
def inline(ending: type[BaseException]) -> None:
    raise ending("mine")


@tool(lane="process")
def in_process(ending: type[BaseException]) -> None:
    raise ending("mine")


@agent
async def by_agent(ending: type[BaseException]) -> None:
    raise ending("mine")


@agent(timeout=30)
async def by_timed_agent(ending: type[BaseException]) -> None:
    raise ending("mine")


@tool
def lines(ending: type[BaseException]) -> Iterator[int]:
    yield 1
    raise ending("mine")


@tool
async def words(ending: type[BaseException]) -> AsyncIterator[int]:
    yield 1
    raise ending("mine")


CALLABLE: list[Any] = [on_loop, in_own_task, on_thread, inline, in_process, by_agent, by_timed_agent]


def is_told(error: BaseException | None, ending: type[BaseException]) -> bool:
    """Whether *error* is the body's ending, contained; of an ordinary exception, itself."""
    if issubclass(ending, Exception) and isinstance(error, ending):  # StopAsyncIteration out of a plain function
        return True
    cause = error.__cause__ if isinstance(error, BodyExited) else None
    # Python itself turns a StopIteration that leaves a coroutine into a RuntimeError.
    return isinstance(cause, ending) or (isinstance(error, (RuntimeError, BodyExited)) and "mine" in repr(cause))


@pytest.mark.parametrize("ending", EXITS)
@pytest.mark.parametrize("call", CALLABLE, ids=lambda call: call.__name__)
async def test_an_exit_of_a_body_reaches_its_caller_and_nobody_else(call: Any, ending: type[BaseException]) -> None:
    with pytest.raises(BaseException) as caught:
        await call(ending)
    assert is_told(caught.value, ending), repr(caught.value)
    settled = await settle([call(ending)])
    assert isinstance(settled[0], Failed), settled[0]
    assert is_told(settled[0].error, ending), settled[0]
    with pytest.raises(BaseException) as caught:
        await gather(call(ending), asyncio.sleep(30))
    assert is_told(caught.value, ending), repr(caught.value)
    with pytest.raises(BaseExceptionGroup) as group:
        await first(call(ending))
    assert is_told(group.value.exceptions[0], ending)
    async with as_completed([call(ending)]) as outcomes:
        told = [outcome async for outcome in outcomes]
    assert isinstance(told[0], Failed)
    assert is_told(told[0].error, ending)
    with pytest.raises(BaseException) as caught:
        async with scope() as block:
            block.start(call(ending))
    assert is_told(caught.value, ending), repr(caught.value)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("ending", EXITS)
@pytest.mark.parametrize("stream", [lines, words], ids=["sync", "async"])
async def test_an_exit_of_a_stream_reaches_its_reader_after_its_pieces(
    stream: Any, ending: type[BaseException]
) -> None:
    if ending is GeneratorExit and stream is words:
        pytest.skip("to an async generator that is the word for being closed")
    pieces = stream(ending)
    assert await anext(pieces) == 1
    with pytest.raises(BaseException) as caught:
        await anext(pieces)
    assert is_told(caught.value, ending), repr(caught.value)
