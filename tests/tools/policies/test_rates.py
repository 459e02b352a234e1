"""The windows of a limit: what calls reserve in them, when there is room, and what is settled in the end."""

from typing import Any

import pytest

from linecook import Limit
from linecook.tools.policies.rates import Rates, window_of
from linecook.tools.policies.ticket import Cost, Ticket


def rates(**options: Any) -> Rates:
    return Rates(Limit(**options))


def ticket(now: float, reserved: Cost = (0.0, 0.0), said: Cost | None = None) -> Ticket:
    return Ticket(now, 0, reserved, said, False)


@pytest.mark.parametrize(
    ("rate", "seconds", "window"), [(5, 1.0, (1.0, 5)), (0.5, 1.0, (2.0, 1.0)), (1, 60.0, (60.0, 1))]
)
def test_half_a_call_a_second_is_one_in_two(rate: float, seconds: float, window: tuple[float, float]) -> None:
    assert window_of(rate, seconds) == window


def test_the_last_window_to_have_room_says_when() -> None:
    one = rates(per_second=1, per_minute=2)
    for now in (0.0, 1.0):
        for window in one.starts:
            window.add(now, 1)
    assert one.next_at(1.5, None) == pytest.approx(60, abs=1e-3)
    assert one.held_up(1.5, None) == "per_minute used up, next in 58.5 s"
    assert one.held_up(61.0, None) == ""


def test_who_is_held_counts_until_it_begins_and_from_then_on() -> None:
    one = rates(per_second=1)
    (window,) = one.starts
    held = ticket(0.0)
    window.add(0.0, 1)
    one.hold(held)
    assert not window.has_room(5.0, 1)
    assert one.next_at(5.0, None) is None  # nobody knows when it begins
    one.begin(held, 5.0)
    assert not window.has_room(5.9, 1)
    assert window.has_room(6.0, 1)


def test_who_is_held_and_gives_up_has_used_nothing() -> None:
    one = rates(per_second=1)
    held = ticket(0.0)
    one.starts[0].add(0.0, 1)
    one.hold(held)
    one.settle(held, 0.5, "not begun", is_last=True)
    assert one.starts[0].has_room(0.5, 1)


@pytest.mark.parametrize(
    ("signal", "used"),
    [("ok", 70), ("nothing", 70), ("down", 70), ("late", 70), ("overloaded", 0), ("not begun", 0)],
)
def test_what_nobody_reports_counts_as_used_but_for_who_was_not_served(signal: Any, used: float) -> None:
    one = rates(tokens_in_per_minute=100)
    taken = ticket(0.0, (70.0, 0.0), (70.0, 0.0))
    one.tokens[0][1].reserved += 70
    one.settle(taken, 1.0, signal, is_last=False)
    assert one.tokens[0][1].used_in(1.0) == used


def test_retuning_names_what_has_changed() -> None:
    limit = Limit(per_second=0.5, per_minute=10, tokens_out_per_minute=900)
    one = Rates(limit)
    limit.per_second, limit.tokens_out_per_minute = 0.25, 500
    assert one.retune(limit) == [("per_second", 0.5, 0.25), ("tokens_out_per_minute", 900, 500)]
    assert one.retune(limit) == []
    assert one.starts[0].length == 4.0
    assert one.tokens[0][2].bound == 500
