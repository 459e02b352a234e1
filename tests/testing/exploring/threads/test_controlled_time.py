import time
from time import monotonic, sleep

from linecook.testing.exploring.threads.control import Control, OldestFirst
from linecook.testing.exploring.threads.threads import ControlledThread
from tests.testing.exploring.driver import outcomes

real = (time.monotonic, time.sleep)


def test_an_hour_passes_at_once_in_the_order_of_its_minutes():
    def program():
        seen = []

        def body(seconds):
            time.sleep(seconds)
            seen.append(seconds)

        return [lambda: body(3600), lambda: body(60), lambda: body(600)], lambda: tuple(seen)

    assert set(outcomes(program, random_walks=50)) == {(60, 600, 3600)}


def test_every_clock_tells_virtual_time():
    def body():
        begun = time.monotonic(), time.perf_counter(), time.time(), time.monotonic_ns(), time.time_ns()
        sleep(5)  # imported by its name before the exploration began
        now = monotonic(), time.perf_counter(), time.time(), time.monotonic_ns(), time.time_ns()
        return [after - before for before, after in zip(begun, now, strict=True)]

    with Control(OldestFirst()) as control:
        thread = ControlledThread(body)
        control.scheduler.started(thread)
        control.scheduler.wait(lambda: thread.state == "ended", thread, None)
        assert thread.result() == [5.0, 5.0, 5.0, 5_000_000_000, 5_000_000_000]


def test_the_same_moment_has_the_same_date_in_every_run():
    def now():
        with Control(OldestFirst()):
            return time.time()

    assert now() == now() == 1_700_000_000.0


def test_sleeping_a_negative_time_is_refused():
    def program():
        def body():
            try:
                time.sleep(-1)
            except ValueError as error:
                seen.append(str(error))

        seen = []
        return [body], lambda: tuple(seen)

    assert set(outcomes(program)) == {("sleep length must be non-negative",)}


def test_sleeping_no_time_is_a_chance_for_others():
    def program():
        seen = []

        def body(name):
            seen.append(name)
            time.sleep(0)
            seen.append(name)

        return [lambda: body("a"), lambda: body("b")], lambda: "".join(seen)

    assert {"aabb", "abab"} <= set(outcomes(program))


def test_afterwards_time_is_real_again():
    with Control():
        assert time.monotonic is not real[0]
    assert (time.monotonic, time.sleep) == real
    assert (monotonic, sleep) == real
