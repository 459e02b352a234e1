import sys

import pytest

from linecook.testing.exploring.threads.control import Control, OldestFirst
from linecook.testing.exploring.threads.threads import ControlledThread

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")


def hop():
    pass


def body():
    for _ in range(3):
        hop()


def points():
    with Control(OldestFirst()):
        thread = ControlledThread(body, go_on=lambda _thread: True)
        thread.step()
        return thread.points


@pytest.fixture
def coverage_like():
    """Another tool that counts the lines of hop, and switches a line off once it has seen it, as coverage does."""
    monitoring, seen = sys.monitoring, []

    def line(code, number):
        seen.append((code.co_name, number))
        return monitoring.DISABLE

    tool = next(tool for tool in (1, 2, 3) if monitoring.get_tool(tool) is None)
    monitoring.use_tool_id(tool, "counts lines")
    monitoring.register_callback(tool, monitoring.events.LINE, line)
    monitoring.set_local_events(tool, hop.__code__, monitoring.events.LINE)
    yield seen
    monitoring.set_local_events(tool, hop.__code__, 0)
    monitoring.free_tool_id(tool)


def test_every_exploration_sees_the_same_points():
    assert points() == points() == 8


def test_another_tool_sees_its_lines_as_ever(coverage_like):
    assert points() == 8
    assert [name for name, _number in coverage_like] == ["hop"]
    with Control(OldestFirst()):
        assert sum(sys.monitoring.get_tool(tool) is not None for tool in range(6)) >= 1


def test_the_tool_id_is_given_back():
    before = [sys.monitoring.get_tool(tool) for tool in range(6)]
    points()
    assert [sys.monitoring.get_tool(tool) for tool in range(6)] == before
    assert sys.monitoring.get_local_events(4, hop.__code__) == 0 if before[4] is None else True


def test_without_a_free_tool_id_the_error_says_so():
    taken = [tool for tool in range(6) if sys.monitoring.get_tool(tool) is None]
    for tool in taken:
        sys.monitoring.use_tool_id(tool, "another")
    try:
        with pytest.raises(RuntimeError, match="other tools have taken them all"):
            points()
    finally:
        for tool in taken:
            sys.monitoring.free_tool_id(tool)
    assert points() == 8
