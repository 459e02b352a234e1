"""One heap of moments per loop: in order, exact, and forgetting what was given up."""

import asyncio
import gc
import random
import weakref

from linecook._core.timers import timers_of
from linecook.testing import VirtualClock


async def test_moments_fire_in_order_of_time_and_then_of_asking(clock: VirtualClock) -> None:
    timers = timers_of(asyncio.get_running_loop())
    fired: list[int] = []
    when = [random.Random(7).choice([1.0, 2.0, 3.0]) for _ in range(300)]
    for number, moment in enumerate(when):
        timers.at(moment, fired.append, number)
    await asyncio.sleep(5)
    assert fired == sorted(range(300), key=lambda number: (when[number], number))


async def test_an_earlier_moment_overtakes_a_later_one_that_is_armed(clock: VirtualClock) -> None:
    timers = timers_of(asyncio.get_running_loop())
    seen: list[float] = []
    timers.at(60, lambda _: seen.append(clock.time()))
    timers.at(1, lambda _: seen.append(clock.time()))
    await asyncio.sleep(2)
    assert [round(moment) for moment in seen] == [1]


async def test_a_moment_given_up_does_not_fire_and_is_no_reason_to_wait(clock: VirtualClock) -> None:
    timers = timers_of(asyncio.get_running_loop())
    fired: list[None] = []
    given_up = [timers.at(10 + number, fired.append, None) for number in range(500)]
    for timer in given_up:
        timer.cancel()
        timer.cancel()
    assert timers.next_due() is None
    await asyncio.sleep(1000)
    assert fired == []


async def test_a_moment_set_while_others_fire_is_not_lost(clock: VirtualClock) -> None:
    timers = timers_of(asyncio.get_running_loop())
    seen: list[str] = []

    def first(_: object) -> None:
        timers.at(asyncio.get_running_loop().time(), lambda _: seen.append("at once"))
        timers.at(asyncio.get_running_loop().time() + 1, lambda _: seen.append("later"))

    timers.at(1, first)
    await asyncio.sleep(3)
    assert seen == ["at once", "later"]


def test_timers_do_not_keep_their_loop_alive() -> None:
    loop = asyncio.new_event_loop()
    timers_of(loop).at(loop.time() + 60, print)
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
