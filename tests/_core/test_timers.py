"""One heap of moments per loop: in order, exact, and forgetting what was given up."""

import asyncio
import gc
import random
import sys
import weakref

import pytest

from linecook import gather, tool
from linecook._core.timers import Moment, timers_of
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


async def test_a_moment_given_up_holds_on_to_nothing(clock: VirtualClock) -> None:
    """Found by the soak: a fan-out with a long timeout kept its results in the heap after it had returned them."""

    @tool(lane="inline")
    def make() -> set[int]:
        made = {1}
        seen.append(weakref.ref(made))
        return made

    seen: list[weakref.ref[set[int]]] = []
    assert len(await gather((make() for _ in range(10)), timeout=3600)) == 10
    gc.collect()
    assert not any(ref() for ref in seen)


def test_timers_do_not_keep_their_loop_alive() -> None:
    loop = asyncio.new_event_loop()
    timers_of(loop).at(loop.time() + 60, print)
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


class Alarm(Moment):
    """A moment that notes when it fires."""

    def __init__(self, at: float, seen: list[float]) -> None:
        self.at = at
        self.waiting = True
        self.seen = seen

    def fire(self) -> None:
        self.seen.append(self.at)


async def test_a_line_fires_each_moment_when_it_is_due(clock: VirtualClock) -> None:
    line, seen = timers_of(asyncio.get_running_loop()).line(10.0), list[float]()
    for _ in range(3):
        line.append(Alarm(clock.time() + 10.0, seen))
        await asyncio.sleep(2)
    assert seen == []
    await asyncio.sleep(4.5)
    assert len(seen) == 1
    await asyncio.sleep(2)
    assert len(seen) == 2
    await asyncio.sleep(2)
    assert len(seen) == 3


async def test_behind_a_long_one_given_up_moments_neither_fire_nor_pile_up(clock: VirtualClock) -> None:
    timers = timers_of(asyncio.get_running_loop())
    line, seen = timers.line(10.0), list[float]()
    first = Alarm(clock.time() + 10.0, seen)
    line.append(first)
    for _ in range(10_000):
        moment = Alarm(clock.time() + 10.0, seen)
        line.append(moment)
        moment.waiting = False
        line.prune()
        assert len(line.moments) <= 2 * 2 + 64
    assert timers.next_due() == first.at
    await asyncio.sleep(11)
    assert seen == [first.at]
    assert not line.moments


async def test_one_caller_after_another_leaves_nothing_in_a_line(clock: VirtualClock) -> None:
    line = timers_of(asyncio.get_running_loop()).line(10.0)
    for _ in range(10):
        moment = Alarm(clock.time() + 10.0, [])
        line.append(moment)
        moment.waiting = False
        line.prune()
        assert not line.moments


async def test_a_line_whose_head_was_given_up_waits_for_the_next(clock: VirtualClock) -> None:
    timers = timers_of(asyncio.get_running_loop())
    line, seen = timers.line(10.0), list[float]()
    given_up = Alarm(clock.time() + 10.0, seen)
    line.append(given_up)
    await asyncio.sleep(3)
    kept = Alarm(clock.time() + 10.0, seen)
    line.append(kept)
    given_up.waiting = False
    assert timers.next_due() == kept.at
    kept.waiting = False
    assert timers.next_due() is None
    line.append(again := Alarm(clock.time() + 10.0, seen))
    await asyncio.sleep(11)
    assert seen == [again.at]


async def test_a_moment_appended_while_its_line_fires_is_not_lost(clock: VirtualClock) -> None:
    line, seen = timers_of(asyncio.get_running_loop()).line(1.0), list[float]()

    class Relay(Alarm):
        def fire(self) -> None:
            super().fire()
            line.append(Alarm(clock.time() + 1.0, seen))

    line.append(Relay(clock.time() + 1.0, seen))
    await asyncio.sleep(3)
    assert len(seen) == 2


async def test_lines_made_for_passing_time_outs_are_forgotten(clock: VirtualClock) -> None:
    timers = timers_of(asyncio.get_running_loop())
    kept = timers.line(0.5)
    kept.append(Alarm(clock.time() + 0.5, []))
    for number in range(1000):
        timers.line(1.0 + number)
    assert timers.line(0.5) is kept
    assert len(timers.lines) <= 65


async def test_a_moment_that_fails_costs_the_others_nothing(clock: VirtualClock) -> None:
    loop = asyncio.get_running_loop()
    told: list[str] = []
    loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    seen: list[str] = []

    def fail(_: object) -> None:
        raise RuntimeError("burnt")

    timers_of(loop).at(1, fail)
    timers_of(loop).at(1, lambda _: seen.append("same moment"))
    timers_of(loop).at(2, lambda _: seen.append("later"))
    await asyncio.sleep(3)
    assert seen == ["same moment", "later"]
    assert told == ["burnt"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 begins a body a turn later, which uvloop's timers outrun")
def test_timeout_zero_lets_through_what_never_waits_on_uvloop_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    @tool(timeout=0)
    async def quick() -> str:
        return "at once"

    async def main() -> tuple[str, list[str]]:
        return await quick(), await gather([quick() for _ in range(3)], timeout=0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == ("at once", ["at once"] * 3)
