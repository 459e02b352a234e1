"""The search: every schedule once, the cheapest first, none left out; and the smallest of those that fail."""

from collections.abc import Callable, Sequence

from linecook.testing.exploring.search.choices import Chooses, Deviation, Plan, cost_of
from linecook.testing.exploring.search.search import SAMPLES_FROM, Search, shrink, smallest


def run(plan: Chooses, offers: Sequence[tuple[int, int, int]]) -> tuple[int, ...]:
    """Run a program whose choices are always the same; return what was taken."""
    return tuple(plan.pick([None] * (1 + sum(offer)), offer[0], offer[2]) for offer in offers)


def searched(search: Search, offers: Sequence[tuple[int, int, int]], most: int = 10_000) -> list[tuple[int, ...]]:
    """Search to the end, or *most* schedules; return the schedules in the order in which they were run."""
    found = list[tuple[int, ...]]()
    for plan in search.plans():
        found.append(run(plan, offers))
        search.learn(plan)
        if len(found) >= most:
            break
    return found


def test_every_schedule_within_the_bounds_is_run_and_the_end_is_told() -> None:
    search = Search(overtakings=1, faults=0, seed=0)
    found = searched(search, [(1, 0, 0), (0, 1, 0), (0, 2, 0), (2, 0, 5)])
    # 2 free × 3 free, and at most one of three overtakings; samples may repeat some, faults are not asked for.
    assert len(set(found)) == 2 * 3 * 4
    assert search.is_exhausted
    assert all(fourth <= 2 for *_, fourth in found)


def test_the_cheapest_come_first() -> None:
    search = Search(overtakings=2, faults=1, seed=0)
    found = searched(search, [(1, 1, 1)] * 3, SAMPLES_FROM)
    costs = [(sum(one == 3 for one in taken), sum(one == 2 for one in taken)) for taken in found]
    assert found[0] == (0, 0, 0)
    assert costs == sorted(costs, key=sum)


def test_overtakings_are_not_starved_by_orders_that_cost_nothing() -> None:
    search = Search(overtakings=1, faults=0, seed=0)
    found = searched(search, [(3, 0, 0)] * 30 + [(0, 1, 0)] * 3, 400)
    assert sum(any(taken[30:]) for taken in found) > 50


def fails_if(
    bad: Callable[[tuple[int, ...]], bool], offers: Sequence[tuple[int, int, int]]
) -> Callable[[Chooses], bool]:
    """Return the run of a program that fails if *bad* says so of what was taken."""
    return lambda plan: bad(run(plan, offers))


OFFERS = [(1, 1, 1)] * 6


def found_with(*deviations: Deviation) -> Plan:
    """Return a plan that was run and failed."""
    plan = Plan(deviations)
    run(plan, OFFERS)
    return plan


def test_what_isnt_needed_is_taken_away() -> None:
    fails = fails_if(lambda taken: taken[3] == 2, OFFERS)
    best = shrink([(0, 3), (1, 1), (3, 2), (5, 2)], fails, 100)
    assert tuple(best.deviations) == ((3, 2),)


def test_a_cheaper_way_to_the_same_failure_is_found_though_it_is_no_part_of_the_first() -> None:
    fails = fails_if(lambda taken: 3 in taken or taken[:2] == (1, 1), OFFERS)
    best = smallest(found_with((4, 3)), fails)
    assert tuple(best.deviations) == ((0, 1), (1, 1))
    assert cost_of(best) == (0, 0, 2)


def test_the_same_seed_gives_the_same_samples() -> None:
    assert searched(Search(2, 0, 7), OFFERS, 200) == searched(Search(2, 0, 7), OFFERS, 200)
    assert searched(Search(2, 0, 7), OFFERS, 200) != searched(Search(2, 0, 8), OFFERS, 200)
