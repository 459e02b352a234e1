"""A call of an agent that takes messages is a recipe: the team supplies the inbox and starts it, once or again."""

import inspect
from typing import Any

import pytest

import linecook as lc
from linecook import Inbox, agent, gather, team
from linecook.errors import UsageError

from .menu import Dish, Order, cook


async def test_awaiting_a_recipe_says_where_it_runs() -> None:
    with pytest.raises(UsageError, match=r"cook\(delay=2\) takes messages, so it runs in a team"):
        await cook(delay=2)  # type: ignore[misc]
    with pytest.raises(UsageError, match=r"cook\(delay=2\) takes messages"):
        await gather([cook(delay=2)])  # type: ignore[list-item]


async def test_a_recipe_that_is_dropped_is_reported() -> None:
    with pytest.warns(RuntimeWarning, match=r"call cook\(\) was never awaited"):
        cook()


def test_the_inbox_is_not_among_the_parameters_that_callers_see() -> None:
    assert str(inspect.signature(cook)) == "(delay: float = 0.0) -> None"


async def test_the_annotation_may_be_a_string_and_the_name_another() -> None:
    Box = Inbox  # noqa: N806

    async def one(inbox: "Inbox[Order]") -> None: ...
    async def two(inbox: "lc.Inbox[Order]") -> None: ...
    async def three(inbox: Box[Order]) -> None: ...
    async def four(inbox: Inbox) -> None: ...  # type: ignore[type-arg]

    async with team() as office:
        for function in (one, two, three, four):
            made: Any = agent(function)
            await office.start(made()).wait_closed()


def test_what_can_take_no_messages_is_refused_with_the_cure() -> None:
    def plain(inbox: Inbox[Order]) -> None: ...
    async def generator(inbox: Inbox[Order]) -> Any:
        yield 1

    async def second(first: int, inbox: Inbox[Order]) -> None: ...

    for function, words in [
        (plain, "no plain def"),
        (generator, "no generator"),
        (second, "the inbox is the first parameter"),
    ]:
        with pytest.raises(UsageError, match=words):
            agent(function)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=r"timeout= on .*cook, which takes messages.*ref\.ask"):
        cook.options(timeout=5)
    with pytest.raises(UsageError, match="timeout= on"):
        agent(timeout=5)(cook.body)


async def test_options_for_one_start() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook.options(grace=1, priority="batch")(delay=0))
        assert await ref.ask(Order("soup")) == Dish("soup")
