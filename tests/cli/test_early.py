"""A Ctrl-C that Python drops while modules are imported is not lost."""

from __future__ import annotations

import signal
import weakref

import pytest

from linecook.cli.early import forget, hand_over, remember


class Thing: ...


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_ctrl_c_inside_a_weakref_callback_is_heard_when_the_run_begins() -> None:
    remember()
    try:
        thing = Thing()
        seen = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
        del thing  # Python prints the KeyboardInterrupt, and goes on
        assert seen() is None
        with pytest.raises(KeyboardInterrupt):
            hand_over()
    finally:
        forget()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    hand_over()  # heard once


def test_a_handler_of_somebody_else_stays() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        remember()
        hand_over()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
