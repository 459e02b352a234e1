import json

import pytest

from linecook._core.context import Frame
from linecook._core.meter import Meter
from linecook.observe import Place, PlacementReport, Stall


class Named(Frame):
    @property
    def name(self) -> str:
        return "summarise"


def meter(
    name: str = "parse",
    lane: str = "thread",
    *,
    calls: int = 37,
    wall: float = 0.5,
    cpu_share: float | None = 0.9,
    hold: float = 0.9,
    seen: int = 210,
    **counts: int,
) -> Meter:
    """A meter as a lane and the probe would have left it."""
    measured = (calls + 3) // 4
    cpu_wall = wall * measured / max(1, calls) if cpu_share is not None else 0.0
    return Meter(
        name, lane, calls=calls, wall=wall, cpu=(cpu_share or 0.0) * cpu_wall, cpu_wall=cpu_wall,
        cpu_calls=measured if cpu_share is not None else 0, seen=seen, held=hold * seen, **counts,
    )  # fmt: skip


def stall(duration: float = 0.4) -> Stall:
    return Stall(Place("app.py", 3, "summarise", "time.sleep(1)"), "summarise", Named(), duration, ended=True)


def test_figures_are_told_per_tool_the_costliest_first():
    report = PlacementReport([meter("small", wall=0.1), meter("big", wall=2.0, failures=3, timeouts=2, abandoned=1)])
    assert [row.name for row in report.rows] == ["big", "small"]
    big = report.rows[0]
    assert (big.calls, big.failures, big.timeouts, big.abandoned) == (37, 3, 2, 1)
    assert big.mean == pytest.approx(2.0 / 37)
    assert big.cpu_share == pytest.approx(0.9)
    assert big.cpu == pytest.approx(1.8)
    assert big.gil_share == pytest.approx(0.9)
    assert big.samples == 210


@pytest.mark.parametrize(("seen", "known"), [(0, False), (19, False), (20, True)])
def test_under_twenty_samples_the_hold_is_not_known(seen, known):
    report = PlacementReport([meter(seen=seen)])
    assert (report.rows[0].gil_share is not None) is known
    assert ("not known" in str(report)) is not known
    assert bool(report.advice) is known


def test_the_number_of_samples_is_printed():
    assert "90% (n=210)" in str(PlacementReport([meter()]))


def test_what_never_ran_is_left_out():
    assert PlacementReport([Meter("idle", "thread")]).rows == ()
    assert str(PlacementReport([])) == "placement: nothing has run yet"


def test_stalls_are_counted_to_the_call_in_whose_course_they_happened():
    report = PlacementReport([meter("app.summarise", "loop", seen=0)], stalls=[stall(0.4), stall(0.2)])
    assert report.rows[0].stalls.count == 2
    assert report.rows[0].stalls.seconds == pytest.approx(0.6)
    assert "held up the event loop 2 times, 600 ms in all" in report.advice[0]


def test_the_report_goes_into_json_and_back():
    report = PlacementReport([meter()], {"thread": {"running": 3, "max_threads": 1024}}, stalls=[stall()])
    told = json.loads(json.dumps(report.to_dict()))
    assert told["rows"][0]["name"] == "parse"
    assert told["lanes"]["thread"]["max_threads"] == 1024
    assert told["advice"] == list(report.advice)
