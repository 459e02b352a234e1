"""Which block an instruction stands in: read from the function's exception table."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from linecook._core.handlers import line_that_catches, with_lines


async def nested(a: Any, b: Any) -> None:
    async with a:
        try:
            async with b:
                await pause()
        finally:
            pass


async def plain() -> None:
    await pause()


async def bare() -> None:
    try:
        await pause()
    except:  # noqa: E722
        pass


async def by_name() -> None:
    try:
        await pause()
    except (ValueError, KeyError):
        pass
    except asyncio.CancelledError:
        pass


async def by_tuple() -> None:
    try:
        await pause()
    except (ValueError, asyncio.CancelledError) as error:
        del error


async def everything() -> None:
    with contextlib.suppress(ValueError):
        try:
            await pause()
        except BaseException:
            pass


async def others_only() -> None:
    try:
        await pause()
    except Exception:
        pass


async def cleans_up() -> None:
    try:
        await pause()
    finally:
        asyncio.get_running_loop()


async def pause() -> None:
    await asyncio.get_running_loop().create_future()


async def stand(coroutine: Coroutine[Any, Any, None]) -> tuple[Any, int, Callable[[], None]]:
    """Bring *coroutine* to its ``pause``; return its code, where it stands, and what ends it."""
    coroutine.send(None)
    frame: Any = getattr(coroutine, "cr_frame")  # noqa: B009 - not of every Coroutine
    return frame.f_code, frame.f_lasti, coroutine.close


async def test_the_lines_of_open_with_blocks_outermost_first() -> None:
    code, at, end = await stand(nested(contextlib.nullcontext(), contextlib.nullcontext()))
    first = code.co_firstlineno
    assert with_lines(code, at) == [first + 1, first + 3]
    end()


@pytest.mark.filterwarnings("ignore:coroutine method")
@pytest.mark.parametrize(
    ("function", "line"),
    [(plain, 0), (bare, 3), (by_name, 5), (by_tuple, 3), (everything, 4), (others_only, 0), (cleans_up, 0)],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_the_except_that_takes_a_cancellation(function: Any, line: int) -> None:
    code, at, _ = await stand(function())
    assert line_that_catches(code, at) == (code.co_firstlineno + line if line else 0)


def test_a_function_that_has_not_begun_stands_nowhere() -> None:
    assert with_lines(nested.__code__, -1) == []
    assert line_that_catches(bare.__code__, -1) == 0
