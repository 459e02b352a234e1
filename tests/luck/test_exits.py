"""Bodies that raise what ends programs, loops and generators: in every lane, through every way of calling."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from linecook import Failed, agent, as_completed, first, gather, scope, settle, tool
from linecook.errors import BodyExited

EXITS: list[type[BaseException]] = [SystemExit, KeyboardInterrupt, StopIteration, StopAsyncIteration, GeneratorExit, asyncio.CancelledError]


@tool
async def on_loop(exit: type[BaseException]) -> None:
    raise exit("mine")


@tool(timeout=30)
async def in_own_task(exit: type[BaseException]) -> None:
    raise exit("mine")


@tool
def on_thread(exit: type[BaseException]) -> None:
    raise exit("mine")


@tool(lane="inline")
def inline(exit: type[BaseException]) -> None:
    raise exit("mine")


@tool(lane="process")
def in_process(exit: type[BaseException]) -> None:
    raise exit("mine")


@agent
async def by_agent(exit: type[BaseException]) -> None:
    raise exit("mine")


@agent(timeout=30)
async def by_timed_agent(exit: type[BaseException]) -> None:
    raise exit("mine")


@tool
def lines(exit: type[BaseException]) -> Iterator[int]:
    yield 1
    raise exit("mine")


@tool
async def words(exit: type[BaseException]) -> AsyncIterator[int]:
    yield 1
    raise exit("mine")


CALLABLE: list[Any] = [on_loop, in_own_task, on_thread, inline, in_process, by_agent, by_timed_agent]


def is_told(error: BaseException | None, exit: type[BaseException]) -> bool:
    """Whether *error* is the body's exit, contained; of an ordinary exception, itself."""
    if issubclass(exit, Exception) and isinstance(error, exit):  # StopAsyncIteration out of a plain function
        return True
    cause = error.__cause__ if isinstance(error, BodyExited) else None
    # Python itself turns a StopIteration that leaves a coroutine into a RuntimeError.
    return isinstance(cause, exit) or (isinstance(error, (RuntimeError, BodyExited)) and "mine" in repr(cause))


@pytest.mark.parametrize("exit", EXITS)
@pytest.mark.parametrize("call", CALLABLE, ids=lambda call: call.__name__)
async def test_an_exit_of_a_body_reaches_its_caller_and_nobody_else(call: Any, exit: type[BaseException]) -> None:
    with pytest.raises(BaseException) as caught:
        await call(exit)
    assert is_told(caught.value, exit), repr(caught.value)
    settled = await settle([call(exit)])
    assert isinstance(settled[0], Failed), settled[0]
    assert is_told(settled[0].error, exit), settled[0]
    with pytest.raises(BaseException) as caught:
        await gather(call(exit), asyncio.sleep(30))
    assert is_told(caught.value, exit), repr(caught.value)
    with pytest.raises(BaseExceptionGroup) as group:
        await first(call(exit))
    assert is_told(group.value.exceptions[0], exit)
    async with as_completed([call(exit)]) as outcomes:
        told = [outcome async for outcome in outcomes]
    assert isinstance(told[0], Failed)
    assert is_told(told[0].error, exit)
    with pytest.raises(BaseException) as caught:
        async with scope() as block:
            block.start(call(exit))
    assert is_told(caught.value, exit), repr(caught.value)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("exit", EXITS)
@pytest.mark.parametrize("stream", [lines, words], ids=["sync", "async"])
async def test_an_exit_of_a_stream_reaches_its_reader_after_its_pieces(stream: Any, exit: type[BaseException]) -> None:
    if exit is GeneratorExit and stream is words:
        pytest.skip("to an async generator that is the word for being closed")
    pieces = []
    with pytest.raises(BaseException) as caught:
        async for piece in stream(exit):
            pieces.append(piece)
    assert pieces == [1]
    assert is_told(caught.value, exit), repr(caught.value)
