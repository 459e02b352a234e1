"""Streams: the annotation decides. Checked, never run."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import assert_type

from linecook import agent, tool
from linecook.tools.stream import Stream


@tool
def lines(path: str) -> Iterator[str]:
    yield path


@tool
def lines_generated(path: str) -> Generator[str, None, None]:
    yield path


@tool(idle_timeout=3)
async def tokens(prompt: str) -> AsyncIterator[bytes]:
    yield prompt.encode()


@tool
async def tokens_generated(prompt: str) -> AsyncGenerator[bytes, None]:
    yield prompt.encode()


@agent
async def write(prompt: str) -> AsyncIterator[str]:
    async for token in tokens(prompt):
        yield token.decode()


@agent(timeout=5)
async def write_in_time(prompt: str) -> AsyncGenerator[str, None]:
    async for token in tokens(prompt):
        yield token.decode()


class Desk:
    @tool
    async def steps(self, count: int) -> AsyncIterator[int]:
        yield count


async def pieces(desk: Desk) -> None:
    assert_type(lines("p"), Stream[str])
    assert_type(lines_generated("p"), Stream[str])
    assert_type(tokens("p"), Stream[bytes])
    assert_type(tokens_generated("p"), Stream[bytes])
    assert_type(write("p"), Stream[str])
    assert_type(write_in_time("p"), Stream[str])
    async for line in lines("p"):
        assert_type(line, str)
    async with tokens("p") as read:
        async for token in read:
            assert_type(token, bytes)
    assert_type([token async for token in tokens.options(timeout=3)("p")], list[bytes])
    lines(3)  # type: ignore[arg-type]
    async for step in desk.steps(3):
        assert_type(step, int)
