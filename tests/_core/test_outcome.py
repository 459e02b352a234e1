"""The four outcomes as values, and Settled as a sequence of them."""

import asyncio
from typing import Any

import pytest

from linecook import Cancelled, Failed, Ok, Settled, TimedOut, agent, settle, tool
from linecook._core.outcome import failure_from, kind_of
from linecook.errors import CallCancelled, TimedOutError

boom = ValueError("boom")
mixed: Settled[int] = Settled([Ok(1), Failed(boom), TimedOut(2.0), Cancelled("sibling"), Ok(5)])


@pytest.mark.parametrize(
    ("outcome", "told"),
    [(Ok(1), "Ok(1)"), (Failed(boom), "Failed(ValueError('boom'))"), (TimedOut(2.0), "TimedOut(2.0)"),
     (Cancelled("shutdown"), "Cancelled('shutdown')")],
)  # fmt: skip
def test_an_outcome_is_matched_by_kind_and_shows_what_matters(outcome: Any, told: str):
    match outcome:
        case Ok(value):
            seen = f"Ok({value!r})"
        case TimedOut(after):
            seen = f"TimedOut({after!r})"
        case Failed(error):
            seen = f"Failed({error!r})"
        case Cancelled(reason):
            seen = f"Cancelled({reason!r})"
    assert seen == repr(outcome) == told


def test_outcomes_are_equal_when_kind_and_content_are():
    assert Ok(1) == Ok(1)
    assert Ok(1) != Ok(2)
    assert Ok("shutdown") != Cancelled("shutdown")
    assert len({Ok(1), Ok(1), TimedOut(1.0)}) == 2


def test_none_is_an_answer_and_no_answer_is_none():
    assert Ok(None) != TimedOut(5)
    assert Settled([Ok(None), TimedOut(5)]).results == [None]


def test_settled_is_a_sequence_in_input_order():
    assert len(mixed) == 5
    assert mixed[0] == Ok(1)
    assert mixed[-1] == Ok(5)
    assert isinstance(mixed[1:3], Settled)
    assert [kind_of(outcome) for outcome in mixed] == ["ok", "failed", "timed_out", "cancelled", "ok"]
    assert mixed == Settled(list(mixed))
    assert Ok(5) in mixed
    with pytest.raises(IndexError):
        mixed[5]
    with pytest.raises(TypeError):
        hash(mixed)


def test_settled_counts_and_sorts():
    assert mixed.results == [1, 5]
    assert [type(failure) for failure in mixed.failures] == [Failed, TimedOut, Cancelled]
    assert mixed.counts == {"ok": 2, "failed": 1, "timed_out": 1, "cancelled": 1}
    assert repr(mixed) == "<Settled: 2 ok, 1 failed, 1 timed_out, 1 cancelled>"
    assert repr(Settled([])) == "<Settled: empty>"


def test_raise_all_raises_every_failure_in_input_order():
    with pytest.raises(ExceptionGroup, match="3 of 5 calls did not succeed") as raised:
        mixed.raise_all()
    assert [type(error) for error in raised.value.exceptions] == [ValueError, TimedOutError, CallCancelled]
    Settled([Ok(1)]).raise_all()
    Settled([]).raise_all()


def test_a_deadline_of_linecook_is_timed_out_and_any_other_time_out_a_failure():
    ours = TimedOutError("late", after=3.0, work="abandoned")
    outcome = failure_from(ours, None)
    assert isinstance(outcome, TimedOut)
    assert (outcome.after, outcome.error, outcome.work) == (3.0, ours, "abandoned")
    assert isinstance(failure_from(TimeoutError(), None), Failed)


async def test_an_outcome_knows_its_call_and_where_the_time_went():
    @tool
    def add(a: int, b: int = 0) -> int:
        return a + b

    @agent
    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)

    settled: Any = await settle([add(1, b=2), wait(0.01)])
    assert settled[0].call.arguments == {"a": 1, "b": 2}
    assert settled[0].call.index == 0
    assert settled[0].times.lane == "thread"
    assert settled[0].times.attempts == 1
    assert 0.005 < settled[1].times.running < 5
    assert [outcome.work for outcome in settled] == ["finished", "finished"]
    assert Ok(1).times.attempts == 0  # made by hand
