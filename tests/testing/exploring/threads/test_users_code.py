import collections
import json
from dataclasses import dataclass

import pytest

import linecook
from linecook.testing.exploring.threads.users_code import UsersCode, entry, switch_at


@dataclass
class Record:
    value: int


def test_the_users_code_is_what_isnt_installed():
    code = UsersCode()
    assert code.has(test_the_users_code_is_what_isnt_installed.__code__)
    assert not code.has(json.dumps.__code__)
    assert not code.has(pytest.raises.__code__)
    assert not code.has(linecook.settle.__code__)


def test_what_has_no_file_is_the_users_but_not_what_python_writes_itself():
    code = UsersCode()
    assert code.has(compile("x = 1", "<stdin>", "exec").replace(co_name="typed"))
    assert not code.has_file("<frozen importlib._bootstrap>")
    assert not code.has(Record.__init__.__code__)
    assert not code.has(collections.namedtuple("Point", "x y").__new__.__code__)


def test_the_body_of_a_module_is_never_interrupted():
    assert not UsersCode().has(compile("x = 1", __file__, "exec"))


def test_an_installed_package_under_test_can_be_included():
    assert UsersCode((json.__file__.rpartition("/")[0],)).has(json.dumps.__code__)


def test_an_entry_may_be_a_property():
    class Cell:
        @property
        def value(self):
            return 1

    switch_at(Cell.value)
    assert entry(Cell.value.fget.__code__) is not None
    assert entry(json.dumps.__code__) is None
