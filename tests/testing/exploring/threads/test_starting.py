import threading
from _thread import allocate_lock
from concurrent.futures import ThreadPoolExecutor, as_completed

from linecook.testing.exploring.threads.control import Control, OldestFirst
from linecook.testing.exploring.threads.threads import ControlledThread
from tests.testing.exploring.driver import outcomes


def test_a_thread_that_the_program_starts_is_one_more_party():
    def program():
        seen = []

        def starts():
            thread = threading.Thread(target=seen.append, args=("inner",))
            thread.start()
            seen.append("outer")
            thread.join()
            seen.append(thread.is_alive())

        return [starts], lambda: tuple(seen)

    assert set(outcomes(program)) == {("inner", "outer", False), ("outer", "inner", False)}


def test_two_threads_of_the_programs_own_lose_an_update():
    def program():
        count = {"n": 0}

        def adds():
            n = count.get("n")
            count["n"] = n + 1

        def starts():
            threads = [threading.Thread(target=adds) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return [starts], lambda: count["n"]

    assert set(outcomes(program, random_walks=200)) == {1, 2}


def test_names_are_the_same_in_every_schedule():
    def program():
        names = []

        def starts():
            thread = threading.Thread(target=lambda: names.append(threading.current_thread().name), daemon=True)
            thread.start()
            thread.join()
            with ThreadPoolExecutor(1) as pool:
                names.append(pool.submit(lambda: threading.current_thread().name).result())

        return [starts], lambda: tuple(names)

    assert set(outcomes(program, random_walks=20)) == {("Thread-1 (<lambda>)", "ThreadPoolExecutor-0_0")}


def test_joining_with_a_limit_gives_up_in_virtual_time():
    def program():
        seen = []

        def starts():
            never = threading.Event()
            thread = threading.Thread(target=never.wait)
            thread.start()
            thread.join(timeout=3600)
            seen.append(thread.is_alive())
            never.set()
            thread.join()
            seen.append(thread.is_alive())

        return [starts], lambda: tuple(seen)

    assert set(outcomes(program, random_walks=20)) == {(True, False)}


def test_a_pool_of_threads_runs_under_control():
    def program():
        seen = []

        def uses():
            with ThreadPoolExecutor(2) as pool:
                futures = [pool.submit(seen.append, each) for each in "ab"]
                for future in as_completed(futures):
                    future.result()

        return [uses], lambda: "".join(seen)

    assert set(outcomes(program, random_walks=60)) == {"ab", "ba"}


def test_a_pool_that_nobody_shuts_down_leaves_nothing_behind(caplog):
    before = threading.active_count()
    with Control(OldestFirst()) as control:
        pools = []

        def uses():
            pools.append(ThreadPoolExecutor(1))
            return pools[0].submit(int).result()

        control.scheduler.started(ControlledThread(uses))
        control.scheduler.wait(lambda: control.threads[0].state == "ended", "the end", None)
        assert [thread.state for thread in control.threads] == ["ended", "blocked"]
        control.clear()
    assert threading.active_count() == before
    assert caplog.records == []


def test_the_thread_that_explores_can_start_and_join_one_as_well():
    seen = []
    with Control(OldestFirst()):
        thread = threading.Thread(target=seen.append, args=(1,))
        thread.start()
        thread.join()
        assert not thread.is_alive()
    assert seen == [1]


def test_a_thread_that_somebody_else_starts_meanwhile_is_a_real_one():
    seen, go, done = [], allocate_lock(), allocate_lock()
    go.acquire()
    done.acquire()

    def outsider():
        go.acquire()
        thread = threading.Thread(target=lambda: seen.append(threading.current_thread() is thread))
        thread.start()
        thread.join()
        done.release()

    threading.Thread(target=outsider).start()
    with Control(OldestFirst()) as control:
        go.release()
        assert done.acquire(timeout=20)
        assert control.threads == []
    assert seen == [True]


def test_what_a_thread_dies_of_is_told_to_the_scheduler_or_to_the_hook(monkeypatch):
    told = []

    class Listening(OldestFirst):
        def uncaught(self, thread, error):
            told.append((thread.name, type(error)))

    def dies():
        threading.Thread(target=lambda: 1 / 0, name="dying").start()

    def run(scheduler):
        with Control(scheduler) as control:
            control.scheduler.started(ControlledThread(dies))
            control.scheduler.wait(lambda: all(each.state == "ended" for each in control.threads), "the end", None)

    run(Listening())
    assert told == [("dying", ZeroDivisionError)]
    monkeypatch.setattr(threading, "excepthook", lambda arguments: told.append(arguments.exc_type))
    run(OldestFirst())
    assert told[1:] == [ZeroDivisionError]


def test_nothing_is_printed_about_a_thread_whose_schedule_is_over(capfd):
    with Control(OldestFirst()) as control:
        threading.Thread(target=threading.Event().wait).start()
        control.clear()
    assert capfd.readouterr() == ("", "")
