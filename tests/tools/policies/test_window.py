"""No window of its length, wherever it begins, holds more than the bound; the log stays small, on any clock."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecook.tools.policies.window import GRAINS, TICK, Window


def most_in_any_window(uses: Sequence[tuple[float, float]], length: float) -> float:
    """The slow and obviously right way: a window that begins at each use."""
    return max((sum(n for when, n in uses if begin <= when < begin + length) for begin, _ in uses), default=0.0)


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 5, allow_nan=False), st.integers(1, 50)), max_size=60),
)
def test_no_window_wherever_it_begins_holds_more_than_the_bound(bound: int, tries: list[tuple[float, int]]) -> None:
    window, now, uses = Window("w", 10.0, bound), 0.0, list[tuple[float, float]]()
    for wait, amount in tries:
        now += wait
        if window.has_room(now, amount):
            window.add(now, amount)
            uses.append((now, amount))
    assert most_in_any_window(uses, 10.0 - 1e-6) <= bound


def test_the_bound_is_used_up_and_not_refilled_at_the_edge() -> None:
    window = Window("per_minute", 60.0, 100)
    for n in range(100):
        assert window.has_room(59.0 + n / 1000, 1)
        window.add(59.0 + n / 1000, 1)
    assert not window.has_room(60.5, 1)  # a bucket that refills each minute would let through a hundred more here
    assert not window.has_room(118.9, 1)
    assert window.has_room(119.2, 100)


def test_what_is_reserved_counts_as_well_and_what_was_used_from_then_on() -> None:
    window = Window("tokens", 60.0, 1000)
    window.reserved += 900
    assert not window.has_room(1000.0, 200)
    window.reserved -= 900
    window.add(1000.0, 300)
    assert window.has_room(1000.0, 700)
    assert not window.has_room(1059.9, 701)
    assert window.has_room(1060.0, 1000)


def test_it_says_when_there_is_room_and_there_is_none_before() -> None:
    window = Window("w", 60.0, 10)
    window.add(1.0, 4)
    window.add(2.0, 4)
    assert window.next_at(3.0, 5) == pytest.approx(61.0)
    assert window.next_at(3.0, 7) == pytest.approx(62.0)
    when = window.next_at(3.0, 5) or 0.0
    assert not window.has_room(when - 0.01, 5)
    assert window.has_room(when, 5)
    window.reserved += 8
    assert window.next_at(3.0, 5) is None  # time alone doesn't help: somebody must end


def test_whoever_sets_a_timer_by_it_never_spins() -> None:
    window = Window("w", 60.0, 1)
    window.add(1e9 + 0.1, 1)  # at large times a float is coarse
    when = window.next_at(1e9 + 0.2, 1)
    assert when is not None
    assert window.has_room(when, 1)
    assert (window.next_at(5e9, 1) or 0.0) >= 5e9 + TICK / 2


def test_the_log_is_bounded_and_errs_on_the_safe_side() -> None:
    window, chance, now, uses = Window("w", 60.0, 50_000), random.Random(3), 0.0, list[float]()
    for _ in range(40_000):
        now += chance.random() * 0.004
        if window.has_room(now, 1):
            window.add(now, 1)
            uses.append(now)
    assert len(window) <= GRAINS + 1
    in_the_last = sum(now - 60.0 < when for when in uses)
    assert in_the_last <= window.used_in(now) <= in_the_last + 10


def test_fractions_leave_nothing_behind() -> None:
    window = Window("w", 1.0, 1)
    for n in range(1000):
        window.add(n / 7, 0.1)
    assert window.used_in(1e6) == 0.0
    assert window.is_idle(1e6)


def test_what_was_never_used_is_taken_back_and_what_has_expired_stays_so() -> None:
    window = Window("w", 60.0, 10)
    window.add(1.0, 4)
    window.add(2.0, 6)
    window.undo(1.0, 4)
    assert not window.has_room(3.0, 5)
    assert window.has_room(3.0, 4)
    assert window.has_room(62.0, 10)
    window.undo(2.0, 6)
    assert window.has_room(62.0, 10)
    assert not window.has_room(62.0, 11)


def test_fractions_never_make_who_waits_wait_for_ever() -> None:
    window = Window("w", 60.0, 0.3)
    for n in range(3):
        window.add(float(n), 0.1)  # together a hair more than 0.3
    when = window.next_at(5.0, 0.3)
    assert when is not None
    assert window.has_room(when, 0.3)
