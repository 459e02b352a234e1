"""What the decorator refuses, it refuses at decoration, naming the function and the cure."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import linecook
from linecook import Retry, agent, call_key, tool
from linecook.errors import UsageError
from tests.tools import process_tools


def plain(x: int = 0) -> int:
    return x


async def waiting(x: int = 0) -> int:
    return x


def streaming() -> Iterator[int]:
    yield 1


async def streaming_async() -> AsyncIterator[int]:
    yield 1


def test_the_lane_follows_from_the_function() -> None:
    assert tool(waiting).lane == "loop"
    assert tool(plain).lane == "thread"
    assert tool(lane="process")(plain).lane == "process"
    assert tool(lane="inline")(plain).lane == "inline"
    assert tool(streaming).lane == "thread"
    assert tool(streaming_async).lane == "loop"
    assert agent(waiting).lane == "loop"


REFUSED: list[tuple[Callable[..., Any], dict[str, Any], type[Exception], str]] = [
    (waiting, {"lane": "thread"}, UsageError, r"waiting is an async def.*lane='thread'.*plain def"),
    (waiting, {"lane": "process"}, UsageError, "waiting is an async def"),
    (plain, {"lane": "loop"}, UsageError, "plain is a plain def: lane='loop' would block every agent"),
    (
        plain,
        {"lane": "threads"},
        ValueError,
        r"lane='threads' of plain: there are 'loop', 'inline', 'thread', 'process'",
    ),
    (streaming, {"lane": "process"}, UsageError, "streaming is a generator.*lane='process'"),
    (streaming, {"lane": "inline"}, UsageError, "streaming is a generator.*lane='inline'"),
    (plain, {"timeout": -1}, ValueError, "timeout of plain must be 0 or more"),
    (plain, {"timeout": float("nan")}, ValueError, "timeout of plain must be 0 or more"),
    (plain, {"timeout": "5"}, TypeError, "timeout of plain must be a number of seconds"),
    (plain, {"timeout": True}, TypeError, "timeout of plain must be a number of seconds"),
    (plain, {"attempt_timeout": -0.1}, ValueError, "attempt_timeout of plain"),
    (waiting, {"grace": -1}, ValueError, "grace of waiting"),
    (waiting, {"grace": None}, ValueError, "grace of waiting"),
    (streaming, {"idle_timeout": -1}, ValueError, "idle_timeout of streaming"),
    (plain, {"idle_timeout": 1}, UsageError, "plain is no generator"),
    (streaming, {"attempt_timeout": 1}, UsageError, "use timeout= or idle_timeout="),
    (plain, {"limit": 0}, ValueError, "limit of plain must be 1 or more, not 0"),
    (plain, {"limit": -3}, ValueError, "limit of plain must be 1 or more"),
    (plain, {"limit": True}, TypeError, "limit of plain must be a whole number"),
    (plain, {"limit": "3"}, UsageError, "limit='3' of plain must be a whole number, or a Limit to share"),
    (plain, {"limit": 2.5}, UsageError, "limit=2.5 of plain"),
    (plain, {"priority": "urgent"}, ValueError, "priority='urgent' of plain: there are 'interactive'"),
    (plain, {"effect": "send"}, ValueError, "effect='send' of plain: there are 'read'"),
    (plain, {"retry": 3}, UsageError, r"retry=3 of plain must be Retry\(on=...\)"),
    (plain, {"retry": Retry(on=OSError)}, UsageError, r"effect='read'.*effect='keyed' and send call_key\(\)"),
    (streaming, {"retry": Retry(on=OSError), "effect": "read"}, UsageError, "would send its pieces again"),
    (plain, {"lane": "inline", "timeout": 1}, UsageError, "plain runs inline, .* no time-out can fire"),
    (plain, {"timeuot": 1}, UsageError, "@tool has no option timeuot; there are lane, timeout"),
]


@pytest.mark.parametrize(
    ("function", "options", "kind", "said"), REFUSED, ids=lambda value: getattr(value, "__name__", str(value)[:40])
)
def test_a_contradiction_is_refused_at_decoration(
    function: Callable[..., Any], options: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        tool(**options)(function)


@pytest.mark.parametrize("decorate", [tool, agent])
def test_what_is_no_function_is_refused_with_the_cure(decorate: Any) -> None:
    name = decorate.__name__
    for thing, said in (
        (staticmethod(waiting), rf"@{name} stands above @staticmethod; turn them round"),
        (classmethod(waiting), rf"@{name} stands above @classmethod; turn them round"),
        (tool(waiting), "is decorated already"),
        (type("Dish", (), {}), "Dish is a class"),
        (3, rf"@{name} is for functions, not 3"),
        ("fetch", rf"@{name} is for functions, not 'fetch'"),
    ):
        with pytest.raises(UsageError, match=said):
            decorate(thing)


def test_an_agent_is_an_async_function() -> None:
    with pytest.raises(UsageError, match="plain is a plain def; an agent waits for others"):
        agent(plain)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="plain is a plain def"):
        agent(timeout=3)(plain)  # type: ignore[call-overload]


# -- the annotation decides what checkers take the call for, so it must be true -----------------------------------


def lists() -> Iterator[int]:
    return iter([1])


def lists_async() -> AsyncIterator[int]:
    return streaming_async()


def lists_in_quotes() -> "Iterator[int]":
    return iter([1])


def promises() -> Coroutine[Any, Any, int]:
    return waiting()


def promises_awaitable() -> Awaitable[int]:
    return waiting()


def many() -> Iterable[int]:
    yield 1


async def many_async() -> AsyncIterable[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lists, "annotated Iterator and is no generator"),
        (lists_async, "annotated AsyncIterator and is no generator"),
        (lists_in_quotes, "annotated Iterator and is no generator"),
        (promises, "returns a Coroutine, which nobody would await: write async def"),
        (promises_awaitable, "returns a Awaitable, which nobody would await"),
        (many, "annotated Iterable.* annotate Iterator"),
        (many_async, "annotated AsyncIterable.* annotate AsyncIterator"),
    ],
)
def test_an_annotation_that_would_mislead_the_checkers_is_refused(function: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tool(function)


def test_annotations_that_are_true_pass() -> None:
    async def hands_on() -> AsyncIterator[int]:
        return streaming_async()

    def lists_all() -> list[Iterator[int]]:
        return [iter([1])]

    def takes_any() -> Iterable[int]:
        return [1]

    def unknown() -> "NotDefinedAnywhere":  # type: ignore[name-defined]  # noqa: F821
        return 1

    def bare():  # type: ignore[no-untyped-def]
        yield 1

    for function in (hands_on, lists_all, takes_any, unknown, bare, streaming, streaming_async):
        tool(function)


# -- call_key -----------------------------------------------------------------------------------------------------


@tool(lane="inline")
def key_inline() -> tuple[str, str]:
    return call_key(), call_key()


@tool
async def key_on_loop() -> tuple[str, str]:
    return call_key(), call_key()


@tool
def key_on_thread() -> tuple[str, str]:
    return call_key(), call_key()


@pytest.mark.parametrize("keyed", [key_inline, key_on_loop, key_on_thread])
async def test_a_call_has_one_key_of_its_own(keyed: Any) -> None:
    first, second = await keyed()
    assert first == second
    assert len(first) == 32
    assert int(first, 16) >= 0
    assert (await keyed())[0] != first


@pytest.mark.slow
async def test_a_key_travels_into_a_process_and_is_the_same_for_all_attempts(tmp_path: Path) -> None:
    logs = [tmp_path / "first", tmp_path / "second"]
    keys = [await process_tools.keyed(str(log)) for log in logs]
    assert [log.read_text().split() for log in logs] == [[key] * 3 for key in keys]
    assert keys[0] != keys[1]
    assert len(keys[0]) == 32


async def test_a_key_in_a_process_is_asked_for_by_effect() -> None:
    with pytest.raises(UsageError, match=r'effect="keyed"'):
        await process_tools.asks_for_key()


async def test_a_key_asked_for_outside_a_tool_is_an_error() -> None:
    with pytest.raises(UsageError, match="belongs inside the body of a tool"):
        call_key()

    @agent
    async def asks() -> str:
        return call_key()

    with pytest.raises(UsageError, match="belongs inside the body of a tool"):
        await asks()


def test_the_module_exports_what_is_tested_here() -> None:
    assert linecook.tool is tool
