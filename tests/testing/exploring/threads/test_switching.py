import sys
import threading
from collections import Counter

import pytest

from linecook.testing.exploring.threads.control import Control
from linecook.testing.exploring.threads.threads import ControlledThread
from linecook.testing.exploring.threads.users_code import switch_at
from tests.testing.exploring.driver import outcomes


class Cell:
    def __init__(self):
        self.n = 0

    def get(self):
        return self.n

    def put(self, n):
        self.n = n


def twice(update):
    """Return a program: two threads that run *update* on one cell; it comes to what the cell says at the end."""

    def program():
        cell = Cell()
        return [lambda: update(cell)] * 2, cell.get

    return program


def get_then_put(cell):
    n = cell.get()
    cell.put(n + 1)


def read_then_put(cell):
    n = cell.n
    cell.put(n + 1)


def get_then_write(cell):
    n = cell.get()
    cell.n = n + 1


def add_in_place(cell):
    cell.n += 1


def call_into_c_between(cell):
    n = cell.n
    str(n)
    cell.n = n + 1


def loop_between(cell):
    n = cell.n
    for _ in (1,):
        pass
    cell.n = n + 1


def test_a_call_between_read_and_write_loses_an_update():
    for update in (get_then_put, read_then_put, call_into_c_between, loop_between):
        assert set(outcomes(twice(update))) == {1, 2}, update.__name__


def test_under_the_gil_an_update_in_place_loses_nothing():
    assert set(outcomes(twice(add_in_place))) == {2}


def test_the_return_from_a_python_function_is_no_switch_point():
    # 4 threads × 100,000 times on real threads lose none, on 3.11, 3.12 and 3.13: nothing looks for the GIL there.
    assert set(outcomes(twice(get_then_write))) == {2}


@pytest.mark.slow  # 12,870 schedules: nothing makes opcodes fewer
def test_without_the_gil_an_update_in_place_is_lost():
    assert set(outcomes(twice(add_in_place), points="opcodes")) == {1, 2}


def test_accesses_are_seen_while_the_explorer_is_traced_line_by_line():
    def whys():
        thread = ControlledThread(add_in_place, (Cell(),))
        seen = []
        while thread.step() != "ended":
            seen.append(thread.at.why)
        return seen

    before = sys.gettrace()
    with Control(points="opcodes"):
        untraced = whys()
        sys.settrace(lambda *_event: None)
        try:
            traced = whys()
        finally:
            sys.settrace(before)
        again = whys()
    assert untraced == traced == again == ["access", "access"]


def test_what_is_read_from_a_dict_can_be_stale_after_the_call():
    def program():
        seen = {"n": 0}

        def body():
            n = seen.get("n")
            seen["n"] = n + 1

        return [body, body], lambda: seen["n"]

    assert set(outcomes(program)) == {1, 2}


def test_every_python_counts_the_same_schedules():
    # A lock taken and given back around a call: what differs between the hooks of 3.11 and later would show here.
    def program():
        cell, lock = Cell(), threading.Lock()

        def body():
            with lock:
                get_then_put(cell)

        return [body, body], cell.get

    assert Counter(outcomes(program)) == {2: 218}


def test_the_standard_library_is_passed_in_one_step():
    def body():
        import textwrap

        textwrap.fill("a word or two " * 20, 30)

    with Control():
        thread = ControlledThread(body)
        whys = []
        while thread.step() != "ended":
            whys.append(thread.at.why)
    assert whys == []


def test_an_access_that_linecook_declares_is_a_switch_point_where_the_user_makes_it():
    import textwrap

    switch_at(textwrap.indent, after=True)

    def body():
        textwrap.indent("a", "b")

    with Control():
        thread = ControlledThread(body)
        whys = []
        while thread.step() != "ended":
            whys.append(thread.at.why)
    assert whys == ["call", "return"]


def test_a_generator_that_goes_on_is_a_switch_point():
    def pieces():
        yield 1
        yield 2

    with Control():
        thread = ControlledThread(lambda: sum(pieces()))
        whys = []
        while thread.step() != "ended":
            whys.append(thread.at.why)
    if sys.version_info >= (3, 12):
        assert whys == ["call", "resume", "resume", "call into C"]
    else:  # there, a resumption is a call, a generator's making looks like a call into C, and sum's calls hide its end
        assert whys == ["call into C", "call", "call", "call"]
