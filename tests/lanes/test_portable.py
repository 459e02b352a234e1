"""What may travel to a process, how, and how a refusal names the culprit."""

from __future__ import annotations

import functools
import math
import pickle
import socket
import sqlite3
import threading
import types
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
import pytest

from linecook._core.errors import NotPortable
from linecook.lanes.portable import Route, by_name, culprit, is_importable, pack_arguments
from tests.lanes import process_bodies as bodies


@dataclass
class Job:
    name: str
    db: Any = None
    parts: list[Any] = field(default_factory=list)


class Slotted:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()


def takes(job: Any, *rest: Any, **options: Any) -> None: ...


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(NotPortable) as caught:
        pack_arguments(takes, "takes", args, kwargs)
    return str(caught.value)


def test_a_module_function_goes_by_name():
    assert by_name(bodies.add) == ("name", "tests.lanes.process_bodies", "add")
    assert by_name(bodies.Meal.cook) == ("name", "tests.lanes.process_bodies", "Meal.cook")
    assert by_name(math.sqrt) == ("name", "math", "sqrt")
    assert by_name(len) == ("name", "builtins", "len")


def test_lambdas_closures_and_replaced_names_go_by_value(monkeypatch):
    assert by_name(lambda: None) is None
    add = bodies.add
    monkeypatch.setattr(bodies, "add", bodies.same)
    assert by_name(add) is None
    assert by_name(functools.partial(add, 1)) is None


def test_a_tool_object_stands_for_its_body(monkeypatch):
    class Tool:
        __module__ = "linecook.tools.tool"
        body = staticmethod(bodies.add)

    add = bodies.add
    monkeypatch.setattr(bodies, "add", Tool())
    assert by_name(add) == ("name", "tests.lanes.process_bodies", "add")


def test_a_bound_method_takes_its_receiver_along():
    meal = bodies.Meal("soup")
    route = Route(meal.cook, 1, "cook")
    assert route.spec == ("name", "tests.lanes.process_bodies", "Meal.cook")
    assert route.receiver == (meal,)


def test_a_module_that_only_we_have_is_not_importable(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "made_up_here", types.ModuleType("made_up_here"))
    assert not is_importable("made_up_here")
    assert not is_importable("__main__")
    assert not is_importable("never_imported_at_all")
    assert is_importable("json.decoder") is is_importable("json")


def test_what_a_made_up_module_defines_goes_by_value(monkeypatch):
    module = types.ModuleType("made_up_there")
    monkeypatch.setitem(__import__("sys").modules, "made_up_there", module)
    exec("class Dish:\n    size = 3\ndef cook(dish): return dish.size\n", module.__dict__)
    route = Route(module.cook, 1, "cook")
    assert route.spec[0] == "value"
    packed = pack_arguments(module.cook, "cook", (module.Dish(),), {})
    monkeypatch.delitem(__import__("sys").modules, "made_up_there")
    (dish,), _ = pickle.loads(packed)
    assert pickle.loads(route.spec[1])(dish) == 3
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_a_by_value_function_follows_its_globals():
    names: dict[str, Any] = {"factor": 2, "__name__": "__main__", "__builtins__": __builtins__}
    exec("def double(n): return helper(n)\ndef helper(n): return n * factor\n", names)
    route = Route(names["double"], 1, "double")
    assert pickle.loads(route.spec[1])(4) == 8
    version = route.version
    route.refresh("double")
    assert route.version == version
    names["factor"] = 3
    route.refresh("double")
    assert route.version == version + 1
    assert pickle.loads(route.spec[1])(4) == 12


def test_a_closure_is_read_anew_at_every_call():
    seen = [1]

    def count() -> int:
        return len(seen)

    route = Route(count, 1, "count")
    seen.append(2)
    route.refresh("count")
    assert pickle.loads(route.spec[1])() == 2


def test_the_culprit_is_named_by_parameter_and_path():
    db = sqlite3.connect(":memory:")
    text = refusal(Job("a", db=db))
    assert "argument 'job' of takes(...)" in text
    assert ".db is a sqlite3.Connection" in text
    assert "lane='thread'" in text
    db.close()


def test_the_culprit_is_found_in_containers_and_slots():
    assert "['x'][1].parts[0].lock is a _thread.lock" in refusal({"x": (1, Job("b", parts=[Slotted()]))})
    assert "argument 'job'" in refusal(threading.Lock())
    with socket.socket() as sock:
        assert "argument 'options'" in refusal(1, extra=sock)
    assert "argument 'rest'" in refusal(1, 2, threading.Lock())


def test_a_large_argument_beside_a_culprit_is_refused_too():
    assert "argument 'rest'" in refusal(b"x" * 100_000, threading.Lock())


def test_a_captured_culprit_is_named():
    lock = threading.Lock()

    def uses() -> Any:
        return lock

    with pytest.raises(NotPortable, match=r"uses .* closure variable 'lock' is a _thread.lock"):
        Route(uses, 1, "uses")
    names: dict[str, Any] = {"guard": lock, "__name__": "__main__"}
    exec("def uses(): return guard", names)
    with pytest.raises(NotPortable, match=r"global 'guard' is a _thread.lock"):
        Route(names["uses"], 1, "uses")


def test_an_object_that_refuses_to_travel_speaks_for_itself():
    class Shared:
        def __reduce__(self) -> Any:
            raise NotPortable("a Shared value stays where it is")

    with pytest.raises(NotPortable, match="stays where it is"):
        pack_arguments(takes, "takes", (Shared(),), {})


def test_a_cycle_ends():
    ring: list[Any] = [threading.Lock()]
    ring.insert(0, ring)
    assert "can't travel" in culprit(ring) or "is a" in culprit(ring)


def test_only_what_nobody_can_change_waits_for_the_message_to_be_pickled():
    assert pack_arguments(takes, "takes", (1, 2.5, "soup", b"salt"), {}) == (1, 2.5, "soup", b"salt")
    for changeable in ([1], {"a": 1}, bytearray(b"x"), ["deep", ("er",)], "x" * 5000, True):
        assert isinstance(pack_arguments(takes, "takes", (1, changeable), {}), bytes)
    assert isinstance(pack_arguments(takes, "takes", (1,), {"hot": 2}), bytes)
