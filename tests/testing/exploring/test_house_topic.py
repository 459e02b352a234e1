"""Our own topics, in every order: each hears what it is owed, once and in order; the slow hold up nobody unasked."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from linecook import Topic
from linecook.agents.topic import Slow, Subscription
from linecook.errors import MailboxClosed, TooSlow
from linecook.testing import outside
from tests.testing.exploring.house import cancelled_sometime, in_every_order


async def listen(subscription: Subscription[int], heard: list[int], *, slow: bool = False) -> None:
    """Hear all, writing it down; one that is slow waits after each."""
    async with subscription as mine:
        async for number in mine:
            heard.append(number)
            if slow:
                await outside("a slow listener")


async def publish(topic: Topic[int], *numbers: int) -> None:
    for number in numbers:
        await outside("news")
        await topic.publish(number)


def assert_nothing_left(topic: Topic[int]) -> None:
    figures = topic.statistics()
    assert (figures["subscribers"], figures["blocking"]) == (0, 0)
    assert not topic._publishers


async def two_publish_to_two() -> None:
    topic = Topic[int](keep=4)
    heard: list[list[int]] = [[], []]
    tasks = [asyncio.create_task(listen(topic.subscribe(), each)) for each in heard]
    await asyncio.gather(publish(topic, 1, 2), publish(topic, 11, 12))
    topic.close()
    await asyncio.wait(tasks)
    assert heard[0] == heard[1]
    assert sorted(heard[0]) == [1, 2, 11, 12]
    assert [number for number in heard[0] if number < 10] == [1, 2]
    assert [number for number in heard[0] if number > 10] == [11, 12]
    assert_nothing_left(topic)


async def one_subscribes_later() -> None:
    topic = Topic[int](keep=4)
    early, late = list[int](), list[int]()
    first = asyncio.create_task(listen(topic.subscribe(), early))
    publishing = asyncio.create_task(publish(topic, 1, 2))
    await outside("another one")
    published = topic.statistics()["published"]
    second = asyncio.create_task(listen(topic.subscribe(), late))
    await publishing
    topic.close()
    await asyncio.wait([first, second])
    assert early == [1, 2]
    assert late == [1, 2][published:]
    assert_nothing_left(topic)


async def one_that_drops() -> None:
    """It misses the oldest and knows how many; the other one misses none."""
    topic = Topic[int](keep=1)
    heard, heard_by_slow = list[int](), list[int]()
    slow = topic.subscribe()
    tasks = [
        asyncio.create_task(listen(slow, heard_by_slow, slow=True)),
        asyncio.create_task(listen(topic.subscribe(), heard)),
    ]
    await publish(topic, 1, 2, 3)
    await asyncio.sleep(0)
    topic.close()
    await asyncio.wait(tasks)
    assert heard == sorted(set(heard))
    assert heard_by_slow == sorted(set(heard_by_slow))
    assert len(heard_by_slow) + slow.missed == 3
    assert heard_by_slow[-1] == 3
    assert_nothing_left(topic)


async def one_that_is_waited_for() -> None:
    topic = Topic[int](keep=1)
    slow, quick = list[int](), list[int]()
    quick_one = topic.subscribe()
    tasks = [
        asyncio.create_task(listen(topic.subscribe(when_slow="block"), slow, slow=True)),
        asyncio.create_task(listen(quick_one, quick)),
    ]
    await asyncio.gather(publish(topic, 1, 2), publish(topic, 11))
    topic.close()
    await asyncio.wait(tasks)
    assert sorted(slow) == [1, 2, 11]
    assert slow.index(1) < slow.index(2)
    assert [number for number in slow if number in quick] == quick
    assert len(quick) + quick_one.missed == 3
    assert_nothing_left(topic)


async def one_that_is_waited_for_leaves() -> None:
    topic = Topic[int](keep=1)
    heard = list[int]()
    task = asyncio.create_task(listen(topic.subscribe(when_slow="block"), heard, slow=True))
    publishing = asyncio.create_task(publish(topic, 1, 2, 3))
    assert await cancelled_sometime(task) == task.cancelled()
    await publishing  # else nobody would wake it: a deadlock
    assert heard == [1, 2, 3][: len(heard)]
    topic.close()
    assert_nothing_left(topic)


async def one_that_is_waited_for_is_dropped() -> None:
    """As a task that forgot it does: no ``close``, the last reference goes."""
    topic = Topic[int](keep=1)
    held = [topic.subscribe(when_slow="block"), topic.subscribe(when_slow="block")]
    publishing = asyncio.create_task(publish(topic, 1, 2))
    for _ in range(2):
        await outside("one goes")
        held.pop()
    await publishing
    topic.close()
    await asyncio.sleep(0)
    assert_nothing_left(topic)


async def one_that_is_cut_off() -> None:
    topic = Topic[int](keep=1)
    heard, quick = list[int](), list[int]()
    was_cut = False

    async def slow() -> None:
        nonlocal was_cut
        try:
            await listen(topic.subscribe(when_slow="disconnect"), heard, slow=True)
        except TooSlow:
            was_cut = True

    tasks = [asyncio.create_task(slow()), asyncio.create_task(listen(topic.subscribe(when_slow="block"), quick))]
    await publish(topic, 1, 2, 3)
    topic.close()
    await asyncio.gather(*tasks)
    assert quick == [1, 2, 3]
    assert was_cut == (len(heard) < 3)
    assert heard == [1, 2, 3][: len(heard)]
    assert_nothing_left(topic)


async def a_publisher_that_waits_is_cancelled() -> None:
    topic = Topic[int](keep=1)
    heard = list[int]()
    listening = asyncio.create_task(listen(topic.subscribe(when_slow="block"), heard, slow=True))
    await topic.publish(0)
    tasks = [asyncio.create_task(topic.publish(number)) for number in (1, 2, 3)]
    await outside("the cancel")
    was_published = topic.statistics()["published"] > 2
    asked = tasks[1].cancel()
    await asyncio.wait(tasks)
    assert tasks[1].cancelled() == asked
    topic.close()
    await listening
    assert heard == ([0, 1, 2, 3] if was_published or not asked else [0, 1, 3])
    assert_nothing_left(topic)


async def closed_while_publishers_wait() -> None:
    topic = Topic[int](keep=1)
    heard = list[int]()
    listening = asyncio.create_task(listen(topic.subscribe(when_slow="block"), heard, slow=True))
    tasks = [asyncio.create_task(topic.publish(number)) for number in (1, 2, 3)]
    await outside("the end")
    topic.close()
    await asyncio.wait([*tasks, listening])
    published = [number for number, task in zip((1, 2, 3), tasks, strict=True) if task.exception() is None]
    assert all(isinstance(task.exception(), MailboxClosed) for task in tasks[len(published) :])
    assert heard == published == [1, 2, 3][: len(published)]
    assert_nothing_left(topic)


async def the_wait_for_a_message_is_given_up() -> None:
    """A wait that was cancelled, and is begun again by another task, misses nothing and hears nothing twice."""
    topic = Topic[int](keep=4)
    for when_slow in ("drop", "block"):
        await _given_up(topic, when_slow)
    assert_nothing_left(topic)


async def _given_up(topic: Topic[int], when_slow: Slow) -> None:
    async with topic.subscribe(when_slow=when_slow) as mine:
        heard = list[int]()

        async def hear() -> None:
            heard.append(await anext(mine))

        first = asyncio.create_task(hear())
        publishing = asyncio.create_task(publish(topic, 1, 2))
        await cancelled_sometime(first)
        while len(heard) < 2:
            await hear()
        await publishing
        assert heard == [1, 2]


PROGRAMS = [
    two_publish_to_two, one_subscribes_later, one_that_drops, one_that_is_waited_for, one_that_is_waited_for_leaves,
    one_that_is_waited_for_is_dropped, one_that_is_cut_off, a_publisher_that_waits_is_cancelled,
    closed_while_publishers_wait, the_wait_for_a_message_is_given_up,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(170)  # some thousand schedules each, on a machine that may be busy
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_topic_keeps_its_word_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program, seconds=240)
