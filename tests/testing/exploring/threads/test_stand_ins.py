import concurrent.futures.thread as pools
import queue
import threading
import time
from queue import SimpleQueue
from threading import Lock, RLock

from linecook.testing.exploring.threads.control import Control
from linecook.testing.exploring.threads.controlled_locks import ControlledLock, ControlledRLock

WATCHED = [(module, name) for module in (threading, queue, time, pools) for name in vars(module)]


def snapshot():
    return {(module.__name__, name): id(getattr(module, name)) for module, name in WATCHED if name != "_counter"}


def test_afterwards_everything_is_as_it_was():
    before = snapshot()
    with Control():
        assert snapshot() != before
    assert snapshot() == before


def test_names_that_the_users_module_has_imported_are_replaced_too():
    before = Lock, RLock, SimpleQueue
    with Control():
        assert (type(Lock()), type(RLock())) == (ControlledLock, ControlledRLock)
        assert SimpleQueue is not before[2]
    assert (Lock, RLock, SimpleQueue) == before


def test_what_is_built_from_locks_is_built_from_controlled_ones():
    with Control():
        assert type(threading.Condition()._lock) is ControlledRLock
        assert type(threading.Event()._cond._lock) is ControlledLock
        assert type(queue.Queue().mutex) is ControlledLock
