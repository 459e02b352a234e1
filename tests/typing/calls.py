"""Calls of tools, as type checkers see them. Checked, never run."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from linecook import Call, Limit, Retry, tool
from linecook.tools.tool import Tool


@tool
def fetch(url: str, *, attempts: int = 3) -> str:
    return url * attempts


@tool
async def ask(prompt: str) -> list[int]:
    return [len(prompt)]


@tool(timeout=5, limit=20, retry=Retry(on=OSError), effect="read", priority="batch")
def fetch_with_options(url: str) -> bytes:
    return url.encode()


@tool(lane="process", attempt_timeout=10, limit=Limit(8, name="cpu"))
def words(page: str) -> int:
    return len(page)


@tool(grace=0.1)
async def ask_with_options(prompt: str, *more: str) -> dict[str, int]:
    return {prompt: len(more)}


@tool
def nothing() -> None: ...


async def values() -> None:
    assert_type(await fetch("u"), str)
    assert_type(await fetch("u", attempts=1), str)
    assert_type(await ask("p"), list[int])
    assert_type(await fetch_with_options("u"), bytes)
    assert_type(await words("page"), int)
    assert_type(await ask_with_options("p", "q"), dict[str, int])
    await nothing()


async def calls_are_coroutines() -> None:
    assert_type(fetch("u"), Coroutine[None, None, str]).close()
    assert_type(asyncio.create_task(ask("p")), asyncio.Task[list[int]])
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(fetch("u")), asyncio.Task[str])
    assert_type(await asyncio.wait_for(fetch("u"), 5), str)
    a, b = await asyncio.gather(fetch("u"), ask("p"))
    assert_type(a, str)
    assert_type(b, list[int])


async def calls_are_values() -> None:
    call = fetch.call("u", attempts=1)
    assert_type(call, Call[str])
    assert_type(await call, str)
    assert_type(call.again(), Call[str])
    assert_type(call.arguments, dict[str, Any])
    place: int | None = call.index
    assert_type(place is None, bool)


async def options() -> None:
    assert_type(await fetch.options(timeout=30)("u", attempts=2), str)
    assert_type(await ask.options(limit=3)("p"), list[int])


def the_untouched_function() -> None:
    body: Callable[..., str] = fetch.body
    assert_type(body("u"), str)


def tools_are_tools() -> None:
    kept: Tool[[str], bytes] = fetch_with_options
    takes_an_async_function(fetch_with_options)
    takes_an_async_function(kept)


def takes_an_async_function(function: Callable[[str], Coroutine[Any, Any, bytes]]) -> None: ...


async def wrong_arguments_are_reported() -> None:
    await fetch(3)  # type: ignore[arg-type]
    await fetch("u", tries=3)  # type: ignore[call-arg]
    await fetch()  # type: ignore[call-arg]
    await fetch.call(3)  # type: ignore[arg-type]


class Kitchen:
    @tool
    def cook(self, dish: str, minutes: float = 3) -> str:
        return dish * int(minutes)

    @tool(timeout=3)
    async def taste(self, dish: str) -> float:
        return len(dish)

    @staticmethod
    @tool
    def wash(dish: str) -> int:
        return len(dish)


async def methods(kitchen: Kitchen) -> None:
    assert_type(await kitchen.cook("soup"), str)
    assert_type(await kitchen.cook("soup", minutes=1), str)
    assert_type(await kitchen.taste("soup"), float)
    assert_type(await Kitchen.wash("cup"), int)
    assert_type(kitchen.cook.call("soup"), Call[str])
    assert_type(await kitchen.taste.options(timeout=1)("soup"), float)
    await kitchen.cook(3)  # type: ignore[arg-type]


def options_of_the_decorator_are_checked() -> None:
    @tool(lane="threads")  # type: ignore[call-overload, untyped-decorator]
    def unknown_lane() -> None: ...

    @tool(timeuot=3)  # type: ignore[call-overload, untyped-decorator]
    def unknown_option() -> None: ...

    @tool(effect="send")  # type: ignore[call-overload, untyped-decorator]
    def unknown_effect() -> None: ...

    Retry()  # type: ignore[call-arg]
