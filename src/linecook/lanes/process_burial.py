"""How worker processes that were killed, or have ended, are collected: no zombie stays, and no loop waits for one."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .process_worker import Worker


class Undertaker:
    """Collects workers on a thread of its own, which lives while there are any.

    On a thread, not by the loop: the loop may end before the process has (in tests it usually does).

    Args:
      lock: the lane's; held while ``take`` is called, and to read or change ``dying``.

    Attributes:
      dying: those not collected yet.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self.dying: list[Worker] = []
        self._lock = lock
        self._thread: threading.Thread | None = None

    def take(self, worker: Worker) -> None:
        """Collect *worker* when it is gone."""
        self.dying.append(worker)
        if self._thread is None:
            self._thread = threading.Thread(target=self._bury_all, name="linecook-process-reaper", daemon=True)
            with contextlib.suppress(RuntimeError):  # the interpreter is ending: close_at_exit collects them
                self._thread.start()

    def _bury_all(self) -> None:
        pause = 0.001
        while True:
            with self._lock:
                if not self._bury_those_gone():
                    self._thread = None
                    return
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    def _bury_those_gone(self) -> bool:
        """Close what has ended; say whether anybody is left."""
        still = [worker for worker in self.dying if not worker.reap()]
        for worker in set(self.dying) - set(still):
            if not worker.receiving:  # else its thread lets go of it
                worker.close()
        self.dying = still
        return bool(still)
