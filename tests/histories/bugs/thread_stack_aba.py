"""A stack without a lock, on threads: the top is compared by identity, and it may have been away and back."""

import asyncio
from dataclasses import dataclass


@dataclass(eq=False)
class Item:
    name: str
    below: "Item | None"


class Stack:
    def __init__(self) -> None:
        self.top: Item | None = Item("a", Item("b", Item("c", None)))

    def swap(self, seen: Item | None, new: Item | None) -> bool:
        if self.top is not seen:
            return False
        self.top = new
        return True

    def pop(self) -> Item | None:
        while (seen := self.top) is not None:
            below = peek(seen)
            if self.swap(seen, below):
                return seen
        return None

    def push(self, item: Item) -> None:
        while True:
            item.below = peek(self)
            if self.swap(item.below, item):
                return


def peek(holder: Item | Stack) -> Item | None:
    return holder.below if isinstance(holder, Item) else holder.top


def take_one(stack: Stack, taken: list[Item]) -> None:
    if (item := stack.pop()) is not None:
        taken.append(item)


def take_two_give_one_back(stack: Stack, taken: list[Item]) -> None:
    first, second = stack.pop(), stack.pop()
    if second is not None:
        taken.append(second)
    if first is not None:
        stack.push(first)


async def main() -> None:
    stack, taken = Stack(), list[Item]()
    await asyncio.gather(
        asyncio.to_thread(take_one, stack, taken), asyncio.to_thread(take_two_give_one_back, stack, taken)
    )
    while (item := stack.pop()) is not None:
        taken.append(item)
    assert sorted(item.name for item in taken) == ["a", "b", "c"]
