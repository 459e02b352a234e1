"""Outcomes narrow by kind, and all kinds are known. Checked, never run."""

from typing import assert_never, assert_type

from linecook import Cancelled, Failed, Ok, Outcome, TimedOut
from linecook._core.callframe import Times


def by_pattern(outcome: Outcome[str]) -> str:
    match outcome:
        case Ok(text):
            assert_type(text, str)
            return text
        case TimedOut(after):
            assert_type(after, float)
            return f"{after}"
        case Failed(error):
            assert_type(error, BaseException)
            return repr(error)
        case Cancelled(reason):
            assert_type(reason, str)
            return reason
        case _:
            assert_never(outcome)


def by_type(outcome: Outcome[int]) -> int:
    if isinstance(outcome, Ok):
        assert_type(outcome.value, int)
        return outcome.value
    assert_type(outcome.error, BaseException)
    assert_type(outcome.times, Times)
    assert_type(outcome.work == "abandoned", bool)
    return 0


def made_by_hand() -> list[Outcome[int]]:
    return [Ok(3), Failed(KeyError("k")), TimedOut(3.0), Cancelled("caller")]
