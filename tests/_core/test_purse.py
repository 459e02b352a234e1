"""What is counted is whole, finite and not negative. (The arithmetic of purses: test_account.)"""

import pytest

from linecook._core.purse import charge_from, shown, shown_of, whole


@pytest.mark.parametrize("value", [True, 1.5, "2", None, float("nan")])
def test_tokens_are_whole_numbers(value: object) -> None:
    with pytest.raises(TypeError, match="tokens_in of charge must be a whole number"):
        charge_from(value, 0, 0)


@pytest.mark.parametrize(
    ("value", "kind"),
    [*((value, ValueError) for value in (-0.01, float("nan"), float("inf"))), ("1", TypeError), (True, TypeError)],
)
def test_dollars_are_finite_and_not_negative(value: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="usd of charge"):
        charge_from(0, 0, value)


def test_a_negative_count_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="calls of budget must be 0 or more, not -1"):
        whole(-1, "calls of budget")


def test_amounts_are_shown_as_users_count_them() -> None:
    assert shown("usd", 1_250_000_000_000) == "1.25 usd"
    assert shown("calls", 1) == "1 call"
    assert shown_of("tokens", 30, 4_000) == "30 of 4,000 tokens"
