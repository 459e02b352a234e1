"""Endings told apart: the body's own failure, a cancellation that was asked for, an exit that must not spread."""

import asyncio
from typing import Any

import pytest

from linecook._core.callframe import ForeignCall
from linecook._core.endings import EXITS, cancellation_requested, contained, reason_of
from linecook.errors import BodyExited, CallCancelled


@pytest.mark.parametrize("kind", EXITS)
def test_an_exit_is_contained_with_the_original_as_its_cause(kind: type[BaseException]) -> None:
    error = kind("words")
    told = contained(error, "bake('pie')")
    assert isinstance(told, BodyExited)
    assert told.__cause__ is error
    assert "the body of bake('pie') raised" in str(told)
    assert "raise an ordinary exception" in str(told)


def test_an_operators_cancellation_is_told_in_the_operators_words() -> None:
    told = contained(asyncio.CancelledError("operator: stuck since noon"), "bake('pie')")
    assert isinstance(told, CallCancelled)
    assert "bake('pie') was cancelled from outside (operator: stuck since noon)" in str(told)
    assert told.work == "stopped"


@pytest.mark.parametrize("error", [ValueError(), RuntimeError("x"), ExceptionGroup("g", [KeyError()]), Warning()])
def test_everything_else_passes_as_it_is(error: BaseException) -> None:
    assert contained(error, "bake()") is error


async def test_a_stop_iteration_is_found_behind_the_runtime_error_python_makes_of_it() -> None:
    async def stops() -> None:
        raise StopIteration(7)

    def yields() -> Any:
        yield 1
        raise StopIteration(8)

    with pytest.raises(RuntimeError) as caught:
        await stops()
    told = contained(caught.value, "stops()")
    assert isinstance(told, BodyExited)
    assert isinstance(told.__cause__, StopIteration)
    with pytest.raises(RuntimeError) as caught:
        list(yields())
    assert isinstance(contained(caught.value, "yields()"), BodyExited)
    mine = RuntimeError("coroutine raised StopIteration")
    assert contained(mine, "says so without a cause") is mine


async def test_the_call_is_on_the_error() -> None:
    async def plain() -> None: ...

    call = ForeignCall(plain())
    told = contained(SystemExit(3), "plain()", call)
    assert isinstance(told, BodyExited)
    assert told.call is call
    call.discard()


async def test_a_cancellation_counts_as_requested_while_its_request_is_open() -> None:
    seen: list[bool] = []

    async def body() -> None:
        task = asyncio.current_task()
        seen.append(cancellation_requested(task))
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            seen.append(cancellation_requested(task))
            assert task is not None
            task.uncancel()
            seen.append(cancellation_requested(task))

    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert seen == [False, True, False]
    assert not cancellation_requested(None)


@pytest.mark.parametrize(
    ("words", "reason"),
    [("deadline: fail_after(1)", "deadline"), ("sibling: a call of this scope failed", "sibling"),
     ("shutdown: Ctrl-C", "shutdown"), ("Cancelled via cancel scope 7f", "caller"), (None, "caller"), ("", "caller")],
)  # fmt: skip
def test_the_reason_travels_with_a_cancellation_and_foreign_words_are_the_callers(
    words: str | None, reason: str
) -> None:
    assert reason_of(asyncio.CancelledError(words)) == reason
    assert reason_of(asyncio.CancelledError()) == "caller"
