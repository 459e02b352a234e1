"""The plots of docs/explanation/: each comes from a script that runs, tells nothing of the machine, and stays small."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.blocks import ROOT

PLOTS = ROOT / "docs" / "plots"
TABLES = {"bugs-found-by-search", "what-the-search-promises"}  # show tables of their own, held by tests of their own
PAGES = sorted(page for page in (ROOT / "docs" / "explanation").glob("*.md") if page.stem not in TABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_explanation_shows_its_plot_its_figures_and_how_they_came_about(page: Path) -> None:
    text = page.read_text()
    assert f"](../plots/{page.stem}.svg)" in text
    script = f"docs/plots/{page.stem}.py"
    table = re.search(rf"<!-- figures of {script} -->\n\n(.*?)\n\n\((.*?)\)\n\n<!-- end", text, re.DOTALL)
    assert table is not None
    assert table[1].count("\n") >= 3
    assert re.match(rf"`python {script}`; CPython 3\.\d+\.\d+, linecook \d", table[2])


@pytest.mark.parametrize("plot", sorted(PLOTS.glob("*.svg")), ids=lambda plot: plot.stem)
def test_a_plot_is_small_speaks_to_everybody_and_tells_nothing_of_the_machine(plot: Path) -> None:
    text = plot.read_text()
    assert plot.with_suffix(".py").exists()
    assert len(text) < 40_000
    assert "<title>" in text
    assert "prefers-color-scheme: dark" in text
    assert re.search(r"/home|/tmp|/work|\.py\b|\b20\d\d-\d\d|font-family: (?!sans-serif)", text) is None
    assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def figures(script: str, side: str, environment: dict[str, str]) -> Any:
    """What one side of a plot says of a small run."""
    command = [sys.executable, str(PLOTS / f"{script}.py"), "--quick", "--side", side]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            return next(json.loads(line[9:]) for line in process.stdout if line.startswith("figures: "))
        finally:
            process.kill()  # some never end by themselves: that is their subject


@pytest.mark.slow
def test_the_plot_on_starving_counts_right_answers(environment: dict[str, str]) -> None:
    ours, pool = (figures("why-threads-starve", side, environment) for side in ("linecook", "ThreadPoolExecutor(10)"))
    assert len(ours["arrived"]) == ours["healthy"] == pool["healthy"]
    assert len(pool["arrived"]) <= pool["healthy"]


@pytest.mark.slow
def test_the_plot_on_timeouts_tells_the_answer_from_the_end_of_the_work(environment: dict[str, str]) -> None:
    answered, ended = figures("what-a-timeout-can-promise", "by_asyncio resists", environment)
    assert answered >= ended - 0.1 > 1  # the caller waits for the clean-up
    answered, ended = figures("what-a-timeout-can-promise", "by_linecook sleeps", environment)
    assert answered < ended  # an abandoned thread goes on


@pytest.mark.slow
def test_the_plot_on_orphans_sees_them(environment: dict[str, str]) -> None:
    gather, group, ours = (
        figures("cancellation-without-orphans", side, environment)
        for side in ("asyncio.gather", "asyncio.TaskGroup", "linecook.gather")
    )
    assert sorted(gather["sent"]) == ["resists", "sends"]
    assert (group["raised"], ours["raised"]) == ("ExceptionGroup", "ValueError")
    assert max(group["ended"].values()) <= group["told"]
    assert sorted(ours["sent"]) == ["resists"]  # what can't be stopped by anybody


@pytest.mark.slow
def test_the_plot_on_admission_follows_the_server_and_counts_what_it_refused(environment: dict[str, str]) -> None:
    ours, fixed = (figures("admission", side, environment) for side in ('Limit("4-16-128")', "Semaphore(40)"))
    assert ours["bounds"][0][1] == 16
    assert len(ours["bounds"]) > 3
    assert sum(ours["served"]) > 50
    assert sum(ours["refused"]) < sum(fixed["refused"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "side", ["settle, window of 1,000", "as_completed, window of 1,000", "gather + Semaphore(1000)"]
)
def test_the_plot_on_windows_measures_what_it_says(side: str, environment: dict[str, str]) -> None:
    told = figures("why-a-window", f"{side}/10000", environment)
    assert set(told) == {"rate", "mb", "lag_ms"}
    assert told["rate"] > 0


@pytest.mark.slow
def test_the_plot_on_back_pressure_stores_everything_and_counts_what_is_inside(environment: dict[str, str]) -> None:
    sides = ("pipeline", "a queue without bound", "gather, a semaphore for each stage")
    told = [figures("what-back-pressure-does", side, environment) for side in sides]
    assert [each["stored"] for each in told] == [200] * 3
    assert all(max(count for _, count in each["inside"]) > 0 for each in told)
