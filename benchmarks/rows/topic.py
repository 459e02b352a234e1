"""One publisher, 1,000 subscribers: each hears every message before the next is published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="one publisher, 1,000 subscribers, each message heard by all before the next",
    base="a_queue_each",
    unit="messages heard",
    full={"subscribers": 1000, "messages": 200},
    quick={"subscribers": 5, "messages": 4},
    units=lambda size: size["subscribers"] * size["messages"],
    targets=(Target("rate", 1.4, 1.9, over="a_queue_each"),),
    columns=("wall_s", "lag_p99_ms"),
    losing="What is left is the subscribers' own steps, and a wait that each begins anew for every message.",
)


@row.verify
def check(answers: list[int], subscribers: int, messages: int) -> str | None:
    """Everybody heard everything."""
    return None if answers == [sum(range(messages))] * subscribers else f"the sums are {answers[:3]}…"


class Heard:
    """Tells the publisher when all have heard a message."""

    def __init__(self, subscribers: int) -> None:
        self._subscribers = self._missing = subscribers
        self._all: asyncio.Future[None] | None = None

    def one(self) -> None:
        self._missing -= 1
        if not self._missing and self._all is not None:
            self._missing = self._subscribers
            self._all.set_result(None)

    def all(self) -> asyncio.Future[None]:
        self._all = asyncio.get_running_loop().create_future()
        return self._all


async def publish(meter: Meter, messages: int, say: Callable[[int], Any], ears: list[AsyncIterator[int]]) -> None:
    """Let *say* publish, and everybody listen with an ear of its own."""
    heard = Heard(len(ears))

    async def listen(ear: AsyncIterator[int]) -> int:
        total = count = 0
        async for number in ear:
            total += number
            count += 1
            heard.one()
            if count == messages:
                break
        return total

    listeners = [asyncio.create_task(listen(ear)) for ear in ears]
    await asyncio.sleep(0)
    async with meter.watching():
        for number in range(messages):
            all_heard = heard.all()
            say(number)
            await all_heard
    meter.answer(await asyncio.gather(*listeners))


@row.linecook
def linecook(meter: Meter, subscribers: int, messages: int) -> None:
    from linecook import Topic, run

    async def main() -> None:
        topic: Topic[int] = Topic()
        ears = [topic.subscribe() for _ in range(subscribers)]
        await publish(meter, messages, topic.publish_nowait, [*ears])

    run(main())


class Ear:
    """An ``asyncio.Queue`` to listen to."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()

    def __aiter__(self) -> Ear:
        return self

    def __anext__(self) -> Any:
        return self.queue.get()


@row.stdlib
def a_queue_each(meter: Meter, subscribers: int, messages: int) -> None:
    async def main() -> None:
        ears = [Ear() for _ in range(subscribers)]

        def say(number: int) -> None:
            for ear in ears:
                ear.queue.put_nowait(number)

        await publish(meter, messages, say, [*ears])

    asyncio.run(main())


@row.peer("anyio")
def anyio_stream_each(meter: Meter, subscribers: int, messages: int) -> None:
    import anyio

    async def main() -> None:
        pairs = [anyio.create_memory_object_stream[int](1000) for _ in range(subscribers)]
        async with AsyncExitStack() as streams:
            for send, receive in pairs:
                await streams.enter_async_context(send)
                await streams.enter_async_context(receive)

            def say(number: int) -> None:
                for send, _ in pairs:
                    send.send_nowait(number)

            await publish(meter, messages, say, [receive.__aiter__() for _, receive in pairs])

    asyncio.run(main())
