"""What the desk shows while it works: one line that is written over on a terminal, lines now and then in a pipe."""

from __future__ import annotations

import io
import logging

import desk_terminal
import pytest
from desk_rules import Finding
from desk_terminal import Terminal

from tests import terminal

FOUND = Finding("shop", "shop/till.py", 4, "dropped-task", "the task is dropped")


def test_on_a_terminal_the_last_line_tells_how_far_we_are_and_findings_come_above_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with terminal.Terminal(columns=60) as window:
        monkeypatch.setenv("COLUMNS", "60")
        desk = Terminal(window.stream)
        desk.tick(1, 500)
        assert window.look()[:2] == ["   1 of 500 pages, 0 s", ""]
        desk.show(FOUND)
        desk.tick(2, 500, killed=1)
        desk.show(FOUND)
        finding = "shop/till.py:4: dropped-task: the task is dropped"
        status = "   2 of 500 pages, 0 s, 1 reviewer killed and started anew"
        assert window.look()[:4] == [finding, finding, status, ""]
        desk.handle(logging.makeLogRecord({"msg": "the loop stood still"}))
        desk.end()
        window.stream.write("the end\n")
        assert window.look()[2:6] == ["the loop stood still", status, "the end", ""]


def test_in_a_pipe_there_is_a_line_now_and_then_and_no_control_character(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(desk_terminal.time, "monotonic", lambda: now)
    pipe = io.StringIO()
    desk = Terminal(pipe)
    for second in range(6):
        now = float(second)
        desk.tick(second, 500, killed=second)
        if second == 3:
            desk.show(FOUND)
    desk.end()
    assert pipe.getvalue().splitlines() == [
        "   2 of 500 pages, 2 s, 2 reviewers killed and started anew",
        "shop/till.py:4: dropped-task: the task is dropped",
        "   4 of 500 pages, 4 s, 4 reviewers killed and started anew",
    ]
