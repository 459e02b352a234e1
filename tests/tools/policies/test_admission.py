"""The gates of a limit, held against a slow and obviously right model, and moment by moment."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecook import Limit
from linecook.tools.policies.admission import Admission
from linecook.tools.policies.ticket import Ticket

TICKS = 0.25  # seconds; exact in binary, and longer than what a window merges


def admission(*args: Any, **options: Any) -> tuple[Admission, list[tuple[str, dict[str, Any]]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    return Admission(Limit(*args, **options), lambda kind, **data: told.append((kind, data))), told


@dataclass
class Made:
    """One call, as the model remembers it."""

    began: float
    reserved: tuple[float, float]
    ticket: Ticket
    ended: float = math.inf
    used: tuple[float, float] = (0.0, 0.0)


@dataclass
class Model:
    """Every call there ever was, added up anew each time anybody asks."""

    in_flight: int
    per_second: int
    per_minute: int
    tokens: tuple[int, int]
    calls: list[Made] = field(default_factory=list[Made])

    def may_begin(self, now: float, said: tuple[float, float]) -> bool:
        flying = sum(math.isinf(call.ended) for call in self.calls)
        second = sum(now - call.began < 1.0 for call in self.calls)
        minute = sum(now - call.began < 60.0 for call in self.calls)
        tokens = [self.counted(now, kind) + said[kind] <= self.tokens[kind] for kind in (0, 1)]
        return flying < self.in_flight and second < self.per_second and minute < self.per_minute and all(tokens)

    def counted(self, now: float, kind: int) -> float:
        """Reserved by who is in flight, and used by who ended in the last minute."""
        flying = sum(call.reserved[kind] for call in self.calls if math.isinf(call.ended))
        return flying + sum(call.used[kind] for call in self.calls if now - call.ended < 60.0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 100), st.just(0)),
        st.tuples(st.just("begin"), st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.just("end"), st.integers(0, 100), st.integers(0, 100)),
        st.tuples(st.just("refused"), st.integers(0, 100), st.just(0)),
        st.tuples(st.just("silent"), st.integers(0, 100), st.just(0)),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(1, 6), st.integers(1, 4), st.integers(1, 12), st.integers(40, 200), st.integers(40, 200))
def test_it_lets_in_exactly_whom_the_model_lets_in(
    steps: list[tuple[str, int, int]], in_flight: int, per_second: int, per_minute: int, into: int, out: int
) -> None:
    model = Model(in_flight, per_second, per_minute, (into, out))
    gates, _ = admission(
        in_flight,
        per_second=per_second,
        per_minute=per_minute,
        tokens_in_per_minute=into,
        tokens_out_per_minute=out,
        estimate=lambda *_: (0, 0),
    )
    now = 0.0
    for kind, one, other in steps:
        if kind == "wait":
            now += one * TICKS
        elif kind == "begin":
            _begins(gates, model, now, (float(one), float(other)))
        else:
            _ends(gates, model, now, kind, one, other)


def _begins(gates: Admission, model: Model, now: float, said: tuple[float, float]) -> None:
    may = model.may_begin(now, said)
    ticket = gates.try_take(now, said)
    assert (ticket is not None) == may
    if ticket is not None:
        model.calls.append(Made(now, said, ticket))
        return
    when = gates.next_at(now, said)
    if when is not None:  # if nobody ends before: not earlier than the model says, and not needlessly later
        assert when > now
        assert model.may_begin(when, said)
        assert not model.may_begin(when - 0.01, said)


def _ends(gates: Admission, model: Model, now: float, kind: str, pick: int, share: int) -> None:
    flying = [call for call in model.calls if math.isinf(call.ended)]
    if not flying:
        return
    call = flying[pick % len(flying)]
    call.ended = now
    if kind == "end":  # never more than was reserved here: estimates that are right
        call.used = (call.reserved[0] * share // 100, call.reserved[1] * share // 100)
        gates.charge(call.ticket, *call.used)
    elif kind == "silent":
        call.used = call.reserved
    gates.give_back(call.ticket, now, "overloaded" if kind == "refused" else "ok")


def test_what_a_call_did_not_use_is_there_for_the_next_at_once() -> None:
    gates, _ = admission(tokens_out_per_minute=1000, estimate=lambda: (0, 900))
    first = gates.try_take(0.0, (0, 900))
    assert first is not None
    assert gates.try_take(1.0, (0, 900)) is None
    assert gates.next_at(1.0, (0, 900)) is None  # only an end helps
    gates.charge(first, 0, 60)
    gates.charge(first, 0, 40)
    gates.give_back(first, 2.0)
    assert gates.try_take(2.0, (0, 900)) is not None


def test_usage_that_is_never_reported_counts_as_reserved() -> None:
    gates, _ = admission(tokens_in_per_minute=1000, estimate=lambda: (900, 0))
    ticket = gates.try_take(0.0, (900, 0))
    assert ticket is not None
    gates.give_back(ticket, 2.0)
    assert gates.try_take(61.9, (900, 0)) is None
    assert gates.try_take(62.0, (900, 0)) is not None


def test_a_call_that_used_more_than_it_said_is_made_up_for_and_the_next_ones_reserve_more() -> None:
    gates, _ = admission(tokens_in_per_minute=1000, estimate=lambda: (100, 0))
    ticket = gates.try_take(0.0, (100, 0))
    assert ticket is not None
    gates.charge(ticket, 300, 0)
    gates.give_back(ticket, 1.0)
    assert gates.reserve((100, 0))[0] == pytest.approx(330)
    assert [gates.try_take(1.0, (100, 0)) is not None for _ in range(3)] == [True, True, False]


def test_retry_after_keeps_everybody_out_for_so_long() -> None:
    gates, told = admission(5, per_minute=1000)
    ticket = gates.try_take(10.0)
    assert ticket is not None
    gates.give_back(ticket, 10.0, "overloaded", 30.0)
    assert gates.try_take(39.9) is None
    assert gates.next_at(39.9) == pytest.approx(40.0, abs=1e-5)
    assert gates.try_take(40.0) is not None
    assert told == [("limit.paused", {"seconds": 30.0, "reason": "Retry-After"})]


def test_a_retry_after_of_ten_days_turns_calls_away_rather_than_keeping_them_waiting() -> None:
    gates, _ = admission(5, per_minute=1000)
    ticket = gates.try_take(0.0)
    assert ticket is not None
    gates.give_back(ticket, 0.0, "overloaded", 864_000.0)
    assert "asked to stay away for more than 600 s; it is asked again in 599 s" in gates.refuses(1.0)
    assert gates.refuses(600.1) == ""
    assert gates.try_take(600.1) is not None


def test_nothing_is_paused_by_a_retry_after_of_zero() -> None:
    gates, _ = admission(5, per_minute=1000)
    for told in (0.0, None):
        ticket = gates.try_take(1.0)
        assert ticket is not None
        gates.give_back(ticket, 1.0, "overloaded", told)
    assert gates.try_take(1.0) is not None
    assert gates.pauses == 0


def test_a_clock_that_jumps_back_locks_nobody_out() -> None:
    gates, _ = admission("1-5-10", per_second=2, per_minute=3, breaker=1)
    for _ in range(2):
        assert gates.try_take(1e9) is not None
    assert gates.try_take(5.0) is None  # two in this second, whatever its number is now
    assert gates.try_take(6.0) is not None
    assert gates.try_take(64.9) is None
    assert gates.next_at(64.9) == pytest.approx(65.0, abs=1e-4)
    assert gates.try_take(65.1) is not None


def test_a_clock_that_jumps_forward_lets_in_what_the_bounds_allow_and_no_more() -> None:
    gates, _ = admission(5, per_second=2)
    assert [gates.try_take(0.0) is not None for _ in range(3)] == [True, True, False]
    assert [gates.try_take(1e9) is not None for _ in range(3)] == [True, True, False]


def test_half_a_call_a_second_is_one_in_two() -> None:
    gates, _ = admission(per_second=0.5, per_minute=20)
    assert gates.try_take(0.0) is not None
    assert gates.try_take(1.9) is None
    assert gates.try_take(2.0) is not None


def test_an_open_circuit_turns_calls_away_and_one_tries() -> None:
    gates, told = admission(5, breaker=2)
    for _ in range(2):
        ticket = gates.try_take(0.0)
        assert ticket is not None
        gates.give_back(ticket, 0.0, "down")
    assert "the circuit is open after failures in a row; the next try is in 1 s" in gates.refuses(0.0)
    assert gates.try_take(0.5) is None
    probe = gates.try_take(1.0)
    assert probe is not None
    assert gates.try_take(1.0) is None
    assert "half open" in gates.refuses(1.0)
    gates.give_back(probe, 1.5, "ok")
    assert gates.refuses(1.5) == ""
    assert [kind for kind, _ in told] == ["limit.opened", "limit.closed"]


def test_the_history_of_the_bound_is_kept_with_reasons_and_is_bounded() -> None:
    gates, told = admission("1-64-512")
    for n in range(300):
        ticket = gates.try_take(n * 100.0)
        assert ticket is not None
        gates.give_back(ticket, n * 100.0, "overloaded" if n % 2 == 0 else "ok")
    shown = gates.statistics(1e6)
    assert shown["history"][0] == (0.0, 64, 51, "refused")
    assert told[0] == ("limit.changed", {"what": "in_flight", "before": 64, "after": 51, "reason": "refused"})
    assert len(shown["history"]) <= 200
    assert shown["max_in_flight"] == 1
    assert shown["adaptive"] == "1-64-512"


def test_it_is_idle_when_it_remembers_nothing() -> None:
    gates, _ = admission(5, per_minute=10)
    assert gates.is_idle(0.0)
    ticket = gates.try_take(0.0)
    assert ticket is not None
    gates.give_back(ticket, 0.0)
    assert not gates.is_idle(59.0)
    assert gates.is_idle(60.0)


def test_a_clock_that_goes_back_while_calls_run_and_others_are_kept_out_changes_no_distance() -> None:
    gates, _ = admission("4-8-16", per_second=100, breaker=1)
    tickets = [gates.try_take(1000.0) for _ in range(8)]
    for ticket in tickets[:-1]:
        assert ticket is not None
        gates.give_back(ticket, 900.0)  # it didn't take less than no time
    assert tickets[-1] is not None
    assert gates.statistics(900.0)["cuts"] == 0
    gates.give_back(tickets[-1], 900.0, "overloaded", 864_000.0)
    assert gates.refuses(910.0)
    assert "it is asked again in 500 s" in gates.refuses(1000.0)
    assert "it is asked again in 500 s" in gates.refuses(3.0)  # back again, and the wait is not longer for it
    assert gates.refuses(502.9)
    assert gates.refuses(503.1) == ""
    assert gates.try_take(503.1) is not None


def test_who_was_let_in_and_never_began_has_used_nothing() -> None:
    gates, _ = admission(5, per_second=1, per_minute=10, tokens_in_per_minute=1000, estimate=lambda: (900, 0))
    for now in (0.0, 0.1, 0.2):
        ticket = gates.try_take(now, (900.0, 0.0))
        assert ticket is not None
        gates.give_back(ticket, now, "not begun")
    assert gates.statistics(0.2)["used"] == {
        "per_second": (0, 1), "per_minute": (0, 10), "tokens_in_per_minute": (0, 1000)
    }  # fmt: skip


def test_an_answer_that_came_too_late_may_have_cost_all_that_was_reserved() -> None:
    for signal, used in (("overloaded", 0), ("late", 400)):
        gates, _ = admission("1-5-9", tokens_in_per_minute=1000, estimate=lambda: (400, 0))
        ticket = gates.try_take(0.0, (400.0, 0.0))
        assert ticket is not None
        gates.give_back(ticket, 0.0, signal)  # type: ignore[arg-type]
        assert gates.statistics(0.0)["used"]["tokens_in_per_minute"] == (used, 1000)
        assert gates.statistics(0.0)["cuts"] == 1


@pytest.mark.parametrize("bound", [0.5, 1, 7])
def test_a_limit_of_less_than_one_call_lets_in_one_after_the_other(bound: float) -> None:
    gates, _ = admission(tokens_in_per_minute=bound)
    now = 0.0
    for _ in range(5):
        ticket = gates.try_take(now)
        assert ticket is not None
        gates.charge(ticket, 90, 0)
        gates.give_back(ticket, now)
        assert gates.try_take(now) is None
        when = gates.next_at(now)
        assert when is not None
        assert when == pytest.approx(now + 60, abs=1e-3)
        now = when


def test_fractions_of_tokens_lock_nobody_out() -> None:
    gates, _ = admission(tokens_in_per_minute=0.3)
    now = 0.0
    for said in (0.1, 0.1, 0.1, 0.3, 0.2, 0.1, 0.3):
        ticket = gates.try_take(now, (said, 0.0))
        if ticket is None:
            when = gates.next_at(now, (said, 0.0))
            assert when is not None  # nobody is in flight: time must help
            now = when
            ticket = gates.try_take(now, (said, 0.0))
        assert ticket is not None
        gates.give_back(ticket, now)


def test_a_server_that_says_when_to_come_back_is_not_down() -> None:
    gates, _ = admission(50, breaker=3)
    tickets = [gates.try_take(0.0) for _ in range(20)]
    for ticket in tickets:
        assert ticket is not None
        gates.give_back(ticket, 0.0, "overloaded", 5.0)
    assert gates.refuses(0.5) == ""
    assert gates.next_at(0.5) == pytest.approx(5.0, abs=1e-3)  # others wait for it


def test_it_says_why_nobody_is_let_in() -> None:
    gates, _ = admission(3, per_second=2, tokens_in_per_minute=100)
    assert gates.held_up(0.0, (10.0, 0.0)) == ""
    first = gates.try_take(0.0, (60.0, 0.0))
    assert first is not None
    assert gates.held_up(0.0, (60.0, 0.0)) == "tokens_in_per_minute is reserved by those in flight"
    gates.charge(first, 60.0, 0.0)
    gates.give_back(first, 0.5)
    assert gates.held_up(0.5, (60.0, 0.0)) == "tokens_in_per_minute used up, next in 60.0 s"
    assert gates.held_up(0.5, (10.0, 0.0)) == ""
    assert gates.try_take(0.5, (10.0, 0.0)) is not None
    assert gates.held_up(0.6, (10.0, 0.0)) == "per_second used up, next in 400 ms"
    assert gates.try_take(1.2, (10.0, 0.0)) is not None
    third = gates.try_take(1.6, (10.0, 0.0))
    assert third is not None
    assert gates.held_up(1.6, (10.0, 0.0)) == ""  # the places say it: 3 of 3
    gates.give_back(third, 1.6, "overloaded", 8.0)
    assert gates.held_up(2.0, (10.0, 0.0)) == "paused by Retry-After for 7.6 s"
    assert gates.statistics(2.0)["paused_by"] == "Retry-After"


def test_it_says_that_it_feels_its_way_after_a_cut_and_that_the_circuit_is_open() -> None:
    gates, _ = admission("1-8-8")
    tickets = [gates.try_take(0.0) for _ in range(8)]
    for ticket in tickets[:5]:
        assert ticket is not None
        gates.give_back(ticket, 1.0, "overloaded")
    assert gates.try_take(1.0) is not None
    assert gates.held_up(1.0, None) == "after a cut, one is let in for each that succeeds"
    gates, _ = admission(breaker=1)
    ticket = gates.try_take(0.0)
    assert ticket is not None
    gates.give_back(ticket, 0.0, "down")
    assert gates.held_up(0.5, None) == "the circuit is open"


def test_looking_changes_nothing() -> None:
    gates, _ = admission(per_minute=5)
    for second in range(4):
        ticket = gates.try_take(float(second))
        assert ticket is not None
        gates.give_back(ticket, float(second))
    before = [(len(window), window.used, window.expires) for window in gates._starts]
    assert gates.statistics(61.5)["used"] == {"per_minute": (2.0, 5)}
    assert gates.held_up(61.5, None) == ""
    assert [(len(window), window.used, window.expires) for window in gates._starts] == before


def test_every_figure_that_is_retuned_is_told_and_none_that_stays() -> None:
    limit = Limit(4, per_second=0.5, per_minute=100, tokens_in_per_minute=1000)
    told: list[tuple[Any, ...]] = []
    gates = Admission(limit, lambda kind, **data: told.append((kind, *data.values())))
    limit.retune(in_flight=4)
    gates.retuned()
    assert told == []
    limit.retune(in_flight=2, per_second=20, tokens_in_per_minute=500)
    gates.retuned()
    assert told == [
        ("limit.changed", "in_flight", 4, 2, "retuned"),
        ("limit.changed", "per_second", 0.5, 20, "retuned"),
        ("limit.changed", "tokens_in_per_minute", 1000, 500, "retuned"),
    ]
    limit.retune(in_flight="1-3-9")
    gates.retuned()
    assert told[3:] == [("limit.changed", "in_flight", 2, 3, "retuned")]


def test_a_bound_where_there_was_none_is_told() -> None:
    limit = Limit(per_second=5)
    gates, told = Admission(limit, lambda kind, **data: told.append(data)), list[dict[str, Any]]()
    limit.retune(in_flight=2)
    gates.retuned()
    assert told == [{"what": "in_flight", "before": None, "after": 2, "reason": "retuned"}]


def test_a_storm_of_refusals_is_told_as_one_pause() -> None:
    gates, told = admission(50)
    tickets = [gates.try_take(0.0) for _ in range(50)]
    for place, ticket in enumerate(tickets):
        assert ticket is not None
        gates.give_back(ticket, 1.0 + place / 1000, "overloaded", 5.0)
    assert told == [("limit.paused", {"seconds": 5.0, "reason": "Retry-After"})]
    assert (gates.pauses, gates.paused_until) == (1, pytest.approx(6.049))
    gates._pause(5.0, 4.0, "Retry-After")
    assert len(told) == 2  # much longer than what was told
