"""Retries cost a tenth of the calls at most, and a few to begin with."""

from linecook.tools.policies.retry_budget import RESERVE, RetryBudget


def test_a_storm_of_failures_costs_a_tenth_more_load() -> None:
    budget = RetryBudget(0.1)
    retries = 0
    for _ in range(1000):
        budget.earn()
        for _ in range(2):
            retries += budget.spend()
    assert RESERVE + 99 <= retries <= RESERVE + 100  # a hair less than a tenth, added up a thousand times
    assert retries == budget.spent
    assert budget.refused == 2000 - retries


def test_what_was_saved_in_good_times_is_bounded() -> None:
    budget = RetryBudget(0.1)
    for _ in range(1_000_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(10_000)) == 100


def test_none_is_no_bound_and_zero_is_the_first_few() -> None:
    assert all(RetryBudget(None).spend() for _ in range(1000))
    none = RetryBudget(0.0)
    for _ in range(1000):
        none.earn()
    assert sum(none.spend() for _ in range(100)) == RESERVE
