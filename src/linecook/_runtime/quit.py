r"""Ctrl-\ under ``run``: who waits on what is printed to stderr, and the program goes on."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable

_LOOK_AGAIN = 0.1  # seconds
_LOOKS = 10


def take_quit() -> Callable[[], None]:
    """Handle SIGQUIT, where it is ours to handle: in the main thread, and nobody else's so far.

    Returns:
      what gives the handler back that was there before.
    """
    quit_signal = getattr(signal, "SIGQUIT", None)  # Windows has none
    in_main = threading.current_thread() is threading.main_thread()
    if quit_signal is None or not in_main or signal.getsignal(quit_signal) is not signal.SIG_DFL:
        return lambda: None
    asked = Asked()
    signal.signal(quit_signal, asked)

    def restore() -> None:
        if signal.getsignal(quit_signal) is asked:
            signal.signal(quit_signal, signal.SIG_DFL)

    return restore


class Asked:
    """Looks and prints, on a thread of its own; asked again meanwhile, it does nothing.

    Not in the handler: that runs between two instructions of whatever the main thread does just then, which may have
    a lock of stderr's in its hand. Nor on a ``threading.Thread``, whose start takes a lock for the same reason.
    """

    def __init__(self) -> None:
        self._is_looking = False

    def __call__(self, *_: object) -> None:
        stay_awake()
        if not self._is_looking:
            self._is_looking = True
            _thread.start_new_thread(self._look, ())

    def _look(self) -> None:
        try:
            from ..observe.stuck.diagnose import diagnose

            _print(f"\nlinecook: Ctrl-\\: {diagnose()}\n")
        except Exception as error:
            _print(f"\nlinecook: Ctrl-\\: could not tell what waits for what: {error!r}\n")
        finally:
            self._is_looking = False


def stay_awake() -> None:
    r"""For a second, have the event loop of this thread turn every 0.1 s; for the handler of a signal.

    Linux gives a signal to another thread while the main one has yet to take the last. So a Ctrl-C within a millisecond
    of Ctrl-\ may be noted there when the main thread waits for events again: Python would run its handler only when
    something happens.
    """
    try:
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(_look_again, loop, _LOOKS)
    except RuntimeError:  # no loop runs, or it ends just now
        return


def _look_again(loop: asyncio.AbstractEventLoop, looks: int) -> None:
    if looks:
        loop.call_later(_LOOK_AGAIN, _look_again, loop, looks - 1)


def _print(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # stderr is closed
        sys.stderr.write(text)
        sys.stderr.flush()
