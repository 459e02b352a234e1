"""Plans follow their deviations."""

import pytest

from linecook.testing.exploring.mistakes import ReplayMismatch
from linecook.testing.exploring.search.choices import Plan, Trial, cost_of

FOUR = (None, "free", "overtaking", "fault")


def test_a_plan_takes_its_deviations_and_the_default_elsewhere() -> None:
    plan = Plan([(1, 2), (3, 1)])
    assert [plan.pick(FOUR, 1, 1) for _ in range(5)] == [0, 2, 0, 1, 0]
    assert plan.is_used_up()
    assert plan.log == [(1, 1, 1)] * 5
    assert cost_of(plan) == (0, 1, 2)


def test_a_plan_that_asks_for_more_than_there_is_says_so_and_a_trial_forgets_it() -> None:
    with pytest.raises(ReplayMismatch, match="choice number 0"):
        Plan([(0, 5)]).pick(FOUR, 1, 1)
    trial = Trial([(0, 5), (1, 3), (9, 1)])
    assert [trial.pick(FOUR, 1, 1) for _ in range(3)] == [0, 3, 0]
    trial.settle()
    assert tuple(trial.deviations) == ((1, 3),)
    assert cost_of(trial) == (1, 0, 1)
