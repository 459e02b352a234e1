import os
import socket
import threading
import time
import zlib
from _thread import allocate_lock

import pytest

from linecook.testing.exploring.mistakes import EscapedControl
from linecook.testing.exploring.threads.control import Control, OldestFirst
from linecook.testing.exploring.threads.threads import ControlledThread

HIDDEN = (allocate_lock(),)  # in a tuple, nothing can be put in its place
clock = (time.perf_counter,)  # in a tuple, it isn't replaced by virtual time


@pytest.fixture
def control():
    with Control(OldestFirst(), patience=0.1) as opened:
        yield opened


def test_a_thread_blocked_in_a_real_socket_is_an_error_that_names_the_call(control):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = ControlledThread(lambda: ours.recv(1))
        with pytest.raises(
            EscapedControl, match=r"is blocked in 'ours.recv\(1\)' \(.*test_workers.py:\d+, in <lambda>\)"
        ):
            thread.step()
        assert thread.state == "ended"
        theirs.send(b"x")


def test_a_lock_from_outside_that_cant_be_found_is_an_error_too(control):
    def body():
        with HIDDEN[0]:
            pass

    HIDDEN[0].acquire()
    try:
        with pytest.raises(EscapedControl, match=r"is blocked in .*HIDDEN\[0\].*reachable from a module of yours"):
            ControlledThread(body).step()
    finally:
        HIDDEN[0].release()


def test_one_that_comes_back_after_it_was_given_up_unwinds_at_its_next_point(control):
    ours, theirs = socket.socketpair()
    reached, left = [], []

    def body():
        try:
            ours.recv(1)
            reached.append("the next line")
        finally:
            left.append(threading.get_ident())

    with ours, theirs:
        thread = ControlledThread(body)
        with pytest.raises(EscapedControl):
            thread.step()
        theirs.send(b"x")
        until = clock[0]() + 20
        while not left and clock[0]() < until:
            os.sched_yield()
    assert left
    assert reached == []


def test_after_an_escape_other_threads_run_on(control):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(EscapedControl):
            ControlledThread(lambda: ours.recv(1)).step()
        thread = ControlledThread(lambda: 5)
        assert thread.step() == "ended"
        assert thread.result() == 5
        theirs.send(b"x")


@pytest.mark.slow
def test_a_thread_that_works_in_c_for_long_is_waited_for(control):
    data = os.urandom(1_000_000)

    def body():
        end = time.thread_time() + 0.4
        while time.thread_time() < end:
            zlib.compress(data)

    thread = ControlledThread(body, go_on=lambda _thread: True)
    assert thread.step() == "ended"
    assert thread.error is None


def test_a_step_costs_no_thread():
    before = threading.active_count()
    with Control(OldestFirst()):
        for _ in range(20):
            ControlledThread(int).step()
    assert threading.active_count() == before


def test_the_cpus_of_the_explorers_thread_are_its_own_again_afterwards():
    before = os.sched_getaffinity(0)
    with Control():
        ControlledThread(int).step()
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


LOCAL = threading.local()


def test_a_thread_local_value_of_a_module_doesnt_outlive_its_body(control):
    def body():
        before = getattr(LOCAL, "seen", None)
        LOCAL.seen = True
        return before, threading.get_ident()

    idents = set()
    for _ in range(3):
        thread = ControlledThread(body, go_on=lambda _thread: True)
        assert thread.step() == "ended"
        before, ident = thread.result()
        assert before is None
        idents.add(ident)
    assert len(idents) == 1
