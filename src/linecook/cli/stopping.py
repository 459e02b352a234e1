"""Ctrl-Z where we have taken the terminal, or a part of it: it is given back while the process stands."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


class Stopping:
    """From now on gives the terminal back before Ctrl-Z stops the process, and takes it again when it is continued.

    Args:
      give_back, take: called in the main thread, between two steps of whatever runs there.

    Does nothing where the signal isn't ours to take: outside the main thread, or where somebody handles or ignores it.
    """

    def __init__(self, give_back: Callable[[], None], take: Callable[[], None]) -> None:
        self._give_back = give_back
        self._take = take
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)

    def forget(self) -> None:
        """Leave the signal to the system again; safe to call twice."""
        if signal.getsignal(signal.SIGTSTP) == self._stop:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)

    def _stop(self, number: int, _frame: object) -> None:
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # here the process stands until it is continued
        signal.signal(number, self._stop)
        self._take()
