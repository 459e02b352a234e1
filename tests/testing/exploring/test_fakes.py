"""Fakes: found by name, misbehaving as told, and gone afterwards."""

import asyncio
from typing import Any

import pytest

import linecook
from linecook.testing import explore
from linecook.testing.exploring import answers, fake, hangs, late, raises, says_429, twice

ORDERS = list[str]()


@linecook.tool(timeout=30, retry=linecook.Retry(on=ConnectionError, attempts=2), effect="read")
async def ask_model(question: str) -> str:
    raise RuntimeError("the real one was called")


async def plain_tool(item: str) -> str:
    raise RuntimeError("the real one was called")


class Shop:
    async def order(self, item: str) -> str:
        raise RuntimeError("the real one was called")


async def asks() -> None:
    assert await ask_model("why?") == "because"


async def uses_all() -> None:
    assert await ask_model("why?") == "because"
    assert await plain_tool("salt") == "got salt"
    assert await Shop().order("salt") == "ordered"


async def gently() -> None:
    try:
        async with asyncio.timeout(60):
            assert await plain_tool("salt") in ("got salt", "got it late")
    except (TimeoutError, ValueError):
        pass


async def books() -> None:
    ORDERS.clear()
    await plain_tool("salt")
    assert ORDERS == ["salt"]


def test_a_tool_a_function_and_a_method_are_replaced_by_name() -> None:
    given = {
        "ask_model": fake(answers("because")),
        plain_tool: fake(answers(lambda item: f"got {item}")),
        f"{__name__}.Shop.order": fake(answers("ordered")),
    }
    assert explore(uses_all, fakes=given, overtakings=0, schedules=1).failure is None
    with pytest.raises(RuntimeError, match="real one"):
        asyncio.run(plain_tool("salt"))
    assert ask_model.lane == "loop"
    with pytest.raises(RuntimeError, match="real one"):
        asyncio.run(asks())


def test_policies_of_a_tool_go_for_its_fake() -> None:
    """The first call is refused; Retry waits as long as the server says, and asks again."""
    given = {"ask_model": fake(says_429(retry_after=2), answers("because"))}
    assert explore(asks, fakes=given, schedules=1).failure is None
    failure = explore(asks, fakes={"ask_model": fake(says_429())}, schedules=1).failure
    assert failure is None  # an injected fault that goes through all attempts is no failure of the program


def test_what_a_fake_may_do_costs_a_fault() -> None:
    may = [raises(ValueError("no")), hangs(), late("got it late", after=5)]
    given = {plain_tool: fake(answers("got salt"), may=may)}
    assert explore(gently, fakes=given, faults=1).failure is None
    given = {plain_tool: fake(answers("got salt"), may=[answers("something else")])}
    assert explore(gently, fakes=given).failure is None
    failure = explore(gently, fakes=given, faults=1).failure
    assert failure is not None
    assert failure.faults == 1


def test_a_server_that_does_it_twice() -> None:
    def book(item: str) -> None:
        ORDERS.append(item)

    assert explore(books, fakes={"plain_tool": fake(answers(book))}).failure is None
    failure = explore(books, fakes={"plain_tool": fake(answers(book), may=[twice(book)])}, faults=1).failure
    assert failure is not None
    assert failure.faults == 1


@pytest.mark.parametrize("name", ["nobody", "json.nobody", "nobody.knows", len, "ORDERS"])
def test_what_cant_be_replaced_is_named(name: Any) -> None:
    with pytest.raises(TypeError, match="fakes:"):
        explore(asks, fakes={name: fake()})


def test_a_value_in_place_of_a_behaviour_is_refused_with_the_cure() -> None:
    with pytest.raises(TypeError, match=r"answers\('because'\)"):
        fake("because")  # type: ignore[arg-type]


def test_what_a_fake_may_do_is_chosen_though_no_kind_of_fault_is_asked_for() -> None:
    given = {"plain_tool": fake(answers("got salt"), may=[says_429()])}

    async def main() -> None:
        await plain_tool("salt")
        await plain_tool("salt")

    found = explore(main, fakes=given, faults=1, fault_kinds=[])
    assert found.schedules == 3  # neither call is refused, the first, the second
    unread = {"plain_tool": fake(answers("got salt"), may=[raises(ValueError("sold out"))])}
    failure = explore(main, fakes=unread, faults=1, fault_kinds=[]).failure
    assert failure is not None
    assert (failure.kind, failure.faults) == ("exception", 1)
    again = explore(main, fakes=unread, token=failure.token).failure
    assert again is not None
    assert again.message == failure.message
    assert explore(main, fakes=unread, fault_kinds=[]).check().exhausted
