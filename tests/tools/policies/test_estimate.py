"""What calls reserve before anybody knows: never less than is said, more where that was too low, and bounded."""

import random

import pytest

from linecook.tools.policies.estimate import Estimate, check_estimate


def test_before_the_first_charge_a_few_calls_go_ahead() -> None:
    assert Estimate(8000).unasked() == 1000


def test_it_learns_what_calls_cost_with_a_margin() -> None:
    learned, chance = Estimate(1_000_000), random.Random(1)
    used = [chance.uniform(500, 1500) for _ in range(500)]
    for one in used:
        learned.charged(one, None)
    assert 1200 < learned.unasked() < 2200
    assert sum(one <= learned.unasked() for one in used) > 400


def test_a_learned_estimate_never_asks_for_more_than_could_ever_be_let_in() -> None:
    learned = Estimate(1000)
    learned.charged(50_000, None)
    assert learned.unasked() == 1000


def test_estimates_that_are_right_or_too_high_are_taken_at_their_word() -> None:
    learned = Estimate(1_000_000)
    for used in (100, 500, 1000):
        learned.charged(used, 1000)
    assert learned.corrected(1000) == 1000


def test_estimates_that_are_too_low_are_corrected_at_once_and_for_long() -> None:
    learned = Estimate(1_000_000)
    learned.charged(3000, 1000)
    assert learned.corrected(1000) == pytest.approx(3300)
    for _ in range(400):
        learned.charged(1000, 1000)
    assert learned.corrected(1000) == pytest.approx(3300)
    for _ in range(1000):
        learned.charged(1000, 1000)
    assert learned.corrected(1000) == 1000
    assert learned.corrected(0) == 0


@pytest.mark.parametrize("told", [None, 5, (1,), (1, 2, 3), ("a", 1), (-1, 0), (float("nan"), 1)], ids=repr)
def test_an_estimate_that_is_no_pair_of_amounts_is_refused_by_name(told: object) -> None:
    with pytest.raises(TypeError, match=r"estimate= of the limit must return \(tokens_in, tokens_out\)"):
        check_estimate(told, _Named())


class _Named:
    def __repr__(self) -> str:
        return "the limit"


def test_amounts_of_any_kind_of_number_are_taken() -> None:
    import decimal
    import fractions

    assert check_estimate((decimal.Decimal("1.5"), fractions.Fraction(1, 2)), None) == (1.5, 0.5)


def test_a_limit_of_less_than_a_token_can_be_reserved_all_the_same() -> None:
    assert Estimate(0.5).unasked() == 0.5
