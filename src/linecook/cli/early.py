"""Ctrl-C before the run: Python drops one that comes inside a weakref callback, as imports run them; we remember it."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_presses: list[int] = []


def remember() -> None:
    """From now on note every Ctrl-C, besides raising ``KeyboardInterrupt`` for it as Python does."""
    _presses.clear()
    if _is_ours_to_take():
        signal.signal(signal.SIGINT, _pressed)


def forget() -> None:
    """Give the signal back, whatever came."""
    if signal.getsignal(signal.SIGINT) is _pressed:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def was_pressed() -> bool:
    """Say whether Ctrl-C came since ``remember``, or since ``hand_over``."""
    return bool(_presses)


def hand_over() -> None:
    """Give the signal back, for ``linecook.run`` to take.

    Raises:
      KeyboardInterrupt: Ctrl-C was pressed meanwhile, and nobody has heard it.
    """
    forget()
    if _presses:
        _presses.clear()
        raise KeyboardInterrupt


def _is_ours_to_take() -> bool:
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _pressed(number: int, frame: FrameType | None) -> None:
    _presses.append(number)
    signal.default_int_handler(number, frame)
