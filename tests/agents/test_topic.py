"""A topic stores a message once for all who listen; a slow one holds up nobody, unless it was subscribed so."""

import asyncio
import gc
import threading
from typing import Any

import pytest

from linecook import Topic, move_on_after
from linecook.errors import MailboxClosed, Refused, TooSlow, UsageError
from linecook.testing import VirtualClock


async def test_every_subscriber_hears_what_is_published_after_it_subscribed_in_order() -> None:
    topic: Topic[int] = Topic()
    await topic.publish(0)  # to nobody
    first = topic.subscribe()
    await topic.publish(1)
    second = topic.subscribe()
    await topic.publish(2)
    topic.close()
    assert [body async for body in first] == [1, 2]
    assert [body async for body in second] == [2]
    assert topic.statistics() == {"subscribers": 0, "blocking": 0, "published": 3, "keep": 1000}


async def test_subscribers_wait_for_the_next_message() -> None:
    topic: Topic[int] = Topic()

    async def listen() -> list[int]:
        return [body async for body in topic.subscribe()]

    tasks = [asyncio.create_task(listen()) for _ in range(200)]
    await asyncio.sleep(0)
    for number in range(5):
        topic.publish_nowait(number)
        await asyncio.sleep(0)
    topic.close()
    assert await asyncio.gather(*tasks) == [[0, 1, 2, 3, 4]] * 200


async def test_a_slow_subscriber_misses_the_oldest_and_knows_how_many() -> None:
    topic: Topic[int] = Topic(keep=3)
    slow = topic.subscribe()
    for number in range(10):
        await topic.publish(number)
    assert len(slow) == 3
    assert [await anext(slow) for _ in range(3)] == [7, 8, 9]
    assert slow.missed == 7


async def test_a_slow_subscriber_may_ask_to_be_waited_for() -> None:
    topic: Topic[int] = Topic(keep=3)
    slow = topic.subscribe(when_slow="block")
    publishing = asyncio.create_task(publish_all(topic, range(10)))
    await asyncio.sleep(0)
    assert topic.statistics()["published"] == 3
    with pytest.raises(Refused, match="a subscriber with when_slow='block' is 3 messages behind"):
        topic.publish_nowait(99)
    got: list[int] = []
    async for body in slow:
        got.append(body)
        assert topic.statistics()["published"] <= len(got) + 3
        await asyncio.sleep(0)
        if len(got) == 10:
            break
    assert got == list(range(10))
    await publishing


async def test_several_publishers_that_wait_all_get_their_turn() -> None:
    topic: Topic[int] = Topic(keep=2)
    slow = topic.subscribe(when_slow="block")
    publishing = [asyncio.create_task(topic.publish(number)) for number in range(20)]
    publishing[5].cancel()
    got = [await anext(slow) for _ in range(19)]
    assert got == [number for number in range(20) if number != 5]
    await asyncio.wait(publishing)


@pytest.mark.parametrize("how", ["closed", "dropped"])
async def test_a_blocking_subscriber_that_leaves_holds_up_nobody(how: str) -> None:
    topic: Topic[int] = Topic(keep=3)
    slow: Any = topic.subscribe(when_slow="block")
    quick = topic.subscribe(when_slow="block")
    publishing = asyncio.create_task(publish_all(topic, range(10)))
    got = [await anext(quick) for _ in range(3)]
    if how == "closed":
        slow.close()
    else:
        del slow
        gc.collect()
    got += [await anext(quick) for _ in range(7)]
    assert got == list(range(10))
    await publishing
    assert topic.statistics()["blocking"] == 1


async def test_a_slow_subscriber_may_ask_to_be_cut_off() -> None:
    topic: Topic[int] = Topic("news", keep=3)
    slow = topic.subscribe(when_slow="disconnect")
    await publish_all(topic, range(3))
    assert await anext(slow) == 0
    await publish_all(topic, range(3))
    with pytest.raises(TooSlow, match="a subscriber of news was 5 messages behind, with keep=3"):
        await anext(slow)
    assert [body async for body in slow] == []
    assert topic.statistics()["subscribers"] == 0


async def test_leaving_the_block_ends_the_subscription() -> None:
    topic: Topic[int] = Topic()
    async with topic.subscribe() as news:
        await topic.publish(1)
        assert await anext(news) == 1
    assert topic.statistics()["subscribers"] == 0
    assert [body async for body in news] == []


async def test_closing_a_subscription_ends_who_waits_there() -> None:
    topic: Topic[int] = Topic()
    news = topic.subscribe()

    async def listen() -> list[int]:
        return [body async for body in news]

    task = asyncio.create_task(listen())
    await asyncio.sleep(0)
    news.close()
    assert await task == []


async def test_waits_that_are_given_up_leave_no_trace(clock: VirtualClock) -> None:
    topic: Topic[int] = Topic()
    news = topic.subscribe()
    for _ in range(100):
        with move_on_after(1):
            await anext(news)
    assert len(topic._asleep) == 1
    await topic.publish(1)
    assert await anext(news) == 1


async def test_a_subscription_has_one_reader() -> None:
    topic: Topic[int] = Topic()
    news = topic.subscribe()

    async def read() -> int:
        return await anext(news)

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="two tasks read one subscription"):
        await anext(news)
    await topic.publish(1)
    assert await task == 1


async def test_a_closed_topic_refuses_and_frees_who_waits() -> None:
    topic: Topic[int] = Topic("news", keep=1)
    slow = topic.subscribe(when_slow="block")
    publishing = asyncio.create_task(publish_all(topic, range(3)))
    await asyncio.sleep(0)
    topic.close()
    topic.close()
    with pytest.raises(MailboxClosed, match="news was closed before there was room"):
        await publishing
    for send in (topic.publish_nowait, lambda _: topic.subscribe()):
        with pytest.raises(MailboxClosed, match="news is closed"):
            send(1)
    assert [body async for body in slow] == [0]


async def test_memory_is_bounded_by_what_is_kept() -> None:
    topic: Topic[int] = Topic(keep=5)
    idle = topic.subscribe()
    for number in range(1000):
        await topic.publish(number)
    assert len(topic._log) == 5
    assert len(idle) == 5


def test_bad_options_are_named() -> None:
    for keep in (0, -1, None):
        with pytest.raises(ValueError, match="keep of topic"):
            Topic(keep=keep)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name of topic must be a string, not 100; how much it keeps is said by keep="):
        Topic(100)  # type: ignore[arg-type]

    async def main() -> None:
        with pytest.raises(ValueError, match="when_slow of topic"):
            Topic[int]().subscribe(when_slow="never")  # type: ignore[arg-type]

    asyncio.run(main())


async def test_another_loop_is_refused() -> None:
    topic: Topic[int] = Topic("news")
    await topic.publish(1)
    caught: list[str] = []

    def outside() -> None:
        try:
            asyncio.run(topic.publish(2))
        except UsageError as error:
            caught.append(str(error))

    thread = threading.Thread(target=outside)
    thread.start()
    thread.join()
    assert caught == ["news lives on another event loop: publish and subscribe there"]


async def publish_all(topic: Topic[int], bodies: range) -> None:
    for body in bodies:
        await topic.publish(body)
