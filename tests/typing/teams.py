"""Agents that take messages, as type checkers see them. Checked, never run."""

from dataclasses import dataclass
from typing import Any, Never, assert_type

from linecook import Ask, Inbox, Outcome, Ref, Topic, agent, as_completed, gather, settle, team, tool
from linecook.agents.message import Message


@dataclass(frozen=True, slots=True)
class Dish:
    name: str


@dataclass(frozen=True, slots=True)
class Receipt:
    total: float


@dataclass(frozen=True, slots=True)
class Order(Ask[Dish]):
    name: str


@dataclass(frozen=True, slots=True)
class Bill(Ask[Receipt]):
    table: int


@agent
async def cook(inbox: Inbox[Order], delay: float = 0.0) -> None:
    async for message in inbox:
        assert_type(message, Message[Order, Dish])
        message.reply(Dish(message.body.name))
        message.reply("soup")  # type: ignore[arg-type]
        await message.send(Dish("soup"))
    one = await inbox.receive(timeout=5)
    assert_type(one, Message[Order, Dish])
    several = await inbox.receive_many(10)
    assert_type(several, list[Message[Order, Dish]])


@agent(grace=1, priority="interactive")
async def waiter(inbox: Inbox[Order | Bill | str], cook: Ref[Order]) -> None:
    async for message in inbox:
        match message.body:
            case Order():
                message.reply(await cook.ask(message.body))
            case Bill(table):
                message.reply(Receipt(table * 9.5))
            case text:
                assert_type(text, str)


@agent
async def reader(url: Any) -> int:
    return len(url)


@agent
async def quiet() -> None: ...


@tool
async def look(word: str) -> str:
    return word


async def starting() -> None:
    async with team(name="kitchen", restart="one_for_all", intensity=None) as kitchen:
        chef = kitchen.start(cook(delay=2), restart="permanent", capacity=10, when_full="drop_oldest", deliveries=3)
        assert_type(chef, Ref[Order])
        floor = kitchen.start(waiter(chef))
        assert_type(floor, Ref[Order | Bill | str])
        only_orders: Ref[Order] = floor
        assert_type(kitchen.start(reader("u")), Ref[Never])
        assert_type(kitchen.start(quiet()), Ref[Never])
        await talking(only_orders, floor)
        cook(delay="long")  # type: ignore[arg-type]
        kitchen.start(cook)  # type: ignore[call-overload]


async def talking(chef: Ref[Order], floor: Ref[Order | Bill | str]) -> None:
    assert_type(await chef.ask(Order("soup"), timeout=5), Dish)
    assert_type(await floor.ask(Bill(3)), Receipt)
    await floor.tell("hello")
    chef.tell_nowait(Order("soup"))
    await chef.tell("hello")  # type: ignore[arg-type]
    await chef.ask("hello")  # type: ignore[arg-type]
    async for piece in chef.stream(Order("soup")):
        assert_type(piece, Dish)
    assert_type(await chef.stop(), Outcome[Any])
    assert_type(await gather([chef.ask(Order("a")), chef.ask(Order("b"))]), list[Dish])
    assert_type((await settle(chef.ask(Order(name)) for name in "ab")).results, list[Dish])
    async with as_completed(chef.ask(Order(name)) for name in "ab") as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[Dish])


async def others() -> None:
    assert_type(await reader("u"), int)
    assert_type(await quiet(), None)
    assert_type(await look("u"), str)


async def listening(news: Topic[str]) -> None:
    await news.publish("soup")
    await news.publish(3)  # type: ignore[arg-type]
    async with news.subscribe(when_slow="block") as pieces:
        async for piece in pieces:
            assert_type(piece, str)
    Topic[int]("n", keep=3).publish_nowait(1)
