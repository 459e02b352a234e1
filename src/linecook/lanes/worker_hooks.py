"""For library code that runs inside a worker process: am I in one, and tell me when it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable


def in_worker() -> bool:
    """Say whether this process is a linecook worker; False in a process that a body forked off."""
    module = sys.modules.get("_linecook_worker")
    return module is not None and bool(module.live)


def key_in_worker() -> str | None:
    """Return the key of the call under way in this worker; None for a tool whose effect isn't ``"keyed"``."""
    key: str | None = sys.modules["_linecook_worker"].key
    return key


def charge_in_worker(amounts: tuple[int, int, int]) -> None:
    """Have *amounts* counted where the call under way in this worker was made; see ``worker_main.charge``."""
    sys.modules["_linecook_worker"].charge(amounts)


def at_worker_end(callback: Callable[[], object]) -> None:
    """Have *callback* called when this worker is sent home, last registered first.

    A worker that is killed (time-out, cancel, parent gone) calls nothing. An exception is printed; the rest is called.

    Raises:
      RuntimeError: this process is no worker.
    """
    if not in_worker():
        raise RuntimeError("at_worker_end(...) was called outside a worker process: use atexit.register(...) there")
    sys.modules["_linecook_worker"].at_end.append(callback)
