"""Every row: what it promises can be judged, and its own check refuses a wrong answer."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.harness import rows
from benchmarks.harness.deaths import Start
from benchmarks.harness.meter import Meter, WrongAnswer
from benchmarks.rows import hung_processes, process_1mb
from benchmarks.rows.cpu_1ms import burn
from benchmarks.rows.explore_suite import Found, programs
from benchmarks.rows.hung_processes import warm
from benchmarks.rows.interactive_under_load import Log
from benchmarks.rows.limit_tokens import Log as Spent
from benchmarks.rows.pipeline_lanes import expected
from benchmarks.rows.restart import Result as Crashes
from benchmarks.rows.shared_tracked import BATCH
from benchmarks.rows.sse_users import WANTED, Seen

Size = dict[str, Any]

NOTHING = {"tasks": 0, "tools": 0, "agents": 0}
SEARCHED = [Found(name, found=True) for names in programs(80) for name in names]
LOST = [Found(SEARCHED[0].name, found=True, again=False), *SEARCHED[1:]]

# row: a tiny size, right answers, and answers that must not pass
CASES: dict[str, tuple[Size, Any, list[Any]]] = {
    "hung_tools": (
        {"agents": 52, "deadline": 1.0},
        [None if n == 50 else n * 2 for n in range(52)],
        [[n * 2 for n in range(52)], [None] * 51, [1] + [None] * 51],
    ),
    "hung_processes": (
        {"calls": 4, "attempt_timeout": 1.0},
        [None, None, warm(2), warm(3)],
        [[None, None, warm(2)], [None, None, warm(3), warm(2)], [warm(0), None, warm(2), warm(3)]],
    ),
    "thread_noop": ({"agents": 2, "calls": 3}, [3, 6], [[3, 3], [6, 3], []]),
    "thread_sleep_1ms": ({"agents": 2, "calls": 4}, [14, 14], [[14], [14, 13], []]),
    "thread_latency": ({"calls": 3}, [0, 2, 4], [[0, 4, 2], [0, 2], []]),
    "interactive_under_load": (
        {"agents": 2, "interactive": 2},
        Log([1, 2], batch=9, wrong=0),
        [Log([2, 1], batch=9, wrong=0), Log([1, 2], batch=9, wrong=1), Log([1, 2], batch=1, wrong=0)],
    ),
    "cpu_1ms": ({"calls": 2}, [burn(0), burn(1)], [[burn(1), burn(0)], [burn(0)]]),
    "process_noop": ({"calls": 3}, [0, 2, 4], [[0, 4, 2], []]),
    "process_1mb": (
        {"calls": 2, "payload_bytes": 32, "at_once": 1},
        [process_1mb.turn(page) for page in process_1mb.pages(2, 32)],
        [process_1mb.pages(2, 32), [process_1mb.turn(page) for page in process_1mb.pages(1, 32)]],
    ),
    "fanout_100k": ({"agents": 3}, [0, 1, 2], [[0, 2, 1], [0, 1], (2, 3), (3, 4)]),
    "call_overhead": ({"calls": 1000}, [500_500], [[500_499], [], [500_500, 500_500]]),
    "ask_reply": ({"pairs": 2, "rounds": 3}, [6, 6], [[6], [6, 5], [3, 3]]),
    "streamed_reply": ({"answers": 2}, [*range(20)] * 2, [[*range(20)], [*range(20), *range(1, 21)], []]),
    "topic": ({"subscribers": 2, "messages": 3}, [3, 3], [[3], [3, 2], []]),
    "idle_agents": ({"agents": 300}, list(range(1, 101)), [list(range(100)), []]),
    "restart": (
        {"crashes": 1},
        Crashes(2, [(0, 1)], [(0, 2)], [(0, 1)], [(0, 2)]),
        [
            Crashes(3, [(0, 1)], [(0, 2)], [(0, 1)], [(0, 2)]),
            Crashes(2, [(0, 1), (0, 1)], [(0, 2)], [(0, 1)], [(0, 2)]),
            Crashes(2, [(0, 1)], [], [(0, 1)], [(0, 2)]),
            Crashes(1, [(0, 1)], [], [(0, 1)], []),
        ],
    ),
    "http_agents": ({"agents": 2, "waves": 1}, [[5, 25]], [[[5, 5]], [], [[5, 25], [5, 25]]]),
    "sse_users": (
        {"users": 2, "answers": 1},
        Seen([WANTED] * 2, left=2, alive=NOTHING),
        [
            Seen([WANTED] * 2, left=1, alive=NOTHING),
            Seen([WANTED], left=2, alive=NOTHING),
            Seen([WANTED, WANTED | {"wine": ["WINE 1", "WINE 0"]}], left=2, alive=NOTHING),
            Seen([WANTED] * 2, left=2),
        ],
    ),
    "limit_uncontended": ({"calls": 1000}, [500_500], [[500_499], [], [500_500, 500_500]]),
    "limit_adaptive": ({"agents": 9, "phase_s": 1.0}, (500, 3), [(5, 0), (700, 0)]),
    "limit_adaptive_real": ({"agents": 9, "phase_s": 1.0}, (500, 503), [(500, 600), (5, 6), (1200, 1203)]),
    "limit_tokens": (
        {"agents": 2, "minutes": 1},
        Spent([(0.0, 2.0, 2000), (2.0, 4.0, 6000)]),
        [Spent([(0.0, 2.0, 2000)]), Spent([(0.0, 2.0, 1999)] * 2), Spent([(0.0, 1.0, 2000)] * 2)],
    ),
    "limit_fair": ({"calls": 1000}, (2000, 10.0), [(1999, 10.0), (2000, 5.0)]),
    "limit_refused": ({"requests": 100}, (99, 5), [(50, 5), (101, 5), (100, 0)]),
    "shared_tracked": ({"times": 2 * BATCH + 1}, 2 * BATCH, [2 * BATCH - 1, 0]),
    "pipeline_lanes": ({"items": 2}, [expected(1), expected(0)], [[expected(0)], [expected(0)] * 2, [0, 10**7]]),
    "pipeline_threads": ({"items": 3}, [2, 0, 1], [[0, 1], [0, 1, 1]]),
    "pipeline_stages": ({"items": 3}, [2, 0, 1], [[0, 1], [0, 1, 1]]),
    "pipeline_million": ({"items": 3}, (3, 3), [(3, 2), (2, 3)]),
    "pipeline_auto": ({"items": 3}, [2, 0, 1], [[0, 1], [0, 1, 1]]),
    "import_time": ({"starts": 2}, [(0.1, 3.0), (0.2, 3.0)], [[(0.1, 3.0)], [(0.0, 3.0), (0.1, 3.0)]]),
    "run_lines": ({"lines": 3}, [(2, 2), (1, 1), (3, 3)], [[(1, 1), (2, 2)], [(1, 1), (2, 3), (3, 2)]]),
    "run_pipeline_lines": ({"lines": 3}, [(2, 2), (1, 1), (3, 3)], [[(1, 1), (2, 2)], [(1, 1), (2, 3), (3, 2)]]),
    "run_resume": ({"lines": 3}, (3, 0), [(3, 90), (4, 0), (0, 0)]),
    "board": ({"agents": 2, "calls": 3, "pairs": 1}, [9, 9], [[9], [9, 8], []]),
    "detectors": ({"agents": 2, "calls": 3, "pairs": 1}, [9, 9], [[9], [9, 8], []]),
    "watch_http": (
        {"agents": 2, "waves": 1},
        {"timed": {"plain": [(0.1, 0.1)], "watched": [(0.1, 0.1)]}, "answers": [[20, 100]] * 3},
        [
            {"timed": {"plain": [(0.1, 0.1)], "watched": [(0.1, 0.1)]}, "answers": [[20, 100], [20, 20], [20, 100]]},
            {"timed": {"plain": [(0.1, 0.1)], "watched": []}, "answers": [[20, 100]] * 3},
        ],
    ),
    "watch_spawn": (
        {"tasks": 3, "waves": 1},
        {"timed": {"plain": [(0.1, 0.1)] * 2, "watched": []}, "answers": [3] * 3},
        [
            {"timed": {"plain": [(0.1, 0.1)] * 2, "watched": []}, "answers": [3, 4, 3]},
            {"timed": {"plain": [], "watched": []}, "answers": [3] * 3},
        ],
    ),
    "explore_suite": ({"repeats": 1, "every": 80}, SEARCHED, [SEARCHED[1:], LOST, []]),
    "explore_speed": ({"schedules": 3}, (3, 2), [(2, 2), (3, 0)]),
}


def test_every_row_of_the_issue_is_here_and_has_a_case():
    assert rows.names() == list(rows.ORDER) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_right_answers_pass_the_rows_check(name: str):
    size, right, _ = CASES[name]
    check = rows.load(name).check
    assert check is not None
    assert check(right, **size) is None


@pytest.mark.parametrize(("name", "number"), [(name, n) for name, case in CASES.items() for n in range(len(case[2]))])
def test_wrong_answers_are_refused_in_words(name: str, number: int):
    size, _, wrong = CASES[name]
    check = rows.load(name).check
    assert check is not None
    assert check(wrong[number], **size), f"{wrong[number]} passed"


@pytest.mark.parametrize("name", CASES)
def test_a_row_judges_sides_that_it_has(name: str):
    row = rows.load(name)
    kinds = {one.kind for one in row.implementations.values()}
    assert {"linecook", "stdlib"} <= kinds
    assert row.base in row.implementations
    for target in row.targets:
        assert row.implementations[target.of].kind == "linecook"
        assert target.over is None or target.over in row.implementations
        # A goal is never easier than its must.
        assert target.reached(target.goal, target.must)


@pytest.mark.parametrize("name", CASES)
def test_all_sides_of_a_row_take_the_sizes_it_gives(name: str):
    row = rows.load(name)
    assert set(row.full) == set(row.quick) == set(CASES[name][0])


@pytest.mark.parametrize("name", ["thread_latency", "thread_noop", "thread_sleep_1ms", "fanout_100k", "call_overhead"])
def test_the_base_really_runs_and_its_answers_pass(name: str):
    figures = _run(name, rows.load(name).base, CASES[name][0])
    assert figures["more_us" if name == "call_overhead" else "rate"] > 0


def test_a_wrong_answer_gives_no_figures():
    row, reports = rows.load("thread_latency"), list[dict[str, float]]()
    meter = Meter(reports.append)
    meter.begin(units=3, check=lambda answers: row.check(answers, calls=3) if row.check else None)
    with meter.timing():
        pass
    with pytest.raises(WrongAnswer, match="doubles"):
        meter.answer([0, 2, 5])
    assert reports == []


def _run(name: str, implementation: str, size: Size) -> dict[str, float]:
    reports: list[dict[str, float]] = []
    rows.load(name).run(implementation, size, Meter(reports.append))
    assert len(reports) == 1
    return reports[0]


def test_a_hung_worker_is_late_by_what_it_lived_past_its_deadline():
    starts = [Start(0, 11, 100.0, True), Start(1, 12, 100.5, False), Start(2, 13, 101.0, True)]
    late = hung_processes.lateness(starts, {11: 101.004, 13: 102.25}, 1.0)
    assert late == pytest.approx([0.004, 0.25])


def test_each_death_is_matched_with_the_worker_that_came_after_it():
    starts = [Start(0, 11, 0.0, True), Start(1, 12, 0.1, True), Start(2, 13, 1.02, False), Start(3, 14, 1.5, True)]
    starts += [Start(4, 13, 1.6, False)]
    # 13 came 20 ms after the first death, 14 came 400 ms after the second; nobody was needed after the third.
    replaced = hung_processes.replacements(starts, {11: 1.0, 12: 1.1, 14: 2.5})
    assert [death for death, _ in replaced] == [1.0, 1.1]
    assert [took for _, took in replaced] == pytest.approx([0.02, 0.4])


def test_a_minutes_use_is_looked_at_as_counted_at_the_beginning_and_at_the_end_of_calls():
    early = Spent([(0.0, 2.0, 600_000), (59.0, 61.0, 600_000), (130.0, 132.0, 900_000)])
    assert early.peaks() == (1.2, 0.9)
    late = Spent([(0.0, 2.0, 600_000), (60.0, 61.0, 600_000)])
    assert late.peaks() == (1.2, 0.6)


def test_deaths_are_at_once_only_when_they_are_close():
    assert hung_processes.at_once([1.0, 1.01, 2.0, 3.0]) == {1.0, 1.01}
    assert hung_processes.at_once([]) == set()
