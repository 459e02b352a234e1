"""The desk at a provider that says 429: everything is answered, money is counted once, and the report tells how."""

from __future__ import annotations

import subprocess
import sys

import pytest
from desk_model import BUDGET, Asked, a_limit, a_pool, provider, questions_of
from desk_plan import Plan
from desk_report import Provided, model_lines
from source_server import Entry

from linecook.testing.server import Phase, server


def questions(count: int) -> list[str]:
    entries = [Entry(n, "shop", f"shop/{n}.py", f"shop.m{n}", 10, "", False) for n in range(count)]
    return questions_of(Plan({"shop": entries}, 0, 0))


def test_each_file_is_a_question_up_to_three_hundred() -> None:
    assert questions(2) == ["In one line: what is shop.m0 of shop for?", "In one line: what is shop.m1 of shop for?"]
    assert len(questions(1000)) == 300


@pytest.mark.slow
def test_through_a_limit_all_is_answered_by_a_provider_that_takes_less_and_less_and_paid_once() -> None:
    kinder, harder = (Phase(seconds=seconds, parallel=most, latency=0.02, retry_after=0.1) for seconds, most in (
        (0.2, 12), (None, 6)))  # fmt: skip
    with server(kinder, harder, seed=7) as models:
        asked = a_limit(models.url, questions(60))
        seen = models.statistics()
    assert (asked.answered, asked.lost) == (60, 0)
    assert seen.answered == 60
    assert asked.usd == pytest.approx(seen.tokens_in * 2e-6 + seen.tokens_out * 8e-6)
    assert asked.budget == BUDGET
    assert asked.bounds[0] == (16, "")
    assert "refused" in {why for _, why in asked.bounds}
    assert provider.bounds is not None
    assert all(provider.bounds.least <= bound <= provider.bounds.most for bound, _ in asked.bounds)


@pytest.mark.slow
def test_the_pool_obeys_each_refusal_and_is_answered_as_well() -> None:
    with server(Phase(parallel=12, latency=0.02, retry_after=0.1), seed=7) as models:
        asked = a_pool(models.url, questions(40))
        seen = models.statistics()
    assert asked.answered + asked.lost == 40
    assert asked.answered == seen.answered
    assert asked.usd == pytest.approx(seen.tokens_in * 2e-6 + seen.tokens_out * 8e-6)
    assert seen.most_at_once <= 16


def test_the_report_tells_refusals_dollars_and_how_the_bound_moved() -> None:
    moves = [(16, ""), (32, "slow start"), (25, "refused"), (26, "growth")]
    lines = model_lines([Provided("a pool", Asked(6.04, 398, 2, 0.46), 360), Provided("a limit", Asked(
        5.7, 400, 0, 0.455, 1.0, moves), 54)])  # fmt: skip
    assert lines == [
        "|         | wall time | answered   | 429s | dollars               |",
        "|---------|-----------|------------|------|-----------------------|",
        "| a pool  | 6.0 s     | 398 of 400 | 360  | 0.46                  |",
        "| a limit | 5.7 s     | 400 of 400 | 54   | 0.46 of a budget of 1 |",
        "",
        "a limit let in at once: 16 32 -25 26 (-: cut after a 429)",
    ]


def test_a_bound_that_moved_often_is_told_by_its_beginning_and_end() -> None:
    asked = Asked(1.0, 1, 0, 0.0, 1.0, [(n, "growth") for n in range(100)])
    told = model_lines([Provided("a limit", asked, 0)])[-1]
    assert told.startswith("a limit let in at once: 0 1 2 ")
    assert " 19 … 97 98 99 (" in told


def test_the_ways_without_linecook_do_not_load_it() -> None:
    program = "import sys; import desk; sys.exit('linecook' in sys.modules)"
    path = [entry for entry in sys.path if entry.endswith("examples")]
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path += {path!r}; {program}"], timeout=30)
    assert done.returncode == 0
