"""``@agent(tools=...)``: it calls these and no others, and neither does anything under it."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linecook import (
    Ask,
    Failed,
    Inbox,
    Runtime,
    agent,
    approving,
    budget,
    gather,
    merge,
    scope,
    settle,
    team,
    tool,
)
from linecook.errors import BudgetExceeded, NotAllowed, NotApproved, UsageError


@tool
async def fetch(url: str) -> str:
    return f"page of {url}"


@tool
def fetch_on_a_thread(url: str) -> str:
    return f"page of {url}"


@tool
async def delete(url: str) -> str:
    return f"{url} is gone"


@agent
async def anything(what: Any, *args: Any) -> Any:
    return await what(*args)


@agent(tools=[fetch, fetch_on_a_thread, anything])
async def reader(what: Any, *args: Any) -> Any:
    return await what(*args)


async def test_what_is_listed_may_be_called() -> None:
    assert await reader(fetch, "a") == "page of a"
    assert await reader(fetch.options(timeout=3), "a") == "page of a"
    assert await reader(fetch_on_a_thread, "a") == "page of a"
    assert await reader(anything, fetch, "a") == "page of a"
    assert await reader(reader, fetch, "a") == "page of a"


async def test_nothing_else_may_and_the_error_says_who_what_and_the_cure() -> None:
    with pytest.raises(NotAllowed) as caught:
        await reader(delete, "a")
    assert str(caught.value) == (
        "delete('a') was refused: the agent reader may call fetch, fetch_on_a_thread, anything and no more, and "
        "neither may what it calls. Add delete to tools= of reader, or call it from elsewhere."
    )
    assert (caught.value.agent, caught.value.work) == ("reader", "not started")
    assert pickle.loads(pickle.dumps(caught.value)).agent == "reader"


async def test_children_inherit() -> None:
    with pytest.raises(NotAllowed, match="which anything calls"):
        await reader(anything, delete, "a")
    assert await anything(delete, "a") == "a is gone"


async def test_children_may_what_all_above_them_may() -> None:
    @agent(tools=[delete, fetch])
    async def inner(what: Any, *args: Any) -> Any:
        return await what(*args)

    @agent(tools=[fetch_on_a_thread, fetch, inner])
    async def outer(what: Any, *args: Any) -> Any:
        return await what(*args)

    assert await outer(inner, fetch, "a") == "page of a"
    with pytest.raises(NotAllowed, match="the agent outer"):
        await outer(inner, delete, "a")
    with pytest.raises(NotAllowed, match="the agent inner"):
        await outer(inner, fetch_on_a_thread, "a")


async def test_an_empty_list_allows_nothing() -> None:
    @agent(tools=[])
    async def thinker() -> str:
        return await fetch("a")

    with pytest.raises(NotAllowed, match="may call nothing and no more"):
        await thinker()


async def started_in_a_scope() -> Any:
    async with scope() as s:
        return await s.start(delete("a"))


async def in_a_task() -> Any:
    return await asyncio.create_task(delete("a"))


async def in_a_foreign_gather() -> Any:
    return await asyncio.gather(delete("a"))


async def in_a_fan_out() -> Any:
    return await gather(delete(url) for url in "ab")


async def as_background_work() -> Any:
    async with Runtime() as runtime:
        return await runtime.start(delete("a"))


async def as_background_work_of_a_child() -> Any:
    async with Runtime() as runtime:
        return await runtime.start(anything(delete, "a"))


async def under_a_budget() -> Any:
    with budget(usd=1):
        return await delete("a")


WAYS = [
    started_in_a_scope, in_a_task, in_a_foreign_gather, in_a_fan_out, as_background_work, as_background_work_of_a_child,
    under_a_budget,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_there_is_no_way_round(way: Any) -> None:
    @agent(tools=[anything])
    async def walled() -> Any:
        return await way()

    with pytest.raises(NotAllowed):
        await walled()


async def test_background_work_of_the_allowed_runs_on() -> None:
    @agent(tools=[fetch])
    async def starter() -> Any:
        return runtime.start(fetch("a"))

    async with Runtime() as runtime:
        handle = await starter()
        assert await handle == "page of a"


async def test_background_work_is_asked_about_too() -> None:
    async def no(call: Any) -> bool:
        return False

    async with Runtime() as runtime:
        with approving(no):
            handle = runtime.start(fetch("a"))
        with pytest.raises(NotApproved):
            await handle


async def test_settle_returns_what_was_refused() -> None:
    @agent(tools=[fetch])
    async def mixed() -> Any:
        return await settle(fetch("a"), delete("a"))

    fetched, deleted = await mixed()
    assert fetched.value == "page of a"
    assert isinstance(deleted, Failed)
    assert isinstance(deleted.error, NotAllowed)


async def test_a_fan_out_of_agents_holds_each_to_its_own() -> None:
    outcomes = await settle([reader(delete, "a"), anything(delete, "a"), reader(fetch, "a")])
    assert [type(outcome).__name__ for outcome in outcomes] == ["Failed", "Ok", "Ok"]


async def test_streams_are_bound_and_bind() -> None:
    @agent(tools=[fetch])
    async def telling(what: Any) -> AsyncIterator[str]:
        yield await what("a")

    @agent(tools=[telling, fetch])
    async def listener() -> list[str]:
        return [piece async for _, piece in merge([telling(fetch), telling(delete)])]

    assert [piece async for piece in telling(fetch)] == ["page of a"]
    with pytest.raises(NotAllowed, match="the agent telling"):
        await listener()

    @agent(tools=[fetch])
    async def deaf() -> None:
        async for _ in telling(fetch):
            pass

    with pytest.raises(NotAllowed, match="the agent deaf"):
        await deaf()


class Get(Ask[str]):
    def __init__(self, what: Any) -> None:
        self.what = what


@agent(tools=[fetch])
async def clerk(inbox: Inbox[Get]) -> None:
    async for message in inbox:
        try:
            message.reply(await message.body.what("a"))
        except NotAllowed as error:
            message.fail(error)


async def test_agents_that_take_messages_are_bound() -> None:
    async with team() as kitchen:
        ref = kitchen.start(clerk())
        assert await ref.ask(Get(fetch), timeout=5) == "page of a"
        with pytest.raises(NotAllowed, match="the agent clerk"):
            await ref.ask(Get(delete), timeout=5)


async def test_a_team_inside_may_start_only_what_is_listed() -> None:
    @agent(tools=[fetch])
    async def boss() -> None:
        async with team() as kitchen:
            kitchen.start(clerk())

    with pytest.raises(NotAllowed, match="Add clerk to tools= of boss"):
        await boss()


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @tool
    async def order(self, dish: str) -> str:
        return f"{dish} of {self.name}"


async def test_a_method_is_allowed_for_its_instance_only() -> None:
    near, far = Shop("near"), Shop("far")

    @agent(tools=[near.order])
    async def buyer(shop: Shop) -> str:
        return await shop.order("soup")

    assert await buyer(near) == "soup of near"
    with pytest.raises(NotAllowed):
        await buyer(far)


async def test_a_budget_around_holds_as_well() -> None:
    with budget(calls=2), pytest.raises(BudgetExceeded):
        await gather(reader(fetch, "a"), reader(fetch, "b"))


async def test_options_can_bound_an_agent_for_one_call() -> None:
    assert await anything.options(tools=[fetch])(fetch, "a") == "page of a"
    with pytest.raises(NotAllowed):
        await anything.options(tools=[fetch])(delete, "a")


def test_what_makes_no_sense_is_refused_at_decoration() -> None:
    def plain() -> None: ...

    async def body() -> None: ...

    with pytest.raises(UsageError, match=r"plain is no tool and no agent"):
        agent(tools=[plain])(body)  # type: ignore[list-item]
    with pytest.raises(UsageError, match="must be a list"):
        agent(tools=fetch)(body)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="tools"):
        tool(tools=[fetch])(body)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="fetch is a tool, which calls no other"):
        fetch.options(tools=[])


def test_without_tools_nothing_is_paid() -> None:
    call = anything.call(fetch, "a")
    assert call.account is None
    call.close()
