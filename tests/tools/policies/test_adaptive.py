"""A bound that finds out what a server takes: quickly up, at once down, never more than one cut for one surprise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecook.tools.policies.adaptive import Adaptive, Bounds, bounds_from

Change = tuple[int, int, str]


def adaptive(text: str = "8-64-512") -> tuple[Adaptive, list[Change]]:
    changes: list[Change] = []
    return Adaptive(bounds_from(text, "in_flight"), lambda *change: changes.append(change)), changes


def serve(one: Adaptive, calls: int, *, in_flight: int | None = None, seconds: float = 1.0) -> None:
    """*calls* are let in and served under whatever bound there is, as many at once as it allows or *in_flight*."""
    for _ in range(calls):
        one.let_in(one.bound if in_flight is None else in_flight)
        one.succeeded(one.epoch, seconds)


def at_its_edge(capacity: int = 100) -> tuple[Adaptive, list[Change]]:
    """One that has found the capacity of a server: it went one beyond, was refused and is back, for a round."""
    one, changes = adaptive()
    while changes[-1:] != [(capacity + 1, capacity, "refused")]:
        if one.bound > capacity:
            one.refused(one.epoch)
            one.succeeded(-1, 1.0)  # one of those that were in flight before
        else:
            serve(one, 1)
    serve(one, capacity // 4)
    assert one.bound == capacity
    changes.clear()
    return one, changes


@pytest.mark.parametrize(
    ("text", "bounds"), [("8-64-512", Bounds(8, 64, 512)), (" 1 - 1 - 1 ", Bounds(1, 1, 1)), ("2-2-4", Bounds(2, 2, 4))]
)
def test_the_shorthand_is_min_start_max(text: str, bounds: Bounds) -> None:
    assert bounds_from(text, "in_flight") == bounds


@pytest.mark.parametrize("text", ["", "8", "8-64", "0-1-2", "64-8-512", "8-512-64", "8-64-512-1", "a-b-c", "-1-2-3"])
def test_a_shorthand_that_makes_no_sense_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"in_flight must be .*min-start-max"):
        bounds_from(text, "in_flight")


def test_slow_start_doubles_until_the_first_cut() -> None:
    one, changes = adaptive()
    while one.bound < 512:
        serve(one, 1)
    assert changes == [(64, 128, "slow start"), (128, 256, "slow start"), (256, 512, "slow start")]
    serve(one, 10_000)
    assert one.bound == 512


def test_it_grows_only_while_it_is_what_holds_calls_back() -> None:
    one, changes = adaptive()
    serve(one, 10_000, in_flight=51)
    assert changes == []
    serve(one, 100, in_flight=52)  # 80 % of 64 and a bit
    assert one.bound > 64


def test_successes_of_calls_let_in_under_another_bound_say_nothing_of_this_one() -> None:
    one, changes = adaptive()
    before = one.epoch
    serve(one, 16)
    assert one.bound == 128
    for _ in range(1000):
        one.let_in(128)
        one.succeeded(before, 1.0)
    assert len(changes) == 1


def test_a_storm_of_refusals_costs_one_cut() -> None:
    one, changes = adaptive()
    epoch = one.epoch
    for _ in range(64):
        one.let_in(64)
    for _ in range(64):
        one.refused(epoch)
    assert changes == [(64, 51, "refused")]
    assert one.cuts == 1


def test_a_server_that_refuses_everything_gets_one_probe_at_a_time_ever_more_rarely() -> None:
    one, changes = adaptive()
    one.refused(one.epoch)
    pauses = []
    for _ in range(10):
        assert one.may_let_in(0)
        one.let_in(1)
        assert not one.may_let_in(1)
        pauses.append(one.refused(one.epoch))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
    assert len(changes) == 1
    one.let_in(1)
    one.succeeded(one.epoch, 1.0)
    assert one.may_let_in(50)


def test_after_a_cut_as_many_are_let_in_as_have_been_served() -> None:
    one, _ = adaptive()
    old = one.epoch
    one.refused(old)
    one.let_in(40)
    assert not one.may_let_in(40)
    one.succeeded(old, 1.0)
    assert one.may_let_in(40)


def test_a_probe_that_is_cancelled_leaves_its_turn_to_another() -> None:
    one, _ = adaptive()
    one.refused(one.epoch)
    one.let_in(10)
    assert not one.may_let_in(10)
    one.left(one.epoch)
    assert one.may_let_in(10)


def test_a_server_that_halves_is_followed_in_a_few_cuts() -> None:
    one, changes = at_its_edge(100)
    old = one.epoch
    for _ in range(6):
        if one.bound <= 50:
            break
        one.refused(one.epoch)
        for _ in range(20):
            one.succeeded(old, 1.0)
    assert 36 <= one.bound <= 50
    assert len(changes) <= 5


def test_a_server_that_doubles_is_found_within_a_dozen_changes() -> None:
    one, changes = at_its_edge(100)
    while one.bound < 200:
        serve(one, 1)
    assert len(changes) <= 12
    steps = [after - before for before, after, _ in changes]
    assert steps == sorted(steps)


def test_a_refusal_right_above_a_clean_bound_goes_back_to_it() -> None:
    one, _ = at_its_edge(100)
    clean = one.bound
    while one.bound == clean:
        serve(one, 1)
    assert one.bound == clean + 1
    one.refused(one.epoch)
    assert one.bound == clean


def test_many_refusals_of_what_was_in_flight_deepen_a_mild_cut() -> None:
    one, _ = at_its_edge(100)
    clean = one.bound
    while one.bound == clean:
        serve(one, 1)
    old = one.epoch
    for _ in range(50):
        one.refused(old)
    assert one.bound == int(0.8 * (clean + 1))


def test_errors_of_the_server_pause_growth_and_cut_nothing() -> None:
    one, changes = adaptive()
    for _ in range(200):
        serve(one, 10)
        one.faltered()
    assert changes == []


def test_a_server_that_queues_rather_than_refuses_is_noticed_by_its_latency() -> None:
    one, changes = adaptive("8-64-512")
    serve(one, 16, seconds=1.0)
    serve(one, 32, seconds=1.1)
    assert one.bound == 256
    serve(one, 64, seconds=2.5)
    assert one.bound == 256  # slow: no growth
    serve(one, 64, seconds=4.0)
    assert changes[-1] == (256, 230, "latency")
    assert one.cuts == 1


def test_the_least_latency_is_forgotten_slowly_so_longer_calls_do_not_cut_for_ever() -> None:
    one, _ = adaptive("8-64-64")
    serve(one, 64, seconds=1.0)
    for _ in range(100):
        serve(one, 32, seconds=4.0)
    cuts = one.cuts
    serve(one, 1000, seconds=4.0)
    assert one.cuts == cuts


def test_it_stays_between_its_bounds_and_may_be_given_others() -> None:
    one, changes = adaptive("8-64-512")
    one.retune(Bounds(1, 1, 20))
    assert changes == [(64, 20, "retuned")]
    for _ in range(100):
        one.refused(one.epoch)
        one.let_in(1)
        one.succeeded(one.epoch, 1.0)
    assert one.bound == 1
    one.retune(Bounds(30, 40, 50))
    assert one.bound == 30


def test_a_server_that_takes_more_than_we_may_ask_for_costs_nothing_however_long_it_runs() -> None:
    one, _ = adaptive("8-64-64")
    serve(one, 16)
    one.refused(one.epoch)
    serve(one, 100_000)
    assert one.bound == 64
    assert one._step <= 64


EVENTS = st.sampled_from(["let in", "served", "refused", "down", "cancelled"])


@given(st.lists(st.tuples(EVENTS, st.integers(0, 10**6)), max_size=300))
def test_whatever_happens_it_keeps_its_bounds_and_never_locks_everybody_out(events: list[tuple[str, int]]) -> None:
    one, changes = adaptive("2-4-32")
    flying: list[int] = []
    for kind, pick in events:
        if kind == "let in":
            if one.may_let_in(len(flying)):
                flying.append(one.epoch)
                one.let_in(len(flying))
        elif flying:
            epoch = flying.pop(pick % len(flying))
            _ends(one, kind, epoch)
        assert 2 <= one.bound <= 32
        assert len(flying) <= 32
        if not flying:
            assert one.may_let_in(0)
    assert all(before != after for before, after, _ in changes)


def _ends(one: Any, kind: str, epoch: int) -> None:
    match kind:
        case "served":
            one.succeeded(epoch, 0.5)
        case "refused":
            assert 0.0 <= one.refused(epoch) <= 5.0
        case "down":
            one.faltered()
        case _:
            one.left(epoch)
