"""The courier wakes tasks in the order in which they were woken, and leaves room for the loop's other work."""

import asyncio
from typing import Any

import pytest

from linecook import Inbox, Ref, agent, team
from linecook.agents.courier import courier_of

from .menu import Dish, Order, cook


async def test_a_question_and_its_answer_need_no_turn_of_the_loop_each() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with team() as kitchen:
        ref = kitchen.start(cook())
        await ref.ask(Order("first"))
        task = asyncio.create_task(count())
        for _ in range(64):
            await ref.ask(Order("soup"))
        assert 2 <= turns <= 40  # not 128; and others have their turn in between
        task.cancel()
        await asyncio.wait([task])


async def test_who_was_woken_first_goes_on_first() -> None:
    order: list[int] = []
    async with team() as kitchen:
        refs = [kitchen.start(cook()) for _ in range(100)]

        async def ask(number: int) -> None:
            await refs[number].ask(Order("soup"))
            order.append(number)

        await asyncio.gather(*(ask(number) for number in range(100)))
    assert order == list(range(100))


async def test_steps_that_take_long_are_not_taken_in_a_row() -> None:
    import time

    @agent
    async def slow(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            time.sleep(0.001)
            message.reply(Dish(""))

    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with team() as office:
        refs = [office.start(slow()) for _ in range(64)]
        await asyncio.sleep(0)
        task = asyncio.create_task(watch())
        await asyncio.gather(*(ref.ask(Order("")) for ref in refs))
        assert turns >= 6  # eight steps of a millisecond, and the loop's other work has its turn
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("eager", [False, True])
async def test_a_cancelled_task_is_not_woken_twice(eager: bool) -> None:
    ended: list[str] = []

    async def ask(ref: Ref[Order]) -> None:
        try:
            await ref.ask(Order("soup"))
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("answered")

    async with team() as kitchen:
        ref = kitchen.start(cook())
        await asyncio.sleep(0)
        task = asyncio.create_task(ask(ref))
        for _ in range(1 + eager):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert len(ended) == 1
        assert await ref.ask(Order("salad")) == Dish("salad")


def test_an_interrupt_in_a_step_leaves_the_others_awake() -> None:
    answered: list[Any] = []

    async def main() -> None:
        async def interrupted(ref: Ref[Order]) -> None:
            await ref.ask(Order("a"))
            raise KeyboardInterrupt

        async def other(ref: Ref[Order]) -> None:
            answered.append(await ref.ask(Order("b")))

        async with team() as kitchen:
            refs = [kitchen.start(cook()) for _ in range(2)]
            first, second = asyncio.create_task(interrupted(refs[0])), asyncio.create_task(other(refs[1]))
            await asyncio.wait([first, second])

    with pytest.raises(KeyboardInterrupt), asyncio.Runner() as runner:
        runner.run(main())
    assert answered in ([], [Dish("b")])


async def test_one_courier_for_each_loop() -> None:
    loop = asyncio.get_running_loop()
    assert courier_of(loop) is courier_of(loop)
    assert courier_of(loop).loop is loop
