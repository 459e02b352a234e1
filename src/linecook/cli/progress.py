"""What is shown while a run goes on: the board, lines, JSON, or nothing."""

from __future__ import annotations

import sys
from typing import Any, Protocol


class Progress(Protocol):
    """What can be told of a run while it goes on."""

    @property
    def wants_total(self) -> bool: ...
    def update(self, kind: str, /) -> None: ...
    def expect(self, total: int | None, /) -> None: ...
    def attach(self, runtime: Any, /) -> None: ...
    def close(self) -> None: ...


def progress_for(show: str | None) -> Progress:
    """Return what shows progress on standard error.

    Args:
      show: ``"board"``, ``"lines"``, ``"json"`` or ``"none"``; None for the board on a terminal that can draw it, else
        lines. A board that was asked for and can't be drawn becomes lines, and that is said.
    """
    if show == "none":
        return Silence()
    from linecook import observe

    if show == "json":
        return _Shown(observe.JSONLines(None, sys.stderr))
    if show == "board" or (show is None and observe.wants_board(sys.stderr)):
        try:
            return _OnBoard(observe.Board(None, sys.stderr))
        except ValueError as error:
            print(f"linecook: {error}; lines it is.", file=sys.stderr)
    return _Shown(observe.ProgressLines(None, sys.stderr))


class _Shown:
    """Something that is shown."""

    wants_total = True

    def __init__(self, shown: Any) -> None:
        self.update = shown.update
        self.expect = shown.expect
        self.close = shown.close
        self.attach = shown.attach


class _OnBoard(_Shown):
    """The board, which Ctrl-Z takes away and ``fg`` brings back."""

    def __init__(self, board: Any) -> None:
        from .stopping import Stopping

        super().__init__(board)
        self._board = board
        self._stopping = Stopping(board.step_aside, board.come_back)
        self.close = self._close

    def _close(self) -> None:
        self._stopping.forget()
        self._board.close()


class Silence:
    """Shows nothing."""

    wants_total = False  # counting an input takes a third of the time of skipping it (benchmarks: run_resume)

    def update(self, kind: str, /) -> None:
        """Show nothing."""

    def expect(self, total: int | None, /) -> None:
        """Show nothing."""

    def attach(self, runtime: Any, /) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Have nothing to end."""
