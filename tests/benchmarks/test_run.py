"""The run itself: processes of their own, interleaved rounds, verdicts, and the page."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import run
from benchmarks.harness import page, rounds, rows, table
from benchmarks.harness.deaths import Watcher, started
from benchmarks.harness.judge import faster_peers, judge, median, ratio
from benchmarks.harness.meter import Meter, percentile
from benchmarks.harness.rounds import Series
from benchmarks.harness.row import Row, Target


def cooking(**changes: object) -> Row:
    """A row with two sides and a promise of each kind."""
    row = Row(
        title="eggs",
        base="pan",
        unit="eggs",
        full={"eggs": 100},
        quick={"eggs": 1},
        units=lambda size: size["eggs"],
        targets=(Target("rate", 2.0, 3.0, over="pan"), Target("lag_p99_ms", 5.0, 3.0, at_most=True)),
        columns=("lag_p99_ms",),
        losing="the stove is small",
    )

    @row.linecook
    def linecook(meter: Meter, eggs: int) -> None: ...

    @row.stdlib
    def pan(meter: Meter, eggs: int) -> None: ...

    @row.peer("casserole")
    def casserole(meter: Meter, eggs: int) -> None: ...

    return row


def series(*rates: float, lag: float = 1.0) -> Series:
    return Series([{"rate": rate, "cpu_us": 100 / rate, "lag_p99_ms": lag, "wall_s": 1.0} for rate in rates])


def measured(ours: Series, pan: Series, casserole: Series | None = None) -> table.Measured:
    all_series = {"linecook": ours, "pan": pan, "casserole": casserole or Series([None], "not installed: casserole")}
    return table.Measured("eggs", cooking(), all_series, 0.5, 0.75, {"Python": "3.13.0", "casserole": "not installed"})


def test_rounds_go_forward_then_backward():
    assert [name for _, name in rounds.order("ABC", 3)] == list("ABCCBAABC")


def test_a_ratio_is_taken_round_by_round():
    # The machine was ten times slower in the second round: a ratio of medians would say something else.
    assert ratio(series(20, 2, 30), series(10, 1, 10), "rate") == 2.0


def test_a_figure_that_a_round_lacks_is_no_figure():
    half = Series([{"exit_s": 0.1}, {}])
    assert median(half, "exit_s") is None
    assert median(Series([{"exit_s": 0.1}, {"exit_s": 0.3}]), "exit_s") == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("rate", "lag", "verdicts"),
    [
        (30, 3.0, ["met", "met"]),  # exactly on the bar counts
        (29, 5.0, ["missed goal", "missed goal"]),
        (19, 5.1, ["missed must", "missed must"]),
    ],
)
def test_verdicts(rate: float, lag: float, verdicts: list[str]):
    judged = measured(series(rate, lag=lag), series(10)).judged()
    assert [one.verdict for one in judged] == verdicts


def test_no_answer_of_ours_is_a_missed_must():
    judged = measured(Series([None], "no answer (stopped after 20 s)"), series(10)).judged()
    assert [one.verdict for one in judged] == ["missed must", "missed must"]


def test_a_base_that_failed_leaves_a_ratio_unmeasured():
    judged = measured(series(30), Series([None], "ImportError")).judged()
    assert [one.verdict for one in judged] == ["not measured", "met"]


def test_a_peer_that_beats_us_is_named():
    one = measured(series(10, 10), series(5, 5), series(15, 20))
    assert faster_peers(one.row, one.series) == {"casserole": 1.75}
    assert "eggs: casserole does 1.75 × our rate." in table.losses(one)


def test_the_words_for_a_loss_stand_only_where_something_is_lost():
    assert table.losses(measured(series(30), series(10))) == []
    lost = table.losses(measured(series(25), series(10)))
    assert lost == ["eggs: missed goal: rate × pan is 2.5, asked 3.", "eggs: the stove is small"]


def test_the_table_of_a_row_renders():
    text = table.section(measured(series(25), series(10)))
    assert "| linecook | linecook | 25 | 2.5 | 2.5 | 1 |" in text
    assert "| pan | stdlib | 10 | 1 | 1 | 1 |" in text
    assert "| casserole | peer | failed: not installed: casserole |" in text
    assert "| rate × pan | ≥ 2 | ≥ 3 | 2.5 | missed goal |" in text
    assert "| lag_p99_ms | ≤ 5 | ≤ 3 | 1 | met |" in text
    assert "Python 3.13.0, casserole not installed; rounds: 1; load before 0.50, after 0.75." in text


def test_every_line_of_a_table_has_as_many_cells_as_its_header():
    text = table.section(measured(series(25), series(10)))
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 2
    for block in blocks:
        assert len({line.replace("\\|", "").count("|") for line in block}) == 1


def written(*several: table.Measured) -> str:
    parts = {one.name: page.part(one, command="python benchmarks/run.py --write", date="1 May") for one in several}
    return page.page(parts, parts, machine="2 cores")


def test_the_page_says_command_date_and_losses():
    text = written(measured(series(25), series(10)))
    assert text.startswith("# Results\n\n2 cores.")
    assert "| eggs | rate × pan | ≥ 2 | ≥ 3 | 2.5 | missed goal |" in text
    assert "- eggs: the stove is small" in text
    assert "`python benchmarks/run.py --write`, 1 May." in text
    assert "Nowhere." in written(measured(series(30), series(10)))


def test_a_row_measured_anew_takes_its_own_place_and_leaves_the_others():
    eggs, toast = measured(series(25), series(10)), replace(measured(series(30), series(10)), name="toast")
    before = written(eggs, toast)
    parts = page.parts_of(before)
    assert page.page(parts, ["eggs", "toast"], machine="2 cores") == before
    parts["eggs"] = page.part(measured(series(40), series(10)), command="c", date="2 May")
    after = page.page(parts, ["eggs", "toast", "burnt"], machine="2 cores")
    assert "`c`, 2 May." in after
    assert "eggs: the stove is small" not in after
    assert after.count("## toast:") == 1
    assert "| eggs |" not in page.page(parts, ["toast"], machine="2 cores")


def test_percentiles():
    assert percentile(range(100), 0.99) == 99
    assert percentile(range(1000), 0.99) == 990
    assert percentile([], 0.99) == 0.0


def test_the_list_names_every_row_and_its_promises(capsys: pytest.CaptureFixture[str]):
    assert run.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: " in printed for name in rows.names())
    assert "rate × to_thread_wait_for: must 4.5, goal 8" in printed


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["thread_nop"], "no row thread_nop; there are: hung_tools"),
        (["--write", "--quick"], "small sizes give no figures"),
        (["--rounds", "0"], "at least 1"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run.arguments(argv)
    assert words in capsys.readouterr().err


def test_rounds_are_three_and_one_when_quick():
    assert run.arguments([]).rounds == 3
    assert run.arguments(["--quick"]).rounds == 1
    assert run.arguments(["--quick", "--rounds", "2"]).rounds == 2


def test_a_missed_must_is_the_exit_code_unless_quick(monkeypatch: pytest.MonkeyPatch):
    missed = measured(series(1), series(10))
    monkeypatch.setattr(run, "measure", lambda name, *, quick, rounds: missed)
    assert run.main(["thread_noop"]) == 1
    assert run.main(["thread_noop", "--quick"]) == 0


def test_writing_puts_each_row_on_the_page_as_soon_as_it_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    first, second = rows.names()[:2]
    results = tmp_path / "RESULTS.md"

    def measure(name: str, *, quick: bool, rounds: int) -> table.Measured:
        assert name == first or f"## {first}:" in results.read_text()
        return replace(measured(series(30), series(10)), name=name)

    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(run, "RESULTS", results)
    assert run.main(["--write", first, second]) == 0
    assert f"`python benchmarks/run.py --write {first} {second}`" in results.read_text()


def test_a_measurement_keeps_its_bytecode_even_where_none_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(rounds, "_bytecode", lambda: SimpleNamespace(name=str(tmp_path)))
    code = "import benchmarks.harness.meter as meter; print(meter.__cached__)"
    command, environment = [sys.executable, "-c", code], rounds.environment()
    done = subprocess.run(command, cwd=rounds.ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path))
    assert Path(done.stdout.strip()).exists()


@pytest.mark.slow
def test_a_measurement_runs_in_a_process_of_its_own_and_says_when_it_was_gone():
    said = rounds.measure("thread_latency", "to_thread", {"calls": 20}, limit=30)
    assert said["figures"]["rate"] > 0
    assert 0 <= said["figures"]["exit_s"] < rounds.EXIT_LIMIT


@pytest.mark.slow
def test_a_side_that_never_answers_is_stopped_and_said():
    said = rounds.measure("thread_latency", "to_thread", {"calls": 10**9}, limit=1.0)
    assert said == {"problem": "no answer (stopped after 1 s)"}


@pytest.mark.slow
def test_a_side_that_fails_says_where():
    said = rounds.measure("thread_latency", "to_thread", {"calls": "many"}, limit=30)
    assert said["problem"].startswith("TypeError: ")
    assert "one_caller" in said["problem"]


def test_a_side_that_failed_is_not_asked_again(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def measure(row: str, name: str, size: object, limit: float) -> dict[str, object]:
        asked.append(name)
        return {"problem": "not installed: casserole"} if name == "casserole" else {"figures": {"rate": 1.0}}

    monkeypatch.setattr(rounds, "measure", measure)
    found = rounds.run_row("eggs", cooking(), {}, 2, lambda words: None)
    assert asked == ["linecook", "pan", "casserole", "pan", "linecook"]
    assert found["casserole"] == Series([None, None], "not installed: casserole")


@pytest.mark.slow
def test_the_watcher_sees_a_worker_die(tmp_path: Path):
    log = tmp_path / "starts"
    code = (
        f"import time; from {started.__module__} import started; started({str(log)!r}, 7, hangs=True); time.sleep(60)"
    )
    watcher = Watcher(log)
    with subprocess.Popen([sys.executable, "-c", code], cwd=rounds.ROOT) as worker:
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.6)
        assert log.exists(), "the worker did not start"
        worker.kill()
        worker.wait()
        # the watcher's own poll has to come round once more before it is told to stop
        with pytest.raises(subprocess.TimeoutExpired):
            watcher._process.wait(0.1)
        assert set(watcher.stop()) == {worker.pid}


def test_the_judge_keeps_the_order_of_the_row():
    one = measured(series(30), series(10))
    assert [judged.target for judged in judge(one.row, one.series)] == list(one.row.targets)
