import threading
import time

import pytest

from linecook.testing.exploring.threads.control import Control, OldestFirst, Stuck, active, here
from linecook.testing.exploring.threads.threads import ControlledThread


def hop():
    pass


def test_one_exploration_at_a_time():
    with Control():
        with pytest.raises(RuntimeError, match="under way in this process already"), Control():
            pass
        assert active() is not None
    assert active() is None


def test_who_runs_is_known_on_every_thread():
    with Control(OldestFirst()) as control:
        thread = ControlledThread(here)
        thread.step()
        assert thread.result() is thread
        assert here().name == "the event loop"
        assert control.baton.running is None
    assert here() is None


def test_what_the_explorer_raises_leaves_nothing_behind():
    lock = threading.Lock
    with pytest.raises(ZeroDivisionError), Control(OldestFirst()):
        thread = ControlledThread(lambda: [hop() for _ in range(9)])
        thread.step()
        1 / 0
    assert thread.state == "ended"
    assert threading.Lock is lock
    assert active() is None


def test_an_unknown_points_is_refused_for_a_single_thread():
    with Control(points="gil"), pytest.raises(ValueError, match="opened with points='gil'"):
        ControlledThread(hop, points="opcodes")


def test_the_oldest_thread_goes_first_and_time_goes_on_when_all_wait():
    seen = []

    def body(name, seconds):
        time.sleep(seconds)
        seen.append((name, time.monotonic()))

    with Control(OldestFirst()) as control:
        for name, seconds in (("a", 2), ("b", 1)):
            control.scheduler.started(ControlledThread(body, (name, seconds)))
        assert not control.scheduler.wait(lambda: False, "nothing", 1.5)
        assert control.scheduler.wait(lambda: len(seen) == 2, "both", None)
        with pytest.raises(Stuck, match="waiting for 'nothing', which nobody is left to release"):
            control.scheduler.wait(lambda: False, "nothing", None)
    assert seen == [("b", 1.0), ("a", 2.0)]
