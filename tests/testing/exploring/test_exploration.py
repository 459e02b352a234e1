"""``check`` raises what a stock loop can do, and warns of the rest."""

import pytest

from linecook.errors import ExplorationFailed
from linecook.testing import Exploration, Failure, OneMoreAwait


def found(label: str) -> Exploration:
    """Return an exploration that found something with that label."""
    failure = Failure("deadlock", "stuck", "the report", "lc1.x", label, 0)  # type: ignore[arg-type]
    return Exploration(failure, 5, "schedule 5 failed")


def test_nothing_found_returns_itself() -> None:
    nothing = Exploration(None, 5, "no failure in all 5 schedules")
    assert nothing.check() is nothing
    assert str(nothing) == nothing.verdict


def test_a_stock_finding_is_raised_with_the_report() -> None:
    with pytest.raises(ExplorationFailed, match="the report"):
        found("shown on the stock loop").check()
    with pytest.raises(AssertionError):
        found("shown on the stock loop").check()
    assert str(found("shown on the stock loop")) == "the report"


@pytest.mark.parametrize("label", ["not on the stock loop", "not known on the stock loop", "without the GIL"])
def test_any_other_is_a_warning_unless_strict(label: str) -> None:
    with pytest.warns(OneMoreAwait, match="the report"):
        found(label).check()
    with pytest.raises(ExplorationFailed):
        found(label).check(strict=True)
