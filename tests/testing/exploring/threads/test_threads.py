import contextvars
import threading

import pytest

from linecook.testing.exploring.threads.control import Control, Endless, OldestFirst
from linecook.testing.exploring.threads.threads import ControlledThread

variable = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def control():
    with Control(OldestFirst()) as opened:
        yield opened


def to_the_end(thread):
    while thread.step() != "ended":
        pass
    return thread


def hop():
    pass


def test_nothing_runs_before_the_first_step(control):
    ran = []
    thread = ControlledThread(ran.append, (1,))
    assert (thread.state, ran) == ("new", [])
    assert thread.step() == "ended"
    assert ran == [1]


def test_a_result_and_an_exception_come_out_as_they_were(control):
    assert to_the_end(ControlledThread(lambda a, b: a + b, (1,), {"b": 2})).result() == 3
    failed = to_the_end(ControlledThread(lambda: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        failed.result()


def test_a_result_is_not_there_before_the_end(control):
    with pytest.raises(RuntimeError, match="hasn't ended: it is new"):
        ControlledThread(hop).result()


def test_what_has_ended_never_steps_again(control):
    thread = to_the_end(ControlledThread(hop, name="done"))
    with pytest.raises(RuntimeError, match="done has ended"):
        thread.step()


def test_a_thread_without_control_is_refused():
    with pytest.raises(RuntimeError, match="no control of threads is open"):
        ControlledThread(hop)


def test_a_thread_says_where_it_stands(control):
    def body():
        hop()

    thread = ControlledThread(body)
    thread.step()
    assert thread.at.file == __file__
    assert (thread.at.function, thread.at.why) == ("hop", "call")
    assert thread.at.line == hop.__code__.co_firstlineno


def test_context_variables_are_the_ones_given(control):
    context = contextvars.copy_context()
    context.run(variable.set, "given")
    assert to_the_end(ControlledThread(variable.get, context=context)).result() == "given"


def test_go_on_spares_the_steps_and_sees_every_point(control):
    def body():
        for _ in range(3):
            hop()

    whys = []
    thread = ControlledThread(body, go_on=lambda each: whys.append(each.at.why) or True)
    assert thread.step() == "ended"
    assert whys == ["call into C", *["call", "loop"] * 3]  # of range, of hop, of the loop
    assert thread.points == 8  # the beginning counts, but there is nothing to choose: nothing has happened yet


def test_an_error_of_go_on_is_the_explorers_not_the_programs(control):
    def body():
        try:
            hop()
        except ValueError:
            raise AssertionError("the program has caught what isn't its own") from None

    def refuse(thread):
        raise ValueError("the explorer's")

    thread = ControlledThread(body, go_on=refuse)
    with pytest.raises(ValueError, match="the explorer's"):
        thread.step()


def test_real_threads_are_used_again(control):
    idents = {to_the_end(ControlledThread(threading.get_ident)).result() for _ in range(50)}
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_an_abandoned_thread_unwinds_and_cleans_up(control):
    seen = []

    def body():
        try:
            while True:
                hop()
        finally:
            hop()
            seen.append("cleaned up")

    thread = ControlledThread(body)
    for _ in range(5):
        thread.step()
    thread.abandon()
    assert thread.state == "ended"
    assert seen == ["cleaned up"]
    assert thread.error is None


def test_an_abandoned_thread_gives_back_its_lock(control):
    lock = threading.Lock()

    def body():
        with lock:
            hop()

    thread = ControlledThread(body)
    while not lock.locked():
        thread.step()
    thread.abandon()
    assert not lock.locked()


def test_a_thread_that_resists_is_cut_short_as_well(control):
    lock = threading.Lock()
    lock.acquire()

    def body():
        try:
            hop()
        finally:
            lock.acquire()  # nobody will release it

    thread = ControlledThread(body)
    thread.step()
    thread.step()
    thread.abandon()
    assert thread.state == "ended"


def test_one_that_never_began_is_just_dropped(control):
    ran = []
    thread = ControlledThread(ran.append, (1,))
    thread.abandon()
    assert (thread.state, ran) == ("ended", [])


def test_clearing_a_schedule_abandons_whoever_is_left(control):
    threads = [ControlledThread(lambda: [hop() for _ in range(9)]) for _ in range(3)]
    for thread in threads:
        thread.step()
    control.clear()
    assert [thread.state for thread in threads] == ["ended"] * 3
    assert control.threads == []


def test_a_sleeping_thread_tells_until_when(control):
    import time

    thread = ControlledThread(time.sleep, (5,))
    assert thread.step() == "sleeping"
    assert (thread.deadline, thread.can_go_on()) == (5.0, False)
    control.scheduler.advance_to(5.0)
    assert thread.can_go_on()
    assert thread.step() == "ended"


def test_a_thread_that_spins_lets_others_go_on(control):
    flag = []

    def spins():
        while not flag:
            pass

    spinning = ControlledThread(spins)
    while spinning.state != "sleeping":
        spinning.step()
    assert spinning.points == 1000
    flag.append(1)
    control.scheduler.advance_to(spinning.deadline)
    assert to_the_end(spinning).error is None


def test_a_thread_that_spins_until_a_moment_comes_to_it(control):
    import time

    def spins():
        end = time.monotonic() + 0.0005
        while time.monotonic() < end:
            pass

    thread = ControlledThread(spins, go_on=lambda _thread: True)
    while thread.step() != "ended":
        control.scheduler.advance_to(thread.deadline)
    assert 2_000 < thread.points <= 8_000


def test_a_thread_without_an_end_is_ended_with_an_error_that_says_where():
    def spins():
        while True:
            try:
                hop()
            except Exception:
                pass

    with Control(OldestFirst(), most_points=3_000) as control:
        thread = ControlledThread(spins, name="spinner", go_on=lambda _thread: True)
        while thread.step() != "ended":
            control.scheduler.advance_to(thread.deadline)
        with pytest.raises(
            Endless, match=r"spinner has passed 3,000 switch points without an end; it is at .*test_threads"
        ):
            thread.result()


def test_what_the_explorer_does_on_a_thread_is_no_switch_point(control):
    def body():
        with thread.undisturbed():
            hop()
        hop()

    whys = []
    thread = ControlledThread(body)
    while thread.step() != "ended":
        whys.append(thread.at.why)
    assert whys.count("call") == 1


def test_current_thread_has_the_threads_name(control):
    thread = to_the_end(ControlledThread(lambda: threading.current_thread().name, name="lookup"))
    assert thread.result() == "lookup"
    again = to_the_end(ControlledThread(lambda: threading.current_thread().name, name="other"))
    assert again.result() == "other"


def test_two_threads_of_one_name_are_told_apart(control):
    assert [ControlledThread(hop, name="search").name for _ in range(3)] == ["search", "search (2)", "search (3)"]
    control.clear()
    assert ControlledThread(hop, name="search").name == "search"
