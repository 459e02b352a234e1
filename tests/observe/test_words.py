import pytest

from linecook.observe.words import dollars, seconds


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 µs"), (0.00084, "840 µs"), (0.0012, "1.2 ms"), (0.084, "84 ms"), (1.23, "1.2 s"), (74, "74 s"),
     (180, "3 min"), (9000, "2.5 h")],
)  # fmt: skip
def test_seconds_are_said_in_two_or_three_figures(value: float, said: str) -> None:
    assert seconds(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0.00 usd"), (1234.5, "1,234.50 usd"), (0.01, "0.01 usd"), (0.00042, "0.00042 usd")]
)
def test_dollars_below_a_cent_are_not_nothing(value: float, said: str) -> None:
    assert dollars(value) == said
