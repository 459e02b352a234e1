"""Retries cost a tenth of the calls at most, and a few to begin with."""

from linecook.tools.policies.retry_budget import RESERVE, RetryBudget


def spend(budget: RetryBudget, now: float = 0.0) -> bool:
    """Take one retry if there is one."""
    if not budget.has_one(now):
        return False
    budget.spend()
    return True


def test_a_storm_of_failures_costs_a_tenth_more_load() -> None:
    budget = RetryBudget(0.1)
    retries = 0
    for _ in range(1000):
        budget.earn()
        for _ in range(2):
            retries += spend(budget)
    assert RESERVE + 99 <= retries <= RESERVE + 100  # a hair less than a tenth, added up a thousand times
    assert retries == budget.spent
    assert budget.refused == 2000 - retries


def test_what_was_saved_in_good_times_is_bounded() -> None:
    budget = RetryBudget(0.1)
    for _ in range(1_000_000):
        budget.earn()
    assert sum(spend(budget) for _ in range(10_000)) == 100


def test_none_is_no_bound_and_zero_is_the_first_few() -> None:
    assert all(spend(RetryBudget(None)) for _ in range(1000))
    none = RetryBudget(0.0)
    for _ in range(1000):
        none.earn()
    assert sum(spend(none) for _ in range(100)) == RESERVE


def test_one_a_second_comes_back_so_who_calls_rarely_may_always_try_again() -> None:
    budget = RetryBudget(0.1)
    assert sum(spend(budget, 100.0) for _ in range(20)) == RESERVE
    assert [spend(budget, 100.5), spend(budget, 101.1), spend(budget, 101.2)] == [False, True, False]
    assert sum(spend(budget, 1e6) for _ in range(100)) == RESERVE
    assert not spend(budget, 5.0)  # on a clock that went back
    assert spend(budget, 6.1)
