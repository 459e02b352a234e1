import functools
import logging
import queue
import threading
from collections import deque

from linecook.testing.exploring.threads.control import Control, OldestFirst
from linecook.testing.exploring.threads.controlled_locks import ControlledLock, ControlledRLock
from linecook.testing.exploring.threads.threads import ControlledThread

LOCK = threading.Lock()
AGAIN = threading.RLock()
ALIAS = LOCK
IN_LIST = [threading.Lock()]
IN_DICT = {"lock": threading.Lock()}
IN_DEQUE = deque([threading.Lock()])
CONDITION = threading.Condition()
EVENT = threading.Event()
LINE = queue.Queue(1)


class Store:
    lock = threading.Lock()

    def __init__(self):
        self.own = threading.Lock()
        self.deeper = Slotted()


class Slotted:
    __slots__ = ("empty", "lock")

    def __init__(self):
        self.lock = threading.RLock()


STORE = Store()


def make_closure():
    lock = threading.Lock()

    def held():
        return lock

    return held


CLOSURE = make_closure()


def everywhere():
    return [
        LOCK, AGAIN, ALIAS, IN_LIST[0], IN_DICT["lock"], IN_DEQUE[0], CONDITION._lock,
        Store.lock, STORE.own, STORE.deeper.lock, CLOSURE(),
    ]  # fmt: skip


def test_locks_of_import_time_are_found_wherever_they_can_be_replaced():
    with Control():
        kinds = [type(lock) for lock in everywhere()]
    assert set(kinds) == {ControlledLock, ControlledRLock}


def test_one_lock_under_two_names_stays_one_lock():
    with Control():
        assert LOCK is ALIAS
    assert LOCK is ALIAS


def test_afterwards_every_lock_is_itself_again():
    before = everywhere()
    with Control():
        pass
    assert all(now is was for now, was in zip(everywhere(), before, strict=True))


def test_a_lock_that_was_taken_meanwhile_is_taken_afterwards():
    with Control():
        LOCK.acquire()
    assert LOCK.locked()
    LOCK.release()


def test_two_threads_with_a_lock_of_import_time_wait_in_turn():
    inside, most = [], []

    def body():
        with STORE.deeper.lock, LOCK:
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    with Control(OldestFirst(), patience=0.2):
        threads = [ControlledThread(body) for _ in range(2)]
        while any(thread.state != "ended" for thread in threads):
            for thread in threads:
                if thread.can_go_on():
                    thread.step()
    assert most == [1, 1]


def test_events_conditions_and_queues_of_import_time_wait_in_turn():
    got = []

    def takes():
        EVENT.wait()
        with CONDITION:
            got.append(LINE.get())
            got.append(LINE.get())

    def puts():
        EVENT.set()
        LINE.put(1)
        LINE.put(2)
        with CONDITION:
            got.append("end")

    with Control(OldestFirst(), patience=0.2):
        threads = [ControlledThread(body) for body in (takes, puts)]
        while any(thread.state != "ended" for thread in threads):
            for thread in threads:
                if thread.can_go_on():
                    thread.step()
        for thread in threads:
            thread.result()
    EVENT.clear()
    assert got == [1, 2, "end"]


class Proxy:
    """As web frameworks have them: it asks about itself where no request is."""

    @property
    def __class__(self):
        raise RuntimeError("working outside of a request")

    def __getattr__(self, name):
        raise RuntimeError("working outside of a request")


KEPT = {"proxy": Proxy()}  # as a global, pytest would ask it whether it is a fixture
DATA = list(range(1_000_000))


def test_odd_objects_and_plain_data_are_let_alone():
    before = len(DATA)
    with Control():
        assert type(LOCK) is ControlledLock
    assert len(DATA) == before


def hop():
    pass


class Handler(logging.Handler):
    def emit(self, record):
        hop()


LOG = logging.getLogger(__name__)
LOG.addHandler(Handler())
LOG.propagate = False


class Page:
    @functools.cached_property
    def words(self):
        hop()
        return 1


def test_locks_of_the_standard_library_that_are_held_while_the_users_code_runs_are_waited_for_in_turn():
    with Control(OldestFirst(), patience=0.2):
        page = Page()
        threads = [ControlledThread(lambda: (LOG.warning("one line"), page.words)) for _ in range(2)]
        while any(thread.state != "ended" for thread in threads):
            for thread in threads:
                if thread.can_go_on():
                    thread.step()
        assert [thread.result() for thread in threads] == [(None, 1)] * 2
