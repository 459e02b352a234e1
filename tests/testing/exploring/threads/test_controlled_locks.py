import queue
import threading
import time
from collections import Counter
from concurrent.futures import Future

import pytest

from linecook.testing.exploring.threads.control import Control, OldestFirst, Stuck
from linecook.testing.exploring.threads.controlled_locks import ControlledLock, ControlledRLock
from linecook.testing.exploring.threads.threads import ControlledThread
from tests.testing.exploring.driver import outcomes


def test_two_locks_in_opposite_order_deadlock_in_some_schedules():
    def program():
        one, other = threading.Lock(), threading.Lock()

        def forth():
            with one, other:
                pass

        def back():
            with other, one:
                pass

        return [forth, back], lambda: "ended"

    came_to = Counter(outcomes(program))
    assert came_to["deadlock"] > 0
    assert came_to["ended"] > came_to["deadlock"]


def test_in_the_same_order_they_never_do():
    def program():
        one, other = threading.Lock(), threading.RLock()

        def body():
            with one, other, other:
                pass

        return [body, body], lambda: "ended"

    assert set(outcomes(program)) == {"ended"}


def test_a_deadlock_can_be_read_from_who_waits_for_what_and_who_holds_it():
    with Control():
        one, other = threading.Lock(), threading.RLock()

        def take(first, second):
            with first, second:
                pass

        a = ControlledThread(take, (one, other), name="a")
        b = ControlledThread(take, (other, one), name="b")
        while one.holder is None:
            a.step()
        while b.step() != "blocked":
            pass
        while a.step() != "blocked":
            pass
        assert (a.waits_for, b.waits_for) == (other, one)
        assert (one.holder, other.holder) == (a, b)
        assert not a.can_go_on()
        assert not b.can_go_on()
        assert repr(one) == "<locked lock held by a>"
        assert repr(other) == "<locked rlock held by b>"


@pytest.mark.slow  # all schedules
def test_a_lost_wakeup_is_found():
    def program():
        condition = threading.Condition()
        ready = []

        def waits():
            if not ready:  # looked at without the lock: the news may come in between
                with condition:
                    condition.wait()

        def tells():
            ready.append(1)
            with condition:
                condition.notify()

        return [waits, tells], lambda: "ended"

    assert set(outcomes(program)) == {"deadlock", "ended"}


@pytest.mark.slow  # all schedules
def test_a_condition_with_its_predicate_under_the_lock_is_safe():
    def program():
        condition = threading.Condition()
        ready = []

        def waits():
            with condition:
                while not ready:
                    condition.wait()

        def tells():
            with condition:
                ready.append(1)
                condition.notify()

        return [waits, tells], lambda: "ended"

    assert set(outcomes(program)) == {"ended"}


def test_an_event_lets_go_on_whoever_waits():
    def program():
        event, seen = threading.Event(), []

        def waits():
            event.wait()
            seen.append("went on")

        def sets():
            seen.append("set")
            event.set()

        return [waits, sets], lambda: tuple(seen)

    assert set(outcomes(program)) == {("set", "went on")}


def test_a_semaphore_of_two_never_lets_in_three():
    def program():
        places, inside, most = threading.Semaphore(2), [], []

        def body():
            with places:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

        return [body] * 3, lambda: max(most)

    with Control() as control:
        walked = set(outcomes(program, control=control, random_walks=60))
    assert walked == {1, 2}


def test_a_barrier_opens_when_all_are_there():
    def program():
        barrier, seen = threading.Barrier(2), []

        def body():
            seen.append("before")
            barrier.wait()
            seen.append("after")

        return [body, body], lambda: tuple(seen)

    assert set(outcomes(program, random_walks=60)) == {("before", "before", "after", "after")}


@pytest.mark.parametrize("kind", [queue.Queue, queue.LifoQueue, queue.SimpleQueue])
def test_a_queue_hands_over_everything(kind):
    def program():
        line, got = getattr(queue, kind.__name__)(), []

        def puts():
            line.put(1)
            line.put(2)

        def takes():
            got.extend([line.get(), line.get()])

        return [puts, takes], lambda: sorted(got)

    assert all(came_to == [1, 2] for came_to in outcomes(program, random_walks=60))


def test_a_full_queue_makes_its_producer_wait():
    def program():
        line, got = queue.Queue(1), []

        def puts():
            for each in range(3):
                line.put(each)

        def takes():
            got.extend(line.get() for _ in range(3))

        return [puts, takes], lambda: tuple(got)

    assert set(outcomes(program, random_walks=60)) == {(0, 1, 2)}


def test_a_future_is_waited_for():
    def program():
        future, seen = Future(), []

        def waits():
            seen.append(future.result())

        return [waits, lambda: future.set_result("there")], lambda: seen[0]

    assert set(outcomes(program)) == {"there"}


def test_waiting_with_a_limit_ends_in_virtual_time():
    def program():
        lock, event, line = threading.Lock(), threading.Event(), queue.Queue()
        lock.acquire()
        seen = []

        def body():
            seen.append(lock.acquire(timeout=3600))
            seen.append(event.wait(timeout=3600))
            with pytest.raises(queue.Empty):
                line.get(timeout=3600)
            seen.append(round(time.monotonic()))

        return [body], lambda: tuple(seen)

    with Control(OldestFirst()) as control:
        began = control.scheduler.now()
        assert outcomes(program, control=control) == [(False, False, round(began) + 3 * 3600)]


def test_a_lock_outside_of_an_exploration_is_a_real_one():
    lock, again = ControlledLock(), ControlledRLock()
    with lock, again, again:
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0.001)
    assert not lock.locked()
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        lock.release()


def test_bad_timeouts_are_refused_as_threading_does():
    for lock in (ControlledLock(), ControlledRLock()):
        with pytest.raises(ValueError, match="non-blocking"):
            lock.acquire(False, 1)
        with pytest.raises(ValueError, match="non-negative"):
            lock.acquire(timeout=-2)
        with pytest.raises(OverflowError):
            lock.acquire(timeout=1e20)


def test_the_loops_own_thread_lets_threads_go_on_until_the_lock_is_free():
    with Control() as control:
        lock, seen = threading.Lock(), []

        def body():
            with lock:
                time.sleep(10)
                seen.append("thread")

        thread = ControlledThread(body)
        control.scheduler.started(thread)
        while not lock.locked():
            thread.step()
        with lock:
            seen.append("loop")
        assert seen == ["thread", "loop"]


def test_the_loops_own_thread_is_stuck_when_nobody_can_release_the_lock():
    with Control():
        lock = threading.Lock()
        lock.acquire()
        with pytest.raises(Stuck, match="nobody is left to release"):
            lock.acquire()
