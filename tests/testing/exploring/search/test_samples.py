"""Samples stay within their bounds, can be run again, and each draws orders of its own sort."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from linecook.testing import explore, outside
from linecook.testing.exploring.search.choices import Plan, cost_of
from linecook.testing.exploring.search.samples import FAIR, Latencies, Priorities, Sample, Walk, party_of, sample
from linecook.testing.exploring.world import World

FOUR = (None, "free", "overtaking", "fault")


class Step:
    """A step of a thread, as far as samples look at it."""

    def __init__(self, what: str) -> None:
        self.what = what


def samples_of(seed: int, count: int = 12) -> list[Sample]:
    dice = Random(seed)
    return [sample(number, dice, 2, 1, 20) for number in range(1, count + 1)]


@pytest.mark.parametrize("number", range(12))
def test_a_sample_never_takes_more_than_it_may(number: int) -> None:
    for seed in range(20):
        drawn = samples_of(seed)[number]
        for _ in range(60):
            drawn.pick(FOUR, 1, 1)
        cost = cost_of(drawn)
        assert cost.overtakings <= 2
        assert cost.faults <= 1


def test_a_sample_can_be_followed_by_a_plan() -> None:
    for drawn in samples_of(3):
        taken = [drawn.pick(FOUR, 1, 1) for _ in range(20)]
        plan = Plan(drawn.deviations)
        assert [plan.pick(FOUR, 1, 1) for _ in range(20)] == taken


def test_the_three_ways_take_turns() -> None:
    assert [type(drawn) for drawn in samples_of(0, 6)] == [Latencies, Priorities, Walk] * 2


def test_without_a_change_one_party_goes_first_at_every_point() -> None:
    steps = [Step("soup"), Step("salad"), Step("bread")]
    for seed in range(20):
        first = Priorities(Random(seed), 0, 0, 30, changes=0)
        assert len({first.pick(steps, 2, 0) for _ in range(FAIR)}) == 1


@pytest.mark.parametrize("kind", [Latencies, lambda *given: Priorities(*given, changes=0)])
def test_nobody_is_passed_over_for_ever(kind: Callable[..., Sample]) -> None:
    """Not even by two who poll in turns, as a thread and the timer that it sleeps for do."""
    works = Step("works")
    for seed in range(20):
        fair = kind(Random(seed), 0, 0, 30)
        for number in range(FAIR + 1):
            if fair.pick([Step(f"polls {number % 2}"), works], 1, 0) == 1:
                break
        else:
            pytest.fail("it was passed over")


def test_a_party_that_falls_comes_last_from_then_on() -> None:
    steps = [Step("soup"), Step("salad"), Step("bread")]
    fallen = 0
    for seed in range(20):
        drawn = Priorities(Random(seed), 0, 0, 30, changes=1)
        taken = [drawn.pick(steps, 2, 0) for _ in range(FAIR)]
        assert sum(one != other for one, other in pairwise(taken)) <= 1
        fallen += len(set(taken)) == 2
    assert fallen >= 5


def test_what_is_slow_stays_under_way_while_others_come_and_go() -> None:
    both, passed = (Step("slow"), Step("quick")), 0
    for seed in range(200):
        drawn = Latencies(Random(seed), 0, 0, 30)
        passed += all(drawn.pick(both, 1, 0) == 1 for _ in range(10))
    assert passed >= 10  # fair dice would draw the same one ten times in one of 1,024


def test_the_party_of_an_answer_is_the_task_that_waits_for_it() -> None:
    seen = list[object]()

    class Looks(Walk):
        def pick(self, options, free, faults):  # type: ignore[no-untyped-def]
            seen.extend(party_of(option) for option in options)
            return 0

    async def main() -> None:
        await asyncio.gather(outside(), outside(), asyncio.sleep(1))

    World(main).run(Looks(Random(0), 0, 0, 2, 0.0))
    assert seen[:3] == [1, 2, "Timer"]


def test_five_agents_whose_deadlock_takes_many_steps_of_some_and_none_of_others_are_found_soon() -> None:
    async def main() -> None:
        rooms = [asyncio.Lock() for _ in range(3)]

        async def guide(number: int) -> None:
            for _ in range(3 * number):
                await outside("a break")
            async with rooms[number]:
                await outside("tells a story")
                async with rooms[(number + 1) % 3]:
                    await outside("tells another")

        async def visitor() -> None:
            for room in rooms:
                await outside("walks")
                async with room:
                    pass

        await asyncio.gather(*(guide(number) for number in range(3)), visitor(), visitor())

    found = explore(main, schedules=500)
    assert found.failure is not None
    assert found.failure.kind == "deadlock"
