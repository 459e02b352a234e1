"""What is shown while a run goes on."""

from __future__ import annotations

import pytest

from linecook.cli.progress import Silence, progress_for


def test_nothing_is_shown_and_nothing_counted_when_none_is_asked_for() -> None:
    progress = progress_for("none")
    assert isinstance(progress, Silence)
    assert not progress.wants_total


def test_without_a_terminal_lines_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_for(None)
    progress.expect(4)
    progress.update("Ok")
    progress.update("Failed")
    progress.close()
    assert "2 of 4 done (50 %), 1 failed" in capsys.readouterr().err


def test_a_board_that_cannot_be_drawn_is_lines_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_for("board")
    progress.update("Ok")
    progress.close()
    err = capsys.readouterr().err
    assert "terminal" in err
    assert "1 done" in err
