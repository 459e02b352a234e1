"""What is told of several loops of one process, as one."""

from __future__ import annotations

from linecook.observe import LiveCalls, LiveCount
from linecook.observe.live.livecalls import together

ONE = LiveCalls(
    1, 0.0, 3, (), (LiveCount("nap", "loop", "waiting", "sleep", 2), LiveCount("cook", "loop", "ready", None, 1))
)
STILL = LiveCalls(1, 0.0, 2, (), (LiveCount("nap", "loop", "waiting", "sleep", 2),), "it stands at kitchen.py:3")


def test_counts_are_added_and_the_loop_that_stands_still_is_named() -> None:
    both = together([ONE, STILL])
    assert both.total == 5
    assert [(each.name, each.count) for each in both.counts] == [("nap", 4), ("cook", 1)]
    assert both.stands_still == "it stands at kitchen.py:3"


def test_one_loop_is_told_as_it_is_and_none_as_nothing() -> None:
    assert together([ONE]) is ONE
    assert (together([]).total, together([]).stands_still) == (0, None)
