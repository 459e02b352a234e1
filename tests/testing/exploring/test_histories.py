"""The search is judged by programs: each bug is found, cheaply and rightly labelled; what is right raises no alarm."""

from functools import cache

import pytest

from linecook.testing import explore, replay
from tests.histories.expected import BUGS, CONTROLS, load_bug, load_control

SCHEDULES = 2_000  # the bound of the contract; the bugs need fewer than 100
SLOW = {"polling", "linecook_desk", "slot_given_back"}  # their schedules are many, and these are all run


def with_slow(names):
    return [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in names]


@cache
def searched(name):
    bug, program = BUGS[name], load_bug(name)
    invariant = getattr(program, "invariant", None)
    return explore(program.main, invariant=invariant, schedules=SCHEDULES, faults=bug.faults, tier=bug.tier)


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_found_with_the_fewest_overtakings_and_the_right_label(name):
    found, bug = searched(name), BUGS[name]
    assert found.failure is not None, found.verdict
    assert found.failure.kind in bug.kinds, found.failure.report
    cost = (found.failure.faults, found.failure.overtakings)
    assert cost == (bug.faults, bug.overtakings), found.failure.report
    assert found.failure.label == bug.label, found.failure.report


@pytest.mark.parametrize("name", BUGS)
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


def test_most_of_the_bugs_hide_from_a_plain_run():
    """A suite of bugs that show on every run would judge nothing."""
    shown = [name for name in BUGS if searched(name).schedules == 1]
    assert len(shown) < len(BUGS) / 4, shown
