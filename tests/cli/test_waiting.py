"""A word for whoever waits."""

from __future__ import annotations

import os
import pty

import pytest

from linecook.cli import waiting
from linecook.cli.waiting import said_when_slow


def test_it_is_said_at_a_terminal_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    said = threading.Event()
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    monkeypatch.setattr(waiting, "_say", lambda words: said.set())
    ours, theirs = pty.openpty()
    saved = os.dup(2)
    os.dup2(theirs, 2)
    try:
        with said_when_slow("importing desk.py …"):
            assert said.wait(5)
    finally:
        os.dup2(saved, 2)
        for fd in (ours, theirs, saved):
            os.close(fd)


def test_nothing_is_said_where_nobody_looks(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    with said_when_slow("importing desk.py …"):
        pass
    assert capfd.readouterr().err == ""
