import os
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from linecook.observe.pulse import Pulse, Wake


@pytest.fixture
def pulse() -> Iterator[Pulse]:
    pulse = Pulse()
    yield pulse
    for reader in list(pulse._due):
        del pulse._due[reader]
    pulse._bell.set()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert condition()


def test_readers_are_called_when_they_ask_to_be(pulse):
    often, seldom = list[Wake](), list[Wake]()
    removes = [
        pulse.add(lambda wake: often.append(wake) or 0.01),
        pulse.add(lambda wake: seldom.append(wake) or 60.0),
    ]
    wait_for(lambda: len(often) >= 5)
    for remove in removes:
        remove()
    assert len(seldom) == 1
    assert all(later.now - earlier.now >= 0.005 for earlier, later in pairwise(often))
    assert all(wake.late >= wake.held >= 0 for wake in often)


def test_one_thread_lives_from_the_first_reader_to_the_last(pulse):
    assert pulse._thread is None
    first = pulse.add(lambda wake: 0.01)
    second = pulse.add(lambda wake: 0.01)
    thread = pulse._thread
    assert thread is not None
    assert thread.daemon
    first()
    first()
    time.sleep(0.02)
    assert pulse._thread is thread
    second()
    thread.join(5)
    assert not thread.is_alive()
    assert pulse._thread is None


def test_a_reader_that_fails_is_dropped_and_the_others_go_on(pulse, caplog):
    calls = []

    def fail(wake: Wake) -> float:
        raise ZeroDivisionError

    pulse.add(fail)
    remove = pulse.add(lambda wake: calls.append(wake) or 0.005)
    wait_for(lambda: len(calls) >= 3)
    remove()
    assert "failed and is dropped" in caplog.text


def test_a_reader_may_remove_itself(pulse):
    calls = []

    def once(wake: Wake) -> float:
        calls.append(wake)
        remove()
        return 0.001

    ready = threading.Event()
    pulse.add(lambda wake: 0.001 if ready.wait(5) else 60.0)
    remove = pulse.add(once)
    ready.set()
    wait_for(lambda: calls)
    time.sleep(0.02)
    assert len(calls) == 1


@pytest.mark.slow
def test_a_held_interpreter_is_told_from_a_free_one(pulse):
    free, held = list[Wake](), list[Wake]()
    remove = pulse.add(lambda wake: free.append(wake) or 0.01)
    time.sleep(0.15)
    remove()
    remove = pulse.add(lambda wake: held.append(wake) or 0.01)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        sum(range(100))
    remove()
    assert sum(wake.naps > 0 for wake in free) <= 0.3 * len(free)
    assert sum(wake.naps > 0 for wake in held) >= 0.5 * len(held)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # that is the point
def test_a_forked_child_starts_afresh(pulse):
    pulse.add(lambda wake: 0.01)
    child = os.fork()
    if not child:
        code = 1
        try:
            called = threading.Event()
            fresh = pulse._thread is None and not pulse._due
            pulse.add(lambda wake: called.set() or 60.0)
            code = 0 if fresh and called.wait(5) else 1
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
