"""What the agents of these tests are asked, and some of the agents."""

import asyncio
from dataclasses import dataclass

from linecook import Ask, Inbox, agent


@dataclass(frozen=True, slots=True)
class Dish:
    name: str


@dataclass(frozen=True, slots=True)
class Order(Ask[Dish]):
    name: str


@dataclass(frozen=True, slots=True)
class Count(Ask[int]):
    """How many orders came so far."""


@agent
async def cook(inbox: Inbox[Order], delay: float = 0.0) -> None:
    """Cooks one order after the other; burns what is called burnt."""
    async for message in inbox:
        if delay:
            await asyncio.sleep(delay)
        if message.body.name == "burnt":
            raise ValueError("it burnt")
        message.reply(Dish(message.body.name))


@agent
async def counter(inbox: Inbox[Count | str]) -> None:
    """Counts what it is told, in a variable of its own."""
    seen = 0
    async for message in inbox:
        if isinstance(message.body, Count):
            message.reply(seen)
        elif message.body == "fail":
            raise ValueError(f"failed at {seen}")
        else:
            before = seen
            await asyncio.sleep(0)  # another handler could come in between, were there one
            seen = before + 1
