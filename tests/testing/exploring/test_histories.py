"""The search is judged by programs: each bug is found, cheaply and rightly labelled; what is right raises no alarm."""

from functools import cache
from pathlib import Path

import pytest

from linecook.testing import explore, outside, replay
from tests.histories import drawn
from tests.histories.expected import BUGS, CONTROLS, load_bug, load_control
from tests.histories.naive import Enumeration, fewest_overtakings

SCHEDULES = 2_000  # the bound of the contract; the bugs need fewer than 100
SLOW = {
    "polling",
    "linecook_desk",
    "slot_given_back",
    "thread_lock",
    "three_locks",
    "stale_fill_in_a_crowd",
}


def with_slow(names):
    return [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in names]


@cache
def searched(name):
    bug, program = BUGS[name], load_bug(name)
    invariant = getattr(program, "invariant", None)
    return explore(program.main, invariant=invariant, schedules=SCHEDULES, faults=bug.faults, tier=bug.tier)


@pytest.mark.parametrize("name", with_slow(BUGS))
def test_a_bug_is_found_with_the_fewest_overtakings_and_the_right_label(name):
    found, bug = searched(name), BUGS[name]
    assert found.failure is not None, found.verdict
    assert found.failure.kind in bug.kinds, found.failure.report
    cost = (found.failure.faults, found.failure.overtakings)
    assert cost == (bug.faults, bug.overtakings), found.failure.report
    assert found.failure.label == bug.label, found.failure.report


@pytest.mark.parametrize("name", with_slow(BUGS))
def test_the_token_of_a_finding_runs_the_same_failure_again(name):
    first, program = searched(name).failure, load_bug(name)
    assert first is not None
    again = replay(program.main, first.token, invariant=getattr(program, "invariant", None)).failure
    assert again is not None
    assert (again.kind, again.message) == (first.kind, first.message)


@pytest.mark.parametrize("name", with_slow(CONTROLS))
def test_nothing_is_found_in_a_program_that_is_right(name):
    found = explore(load_control(name).main, schedules=SCHEDULES, faults=CONTROLS[name])
    assert found.failure is None, found.failure.report


@pytest.mark.parametrize("name", with_slow(CONTROLS))
def test_what_any_scheduler_could_do_to_a_right_program_is_never_called_possible_on_a_stock_loop(name):
    found = explore(load_control(name).main, schedules=200, faults=CONTROLS[name], tier="any")
    assert found.failure is None or found.failure.label != "shown on the stock loop", found.failure.report


@pytest.mark.parametrize("name", ["call_soon_order", "callback_after_step"])
def test_the_order_of_callbacks_and_of_the_steps_before_them_stays_in_every_tier(name):
    found = explore(load_control(name).main, tier="any")
    assert found.failure is None, found.failure.report
    assert found.exhausted


@pytest.mark.parametrize("name", [name for name, bug in BUGS.items() if bug.tier == "any"])
def test_what_no_stock_loop_shows_is_not_reported_for_one(name):
    found = explore(load_bug(name).main, schedules=SCHEDULES)
    assert found.failure is None, found.failure.report
    assert found.exhausted


@pytest.mark.slow
def test_most_of_the_bugs_hide_from_a_plain_run():
    """A suite of bugs that show on every run would judge nothing."""
    shown = [name for name in BUGS if searched(name).schedules == 1]
    assert len(shown) < len(BUGS) / 4, shown


LARGE = {
    "double_spend", "window_reset_twice", "overspend_by_five", "three_locks", "stale_fill_in_a_crowd", "split_brain",
    "requeued_too_late", "slot_given_back", "polling",
}  # fmt: skip
BY_ADDRESS = {"answers_mixed_up"}  # as_completed begins its tasks in the order of a set, which the naive search leaves


def naive(names, load):
    """Those that a naive search can run: few schedules, no threads, nothing of linecook."""
    texts = {name: Path(load(name).__file__).read_text() for name in names if name not in LARGE | BY_ADDRESS}
    return [name for name, text in texts.items() if "thread" not in text and "from linecook import" not in text]


@pytest.mark.parametrize("name", [name for name in naive(BUGS, load_bug) if not BUGS[name].faults])
def test_a_naive_search_says_the_same_about_a_bug(name):
    bug = BUGS[name]
    found = fewest_overtakings(load_bug(name), most=2, schedules=SCHEDULES)
    if bug.tier == "any":
        assert found is None
        return
    assert found is not None
    overtakings, kinds = found
    assert overtakings == bug.overtakings
    assert kinds & set(bug.kinds)


@pytest.mark.parametrize("name", naive(CONTROLS, load_control))
def test_a_naive_search_finds_nothing_in_a_program_that_is_right(name):
    assert fewest_overtakings(load_control(name), most=2, schedules=SCHEDULES) is None


@pytest.mark.parametrize("overtakings", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [seed for seed in range(40) if seed not in drawn.LARGE])
def test_a_drawn_program_has_just_the_outcomes_that_a_naive_search_sees(seed, overtakings):
    parts, wanted, seen = drawn.draw(seed), set(), set()
    kinds = Enumeration(drawn.program(parts, outside, wanted), overtakings).failures(SCHEDULES)
    found = explore(drawn.program(parts, outside, seen).main, overtakings=overtakings, schedules=4 * SCHEDULES)
    if kinds:
        assert found.failure is not None
        return
    assert found.failure is None, found.failure.report
    assert found.exhausted
    assert seen == wanted
