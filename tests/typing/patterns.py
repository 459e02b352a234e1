"""Patterns, merged streams and permissions as a user writes them; every type is exact."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, assert_type

from linecook import Call, Outcome, Settled, Shared, agent, approving, merge, tool
from linecook.patterns import (
    HandOff,
    Reviewed,
    best_of,
    blackboard,
    critic_loop,
    debate,
    hand_off,
    map_reduce,
    race,
    supervise,
    vote,
)
from linecook.tools.stream import Stream


async def ask_a_person(call: Call[Any]) -> bool | str:
    return call.name == "pay"


@tool(approve=ask_a_person, timeout=60)
async def pay(usd: float) -> int:
    return 1


@tool
def fetch(url: str) -> str:
    return url


@agent
async def dishes(name: str) -> AsyncIterator[str]:
    yield name


@agent(tools=[pay, fetch, dishes])
async def clerk(url: str) -> str:
    return await fetch(url)


@agent
async def triage(request: str) -> int | HandOff[str]:
    return HandOff("triage", request)


@agent
async def speaks(question: str, said: Sequence[Sequence[int]]) -> int:
    return 1


@agent
async def judge(question: str, said: Sequence[Sequence[int]]) -> str:
    return question


@agent
async def expert(board: Shared[tuple[str, ...]]) -> None:
    assert_type(board.value, tuple[str, ...])


@agent
async def write(draft: str | None, criticism: int | None) -> str:
    return draft or ""


@agent
async def criticise(draft: str) -> int | None:
    return None


@agent
async def join(parts: list[str]) -> str:
    return "".join(parts)


def fee(number: int) -> float:
    return number


async def use() -> None:
    assert_type(await clerk("a"), str)
    assert_type(await pay(1.0), int)
    async with approving(ask_a_person), approving(pay_is_fine):
        assert_type(await pay(1.0), int)

    assert_type(merge({"a": dishes("a")}), Stream[tuple[str, str]])
    assert_type(merge([dishes("a")]), Stream[tuple[int, str]])

    settled = await supervise(clerk, ["a", "b"])
    assert_type(settled, Settled[str])
    assert_type(settled[0], Outcome[str])
    assert_type(await hand_off({"triage": triage}, "triage", "money"), int)
    assert_type(await debate("salt?", [speaks], judge), str)
    assert_type(await vote([clerk("a"), clerk("b")]), str)
    assert_type(await best_of(lambda: pay(1.0), 3, score=fee, usd=1), int)
    assert_type(await race([clerk("a")], lambda: clerk("b"), timeout=1), str)
    nothing: tuple[str, ...] = ()
    assert_type(await blackboard(nothing, [expert], done=bool), tuple[str, ...])
    assert_type(await critic_loop(write, criticise), Reviewed[str, int])
    assert_type(await map_reduce(["a"], clerk, join), str)


@tool
def pay_is_fine(call: Call[Any]) -> bool:
    return True
